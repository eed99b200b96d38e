#include "cli/compare.h"

#include <math.h>
#include <stdio.h>

#include "cli/execution_order.h"
#include "cli/json_lines.h"

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
    snprintf(row->problem, sizeof row->problem, "%s at %s: %.9g, golden %.9g%s", words,
             mcv_index_text(&row->golden, element->index, place, sizeof place), element->ours, element->golden, exact);
}

/* Where two tensors cannot be compared element by element; the problem goes into the row. */
static bool are_comparable(mcv_comparison_row *row, const mcv_tensor *ours, const mcv_tensor *golden,
                           const mcv_tensor *exact) {
    char our_shape[128], golden_shape[128];
    mcv_tensor_shape_text(golden, golden_shape, sizeof golden_shape);
    if (!mcv_tensor_same_shape(ours, golden))
        snprintf(row->problem, sizeof row->problem, "shape %s, golden %s",
                 mcv_tensor_shape_text(ours, our_shape, sizeof our_shape), golden_shape);
    else if (mcv_dtype_is_float(ours->dtype) != mcv_dtype_is_float(golden->dtype))
        snprintf(row->problem, sizeof row->problem, "type %s, golden %s", mcv_dtype_name(ours->dtype),
                 mcv_dtype_name(golden->dtype));
    else if (exact && !mcv_tensor_same_shape(exact, golden))
        snprintf(row->problem, sizeof row->problem, "the exact tensor's shape is %s, golden's %s",
                 mcv_tensor_shape_text(exact, our_shape, sizeof our_shape), golden_shape);
    return row->problem[0] == 0;
}

static bool must_be_equal(const char *name, const mcv_tensor *golden) {
    return !mcv_dtype_is_float(golden->dtype) || strncmp(name, "pixel_values.", strlen("pixel_values.")) == 0;
}

/* How far from exact arithmetic a tensor may be: half as far as golden is, or what the nearest FP32 tensor is. */
static double exact_allowance(const mcv_measures *m) {
    return fmax(0.5 * m->golden_exact_l2, 1.05 * m->rounded_exact_l2);
}

static void judge_distances(mcv_comparison_row *row, double limit) {
    const mcv_measures *m = &row->measures;
    char words[100];
    if (m->has_exact)
        limit = fmax(limit, MCV_SPOILT_LIMIT);
    if (m->has_exact && !(m->exact_l2 <= exact_allowance(m))) {
        snprintf(words, sizeof words, "exact_rel_l2 %.3g, at most %.3g; worst", m->exact_rel_l2,
                 exact_allowance(m) / m->exact_norm);
        explain_element(row, words, &m->worst_exact);
    } else if (!(m->rel_l2 <= limit)) {
        snprintf(words, sizeof words, "rel_l2 %.3g, at most %.3g; worst", m->rel_l2, limit);
        explain_element(row, words, &m->worst[0]);
    }
}

static void judge(mcv_comparison_row *row, double limit) {
    const mcv_measures *m = &row->measures;
    if (m->not_finite.index != SIZE_MAX)
        explain_element(row, "not finite", &m->not_finite);
    else if (!must_be_equal(row->name, &row->golden))
        judge_distances(row, limit);
    else if (m->first_unequal.index != SIZE_MAX)
        explain_element(row, "must be equal; first unequal", &m->first_unequal);
    row->pass = row->problem[0] == 0;
}

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
    if (!mcv_safetensors_find(comparison->golden, first_name, &first)) {
        first_name[length] = 0;
        if (!mcv_safetensors_find(comparison->golden, first_name, &first))
            return 0;
    }
    return first.rank ? strtoul(mark + 1, NULL, 10) * (size_t)first.shape[0] : 0;
}

static void measure_elements(const mcv_comparison *comparison, const char *name, const mcv_tensor *golden,
                             mcv_measurement *measurement) {
    size_t count, row_size = 1, first_slice = first_slice_of(comparison, name);
    mcv_tensor_count(golden, &count); /* was checked when the file was opened */
    if (!mcv_padding_applies(&comparison->padding, name, golden, first_slice)) {
        mcv_measurement_add(measurement, 0, count);
        return;
    }
    for (int axis = 2; axis < golden->rank; axis++)
        row_size *= (size_t)golden->shape[axis];
    for (size_t i = 0; i < (size_t)golden->shape[0]; i++) {
        mcv_row_range rows = mcv_padding_rows(&comparison->padding, name, first_slice, i);
        size_t start = i * (size_t)golden->shape[1];
        mcv_measurement_add(measurement, (start + rows.begin) * row_size, (start + rows.end) * row_size);
    }
}

mcv_status mcv_comparison_start(mcv_comparison *comparison, const mcv_safetensors *golden, const mcv_safetensors *exact,
                                double limit) {
    *comparison = (mcv_comparison){.golden = golden, .exact = exact, .limit = limit};
    MCV_TRY(MCV_NEW(&comparison->arrived, mcv_safetensors_count(golden)));
    return mcv_padding_load(&comparison->padding, golden);
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
    **row = (mcv_comparison_row){.name = copy, .measures = mcv_measures_none()};
    return MCV_OK;
}

static size_t find_exactly(const mcv_safetensors *file, const char *name) {
    size_t count = mcv_safetensors_count(file), i = 0;
    while (i < count && strcmp(mcv_safetensors_name(file, i), name) != 0)
        i++;
    return i;
}

/* The index of a tensor, or the count of all where there is none. The first encoder batch goes by two names, "vpm.x"
 * and "vpm.x#0". */
static size_t find_tensor(const mcv_safetensors *file, const char *name) {
    size_t i = find_exactly(file, name);
    if (i < mcv_safetensors_count(file))
        return i;
    char other[256];
    const char *mark = strchr(name, '#');
    if (mark && strcmp(mark, "#0") == 0)
        snprintf(other, sizeof other, "%.*s", (int)(mark - name), name);
    else
        snprintf(other, sizeof other, "%s#0", name);
    return find_exactly(file, other);
}

static bool find_exact(const mcv_comparison *comparison, const char *name, mcv_tensor *exact) {
    if (!comparison->exact)
        return false;
    size_t index = find_tensor(comparison->exact, name);
    if (index == mcv_safetensors_count(comparison->exact))
        return false;
    *exact = mcv_safetensors_at(comparison->exact, index);
    return true;
}

mcv_status mcv_comparison_tensor(void *context, const char *name, const mcv_tensor *ours) {
    mcv_comparison *comparison = context;
    size_t index = find_tensor(comparison->golden, name);
    if (index == mcv_safetensors_count(comparison->golden))
        return MCV_OK;
    mcv_comparison_row *row;
    MCV_TRY(add_row(comparison, mcv_safetensors_name(comparison->golden, index), &row));
    row->golden = mcv_safetensors_at(comparison->golden, index);
    if (comparison->arrived[index]) {
        snprintf(row->problem, sizeof row->problem, "made twice");
        return MCV_OK;
    }
    comparison->arrived[index] = true;

    mcv_tensor exact;
    bool has_exact = find_exact(comparison, row->name, &exact);
    if (!are_comparable(row, ours, &row->golden, has_exact ? &exact : NULL))
        return MCV_OK;
    mcv_measurement *measurement;
    MCV_TRY(mcv_measurement_start(&measurement, ours, &row->golden, has_exact ? &exact : NULL));
    measure_elements(comparison, row->name, &row->golden, measurement);
    mcv_measurement_finish(measurement, &row->measures);
    judge(row, comparison->limit);
    return MCV_OK;
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
    snprintf(row->problem, sizeof row->problem, "unequal from byte %zu on: %.*s, golden %.*s", same, excerpt_size(ours),
             ours, excerpt_size(golden), golden);
}

mcv_status mcv_comparison_json(mcv_comparison *comparison, const char *name, const json_t *ours, const char *golden) {
    mcv_comparison_row *row;
    MCV_TRY(add_row(comparison, name, &row));
    row->is_text = true;
    json_t *expected;
    mcv_status status = mcv_json_read_text(golden, strlen(golden), name, &expected);
    if (status != MCV_OK)
        return mcv_fail_context(status, "metadata");
    row->pass = json_equal(ours, expected);
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
    size_t index = find_tensor(comparison->golden, name);
    if (index < mcv_safetensors_count(comparison->golden))
        name = mcv_safetensors_name(comparison->golden, index);
    for (size_t i = 0; i < comparison->num_rows && !row; i++)
        if (strcmp(comparison->rows[i].name, name) == 0)
            row = &comparison->rows[i];
    if (!row)
        MCV_TRY(add_row(comparison, name, &row));
    row->pass = false;
    if (!row->problem[0])
        snprintf(row->problem, sizeof row->problem, "%s", problem);
    return MCV_OK;
}

static int compare_rows(const void *a, const void *b) {
    return mcv_execution_order(((const mcv_comparison_row *)a)->name, ((const mcv_comparison_row *)b)->name);
}

mcv_status mcv_comparison_finish(mcv_comparison *comparison) {
    for (size_t i = 0; i < mcv_safetensors_count(comparison->golden); i++) {
        if (comparison->arrived[i])
            continue;
        mcv_comparison_row *row;
        MCV_TRY(add_row(comparison, mcv_safetensors_name(comparison->golden, i), &row));
        row->golden = mcv_safetensors_at(comparison->golden, i);
        snprintf(row->problem, sizeof row->problem, "missing");
    }
    if (comparison->num_rows > 0) /* qsort takes no NULL */
        qsort(comparison->rows, comparison->num_rows, sizeof *comparison->rows, compare_rows);
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
    for (size_t i = 0; i < comparison->num_rows; i++)
        count += comparison->rows[i].measures.compared > 0;
    return count;
}
