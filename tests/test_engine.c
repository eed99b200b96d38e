/* The fast engine gives the same bits whatever the target, the threads, the chunks, the batch and the cache. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/memory.h"
#include "ref/gguf_write.h"
#include "simd/kernels/kernel_table.h"
#include "tests/temporary.h"

enum { MOST_LOGITS = 1 << 12 };

static const char MODEL[] = "golden/models/base-f32", BF16_MODEL[] = "golden/demo";

/* A conversation about two pictures, cut off behind the first message where `turns` is 1. */
typedef struct Talk {
    mcv_image images[2];
    mcv_part first[2], second[2];
    mcv_message messages[3];
    mcv_conversation conversation;
} Talk;

static void begin(Talk *talk, const char *question, int turns) {
    static const mcv_part ANSWER = {.text = "Two shapes on a light ground."};
    cr_assert_eq(mcv_image_load("golden/images/scene.png", &talk->images[0]), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_image_load("golden/images/tiny.png", &talk->images[1]), MCV_OK, "%s", mcv_error_message());
    talk->first[0] = (mcv_part){.image = &talk->images[0]};
    talk->first[1] = (mcv_part){.text = question};
    talk->second[0] = (mcv_part){.image = &talk->images[1]};
    talk->second[1] = (mcv_part){.text = "And here? ! Say it again, slowly."};
    talk->messages[0] = (mcv_message){"user", talk->first, 2};
    talk->messages[1] = (mcv_message){"assistant", &ANSWER, 1};
    talk->messages[2] = (mcv_message){"user", talk->second, 2};
    talk->conversation = (mcv_conversation){.messages = talk->messages, .num_messages = turns == 1 ? 1 : 3};
}

static void end(Talk *talk) {
    mcv_image_free(&talk->images[0]);
    mcv_image_free(&talk->images[1]);
}

static mcv_model *open_model(const char *folder, const mcv_model_options *options) {
    mcv_model *model;
    cr_assert_eq(mcv_model_open(folder, options, &model), MCV_OK, "%s", mcv_error_message());
    return model;
}

static size_t run(mcv_model *model, const mcv_conversation *conversations, int count, float *out) {
    mcv_prompt_options prompt = mcv_prompt_options_default();
    float *logits;
    int vocab_size;
    cr_assert_eq(mcv_logits(model, conversations, count, &prompt, NULL, &logits, &vocab_size), MCV_OK, "%s",
                 mcv_error_message());
    cr_assert(count * vocab_size <= MOST_LOGITS);
    memcpy(out, logits, (size_t)(count * vocab_size) * sizeof *out);
    mcv_free(logits);
    return (size_t)vocab_size;
}

/* The logits of the whole talk on a model of its own. */
static size_t run_alone(const char *folder, const mcv_model_options *options, float *out) {
    mcv_model *model = open_model(folder, options);
    Talk talk;
    begin(&talk, "What is in the image?", 2);
    size_t vocab_size = run(model, &talk.conversation, 1, out);
    end(&talk);
    mcv_model_close(model);
    return vocab_size;
}

/* `mix`: the model is quantized ahead, to this mix and its vision side to `vision`. */
static const struct {
    const char *name, *folder;
    mcv_precision precision, kv;
    int group;
    const char *mix;
    mcv_weight_type vision;
} SETTINGS[] = {
    {"f32", MODEL, MCV_PRECISION_F32, MCV_PRECISION_F32, 64, NULL, 0},
    {"bf16", BF16_MODEL, MCV_PRECISION_BF16, MCV_PRECISION_BF16, 64, NULL, 0},
    {"int8", BF16_MODEL, MCV_PRECISION_INT8, MCV_PRECISION_INT8, 64, NULL, 0},
    {"int4", BF16_MODEL, MCV_PRECISION_INT4, MCV_PRECISION_F32, 32, NULL, 0},
    {"int4, a short group", MODEL, MCV_PRECISION_INT4, MCV_PRECISION_INT8, 128, NULL, 0},
    {"Q4_K and Q6_K as stored", BF16_MODEL, MCV_PRECISION_STORED, MCV_PRECISION_F32, 64, "Q4_K_M", MCV_WEIGHT_Q8_0},
    {"Q2_K and Q3_K as stored", BF16_MODEL, MCV_PRECISION_STORED, MCV_PRECISION_F32, 64, "Q2_K", MCV_WEIGHT_Q5_1},
    {"F16 as stored", BF16_MODEL, MCV_PRECISION_STORED, MCV_PRECISION_F32, 64, "F16", MCV_WEIGHT_F16},
};
enum { NUM_SETTINGS = sizeof SETTINGS / sizeof SETTINGS[0], HALVES = NUM_SETTINGS - 1 };

static mcv_status ignore(void *context, const WrittenTensor *tensor) {
    (void)context, (void)tensor;
    return MCV_OK;
}

/* One file of a setting's pair, written where it is not there yet. */
static const char *gguf_of(int setting, bool vision) {
    static char path[2][256];
    char name[64];
    GgufJob job = {.files = {.model = SETTINGS[setting].folder}, .written = ignore};
    snprintf(name, sizeof name, "%d%s.gguf", setting, vision ? "-vision" : "");
    snprintf(path[vision], sizeof path[vision], "%s", temporary_path(name));
    if (access(path[vision], F_OK) == 0)
        return path[vision];
    mcv_status status = vision ? gguf_write_vision(&job, SETTINGS[setting].vision, path[vision])
                               : gguf_write_language(&job, mcv_mix_find(SETTINGS[setting].mix), path[vision]);
    cr_assert_eq(status, MCV_OK, "%s", mcv_error_message());
    return path[vision];
}

static const char *model_of(int setting) {
    return SETTINGS[setting].mix ? gguf_of(setting, false) : SETTINGS[setting].folder;
}

static mcv_model_options options_of(int setting) {
    mcv_model_options options = mcv_model_options_default();
    options.threads = 2;
    options.llm = options.vpm = options.resampler = SETTINGS[setting].precision;
    options.kv = SETTINGS[setting].kv;
    options.group = SETTINGS[setting].group;
    if (SETTINGS[setting].mix) {
        options.mmproj = gguf_of(setting, true);
        options.preprocessor_config = "golden/demo/preprocessor_config.json";
    }
    return options;
}

Test(engine, bits_do_not_depend_on_threads_chunks_and_targets) {
    static float expected[MOST_LOGITS], found[MOST_LOGITS];
    for (int i = 0; i < NUM_SETTINGS; i++) {
        mcv_model_options options = options_of(i);
        size_t count = run_alone(model_of(i), &options, expected);
        for (int threads = 1; threads <= 7; threads += threads == 1 ? 2 : 4) {
            options = options_of(i);
            options.threads = threads;
            run_alone(model_of(i), &options, found);
            cr_expect_arr_eq(expected, found, count * sizeof *found, "%s, %d threads", SETTINGS[i].name, threads);
        }
        for (int chunk = 1; chunk < 80; chunk += 39) {
            options = options_of(i);
            options.chunk = chunk;
            run_alone(model_of(i), &options, found);
            cr_expect_arr_eq(expected, found, count * sizeof *found, "%s, chunks of %d", SETTINGS[i].name, chunk);
        }
        for (int target = 0; target < MCV_TARGETS; target++) {
            if (!mcv_target_available((mcv_target)target))
                continue;
            options = options_of(i);
            options.target = mcv_target_name((mcv_target)target);
            run_alone(model_of(i), &options, found);
            cr_expect_arr_eq(expected, found, count * sizeof *found, "%s, %s", SETTINGS[i].name, options.target);
        }
    }
}

/* A model in F16, and what its weights are as floats. */
Test(engine, halves_have_the_bits_of_floats) {
    static float expected[MOST_LOGITS], found[MOST_LOGITS];
    char language[256], vision[256];
    mcv_model_options options = options_of(HALVES), widened = options;
    GgufJob job = {.files = {.model = model_of(HALVES), .mmproj = options.mmproj}, .written = ignore};
    snprintf(language, sizeof language, "%s", temporary_path("widened.gguf"));
    snprintf(vision, sizeof vision, "%s", temporary_path("widened-vision.gguf"));
    cr_assert_eq(gguf_write_language(&job, mcv_mix_find("F32"), language), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(gguf_write_vision(&job, MCV_WEIGHT_F32, vision), MCV_OK, "%s", mcv_error_message());
    widened.mmproj = vision;
    widened.llm = widened.vpm = widened.resampler = MCV_PRECISION_F32;
    size_t count = run_alone(language, &widened, expected);
    run_alone(model_of(HALVES), &options, found);
    cr_expect_arr_eq(expected, found, count * sizeof *found, "as stored");
    options.llm = options.vpm = options.resampler = MCV_PRECISION_F32;
    run_alone(model_of(HALVES), &options, found);
    cr_expect_arr_eq(expected, found, count * sizeof *found, "f32");
}

Test(engine, bits_do_not_depend_on_the_batch) {
    static float expected[MOST_LOGITS], found[MOST_LOGITS];
    for (int i = 0; i < NUM_SETTINGS; i++) {
        mcv_model_options options = options_of(i);
        mcv_model *model = open_model(model_of(i), &options);
        Talk one, other;
        begin(&one, "What is in the image?", 2);
        begin(&other, "Count the shapes, please.", 1);
        size_t count = run(model, &one.conversation, 1, expected);
        run(model, &other.conversation, 1, expected + count);
        mcv_conversation batch[] = {one.conversation, other.conversation};
        run(model, batch, 2, found);
        cr_expect_arr_eq(expected, found, 2 * count * sizeof *found, "%s", SETTINGS[i].name);
        end(&one);
        end(&other);
        mcv_model_close(model);
    }
}

Test(engine, a_second_turn_reads_only_what_is_new) {
    static float logits[MOST_LOGITS];
    mcv_model_options options = options_of(0);
    mcv_model *model = open_model(MODEL, &options);
    Talk first, whole;
    begin(&first, "What is in the image?", 1);
    begin(&whole, "What is in the image?", 2);
    run(model, &first.conversation, 1, logits);
    mcv_times before = mcv_model_times(model);
    run(model, &whole.conversation, 1, logits);
    mcv_times after = mcv_model_times(model);
    run(model, &whole.conversation, 1, logits);
    mcv_times again = mcv_model_times(model);
    cr_expect_eq(before.groups, 1);
    cr_expect_eq(after.groups - before.groups, 1, "the second picture alone");
    cr_expect_eq(again.groups, after.groups);
    cr_expect_eq(again.prompt_tokens - after.prompt_tokens, 1, "the last token, for its logits");
    end(&first);
    end(&whole);
    mcv_model_close(model);
}

static mcv_status refuse(void *context, const char *name, const mcv_tensor *output) {
    (void)context, (void)output;
    return strstr(name, "layers.1.") ? MCV_DIFFERS : MCV_OK;
}

/* A run that was stopped in the middle leaves nothing behind that the next one goes on from. */
Test(engine, a_failed_run_leaves_no_cache) {
    static float expected[MOST_LOGITS], found[MOST_LOGITS];
    mcv_model_options options = options_of(0);
    size_t count = run_alone(MODEL, &options, expected);
    mcv_model *model = open_model(MODEL, &options);
    mcv_observer observer = {.tap = refuse, .tap_in_parts = 1};
    float *logits;
    int vocab_size;
    Talk talk;
    begin(&talk, "What is in the image?", 2);
    cr_expect_eq(mcv_logits(model, &talk.conversation, 1, NULL, &observer, &logits, &vocab_size), MCV_DIFFERS);
    run(model, &talk.conversation, 1, found);
    cr_expect_arr_eq(expected, found, count * sizeof *found);
    end(&talk);
    mcv_model_close(model);
}

/* A second turn on a model that has run the first, and on one that has run something else; then an answer is written
 * before. */
Test(engine, bits_do_not_depend_on_what_is_still_cached) {
    static float expected[MOST_LOGITS], found[MOST_LOGITS];
    for (int i = 0; i < NUM_SETTINGS; i++) {
        mcv_model_options options = options_of(i);
        size_t count = run_alone(model_of(i), &options, expected);
        mcv_model *model = open_model(model_of(i), &options);
        static const char *const FIRST[] = {"What is in the image?", "What is in the picture?"};
        for (int first = 0; first < 2; first++) {
            Talk talk, whole;
            begin(&talk, FIRST[first], 1);
            begin(&whole, FIRST[0], 2);
            run(model, &talk.conversation, 1, found);
            run(model, &whole.conversation, 1, found);
            cr_expect_arr_eq(expected, found, count * sizeof *found, "%s, after: %s", SETTINGS[i].name, FIRST[first]);
            mcv_generation_options generation = mcv_generation_options_preset(model, first, 0);
            generation.max_new_tokens = 8;
            char *answer;
            cr_assert_eq(mcv_chat(model, &talk.conversation, 1, NULL, &generation, NULL, &answer), MCV_OK);
            mcv_free(answer);
            run(model, &whole.conversation, 1, found);
            cr_expect_arr_eq(expected, found, count * sizeof *found, "%s, after an answer", SETTINGS[i].name);
            end(&talk);
            end(&whole);
        }
        mcv_model_close(model);
    }
}
