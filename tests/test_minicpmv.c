/* The public header, and nothing else of the project. */
#include "include/minicpmv.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 1 << 12, NUM_CONVERSATIONS = 3 };

static const char MODEL[] = "golden/models/base-f32", PICTURE[] = "golden/images/scene.png";

static mcv_model *open_model(int threads) {
    mcv_model_options options = mcv_model_options_default();
    mcv_model *model;
    options.threads = threads;
    cr_assert_eq(mcv_model_open(MODEL, &options, &model), MCV_OK, "%s", mcv_error_message());
    return model;
}

static mcv_image load_picture(void) {
    mcv_image image;
    cr_assert_eq(mcv_image_load(PICTURE, &image), MCV_OK, "%s", mcv_error_message());
    return image;
}

/* A question about an image, one without, and one with an answer before it: prompts of different lengths. */
typedef struct Questions {
    mcv_part parts[5];
    mcv_message messages[5];
    mcv_conversation conversations[NUM_CONVERSATIONS];
} Questions;

static void ask(Questions *self, const mcv_image *image) {
    *self = (Questions){.parts = {{.image = image},
                                  {.text = "What is in the image?"},
                                  {.text = "Hi"},
                                  {.text = "One word."},
                                  {.text = "And what happens in the second picture?"}}};
    self->messages[0] = (mcv_message){"user", &self->parts[0], 2};
    self->messages[1] = (mcv_message){"user", &self->parts[2], 1};
    self->messages[2] = (mcv_message){"user", &self->parts[2], 1};
    self->messages[3] = (mcv_message){"assistant", &self->parts[3], 1};
    self->messages[4] = (mcv_message){"user", &self->parts[4], 1};
    self->conversations[0] = (mcv_conversation){.messages = &self->messages[0], .num_messages = 1};
    self->conversations[1] = (mcv_conversation){.messages = &self->messages[1], .num_messages = 1};
    self->conversations[2] = (mcv_conversation){.messages = &self->messages[2], .num_messages = 3};
}

/* ---- Tokens -------------------------------------------------------------------------------------------------- */

Test(minicpmv, tokens_there_and_back) {
    static const char TEXT[] = "What's in the image?\n\xe5\x9b\xbe<|im_end|>";
    mcv_model *model = open_model(1);
    int32_t *ids;
    size_t count;
    char *text;
    cr_assert_eq(mcv_tokenize(model, TEXT, strlen(TEXT), &ids, &count), MCV_OK, "%s", mcv_error_message());
    cr_expect(count > 5 && count < strlen(TEXT));
    cr_assert_eq(mcv_detokenize(model, ids, count, &text), MCV_OK, "%s", mcv_error_message());
    cr_expect_str_eq(text, TEXT);
    mcv_free(text);
    mcv_free(ids);
    cr_assert_eq(mcv_detokenize(model, NULL, 0, &text), MCV_OK);
    cr_expect_str_eq(text, "");
    mcv_free(text);
    cr_assert_eq(mcv_tokenize(model, "", 0, &ids, &count), MCV_OK);
    cr_expect_eq(count, 0);
    mcv_free(ids);
    cr_expect_eq(mcv_tokenize(model, "a\xff", 2, &ids, &count), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "byte 1"), "%s", mcv_error_message());
    mcv_model_close(model);
}

/* ---- Logits and taps ------------------------------------------------------------------------------------------- */

Test(minicpmv, a_batch_gives_the_bits_of_each_conversation_alone) {
    mcv_model *model = open_model(2);
    mcv_image image = load_picture();
    Questions questions;
    ask(&questions, &image);
    float *together, *alone;
    int vocab_size, again;
    mcv_status status =
        mcv_logits(model, questions.conversations, NUM_CONVERSATIONS, NULL, NULL, &together, &vocab_size);
    cr_assert_eq(status, MCV_OK, "%s", mcv_error_message());
    for (int i = 0; i < NUM_CONVERSATIONS; i++) {
        cr_assert_eq(mcv_logits(model, &questions.conversations[i], 1, NULL, NULL, &alone, &again), MCV_OK);
        cr_assert_eq(again, vocab_size);
        cr_expect_eq(memcmp(alone, together + i * vocab_size, (size_t)vocab_size * sizeof *alone), 0, "%d", i);
        mcv_free(alone);
    }
    cr_expect_neq(memcmp(together, together + vocab_size, (size_t)vocab_size * sizeof *together), 0);
    mcv_free(together);
    mcv_image_free(&image);
    mcv_model_close(model);
}

typedef struct Seen {
    int tensors, layers;
    float scores[LONGEST]; /* of llm.lm_head */
    const char *refused;   /* the name at which the tap stops the run */
} Seen;

static mcv_status look(void *context, const char *name, const mcv_tensor *output) {
    Seen *seen = context;
    seen->tensors++;
    seen->layers += strcmp(name, "llm.model.layers.1") == 0;
    if (strcmp(name, "llm.lm_head") == 0) {
        cr_assert(output->dtype == MCV_F32 && output->rank == 3 && output->shape[2] <= LONGEST);
        memcpy(seen->scores, output->data, (size_t)output->shape[2] * sizeof(float));
    }
    return seen->refused && strcmp(name, seen->refused) == 0 ? MCV_DIFFERS : MCV_OK;
}

Test(minicpmv, a_tap_sees_the_modules_and_can_stop_the_run) {
    mcv_model *model = open_model(1);
    mcv_image image = load_picture();
    Questions questions;
    Seen seen = {0};
    ask(&questions, &image);
    mcv_observer observer = {.tap = look, .context = &seen};
    float *logits;
    int vocab_size;
    cr_assert_eq(mcv_logits(model, questions.conversations, 1, NULL, &observer, &logits, &vocab_size), MCV_OK);
    cr_expect_eq(memcmp(logits, seen.scores, (size_t)vocab_size * sizeof *logits), 0);
    cr_expect_eq(seen.layers, 1);
    mcv_free(logits);
    int all = seen.tensors;
    seen = (Seen){.refused = "vpm.encoder.layers.0"};
    cr_expect_eq(mcv_logits(model, questions.conversations, 1, NULL, &observer, &logits, &vocab_size), MCV_DIFFERS);
    cr_expect(seen.tensors < all && seen.layers == 0);
    cr_expect_null(logits);
    mcv_image_free(&image);
    mcv_model_close(model);
}

typedef struct SeenWeights {
    int times;
    int64_t shape[3];
    double smallest_sum, largest_sum; /* of a query's weights */
} SeenWeights;

static mcv_status weigh(void *context, const char *name, const mcv_tensor *output) {
    SeenWeights *seen = context;
    if (strcmp(name, "resampler.attn.weights") != 0)
        return MCV_OK;
    cr_assert(output->dtype == MCV_F32 && output->rank == 3);
    *seen = (SeenWeights){.times = seen->times + 1, .smallest_sum = 2};
    memcpy(seen->shape, output->shape, sizeof seen->shape);
    const float *weights = output->data;
    for (int64_t row = 0; row < seen->shape[0] * seen->shape[1]; row++) {
        double sum = 0;
        for (int64_t i = 0; i < seen->shape[2]; i++)
            sum += (double)weights[row * seen->shape[2] + i];
        seen->smallest_sum = sum < seen->smallest_sum ? sum : seen->smallest_sum;
        seen->largest_sum = sum > seen->largest_sum ? sum : seen->largest_sum;
    }
    return MCV_OK;
}

Test(minicpmv, a_tap_sees_the_attention_of_the_resampler_where_it_asks) {
    mcv_model_options model_options = {.threads = 2, .engine = MCV_ENGINE_REFERENCE};
    mcv_model *model;
    cr_assert_eq(mcv_model_open(MODEL, &model_options, &model), MCV_OK, "%s", mcv_error_message());
    mcv_image images[2];
    cr_assert_eq(mcv_image_load("golden/images/frame00.png", &images[0]), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_image_load("golden/images/tiny.png", &images[1]), MCV_OK, "%s", mcv_error_message());
    mcv_part parts[] = {{.image = &images[0]}, {.image = &images[1]}, {.text = "Which?"}};
    mcv_message message = {"user", parts, 3};
    mcv_conversation conversation = {.messages = &message, .num_messages = 1};
    mcv_prompt_options options = mcv_prompt_options_default();
    options.max_slice_nums = 1;
    SeenWeights seen = {0};
    mcv_observer observer = {.tap = weigh, .context = &seen};
    float *logits, *watched;
    int vocab_size;
    cr_assert_eq(mcv_logits(model, &conversation, 1, &options, &observer, &logits, &vocab_size), MCV_OK);
    cr_expect_eq(seen.times, 0);
    observer.tap_attention = 1;
    cr_assert_eq(mcv_logits(model, &conversation, 1, &options, &observer, &watched, &vocab_size), MCV_OK);
    cr_expect_eq(seen.times, 1);
    cr_expect_eq(seen.shape[0], 2, "a group an image");
    cr_expect(seen.smallest_sum > 1 - 1e-6 && seen.largest_sum < 1 + 1e-6, "%g to %g", seen.smallest_sum,
              seen.largest_sum);
    cr_expect_arr_eq(logits, watched, (size_t)vocab_size * sizeof *logits);
    mcv_free(logits);
    mcv_free(watched);
    mcv_image_free(&images[0]);
    mcv_image_free(&images[1]);
    mcv_model_close(model);
}

/* Frames are encoded group by group unless a tap is to see them all together. The model's encoder batches hold
 * two slices, and one frame is of another size, so that the others are padded. */
Test(minicpmv, frames_give_the_same_bits_in_one_piece_and_group_by_group) {
    enum { FRAMES = 7 };
    static const int32_t TICKS[FRAMES] = {0, 4, 8, 30, 31, 50, 70};
    const mcv_frame_group groups[] = {{3, TICKS}, {1, TICKS + 3}, {2, TICKS + 4}, {1, TICKS + 6}};
    const mcv_temporal_ids temporal_ids = {4, groups};
    mcv_image frames[FRAMES];
    mcv_part parts[FRAMES + 1] = {[FRAMES] = {.text = "What happens?"}};
    mcv_model *model;
    cr_assert_eq(mcv_model_open("golden/models/foreach-f16", NULL, &model), MCV_OK, "%s", mcv_error_message());
    for (int i = 0; i < FRAMES; i++) {
        char path[64];
        if (i == 4)
            snprintf(path, sizeof path, "golden/images/portrait.png");
        else
            snprintf(path, sizeof path, "golden/images/frame%02d.png", i);
        cr_assert_eq(mcv_image_load(path, &frames[i]), MCV_OK, "%s", mcv_error_message());
        parts[i].image = &frames[i];
    }
    mcv_message message = {"user", parts, FRAMES + 1};
    mcv_conversation conversation = {&message, 1, &temporal_ids};
    mcv_prompt_options options = mcv_prompt_options_default();
    options.max_slice_nums = 1;
    Seen seen = {0};
    mcv_observer observer = {.tap = look, .context = &seen};
    float *together, *apart, *watched;
    int vocab_size;
    cr_assert_eq(mcv_logits(model, &conversation, 1, &options, &observer, &together, &vocab_size), MCV_OK, "%s",
                 mcv_error_message());
    cr_assert_eq(mcv_logits(model, &conversation, 1, &options, NULL, &apart, &vocab_size), MCV_OK);
    observer.tap_in_parts = 1;
    cr_assert_eq(mcv_logits(model, &conversation, 1, &options, &observer, &watched, &vocab_size), MCV_OK);
    cr_expect_arr_eq(together, apart, (size_t)vocab_size * sizeof *apart);
    cr_expect_arr_eq(together, watched, (size_t)vocab_size * sizeof *apart);
    mcv_free(together);
    mcv_free(apart);
    mcv_free(watched);
    for (int i = 0; i < FRAMES; i++)
        mcv_image_free(&frames[i]);
    mcv_model_close(model);
}

static mcv_status hear(void *context, const char *name, const mcv_tensor *output) {
    (void)context, (void)name, (void)output;
    return MCV_OK;
}

/* Puts element numbers into the logits, or (context not NULL) zeros into what the decoder is given. */
static mcv_status put(void *context, const char *name, const mcv_tensor *output, float *values) {
    int64_t count = 1;
    for (int axis = 0; axis < output->rank; axis++)
        count *= output->shape[axis];
    bool wanted = strcmp(name, context ? "llm.model.norm" : "llm.lm_head") == 0;
    for (int64_t i = 0; i < count && wanted; i++)
        values[i] = context ? 0 : (float)i;
    return MCV_OK;
}

Test(minicpmv, outputs_can_be_replaced) {
    Questions questions;
    mcv_image image = load_picture();
    mcv_model *model = open_model(1);
    mcv_observer observer = {.tap = hear, .replace = put};
    float *logits;
    int vocab_size;
    ask(&questions, &image);
    cr_assert_eq(mcv_logits(model, questions.conversations, 1, NULL, &observer, &logits, &vocab_size), MCV_OK);
    for (int i = 0; i < vocab_size; i++)
        cr_assert_eq(logits[i], (float)i);
    mcv_free(logits);
    observer.context = &observer;
    cr_assert_eq(mcv_logits(model, questions.conversations, 1, NULL, &observer, &logits, &vocab_size), MCV_OK);
    for (int i = 0; i < vocab_size; i++)
        cr_assert_eq(logits[i], 0, "the head has no bias");
    mcv_free(logits);
    mcv_model_close(model);
    mcv_image_free(&image);
}

/* ---- Answers --------------------------------------------------------------------------------------------------- */

typedef struct Streamed {
    char text[NUM_CONVERSATIONS][LONGEST];
    size_t size[NUM_CONVERSATIONS];
} Streamed;

static mcv_status take_piece(void *context, int row, const char *text, size_t size) {
    Streamed *self = context;
    cr_assert(row >= 0 && row < NUM_CONVERSATIONS && size > 0 && self->size[row] + size < LONGEST);
    memcpy(self->text[row] + self->size[row], text, size);
    self->size[row] += size;
    return MCV_OK;
}

/* Samples 12 tokens an answer. */
static void sample(int threads, uint64_t seed, Streamed *streamed, char **answers) {
    mcv_model *model = open_model(threads);
    mcv_image image = load_picture();
    Questions questions;
    ask(&questions, &image);
    *streamed = (Streamed){0};
    mcv_observer observer = {.text = take_piece, .context = streamed};
    mcv_generation_options options = mcv_generation_options_preset(model, 1, 0);
    options.max_new_tokens = 12;
    options.seed = seed;
    cr_assert_eq(mcv_chat(model, questions.conversations, NUM_CONVERSATIONS, NULL, &options, &observer, answers),
                 MCV_OK, "%s", mcv_error_message());
    mcv_image_free(&image);
    mcv_model_close(model);
}

static void free_answers(char **answers) {
    for (int i = 0; i < NUM_CONVERSATIONS; i++)
        mcv_free(answers[i]);
}

Test(minicpmv, answers_are_the_pieces_together_and_follow_the_seed_alone) {
    char *first[NUM_CONVERSATIONS], *again[NUM_CONVERSATIONS], *other[NUM_CONVERSATIONS];
    static Streamed streamed;
    int differ = 0;
    sample(1, 7, &streamed, first);
    for (int i = 0; i < NUM_CONVERSATIONS; i++)
        cr_expect_str_eq(first[i], streamed.text[i]);
    sample(3, 7, &streamed, again);
    sample(1, 8, &streamed, other);
    for (int i = 0; i < NUM_CONVERSATIONS; i++) {
        cr_expect_str_eq(first[i], again[i]);
        differ += strcmp(first[i], other[i]) != 0;
    }
    cr_expect(differ > 0);
    free_answers(first);
    free_answers(again);
    free_answers(other);
}

Test(minicpmv, a_thought_is_announced) {
    mcv_model *model = open_model(1);
    Questions questions;
    char *answer;
    ask(&questions, NULL);
    mcv_prompt_options prompt = mcv_prompt_options_default();
    prompt.enable_thinking = 1;
    mcv_generation_options options = mcv_generation_options_preset(model, 0, 1);
    cr_expect(options.num_beams == 3 && !options.do_sample && options.repetition_penalty == 1.2);
    options.max_new_tokens = 3;
    cr_assert_eq(mcv_chat(model, &questions.conversations[1], 1, &prompt, &options, NULL, &answer), MCV_OK);
    cr_expect_eq(strncmp(answer, "<think>\n", 8), 0, "%s", answer);
    mcv_free(answer);
    mcv_model_close(model);
}

/* ---- Wrong use --------------------------------------------------------------------------------------------------- */

static void expect_refusal(mcv_model *model, const mcv_conversation *conversation, int batch_size, const char *words) {
    mcv_generation_options options = mcv_generation_options_preset(model, 1, 0);
    char *answer = NULL;
    options.max_new_tokens = 1;
    cr_expect_eq(mcv_chat(model, conversation, batch_size, NULL, &options, NULL, &answer), MCV_USAGE, "%s", words);
    cr_expect(strstr(mcv_error_message(), words), "%s", mcv_error_message());
    cr_expect_null(answer);
}

Test(minicpmv, conversations_without_meaning_are_refused) {
    mcv_model *model = open_model(1);
    mcv_image image = load_picture();
    mcv_part part = {.text = "Hi"};
    mcv_message message = {"user", &part, 1};
    mcv_conversation conversation = {.messages = &message, .num_messages = 1};
    expect_refusal(model, &conversation, 0, "a batch of 0 conversations");
    conversation.num_messages = 0;
    expect_refusal(model, &conversation, 1, "without messages");
    conversation.num_messages = 1;
    message.role = "assistant";
    expect_refusal(model, &conversation, 1, "the first message must be \"user\"");
    message.role = "narrator";
    expect_refusal(model, &conversation, 1, "role \"narrator\"");
    message.role = "user";
    part.text = NULL;
    expect_refusal(model, &conversation, 1, "found neither");
    part = (mcv_part){.text = "Hi", .image = &image};
    expect_refusal(model, &conversation, 1, "found both");
    part.text = NULL;
    mcv_frame_group group = {1, (int32_t[]){-2}};
    conversation.temporal_ids = &(mcv_temporal_ids){1, &group};
    expect_refusal(model, &conversation, 1, "expected at least -1, found -2");
    mcv_image_free(&image);
    mcv_model_close(model);
}

Test(minicpmv, text_that_is_no_utf8_is_refused) {
    mcv_model *model = open_model(1);
    mcv_message message = {"user", &(mcv_part){.text = "ab\xff"}, 1};
    mcv_conversation conversation = {.messages = &message, .num_messages = 1};
    char *answer = NULL;
    cr_expect_eq(mcv_chat(model, &conversation, 1, NULL, NULL, NULL, &answer), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "byte 2: expected UTF-8, found byte 0xFF"), "%s", mcv_error_message());
    mcv_model_close(model);
}

Test(minicpmv, models_that_cannot_be_opened) {
    mcv_model_options options = {.pillow_version = "twelve"};
    mcv_model *model;
    cr_expect_eq(mcv_model_open("nowhere", NULL, &model), MCV_BAD_INPUT);
    cr_expect(strstr(mcv_error_message(), "nowhere: cannot be opened"), "%s", mcv_error_message());
    cr_expect_null(model);
    cr_expect_eq(mcv_model_open(MODEL, &options, &model), MCV_USAGE);
    options = (mcv_model_options){.threads = -1};
    cr_expect_eq(mcv_model_open(MODEL, &options, &model), MCV_USAGE);
    mcv_model_close(NULL);
}
