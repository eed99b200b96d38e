/* mcv_score: given ids behind a prompt, and alone. */
#include <criterion/criterion.h>

#include "formats/golden_case.h"
#include "formats/safetensors.h"

enum { MOST_IDS = 64, MOST_VOCABULARY = 1024 };

/* The logits that were shown, and the best token by each. */
typedef struct Seen {
    size_t count, first, stop_at;
    float logits[MOST_IDS][MOST_VOCABULARY];
    int32_t best[MOST_IDS];
} Seen;

static mcv_status see(void *context, size_t index, const float *logits, int vocab_size) {
    Seen *seen = context;
    cr_assert(index < MOST_IDS && vocab_size <= MOST_VOCABULARY);
    seen->first = seen->count++ == 0 ? index : seen->first;
    memcpy(seen->logits[index], logits, (size_t)vocab_size * sizeof *logits);
    for (int32_t id = 0; id < vocab_size; id++)
        if (logits[id] > logits[seen->best[index]])
            seen->best[index] = id;
    return index == seen->stop_at ? MCV_DIFFERS : MCV_OK;
}

static mcv_model *open_model(const char *path) {
    mcv_model *model;
    cr_assert_eq(mcv_model_open(path, NULL, &model), MCV_OK, "%s", mcv_error_message());
    return model;
}

/* What PyTorch writes greedily behind a case's prompt is, token by token, what the logits here find best. */
Test(score, golden_answers) {
    static Seen seen;
    mcv_golden_case golden_case;
    mcv_safetensors *golden;
    mcv_tensor generated;
    int32_t ids[MOST_IDS];
    cr_assert_eq(mcv_golden_case_load("golden/cases/sliced", &golden_case), MCV_OK, "%s", mcv_error_message());
    cr_assert_eq(mcv_safetensors_open(golden_case.golden_path, &golden), MCV_OK);
    cr_assert(mcv_safetensors_find(golden, "generated_ids.greedy", &generated) && generated.shape[1] <= MOST_IDS);
    size_t count = (size_t)generated.shape[1];
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)mcv_tensor_get(&generated, i);

    mcv_model *model = open_model(golden_case.model);
    seen = (Seen){.stop_at = SIZE_MAX};
    cr_assert_eq(mcv_score(model, golden_case.conversations, &golden_case.prompt_options, ids, count, see, &seen),
                 MCV_OK, "%s", mcv_error_message());
    cr_expect_eq(seen.count, count);
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(seen.best[i], ids[i], "token %zu: %d, golden %d", i, seen.best[i], ids[i]);

    float *logits;
    int vocab_size;
    cr_assert_eq(
        mcv_logits(model, golden_case.conversations, 1, &golden_case.prompt_options, NULL, &logits, &vocab_size),
        MCV_OK);
    cr_expect_eq(memcmp(logits, seen.logits[0], (size_t)vocab_size * sizeof *logits), 0);
    mcv_free(logits);
    mcv_model_close(model);
    mcv_safetensors_close(golden);
    mcv_golden_case_free(&golden_case);
}

Test(score, ids_alone) {
    static Seen all, fewer;
    const int32_t ids[6] = {20, 300, 0, 21, 22, 23};
    mcv_model *model = open_model("golden/models/base-f32");
    all = fewer = (Seen){.stop_at = SIZE_MAX};
    cr_assert_eq(mcv_score(model, NULL, NULL, ids, 6, see, &all), MCV_OK, "%s", mcv_error_message());
    cr_expect(all.count == 5 && all.first == 1, "the first id has nothing before it");
    cr_assert_eq(mcv_score(model, NULL, NULL, ids, 4, see, &fewer), MCV_OK);
    cr_expect_eq(memcmp(all.logits[3], fewer.logits[3], sizeof all.logits[3]), 0, "what follows does not count");
    cr_expect_neq(memcmp(all.logits[3], all.logits[2], sizeof all.logits[3]), 0, "what comes before does");

    fewer = (Seen){.stop_at = 2};
    cr_expect_eq(mcv_score(model, NULL, NULL, ids, 6, see, &fewer), MCV_DIFFERS);
    cr_expect_eq(fewer.count, 2);
    fewer = (Seen){0};
    cr_expect_eq(mcv_score(model, NULL, NULL, ids, 0, see, &fewer), MCV_OK);
    cr_expect_eq(mcv_score(model, NULL, NULL, ids, 1, see, &fewer), MCV_OK);
    cr_expect_eq(fewer.count, 0);
    const int32_t bad[2][1] = {{-1}, {1 << 20}};
    for (int i = 0; i < 2; i++)
        cr_expect_eq(mcv_score(model, NULL, NULL, bad[i], 1, see, &fewer), MCV_USAGE);
    mcv_model_close(model);
}
