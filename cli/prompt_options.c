#include "cli/prompt_options.h"

mcv_status mcv_prompt_options_read(const mcv_arguments *arguments, mcv_prompt_options *options) {
    *options = mcv_prompt_options_default();
    options->system_prompt = mcv_option_value(arguments, "system");
    options->enable_thinking = mcv_option_count(arguments, "thinking") > 0;
    MCV_TRY(mcv_option_int(arguments, "max-inp-length", 0, MCV_MOST_PROMPT_TOKENS, &options->max_inp_length));
    MCV_TRY(mcv_option_int(arguments, "max-slice-nums", 1, MCV_MOST_SLICES, &options->max_slice_nums));
    return mcv_option_int(arguments, "use-image-id", 0, 1, &options->use_image_id);
}
