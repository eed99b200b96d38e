#include "cli/tolerances.h"

#include <fnmatch.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "cli/engine_options.h"
#include "core/file.h"
#include "formats/word_lines.h"

/* cli/tolerances.txt; the Makefile makes it a C string. */
extern const char mcv_default_tolerances[];

static const char OWN_TABLE[] = "this program's tolerances";

typedef struct tolerance_rule {
    char *pattern;
    mcv_tolerance demands;
    bool used;
} tolerance_rule;

struct mcv_tolerances {
    char *name;                 /* of the file */
    const char *engine, *dtype; /* the caller's */
    tolerance_rule *rules;      /* [count]: those for the engine and the element type */
    size_t count, capacity;
};

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *key;
    size_t offset; /* of the double in mcv_tolerance */
} LIMITS[] = {
    {"max_abs", offsetof(mcv_tolerance, max_abs)},
    {"max_rel", offsetof(mcv_tolerance, max_rel)},
    {"rel_l2", offsetof(mcv_tolerance, rel_l2)},
    {"cosine", offsetof(mcv_tolerance, cosine)},
    {"ulp_p99", offsetof(mcv_tolerance, ulp_p99)},
    {"ulp_max", offsetof(mcv_tolerance, ulp_max)},
    {"exact", offsetof(mcv_tolerance, exact)},
    {"rel_l2_beside_exact", offsetof(mcv_tolerance, rel_l2_beside_exact)},
    {"kl", offsetof(mcv_tolerance, kl)},
    {"top_k", offsetof(mcv_tolerance, top_k)},
    {"margin", offsetof(mcv_tolerance, margin)},
};

enum { NUM_LIMITS = sizeof LIMITS / sizeof LIMITS[0] };

static mcv_status read_limit(const char *demand, mcv_tolerance *demands) {
    size_t length = strcspn(demand, "=");
    for (int i = 0; i < NUM_LIMITS; i++) {
        if (strlen(LIMITS[i].key) != length || memcmp(LIMITS[i].key, demand, length) != 0)
            continue;
        const char *text = demand + length + (demand[length] == '=');
        char *end;
        double value = strtod(text, &end);
        if (end == text || *end || !isfinite(value))
            return MCV_FAIL(MCV_BAD_INPUT, "'%s': expected a number behind '='", demand);
        memcpy((char *)demands + LIMITS[i].offset, &value, sizeof value);
        return MCV_OK;
    }
    return MCV_FAIL(MCV_BAD_INPUT,
                    "'%s': expected equal, shown, max_abs=, max_rel=, rel_l2=, cosine=, ulp_p99=, ulp_max=, exact=, "
                    "rel_l2_beside_exact=, kl=, top_k= or margin=",
                    demand);
}

static mcv_status read_demands(char *const *words, int count, mcv_tolerance *demands) {
    const double none = (double)INFINITY;
    *demands = (mcv_tolerance){.max_abs = none,
                               .max_rel = none,
                               .rel_l2 = none,
                               .cosine = -none,
                               .ulp_p99 = none,
                               .ulp_max = none,
                               .exact = none,
                               .rel_l2_beside_exact = none,
                               .kl = none,
                               .top_k = -none};
    for (int i = 0; i < count; i++) {
        bool equal = strcmp(words[i], "equal") == 0, shown = strcmp(words[i], "shown") == 0;
        if ((equal || shown) && count > 1)
            return MCV_FAIL(MCV_BAD_INPUT, "'%s' stands alone", words[i]);
        demands->equal |= equal;
        demands->shown |= shown;
        if (!equal && !shown)
            MCV_TRY(read_limit(words[i], demands));
    }
    return MCV_OK;
}

static bool is_for(const char *word, const char *value) {
    return fnmatch(word, value, 0) == 0;
}

static mcv_status take_words(void *context, char *const *words, int count) {
    mcv_tolerances *self = context;
    tolerance_rule rule = {0};
    if (count < 4)
        return MCV_FAIL(MCV_BAD_INPUT, "expected ENGINE DTYPE NAME DEMAND..., found %d word%s", count,
                        count == 1 ? "" : "s");
    MCV_TRY(read_demands(words + 3, count - 3, &rule.demands));
    if (!is_for(words[0], self->engine) || !is_for(words[1], self->dtype))
        return MCV_OK;
    MCV_TRY(MCV_GROW(&self->rules, &self->capacity, self->count + 1));
    MCV_TRY(mcv_strdup(&rule.pattern, words[2]));
    self->rules[self->count++] = rule;
    return MCV_OK;
}

mcv_status mcv_tolerances_read(const char *text, size_t size, const char *name, const char *engine, const char *dtype,
                               mcv_tolerances **tolerances) {
    mcv_tolerances *self;
    *tolerances = NULL;
    MCV_TRY(MCV_NEW(&self, 1));
    self->engine = engine;
    self->dtype = dtype;
    mcv_status status = mcv_strdup(&self->name, name);
    if (status == MCV_OK)
        status = mcv_word_lines_read(text, size, name, take_words, self);
    if (status == MCV_OK)
        *tolerances = self;
    else
        mcv_tolerances_free(self);
    return status;
}

static mcv_status read_file(const char *path, const char *engine, const char *dtype, mcv_tolerances **tolerances) {
    static const size_t FILE_LIMIT = (size_t)1 << 24;
    mcv_buffer text = {0};
    mcv_status status = mcv_file_read(path, FILE_LIMIT, &text);
    if (status == MCV_OK)
        status = mcv_tolerances_read(mcv_buffer_text(&text), text.size, mcv_file_name(path), engine, dtype, tolerances);
    mcv_buffer_free(&text);
    return status;
}

/* Whether there is a last line that any name matches. */
static bool is_for_all_names(const mcv_tolerances *tolerances) {
    return tolerances->count > 0 && strcmp(tolerances->rules[tolerances->count - 1].pattern, "*") == 0;
}

mcv_status mcv_tolerances_open(const mcv_arguments *arguments, const char *engine, mcv_tolerances **tolerances) {
    const char *path = mcv_option_value(arguments, "tol");
    const char *dtype = mcv_dtype_and_numerics(arguments, engine);
    engine = mcv_option_or(arguments, "engine", engine);
    *tolerances = NULL;
    if (path)
        return read_file(path, engine, dtype, tolerances);
    MCV_TRY(mcv_tolerances_read(mcv_default_tolerances, strlen(mcv_default_tolerances), OWN_TABLE, engine, dtype,
                                tolerances));
    if (is_for_all_names(*tolerances))
        return MCV_OK;
    mcv_tolerances_free(*tolerances);
    *tolerances = NULL;
    return MCV_FAIL(MCV_USAGE, "--engine %s with --dtype %s: nothing is demanded of such a run; a --tol FILE can",
                    engine, dtype);
}

void mcv_tolerances_free(mcv_tolerances *tolerances) {
    if (!tolerances)
        return;
    for (size_t i = 0; i < tolerances->count; i++)
        free(tolerances->rules[i].pattern);
    free(tolerances->rules);
    free(tolerances->name);
    free(tolerances);
}

/* ---- Looking up -------------------------------------------------------------------------------------------------- */

void mcv_tolerances_set_rel_l2(mcv_tolerances *tolerances, double limit) {
    for (size_t i = 0; i < tolerances->count; i++)
        if (isfinite(tolerances->rules[i].demands.rel_l2))
            tolerances->rules[i].demands.rel_l2 = limit;
}

mcv_status mcv_tolerances_find(mcv_tolerances *tolerances, const char *name, const mcv_tolerance **tolerance) {
    for (size_t i = 0; i < tolerances->count; i++)
        if (fnmatch(tolerances->rules[i].pattern, name, 0) == 0) {
            tolerances->rules[i].used = true;
            *tolerance = &tolerances->rules[i].demands;
            return MCV_OK;
        }
    return MCV_FAIL(MCV_BAD_INPUT, "%s: no line for engine %s, dtype %s, tensor %s", tolerances->name,
                    tolerances->engine, tolerances->dtype, name);
}

mcv_status mcv_tolerances_check_names(const mcv_tolerances *tolerances) {
    if (strcmp(tolerances->name, OWN_TABLE) == 0)
        return MCV_OK;
    for (size_t i = 0; i < tolerances->count; i++) {
        const tolerance_rule *rule = &tolerances->rules[i];
        if (!rule->used && !strpbrk(rule->pattern, "*?["))
            return MCV_FAIL(MCV_BAD_INPUT, "%s: no tensor is named %s, or a line before it matches first",
                            tolerances->name, rule->pattern);
    }
    return MCV_OK;
}
