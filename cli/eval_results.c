#include "cli/eval_results.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"

static const size_t FILE_LIMIT = (size_t)1 << 30;

static mcv_status cannot_write(const mcv_eval_results *results) {
    return MCV_FAIL(MCV_BAD_INPUT, "%s: cannot be written: %s", results->path, strerror(errno));
}

mcv_status mcv_eval_fail_other(const char *path, json_t *found, const json_t *about) {
    const char *key;
    json_t *value;
    json_object_foreach(found, key, value) {
        if (json_equal(json_object_get(about, key), value))
            continue;
        char *then = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        char *now = json_dumps(json_object_get(about, key), JSON_ENCODE_ANY | JSON_COMPACT);
        mcv_status status = MCV_FAIL(MCV_BAD_INPUT, "%s: is of another evaluation: %s was %.200s, is %.200s", path, key,
                                     then ? then : "-", now ? now : "not given");
        free(then);
        free(now);
        return status;
    }
    return MCV_FAIL(MCV_BAD_INPUT, "%s: is of another evaluation, with fewer options", path);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static mcv_status take_line(mcv_eval_results *results, const json_t *about, const char *line, size_t size,
                            size_t number) {
    json_error_t error;
    json_t *value = json_loadb(line, size, 0, &error);
    mcv_status status = MCV_OK;
    if (!json_is_object(value))
        status = MCV_FAIL(MCV_BAD_INPUT, "%s: line %zu: expected a JSON object", results->path, number);
    else if (number == 1 && !json_equal(value, about))
        status = mcv_eval_fail_other(results->path, value, about);
    else if (number > 1 && json_array_append(results->items, value) != 0)
        status = MCV_FAIL_MEMORY(size);
    json_decref(value);
    return status;
}

/* *complete: how many bytes of the text are whole lines. */
static mcv_status take_lines(mcv_eval_results *results, const json_t *about, const mcv_buffer *text, size_t *complete) {
    const char *start = mcv_buffer_text(text), *line = start, *end;
    for (size_t number = 1; (end = memchr(line, '\n', text->size - (size_t)(line - start))); number++) {
        MCV_TRY(take_line(results, about, line, (size_t)(end - line), number));
        line = end + 1;
    }
    *complete = (size_t)(line - start);
    return MCV_OK;
}

static mcv_status read_back(mcv_eval_results *results, const json_t *about, size_t *complete) {
    mcv_buffer text = {0};
    *complete = 0;
    if (!mcv_file_exists(results->path))
        return MCV_OK;
    mcv_status status = mcv_file_read(results->path, FILE_LIMIT, &text);
    if (status == MCV_OK)
        status = take_lines(results, about, &text, complete);
    mcv_buffer_free(&text);
    return status;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static mcv_status write_line(const mcv_eval_results *results, const json_t *value) {
    if (json_dumpf(value, results->stream, JSON_COMPACT) == 0 && fputc('\n', results->stream) != EOF &&
        fflush(results->stream) == 0)
        return MCV_OK;
    return cannot_write(results);
}

mcv_status mcv_eval_results_open(const char *path, const json_t *about, mcv_eval_results *results) {
    size_t complete;
    *results = (mcv_eval_results){.path = path, .items = json_array()};
    if (!results->items)
        return MCV_FAIL_MEMORY(0);
    if (!path)
        return MCV_OK;
    MCV_TRY(read_back(results, about, &complete));
    results->stream = fopen(path, "ae");
    if (!results->stream || ftruncate(fileno(results->stream), (off_t)complete) != 0)
        return cannot_write(results);
    return complete == 0 ? write_line(results, about) : MCV_OK;
}

mcv_status mcv_eval_results_close(mcv_eval_results *results) {
    bool written = !results->stream || fclose(results->stream) == 0;
    mcv_status status = written ? MCV_OK : cannot_write(results);
    json_decref(results->items);
    *results = (mcv_eval_results){0};
    return status;
}

size_t mcv_eval_results_count(const mcv_eval_results *results) {
    return json_array_size(results->items);
}

mcv_status mcv_eval_results_add(mcv_eval_results *results, json_t *result) {
    if (!result || json_array_append_new(results->items, result) != 0)
        return MCV_FAIL(MCV_NO_MEMORY, "out of memory for a result");
    return results->stream ? write_line(results, result) : MCV_OK;
}
