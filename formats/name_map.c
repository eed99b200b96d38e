#include "formats/name_map.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "core/buffer.h"
#include "formats/word_lines.h"

enum { MOST_GROUPS = 10 /* the whole and \1 to \9 */, MOST_BYTES = 256 /* of a pattern */ };

typedef struct name_rule {
    regex_t pattern;
    char *replacement;
} name_rule;

struct mcv_name_map {
    name_rule *rules; /* [count] */
    size_t count, capacity;
};

void mcv_name_map_free(mcv_name_map *map) {
    if (!map)
        return;
    for (size_t i = 0; i < map->count; i++) {
        regfree(&map->rules[i].pattern);
        free(map->rules[i].replacement);
    }
    free(map->rules);
    free(map);
}

/* Whether each \N names a part in brackets. */
static mcv_status check_replacement(const char *replacement, size_t groups) {
    for (const char *at = replacement; (at = strchr(at, '\\')); at += 2)
        if (!isdigit((unsigned char)at[1]) || at[1] == '0' || (size_t)(at[1] - '0') > groups)
            return MCV_FAIL(MCV_BAD_INPUT,
                            "'%s': expected \\1 to \\%zu behind which a part in brackets stands, found "
                            "\\%.1s",
                            replacement, groups, at + 1);
    return MCV_OK;
}

/* regcomp() goes down a level for each bracket and writes out what counts repeat: without limits a line of a file could
 * take all of the stack or of the memory. */
static mcv_status check_pattern(const char *pattern) {
    if (strlen(pattern) > MOST_BYTES)
        return MCV_FAIL(MCV_BAD_INPUT, "'%.40s...': a pattern of %zu bytes, at most %d are taken", pattern,
                        strlen(pattern), MOST_BYTES);
    for (const char *at = pattern; *at; at += at[0] == '\\' && at[1] ? 2 : 1)
        if (*at == '{')
            return MCV_FAIL(MCV_BAD_INPUT, "'%s': counts in braces are not taken; *, + and ? are", pattern);
    return MCV_OK;
}

static mcv_status compile(const char *pattern, regex_t *compiled) {
    char *whole, words[160];
    size_t size = strlen(pattern) + sizeof "^()$";
    MCV_TRY(check_pattern(pattern));
    MCV_TRY(MCV_NEW(&whole, size));
    snprintf(whole, size, "^(%s)$", pattern);
    int error = regcomp(compiled, whole, REG_EXTENDED);
    free(whole);
    if (error == 0)
        return MCV_OK;
    regerror(error, NULL, words, sizeof words);
    return MCV_FAIL(MCV_BAD_INPUT, "'%s' is no regular expression: %s", pattern, words);
}

static mcv_status add_rule(mcv_name_map *map, const char *pattern, const char *replacement) {
    MCV_TRY(MCV_GROW(&map->rules, &map->capacity, map->count + 1));
    name_rule *rule = &map->rules[map->count];
    MCV_TRY(compile(pattern, &rule->pattern));
    mcv_status status = check_replacement(replacement, rule->pattern.re_nsub - 1); /* one group is compile's own */
    if (status == MCV_OK)
        status = mcv_strdup(&rule->replacement, replacement);
    if (status == MCV_OK)
        map->count++;
    else
        regfree(&rule->pattern);
    return status;
}

static mcv_status take_words(void *context, char *const *words, int count) {
    if (count != 2)
        return MCV_FAIL(MCV_BAD_INPUT, "expected a regular expression and a name, found %d word%s", count,
                        count == 1 ? "" : "s");
    return add_rule(context, words[0], words[1]);
}

mcv_status mcv_name_map_read(const char *path, mcv_name_map **map) {
    mcv_name_map *self;
    *map = NULL;
    MCV_TRY(MCV_NEW(&self, 1));
    mcv_status status = mcv_word_lines_read_file(path, take_words, self);
    if (status == MCV_OK)
        *map = self;
    else
        mcv_name_map_free(self);
    return status;
}

/* `groups`: what the pattern's parts matched in `name`; its own are behind the one of compile. */
static mcv_status substitute(const char *replacement, const char *name, const regmatch_t *groups, char **translated) {
    mcv_buffer out = {0};
    mcv_status status = mcv_buffer_append_string(&out, "");
    for (const char *at = replacement; *at && status == MCV_OK; at++) {
        if (*at != '\\') {
            status = mcv_buffer_append(&out, at, 1);
            continue;
        }
        const regmatch_t *group = &groups[*++at - '0' + 1];
        if (group->rm_so >= 0)
            status = mcv_buffer_append(&out, name + group->rm_so, (size_t)(group->rm_eo - group->rm_so));
    }
    if (status == MCV_OK)
        status = mcv_strdup(translated, mcv_buffer_text(&out));
    mcv_buffer_free(&out);
    return status;
}

mcv_status mcv_name_map_translate(const mcv_name_map *map, const char *name, char **translated) {
    regmatch_t groups[MOST_GROUPS + 1];
    *translated = NULL;
    for (size_t i = 0; map && i < map->count; i++) {
        if (regexec(&map->rules[i].pattern, name, MOST_GROUPS + 1, groups, 0) != 0)
            continue;
        const char *replacement = map->rules[i].replacement;
        return strcmp(replacement, "-") == 0 ? MCV_OK : substitute(replacement, name, groups, translated);
    }
    return mcv_strdup(translated, name);
}
