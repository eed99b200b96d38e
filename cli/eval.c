/* minicpmv eval: the share of right answers in a task file, by ability. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/engine_options.h"
#include "cli/json_output.h"
#include "cli/model_options.h"
#include "core/file.h"
#include "core/log.h"
#include "formats/golden_case.h"
#include "formats/json.h"

/* HF ends an answer at <|im_end|>; this ends one that never comes to it. */
enum { MAX_NEW_TOKENS = 64 };

static const size_t TASK_LIMIT = (size_t)1 << 30;

typedef struct score {
    char *ability;
    int items, right;
} score;

typedef struct evaluation {
    mcv_model *model;
    const char *file; /* the task's path */
    char *folder;     /* the one it is in */
    int max_slice_nums;
    FILE *answers; /* NULL: not asked for */
    score *scores; /* [num_scores], in the order in which abilities came */
    size_t num_scores, score_capacity;
} evaluation;

/* ---- Items -------------------------------------------------------------------------------------------------- */

static mcv_status count_item(evaluation *self, const char *ability, bool right) {
    size_t i = 0;
    while (i < self->num_scores && strcmp(self->scores[i].ability, ability) != 0)
        i++;
    if (i == self->num_scores) {
        MCV_TRY(MCV_GROW(&self->scores, &self->score_capacity, i + 1));
        self->scores[i] = (score){0};
        MCV_TRY(mcv_strdup(&self->scores[i].ability, ability));
        self->num_scores++;
    }
    self->scores[i].items++;
    self->scores[i].right += right;
    return MCV_OK;
}

/* What follows the chain of thought, without white space around it. */
static bool is_right(const char *answer, const char *wanted) {
    static const char SPACE[] = " \t\r\n", END[] = "</think>";
    for (const char *end; (end = strstr(answer, END));)
        answer = end + strlen(END);
    answer += strspn(answer, SPACE);
    size_t size = strlen(answer);
    while (size > 0 && strchr(SPACE, answer[size - 1]))
        size--;
    return size == strlen(wanted) && memcmp(answer, wanted, size) == 0;
}

/* A JSON string in a line of its own. */
static mcv_status write_answer(FILE *stream, const char *answer) {
    json_t *value = json_string(answer);
    bool written = value && json_dumpf(value, stream, JSON_ENCODE_ANY) == 0 && fputc('\n', stream) != EOF;
    json_decref(value);
    return written ? MCV_OK : MCV_FAIL(MCV_BAD_INPUT, "the answers cannot be written: %s", strerror(errno));
}

static mcv_status answer_item(evaluation *self, const mcv_golden_case *item, int max_new_tokens, char **answer) {
    mcv_prompt_options prompt_options = item->prompt_options;
    mcv_generation_options generation_options =
        mcv_generation_options_preset(self->model, 0, prompt_options.enable_thinking);
    generation_options.num_beams = 1;
    generation_options.repetition_penalty = 1;
    generation_options.max_new_tokens = max_new_tokens;
    if (self->max_slice_nums)
        prompt_options.max_slice_nums = self->max_slice_nums;
    return mcv_chat(self->model, item->conversations, 1, &prompt_options, &generation_options, NULL, answer);
}

static mcv_status judge_item(evaluation *self, const mcv_json *json, const mcv_golden_case *item) {
    const char *ability = NULL, *wanted = NULL;
    int max_new_tokens = MAX_NEW_TOKENS;
    char *answer;
    MCV_TRY(mcv_json_require(json, "ability"));
    MCV_TRY(mcv_json_get_string(json, "ability", &ability));
    MCV_TRY(mcv_json_require(json, "answer"));
    MCV_TRY(mcv_json_get_string(json, "answer", &wanted));
    MCV_TRY(mcv_json_get_int(json, "max_new_tokens", 1, 1 << 20, &max_new_tokens));
    MCV_TRY(answer_item(self, item, max_new_tokens, &answer));
    mcv_status status = count_item(self, ability, is_right(answer, wanted));
    if (status == MCV_OK && self->answers)
        status = write_answer(self->answers, answer);
    mcv_free(answer);
    return status;
}

static mcv_status take_line(evaluation *self, const char *text, size_t size, size_t number) {
    mcv_json json = {0};
    mcv_golden_case item = {0};
    char name[512];
    snprintf(name, sizeof name, "%s: line %zu", self->file, number);
    MCV_TRY(mcv_json_parse(text, size, name, &json));
    mcv_status status = mcv_golden_case_read_item(&json, self->folder, &item);
    if (status == MCV_OK)
        status = judge_item(self, &json, &item);
    mcv_golden_case_free(&item);
    mcv_json_free(&json);
    return status;
}

static size_t count_lines(const mcv_buffer *text) {
    size_t lines = 0;
    for (size_t i = 0; i < text->size; i++)
        lines += text->data[i] == '\n';
    return lines;
}

static mcv_status take_lines(evaluation *self, const mcv_buffer *text) {
    const char *line = mcv_buffer_text(text), *end = line + text->size;
    size_t total = count_lines(text), number = 0;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((stop ? stop : end) - line);
        mcv_log_progress("answered", number++, total);
        if (size > 0)
            MCV_TRY(take_line(self, line, size, number));
        line += size + (stop != NULL);
    }
    mcv_log_progress_end();
    return self->num_scores > 0 ? MCV_OK : MCV_FAIL(MCV_BAD_INPUT, "%s: expected items, found none", self->file);
}

/* ---- Results ------------------------------------------------------------------------------------------------ */

static score sum_scores(const evaluation *self) {
    score sum = {0};
    for (size_t i = 0; i < self->num_scores; i++) {
        sum.items += self->scores[i].items;
        sum.right += self->scores[i].right;
    }
    return sum;
}

static json_t *describe(const score *of) {
    json_t *object = json_object();
    mcv_json_set(&object, "items", json_integer(of->items));
    mcv_json_set(&object, "accuracy", json_real((double)of->right / of->items));
    return object;
}

static mcv_status print_json(const evaluation *self) {
    score sum = sum_scores(self);
    json_t *object = describe(&sum), *by_ability = json_object();
    for (size_t i = 0; i < self->num_scores; i++)
        mcv_json_set(&by_ability, self->scores[i].ability, describe(&self->scores[i]));
    mcv_json_set(&object, "by_ability", by_ability);
    return mcv_json_print(object);
}

static void print_score(const char *name, const score *of) {
    printf("%-16s %6d %8.2f %%\n", name, of->items, 100.0 * of->right / of->items);
}

static mcv_status print_table(const evaluation *self) {
    score sum = sum_scores(self);
    printf("%-16s %6s %10s\n", "ability", "items", "right");
    for (size_t i = 0; i < self->num_scores; i++)
        print_score(self->scores[i].ability, &self->scores[i]);
    print_score("all", &sum);
    return MCV_OK;
}

/* ---- The command -------------------------------------------------------------------------------------------- */

static mcv_status evaluate(evaluation *self) {
    mcv_buffer text = {0};
    mcv_status status = mcv_file_read(self->file, TASK_LIMIT, &text);
    if (status == MCV_OK)
        status = take_lines(self, &text);
    mcv_buffer_free(&text);
    return status;
}

static mcv_status open_answers(evaluation *self, const char *path) {
    self->answers = path ? fopen(path, "w") : NULL;
    return path && !self->answers ? MCV_FAIL(MCV_BAD_INPUT, "%s: %s", path, strerror(errno)) : MCV_OK;
}

static mcv_status open_evaluation(evaluation *self, const mcv_arguments *arguments) {
    ModelFiles files;
    mcv_model_options options;
    MCV_TRY(mcv_engine_options_read(arguments, MCV_ENGINE_FAST, &options));
    MCV_TRY(mcv_model_options_require(arguments, &files));
    options.mmproj = files.mmproj;
    options.preprocessor_config = files.preprocessor_config;
    MCV_TRY(mcv_option_required(arguments, "task", &self->file));
    MCV_TRY(mcv_option_int(arguments, "max-slice-nums", 1, 1 << 10, &self->max_slice_nums));
    MCV_TRY(mcv_path_folder(&self->folder, self->file));
    MCV_TRY(open_answers(self, mcv_option_value(arguments, "answers")));
    return mcv_model_open(files.model, &options, &self->model);
}

static mcv_status close_evaluation(evaluation *self, mcv_status status) {
    if (self->answers && fclose(self->answers) != 0 && status == MCV_OK)
        status = MCV_FAIL(MCV_BAD_INPUT, "the answers cannot be written: %s", strerror(errno));
    for (size_t i = 0; i < self->num_scores; i++)
        free(self->scores[i].ability);
    free(self->scores);
    free(self->folder);
    mcv_model_close(self->model);
    return status;
}

static mcv_status run(const mcv_arguments *arguments) {
    evaluation self = {0};
    mcv_status status = open_evaluation(&self, arguments);
    if (status == MCV_OK)
        status = evaluate(&self);
    if (status == MCV_OK)
        status = arguments->json ? print_json(&self) : print_table(&self);
    return close_evaluation(&self, status);
}

static const mcv_option OPTIONS[] = {
    MCV_MODEL_OPTION,
    MCV_MODEL_FILE_OPTIONS,
    {0, "task", "FILE", "the questions, a JSON object a line"},
    {0, "max-slice-nums", "N", "for every item; 1: no slices (default: the item's or the model's)"},
    {0, "answers", "FILE", "write the answers, a JSON string a line"},
    MCV_ENGINE_OPTIONS,
    {0},
};

const mcv_command mcv_eval_command = {
    .name = "eval",
    .summary = "answer the questions of a task file and count what is right",
    .operands = "",
    .details = "A line of the task holds messages (with image paths relative to the file), answer and ability; where\n"
               "they apply temporal_ids, max_slice_nums, enable_thinking, system_prompt and max_new_tokens (64).\n"
               "Answers are greedy. One is right when what follows its last </think> equals the item's answer.\n",
    .options = OPTIONS,
    .run = run,
};
