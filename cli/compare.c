#include "cli/compare.h"

#include <math.h>
#include <stdio.h>

#include "cli/execution_order.h"
#include "cli/json_lines.h"
#include "core/file.h"

mcv_tensor mcv_index_place(const mcv_tensor *tensor, size_t index) {
    mcv_tensor place = {.rank = tensor->rank};
    for (int axis = tensor->rank - 1; axis >= 0; axis--) {
        place.shape[axis] = (int64_t)(index % (size_t)tensor->shape[axis]);
        index /= (size_t)tensor->shape[axis];
    }
    return place;
}

const char *mcv_index_text(const mcv_tensor *tensor, size_t index, char *text, size_t size) {
    mcv_tensor place = mcv_index_place(tensor, index);
    return mcv_tensor_shape_text(&place, text, size);
}

static void explain_element(mcv_comparison_row *row, const char *words, const mcv_element *element) {
    char place[128], exact[40] = "";
    if (row->measures.has_exact)
        snprintf(exact, sizeof exact, ", exact %.12g", element->exact);
    snprintf(row->problem, sizeof row->problem, "%s at %s: %.9g, %s %.9g%s", words,
             mcv_index_text(&row->golden, element->index, place, sizeof place), element->ours, row->other,
             element->golden, exact);
}

/* Whether two shapes are the same but for dimensions of size 1 and for neighbours that one of them has joined:
 * [tokens, heads, 64] and [1, tokens, heads * 64]. */
static bool is_same_but_for_joins(const mcv_tensor *a, const mcv_tensor *b) {
    int64_t a_size = 1, b_size = 1; /* of the dimensions since both were last equal */
    int a_joined = 0, b_joined = 0; /* how many of them are not 1 */
    for (int i = 0, j = 0; i < a->rank || j < b->rank;) {
        if (j == b->rank || (i < a->rank && a_size <= b_size)) {
            a_joined += a->shape[i] != 1;
            a_size *= a->shape[i++];
        } else {
            b_joined += b->shape[j] != 1;
            b_size *= b->shape[j++];
        }
        if (a_joined > 1 && b_joined > 1)
            return false;
        if (a_size == b_size) {
            a_size = b_size = 1;
            a_joined = b_joined = 0;
        }
    }
    return a_size == b_size;
}

/* Where two tensors cannot be compared element by element; the problem goes into the row. */
static bool are_comparable(mcv_comparison_row *row, bool loose_shapes, const mcv_tensor *ours, const mcv_tensor *golden,
                           const mcv_tensor *exact) {
    char our_shape[128], golden_shape[128];
    mcv_tensor_shape_text(golden, golden_shape, sizeof golden_shape);
    if (!mcv_tensor_same_shape(ours, golden) && !(loose_shapes && is_same_but_for_joins(ours, golden)))
        snprintf(row->problem, sizeof row->problem, "shape %s, %s %s",
                 mcv_tensor_shape_text(ours, our_shape, sizeof our_shape), row->other, golden_shape);
    else if (mcv_dtype_is_float(ours->dtype) != mcv_dtype_is_float(golden->dtype))
        snprintf(row->problem, sizeof row->problem, "type %s, %s %s", mcv_dtype_name(ours->dtype), row->other,
                 mcv_dtype_name(golden->dtype));
    else if (exact && !mcv_tensor_same_shape(exact, golden))
        snprintf(row->problem, sizeof row->problem, "the exact tensor's shape is %s, that of %s %s",
                 mcv_tensor_shape_text(exact, our_shape, sizeof our_shape), row->other, golden_shape);
    return row->problem[0] == 0;
}

/* ---- Judging ----------------------------------------------------------------------------------------------------- */

/* "KEY 0.1, at most 0.01; worst at ..." where a limit does not hold. False for the rest to be left alone. */
static bool holds_limit(mcv_comparison_row *row, const char *key, double found, double limit,
                        const mcv_element *worst) {
    char words[100];
    if (found <= limit)
        return true;
    snprintf(words, sizeof words, "%s %.3g, at most %.3g; worst", key, found, limit);
    explain_element(row, words, worst);
    return false;
}

/* Near enough to the FP64 run: within a share of golden's own distance, or as near as FP32 can be. */
static bool holds_exact(mcv_comparison_row *row, const mcv_tolerance *tolerance) {
    const mcv_measures *m = &row->measures;
    double allowance = fmax(tolerance->exact * m->golden_exact_l2, 1.05 * m->rounded_exact_l2);
    if (!m->has_exact || isinf(tolerance->exact) || m->exact_l2 <= allowance)
        return true;
    return holds_limit(row, "exact_rel_l2", m->exact_rel_l2, allowance / m->exact_norm, &m->worst_exact);
}

static double ulps(uint64_t distance) {
    return (double)distance;
}

/* Says what does not hold first. */
static void judge_distances(mcv_comparison_row *row, const mcv_tolerance *tolerance) {
    const mcv_measures *m = &row->measures;
    const mcv_element *worst = &m->worst[0];
    double rel_l2 = tolerance->rel_l2;
    if (m->has_exact && isfinite(tolerance->rel_l2_beside_exact))
        rel_l2 = fmax(rel_l2, tolerance->rel_l2_beside_exact);
    if (holds_exact(row, tolerance) && holds_limit(row, "rel_l2", m->rel_l2, rel_l2, worst) &&
        holds_limit(row, "max_abs", m->max_abs, tolerance->max_abs, worst) &&
        holds_limit(row, "max_rel", m->max_rel, tolerance->max_rel, worst) &&
        holds_limit(row, "ulp_max", ulps(m->ulps.largest), tolerance->ulp_max, worst) &&
        holds_limit(row, "ulp_p99", ulps(mcv_ulp_quantile(&m->ulps, 0.99)), tolerance->ulp_p99, worst) &&
        !(m->cosine >= tolerance->cosine)) {
        char words[100];
        snprintf(words, sizeof words, "cosine %.9f, at least %.9f; worst", m->cosine, tolerance->cosine);
        explain_element(row, words, worst);
    }
}

static void judge(mcv_comparison_row *row, const mcv_tolerance *tolerance) {
    const mcv_measures *m = &row->measures;
    bool equal = tolerance->equal || !mcv_dtype_is_float(row->golden.dtype);
    if (m->not_finite.index != SIZE_MAX)
        explain_element(row, "not finite", &m->not_finite);
    else if (equal && !tolerance->shown && m->first_unequal.index != SIZE_MAX)
        explain_element(row, "must be equal; first unequal", &m->first_unequal);
    else if (!equal && !tolerance->shown)
        judge_distances(row, tolerance);
    row->pass = row->problem[0] == 0;
    row->shown = row->pass && tolerance->shown;
}

/* ---- Measuring --------------------------------------------------------------------------------------------------- */

/* The slice that index 0 of a tensor's first axis is: the encoder's batches are of one size, the last may be smaller.
 */
static size_t first_slice_of(const mcv_comparison *comparison, const char *name) {
    const char *mark = strchr(name, '#');
    mcv_tensor first;
    char first_name[256];
    if (!mark || strtoul(mark + 1, NULL, 10) == 0)
        return 0;
    int length = (int)(mark - name);
    snprintf(first_name, sizeof first_name, "%.*s#0", length, name);
    if (!mcv_dump_find(comparison->of.golden, first_name, &first)) {
        first_name[length] = 0;
        if (!mcv_dump_find(comparison->of.golden, first_name, &first))
            return 0;
    }
    return first.rank ? strtoul(mark + 1, NULL, 10) * (size_t)first.shape[0] : 0;
}

/* Two or three tensors that are being compared. */
typedef struct tensor_pair {
    const mcv_comparison *comparison;
    const mcv_tensor *ours, *golden, *exact; /* exact may be NULL */
    mcv_measurement *measurement;
} tensor_pair;

/* Gives back the memory of elements of a mapped tensor. */
static void forget(const mcv_tensor *tensor, size_t begin, size_t end) {
    size_t bits = mcv_dtype_bits(tensor->dtype);
    mcv_file_forget((const char *)tensor->data + begin * bits / 8, (end - begin) * bits / 8);
}

/* Elements [begin, end), so few at a time that little memory is held. */
static void measure_range(const tensor_pair *pair, size_t begin, size_t end) {
    static const size_t PIECE = (size_t)1 << 20;
    for (size_t stop; begin < end; begin = stop) {
        stop = end - begin < PIECE ? end : begin + PIECE;
        mcv_measurement_add(pair->measurement, begin, stop);
        forget(pair->golden, begin, stop);
        if (pair->exact)
            forget(pair->exact, begin, stop);
        if (pair->comparison->of.ours_is_mapped)
            forget(pair->ours, begin, stop);
    }
}

/* All but what is padding. */
static void measure_elements(const tensor_pair *pair, const char *name) {
    const mcv_comparison *comparison = pair->comparison;
    const mcv_tensor *golden = pair->golden;
    size_t count, row_size = 1, first_slice = first_slice_of(comparison, name);
    mcv_tensor_count(golden, &count); /* was checked when the file was opened */
    if (!mcv_padding_applies(&comparison->padding, name, golden, first_slice)) {
        measure_range(pair, 0, count);
        return;
    }
    for (int axis = 2; axis < golden->rank; axis++)
        row_size *= (size_t)golden->shape[axis];
    for (size_t i = 0; i < (size_t)golden->shape[0]; i++) {
        mcv_row_range rows = mcv_padding_rows(&comparison->padding, name, first_slice, i);
        size_t start = i * (size_t)golden->shape[1];
        measure_range(pair, (start + rows.begin) * row_size, (start + rows.end) * row_size);
    }
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

mcv_status mcv_comparison_start(mcv_comparison *comparison, const mcv_comparison_options *options) {
    *comparison = (mcv_comparison){.of = *options};
    MCV_TRY(MCV_NEW(&comparison->arrived, mcv_dump_count(options->golden)));
    return mcv_padding_load(&comparison->padding, options->golden);
}

void mcv_comparison_free(mcv_comparison *comparison) {
    mcv_padding_free(&comparison->padding);
    free(comparison->arrived);
    free(comparison->rows);
    mcv_arena_free(&comparison->names);
    *comparison = (mcv_comparison){0};
}

static mcv_status add_row(mcv_comparison *comparison, const char *name, mcv_comparison_row **row) {
    size_t size = strlen(name) + 1;
    char *copy;
    MCV_TRY(MCV_ARENA_NEW(&comparison->names, &copy, size));
    memcpy(copy, name, size);
    MCV_TRY(MCV_GROW(&comparison->rows, &comparison->capacity, comparison->num_rows + 1));
    *row = &comparison->rows[comparison->num_rows++];
    **row = (mcv_comparison_row){
        .name = copy, .other = comparison->of.other ? comparison->of.other : "golden", .measures = mcv_measures_none()};
    return MCV_OK;
}

static size_t find_exactly(const mcv_dump *file, const char *name) {
    size_t count = mcv_dump_count(file), i = 0;
    while (i < count && strcmp(mcv_dump_name(file, i), name) != 0)
        i++;
    return i;
}

/* The index of a tensor, or the count of all where there is none. The first encoder batch goes by two names, "vpm.x"
 * and "vpm.x#0". */
static size_t find_tensor(const mcv_dump *file, const char *name) {
    size_t i = find_exactly(file, name);
    if (i < mcv_dump_count(file))
        return i;
    char other[256];
    const char *mark = strchr(name, '#');
    if (mark && strcmp(mark, "#0") == 0)
        snprintf(other, sizeof other, "%.*s", (int)(mark - name), name);
    else
        snprintf(other, sizeof other, "%s#0", name);
    return find_exactly(file, other);
}

static bool get_tensor(const mcv_dump *dump, const char *name, mcv_tensor *tensor) {
    size_t index = find_tensor(dump, name);
    if (index == mcv_dump_count(dump))
        return false;
    *tensor = mcv_dump_at(dump, index);
    return true;
}

bool mcv_comparison_golden(const mcv_comparison *comparison, const char *name, mcv_tensor *golden) {
    return get_tensor(comparison->of.golden, name, golden);
}

static mcv_status measure_row(mcv_comparison *comparison, mcv_comparison_row *row, const mcv_tensor *ours) {
    mcv_tensor exact;
    bool has_exact = comparison->of.exact && get_tensor(comparison->of.exact, row->name, &exact);
    tensor_pair pair = {comparison, ours, &row->golden, has_exact ? &exact : NULL, NULL};
    const mcv_tolerance *tolerance;
    MCV_TRY(mcv_tolerances_find(comparison->of.tolerances, row->name, &tolerance));
    if (!are_comparable(row, comparison->of.loose_shapes, ours, &row->golden, pair.exact)) {
        row->pass = row->shown = tolerance->shown; /* another answer may be longer */
        if (row->pass)
            row->problem[0] = 0;
        return MCV_OK;
    }
    MCV_TRY(mcv_measurement_start(&pair.measurement, ours, &row->golden, pair.exact));
    measure_elements(&pair, row->name);
    mcv_measurement_finish(pair.measurement, &row->measures);
    judge(row, tolerance);
    return MCV_OK;
}

mcv_status mcv_comparison_tensor(void *context, const char *name, const mcv_tensor *ours) {
    mcv_comparison *comparison = context;
    size_t index = find_tensor(comparison->of.golden, name);
    if (index == mcv_dump_count(comparison->of.golden))
        return MCV_OK;
    const char *golden_name = mcv_dump_name(comparison->of.golden, index);
    mcv_comparison_row *row;
    if (!mcv_selection_takes(comparison->of.selection, golden_name))
        return MCV_OK;
    MCV_TRY(add_row(comparison, golden_name, &row));
    row->golden = mcv_dump_at(comparison->of.golden, index);
    if (comparison->arrived[index]) {
        snprintf(row->problem, sizeof row->problem, "made twice");
        return MCV_OK;
    }
    comparison->arrived[index] = true;
    return measure_row(comparison, row, ours);
}

/* Up to 60 bytes of JSON text from byte `start` on, cut between characters. */
static int excerpt_size(const char *text) {
    enum { MOST = 60 };
    size_t size = strlen(text);
    if (size <= MOST)
        return (int)size;
    size = MOST;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    return (int)size;
}

static void explain_text(mcv_comparison_row *row, const char *ours, const char *golden) {
    size_t same = 0;
    while (ours[same] && ours[same] == golden[same])
        same++;
    while (same > 0 && ((unsigned char)golden[same] & 0xc0) == 0x80)
        same--;
    ours += same;
    golden += same;
    snprintf(row->problem, sizeof row->problem, "unequal from byte %zu on: %.*s, %s %.*s", same, excerpt_size(ours),
             ours, row->other, excerpt_size(golden), golden);
}

mcv_status mcv_comparison_json(mcv_comparison *comparison, const char *name, const json_t *ours, const char *golden) {
    mcv_comparison_row *row;
    const mcv_tolerance *tolerance;
    json_t *expected;
    if (!mcv_selection_takes(comparison->of.selection, name))
        return MCV_OK;
    MCV_TRY(mcv_tolerances_find(comparison->of.tolerances, name, &tolerance));
    MCV_TRY(add_row(comparison, name, &row));
    row->is_text = true;
    mcv_status status = mcv_json_read_text(golden, strlen(golden), name, &expected);
    if (status != MCV_OK)
        return mcv_fail_context(status, "metadata");
    row->shown = tolerance->shown;
    row->pass = row->shown || json_equal(ours, expected);
    char *our_text = json_dumps(ours, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    char *golden_text = json_dumps(expected, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    if (!row->pass && our_text && golden_text)
        explain_text(row, our_text, golden_text);
    free(our_text);
    free(golden_text);
    json_decref(expected);
    return MCV_OK;
}

mcv_status mcv_comparison_reject(mcv_comparison *comparison, const char *name, const char *problem) {
    mcv_comparison_row *row = NULL;
    size_t index = find_tensor(comparison->of.golden, name);
    if (index < mcv_dump_count(comparison->of.golden))
        name = mcv_dump_name(comparison->of.golden, index);
    for (size_t i = 0; i < comparison->num_rows && !row; i++)
        if (strcmp(comparison->rows[i].name, name) == 0)
            row = &comparison->rows[i];
    if (!row)
        MCV_TRY(add_row(comparison, name, &row));
    row->pass = row->shown = false;
    if (!row->problem[0])
        snprintf(row->problem, sizeof row->problem, "%s", problem);
    return MCV_OK;
}

static int compare_rows(const void *a, const void *b) {
    return mcv_execution_order(((const mcv_comparison_row *)a)->name, ((const mcv_comparison_row *)b)->name);
}

/* Whether a golden tensor is still to come. */
static bool is_missing(const mcv_comparison *comparison, size_t index) {
    return !comparison->arrived[index] &&
           mcv_selection_takes(comparison->of.selection, mcv_dump_name(comparison->of.golden, index));
}

bool mcv_comparison_is_complete(const mcv_comparison *comparison) {
    for (size_t i = 0; i < mcv_dump_count(comparison->of.golden); i++)
        if (is_missing(comparison, i))
            return false;
    return true;
}

void mcv_comparison_sort(mcv_comparison *comparison) {
    if (comparison->num_rows > 0) /* qsort takes no NULL */
        qsort(comparison->rows, comparison->num_rows, sizeof *comparison->rows, compare_rows);
}

mcv_status mcv_comparison_finish(mcv_comparison *comparison) {
    for (size_t i = 0; i < mcv_dump_count(comparison->of.golden) && !comparison->of.common_only; i++) {
        mcv_comparison_row *row;
        if (!is_missing(comparison, i))
            continue;
        MCV_TRY(add_row(comparison, mcv_dump_name(comparison->of.golden, i), &row));
        row->golden = mcv_dump_at(comparison->of.golden, i);
        snprintf(row->problem, sizeof row->problem, "missing");
    }
    mcv_comparison_sort(comparison);
    return MCV_OK;
}

const mcv_comparison_row *mcv_comparison_first_failure(const mcv_comparison *comparison) {
    for (size_t i = 0; i < comparison->num_rows; i++)
        if (!comparison->rows[i].pass)
            return &comparison->rows[i];
    return NULL;
}

size_t mcv_comparison_count(const mcv_comparison *comparison) {
    size_t count = 0;
    bool texts_count = mcv_selection_is_partial(comparison->of.selection);
    for (size_t i = 0; i < comparison->num_rows; i++)
        count += comparison->rows[i].measures.compared > 0 || (texts_count && comparison->rows[i].is_text);
    return count;
}
