#include "cli/selection.h"

#include <string.h>

#include "cli/execution_order.h"

/* Whether a list with commas has the `size` bytes of `word` as an item. */
static bool lists(const char *list, const char *word, size_t size) {
    for (const char *item = list;; item++) {
        size_t length = strcspn(item, ",");
        if (length == size && memcmp(item, word, size) == 0)
            return true;
        item += length;
        if (!*item)
            return false;
    }
}

static mcv_status check_stages(const char *stages) {
    static const char KNOWN[] = "inputs,vision,resampler,embeddings,llm,generation";
    for (const char *item = stages;; item++) {
        size_t length = strcspn(item, ",");
        if (!lists(KNOWN, item, length))
            return MCV_FAIL(MCV_USAGE, "--stage %s: there is no stage '%.*s'; there are %s", stages, (int)length, item,
                            KNOWN);
        item += length;
        if (!*item)
            return MCV_OK;
    }
}

static mcv_status compile_filter(mcv_selection *selection, const char *pattern) {
    char words[160];
    int error = regcomp(&selection->filter, pattern, REG_EXTENDED | REG_NOSUB);
    selection->has_filter = error == 0;
    if (error == 0)
        return MCV_OK;
    regerror(error, NULL, words, sizeof words);
    return MCV_FAIL(MCV_USAGE, "--filter %s: no regular expression: %s", pattern, words);
}

mcv_status mcv_selection_open(mcv_selection *selection, const mcv_arguments *arguments) {
    const char *filter = mcv_option_value(arguments, "filter");
    *selection = (mcv_selection){.stages = mcv_option_value(arguments, "stage"), .pattern = filter};
    if (selection->stages)
        MCV_TRY(check_stages(selection->stages));
    return filter ? compile_filter(selection, filter) : MCV_OK;
}

void mcv_selection_close(mcv_selection *selection) {
    if (selection->has_filter)
        regfree(&selection->filter);
    *selection = (mcv_selection){0};
}

bool mcv_selection_is_partial(const mcv_selection *selection) {
    return selection && (selection->stages || selection->has_filter);
}

mcv_status mcv_selection_refuse(const mcv_selection *selection, const char *where) {
    bool both = selection->stages && selection->pattern;
    return MCV_FAIL(MCV_USAGE, "%s%s%s%s%s: nothing in %s is of that name", selection->stages ? "--stage " : "",
                    selection->stages ? selection->stages : "", both ? " " : "", selection->pattern ? "--filter " : "",
                    selection->pattern ? selection->pattern : "", where);
}

bool mcv_selection_takes(const mcv_selection *selection, const char *name) {
    if (!selection)
        return true;
    const char *stage = mcv_stage_of(name);
    if (selection->stages && !lists(selection->stages, stage, strlen(stage)))
        return false;
    return !selection->has_filter || regexec(&selection->filter, name, 0, NULL, 0) == 0;
}
