#include "formats/word_lines.h"

#include <string.h>

#include "core/file.h"

static const size_t FILE_LIMIT = (size_t)1 << 24;

/* Cuts a line into words; -1 where there are too many. */
static int split(char *line, char **words) {
    static const char BLANKS[] = " \t\r";
    char *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(line, BLANKS, &rest); word && *word != '#'; word = strtok_r(NULL, BLANKS, &rest)) {
        if (count == MCV_MOST_WORDS)
            return -1;
        words[count++] = word;
    }
    return count;
}

static mcv_status take_line(char *line, mcv_words_fn *take, void *context, size_t *rules) {
    char *words[MCV_MOST_WORDS];
    int count = split(line, words);
    if (count < 0)
        return MCV_FAIL(MCV_BAD_INPUT, "more than %d words", (int)MCV_MOST_WORDS);
    *rules += count > 0;
    return count > 0 ? take(context, words, count) : MCV_OK;
}

static mcv_status take_lines(char *text, const char *name, mcv_words_fn *take, void *context) {
    size_t rules = 0;
    for (size_t number = 1; text; number++) {
        char *end = strchr(text, '\n');
        if (end)
            *end++ = 0;
        mcv_status status = take_line(text, take, context, &rules);
        if (status != MCV_OK)
            return mcv_fail_context(status, "%s: line %zu", name, number);
        text = end;
    }
    return rules > 0 ? MCV_OK : MCV_FAIL(MCV_BAD_INPUT, "%s: expected rules, found none", name);
}

mcv_status mcv_word_lines_read(const char *text, size_t size, const char *name, mcv_words_fn *take, void *context) {
    char *copy;
    if (memchr(text, 0, size))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: expected text, found a zero byte", name);
    MCV_TRY(MCV_NEW(&copy, size + 1));
    memcpy(copy, text, size);
    mcv_status status = take_lines(copy, name, take, context);
    free(copy);
    return status;
}

mcv_status mcv_word_lines_read_file(const char *path, mcv_words_fn *take, void *context) {
    mcv_buffer text = {0};
    mcv_status status = mcv_file_read(path, FILE_LIMIT, &text);
    if (status == MCV_OK)
        status = mcv_word_lines_read(mcv_buffer_text(&text), text.size, mcv_file_name(path), take, context);
    mcv_buffer_free(&text);
    return status;
}
