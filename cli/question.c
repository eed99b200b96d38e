#include "cli/question.h"

#include <string.h>

#include "cli/prompt_options.h"

/* The images in their order, then the text. */
static mcv_status make_parts(const mcv_arguments *arguments, const char *text, mcv_golden_case *made,
                             mcv_message *message) {
    size_t images = (size_t)mcv_option_count(arguments, "image");
    mcv_part *parts;
    MCV_TRY(MCV_ARENA_NEW(&made->arena, &parts, images + 1));
    MCV_TRY(MCV_NEW(&made->images, images));
    for (int i = 0; i < arguments->num_given; i++) {
        if (strcmp(arguments->given[i].name, "image") != 0)
            continue;
        mcv_image *image;
        MCV_TRY(MCV_ARENA_NEW(&made->arena, &image, 1));
        MCV_TRY(mcv_image_load(arguments->given[i].value, image));
        parts[made->num_images] = (mcv_part){.image = image};
        made->images[made->num_images++] = image;
    }
    parts[images] = (mcv_part){.text = text};
    *message = (mcv_message){"user", parts, (int)images + 1};
    return MCV_OK;
}

/* One message of the user. */
static mcv_status make_conversation(const mcv_arguments *arguments, mcv_golden_case *made) {
    const char *text;
    mcv_message *message;
    MCV_TRY(mcv_option_required(arguments, "prompt", &text));
    MCV_TRY(MCV_ARENA_NEW(&made->arena, &message, 1));
    MCV_TRY(make_parts(arguments, text, made, message));
    MCV_TRY(MCV_ARENA_NEW(&made->arena, &made->conversations, 1));
    made->conversations[0] = (mcv_conversation){.messages = message, .num_messages = 1};
    made->num_conversations = 1;
    return MCV_OK;
}

mcv_status mcv_question_read(const mcv_arguments *arguments, mcv_golden_case *made) {
    *made = (mcv_golden_case){.name = "of the command line"};
    MCV_TRY(mcv_prompt_options_read(arguments, &made->prompt_options));
    return make_conversation(arguments, made);
}

mcv_status mcv_question_refuse(const mcv_arguments *arguments, const char *instead) {
    static const char *const NAMES[] = {"image", "prompt", "system", "thinking", "max-slice-nums"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (mcv_option_count(arguments, NAMES[i]) > 0)
            return MCV_FAIL(MCV_USAGE, "--%s and %s exclude each other", NAMES[i], instead);
    return MCV_OK;
}
