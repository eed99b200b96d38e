#include "cli/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/buffer.h"
#include "ref/utf8.h"

static bool is_listed(const json_t *problems, const char *text) {
    for (size_t i = 0; i < json_array_size(problems); i++)
        if (strcmp(json_string_value(json_array_get(problems, i)), text) == 0)
            return true;
    return false;
}

/* cut: the text goes on, so a character that its end cuts off is no error of its writer. */
static mcv_status append_as_utf8(mcv_buffer *valid, const char *text, bool cut) {
    size_t left = strlen(text);
    while (left > 0) {
        Utf8Character next = utf8_next(text, left);
        if (next.kind == UTF8_VALID)
            MCV_TRY(mcv_buffer_append(valid, text, next.size));
        else if (next.kind == UTF8_INVALID || !cut)
            MCV_TRY(mcv_buffer_append(valid, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT)));
        text += next.size;
        left -= next.size;
    }
    return MCV_OK;
}

static mcv_status append_once(json_t *problems, const char *text) {
    if (is_listed(problems, text))
        return MCV_OK;
    return json_array_append_new(problems, json_string(text)) == 0 ? MCV_OK : MCV_FAIL_MEMORY(strlen(text));
}

mcv_status mcv_problems_add(json_t *problems, const char *format, ...) {
    char text[1024];
    mcv_buffer valid = {0};
    va_list arguments;
    va_start(arguments, format);
    bool cut = vsnprintf(text, sizeof text, format, arguments) >= (int)sizeof text;
    va_end(arguments);
    mcv_status status = append_as_utf8(&valid, text, cut);
    if (status == MCV_OK)
        status = append_once(problems, mcv_buffer_text(&valid));
    mcv_buffer_free(&valid);
    return status;
}

mcv_status mcv_problems_note(json_t *problems, mcv_status status) {
    if (status == MCV_OK || status == MCV_NO_MEMORY)
        return status;
    return mcv_problems_add(problems, "%s", mcv_error_message());
}

mcv_status mcv_problems_of_merges(json_t *problems, const char *from, const Qwen2Tokenizer *tokenizer) {
    int32_t first;
    size_t count = Qwen2Tokenizer_unmerged(tokenizer, &first);
    if (count == 0)
        return MCV_OK;
    return mcv_problems_add(
        problems, "%s: no merge gives %zu token%s of the vocabulary, the first is \"%s\" (a list of merges cut short?)",
        from, count, count == 1 ? "" : "s", Qwen2Tokenizer_id_to_token(tokenizer, first));
}

mcv_status mcv_problems_status(const char *path, const json_t *problems) {
    size_t count = json_array_size(problems);
    if (count == 0)
        return MCV_OK;
    return MCV_FAIL(MCV_BAD_INPUT, "%s: %zu problem%s, the first: %s", path, count, count == 1 ? "" : "s",
                    json_string_value(json_array_get(problems, 0)));
}
