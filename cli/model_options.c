#include "cli/model_options.h"

#include "core/log.h"

ModelFiles mcv_model_options_read(const mcv_arguments *arguments) {
    return (ModelFiles){.model = mcv_option_value(arguments, "model"),
                        .mmproj = mcv_option_value(arguments, "mmproj"),
                        .preprocessor_config = mcv_option_value(arguments, "preprocessor-config")};
}

mcv_status mcv_model_options_require(const mcv_arguments *arguments, ModelFiles *files) {
    const char *model;
    MCV_TRY(mcv_option_required(arguments, "model", &model));
    *files = mcv_model_options_read(arguments);
    return MCV_OK;
}

mcv_status mcv_model_options_open(const char *path, const mcv_model_options *options, mcv_model **model) {
    MCV_TRY(mcv_model_open(path, options, model));
    if (mcv_model_remark(*model))
        mcv_log_remark("%s: %s", path, mcv_model_remark(*model));
    return MCV_OK;
}
