#include "cli/eval_items.h"

#include <errno.h>
#include <string.h>

#include "cli/json_output.h"
#include "core/log.h"
#include "formats/golden_case.h"
#include "formats/json.h"

/* HF ends an answer at <|im_end|>; this ends one that never comes to it. */
enum { MAX_NEW_TOKENS = 64 };

/* ---- Lines of a task --------------------------------------------------------------------------------------------- */

/* A line: a question, its answer and what it tests. */
typedef struct task_line {
    mcv_json json;
    mcv_golden_case question;
    const char *ability, *answer; /* NULL ability: the line has none */
} task_line;

/* *result: what comes of an item. */
typedef mcv_status line_fn(const mcv_eval_items *items, size_t item, const task_line *line, json_t **result);

static mcv_status read_line(const mcv_eval_items *items, const char *text, size_t size, size_t number,
                            task_line *line) {
    char name[512];
    snprintf(name, sizeof name, "%s: line %zu", items->file, number);
    MCV_TRY(mcv_json_parse(text, size, name, &line->json));
    MCV_TRY(mcv_golden_case_read_item(&line->json, items->folder, &line->question));
    if (items->max_slice_nums)
        line->question.prompt_options.max_slice_nums = items->max_slice_nums;
    MCV_TRY(mcv_json_get_string(&line->json, "ability", &line->ability));
    MCV_TRY(mcv_json_require(&line->json, "answer"));
    return mcv_json_get_string(&line->json, "answer", &line->answer);
}

/* A JSON string in a line of its own. */
static mcv_status write_answer(const mcv_eval_items *items, const json_t *result) {
    if (!items->answers)
        return MCV_OK;
    bool written = json_dumpf(json_object_get(result, "answer"), items->answers, JSON_ENCODE_ANY) == 0 &&
                   fputc('\n', items->answers) != EOF;
    return written ? MCV_OK : MCV_FAIL(MCV_BAD_INPUT, "the answers cannot be written: %s", strerror(errno));
}

static mcv_status run_line(const mcv_eval_items *items, size_t item, const char *text, size_t size, size_t number,
                           line_fn *run) {
    task_line line = {0};
    json_t *result = NULL;
    mcv_status status = read_line(items, text, size, number, &line);
    if (status == MCV_OK)
        status = run(items, item, &line, &result);
    if (status == MCV_OK)
        status = mcv_eval_results_add(items->results, result);
    if (status == MCV_OK)
        status = write_answer(items, result);
    mcv_golden_case_free(&line.question);
    mcv_json_free(&line.json);
    return status;
}

static size_t count_lines(const mcv_buffer *text) {
    size_t lines = 0;
    for (size_t i = 0; i < text->size; i++)
        lines += text->data[i] == '\n';
    return lines;
}

/* Runs the items that are not finished yet. */
static mcv_status run_lines(const mcv_eval_items *items, const mcv_buffer *text, const char *label, line_fn *run) {
    const char *line = mcv_buffer_text(text), *end = line + text->size;
    size_t total = count_lines(text), number = 0, item = 0, finished = mcv_eval_results_count(items->results);
    for (size_t i = 0; i < finished; i++)
        MCV_TRY(write_answer(items, json_array_get(items->results->items, i)));
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((stop ? stop : end) - line);
        mcv_log_progress(label, number++, total);
        if (size > 0 && item++ >= finished)
            MCV_TRY(run_line(items, item - 1, line, size, number, run));
        line += size + (stop != NULL);
    }
    mcv_log_progress_end();
    return item > 0 ? MCV_OK : MCV_FAIL(MCV_BAD_INPUT, "%s: expected items, found none", items->file);
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

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

static mcv_status answer_line(const mcv_eval_items *items, size_t item, const task_line *line, json_t **result) {
    (void)item;
    mcv_model *model = items->likelihood.model;
    const mcv_prompt_options *prompt_options = &line->question.prompt_options;
    mcv_generation_options options = mcv_generation_options_preset(model, 0, prompt_options->enable_thinking);
    char *answer;
    options.num_beams = 1;
    options.repetition_penalty = 1;
    options.max_new_tokens = MAX_NEW_TOKENS;
    MCV_TRY(mcv_json_require(&line->json, "ability"));
    MCV_TRY(mcv_json_get_int(&line->json, "max_new_tokens", 1, 1 << 20, &options.max_new_tokens));
    MCV_TRY(mcv_chat(model, line->question.conversations, 1, prompt_options, &options, NULL, &answer));
    *result = json_pack("{s:s, s:b, s:s}", "ability", line->ability, "right", is_right(answer, line->answer), "answer",
                        answer);
    mcv_free(answer);
    return MCV_OK;
}

mcv_status mcv_eval_answers(const mcv_eval_items *items, const mcv_buffer *task) {
    return run_lines(items, task, "answered", answer_line);
}

/* ---- Likelihoods ------------------------------------------------------------------------------------------------- */

static mcv_status score_line(const mcv_eval_items *items, size_t item, const task_line *line, json_t **result) {
    int32_t *ids;
    size_t count;
    MCV_TRY(mcv_tokenize(items->likelihood.model, line->answer, strlen(line->answer), &ids, &count));
    mcv_status status = mcv_likelihood(&items->likelihood, item, line->question.conversations,
                                       &line->question.prompt_options, ids, count, result);
    mcv_free(ids);
    return status;
}

mcv_status mcv_eval_task_likelihood(const mcv_eval_items *items, const mcv_buffer *task) {
    return run_lines(items, task, "scored", score_line);
}

static mcv_status score_windows(const mcv_eval_items *items, const int32_t *ids, size_t count) {
    size_t context = (size_t)items->context;
    for (size_t item = mcv_eval_results_count(items->results); item * context < count; item++) {
        size_t start = item * context, size = count - start < context ? count - start : context;
        json_t *result;
        mcv_log_progress("tokens", start, count);
        MCV_TRY(mcv_likelihood(&items->likelihood, item, NULL, NULL, ids + start, size, &result));
        MCV_TRY(mcv_eval_results_add(items->results, result));
    }
    mcv_log_progress_end();
    return MCV_OK;
}

mcv_status mcv_eval_text_likelihood(const mcv_eval_items *items, const mcv_buffer *text) {
    int32_t *ids;
    size_t count;
    MCV_TRY(mcv_tokenize(items->likelihood.model, mcv_buffer_text(text), text->size, &ids, &count));
    mcv_status status = score_windows(items, ids, count);
    mcv_free(ids);
    return status;
}
