#include "cli/compare.h"

#include <math.h>
#include <stdio.h>

#include "cli/execution_order.h"
#include "cli/json_lines.h"

enum { BLOCK = 1024 };

/* Sums over the elements of up to three tensors: ours, golden's, the exact one's. */
typedef struct element_sums {
    size_t count;
    double ours, golden, product, difference;              /* of ours^2, golden^2, ours * golden, (ours - golden)^2 */
    double exact, ours_exact, golden_exact, rounded_exact; /* of exact^2, (x - exact)^2 */
    double max_abs, max_exact;                             /* the largest |ours - golden|, |ours - exact| */
    size_t worst, worst_exact, first_unequal, not_finite;  /* element indices; SIZE_MAX where there is none */
} element_sums;

/* One comparison of tensors while it runs. */
typedef struct tensor_pair {
    const mcv_tensor *ours, *golden, *exact; /* exact may be NULL */
    element_sums sums;
} tensor_pair;

static void load_block(const mcv_tensor *tensor, size_t index, size_t count, double *out) {
    if (tensor->dtype == MCV_F32) {
        float narrow[BLOCK];
        mcv_tensor_to_f32(tensor, index, count, narrow);
        for (size_t i = 0; i < count; i++)
            out[i] = (double)narrow[i];
        return;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = mcv_tensor_get(tensor, index + i);
}

static double square(double x) {
    return x * x;
}

static void add_element(element_sums *sums, size_t index, double ours, double golden) {
    double distance = fabs(ours - golden);
    sums->ours += square(ours);
    sums->golden += square(golden);
    sums->product += ours * golden;
    sums->difference += square(distance);
    if (!(isfinite(ours) && isfinite(golden)) && sums->not_finite == SIZE_MAX)
        sums->not_finite = index;
    if (ours != golden && sums->first_unequal == SIZE_MAX)
        sums->first_unequal = index;
    if (distance > sums->max_abs || sums->worst == SIZE_MAX) {
        sums->max_abs = distance;
        sums->worst = index;
    }
}

static void add_exact_element(element_sums *sums, size_t index, double ours, double golden, double exact) {
    sums->exact += square(exact);
    sums->ours_exact += square(ours - exact);
    sums->golden_exact += square(golden - exact);
    sums->rounded_exact += square((double)(float)exact - exact);
    if (fabs(ours - exact) > sums->max_exact || sums->worst_exact == SIZE_MAX) {
        sums->max_exact = fabs(ours - exact);
        sums->worst_exact = index;
    }
    if (!isfinite(exact) && sums->not_finite == SIZE_MAX)
        sums->not_finite = index;
}

/* Elements [begin, end) of the flattened tensors. */
static void add_elements(tensor_pair *pair, size_t begin, size_t end) {
    double ours[BLOCK], golden[BLOCK], exact[BLOCK];
    for (size_t count; begin < end; begin += count) {
        count = end - begin < BLOCK ? end - begin : BLOCK;
        load_block(pair->ours, begin, count, ours);
        load_block(pair->golden, begin, count, golden);
        for (size_t i = 0; i < count; i++)
            add_element(&pair->sums, begin + i, ours[i], golden[i]);
        pair->sums.count += count;
        if (!pair->exact)
            continue;
        load_block(pair->exact, begin, count, exact);
        for (size_t i = 0; i < count; i++)
            add_exact_element(&pair->sums, begin + i, ours[i], golden[i], exact[i]);
    }
}

/* "[3, 0, 17]" for a flat index. */
static const char *index_text(const mcv_tensor *tensor, size_t index, char *text, size_t size) {
    mcv_tensor place = {.rank = tensor->rank};
    for (int axis = tensor->rank - 1; axis >= 0; axis--) {
        place.shape[axis] = (int64_t)(index % (size_t)tensor->shape[axis]);
        index /= (size_t)tensor->shape[axis];
    }
    return mcv_tensor_shape_text(&place, text, size);
}

static void explain_element(mcv_comparison_row *row, const tensor_pair *pair, const char *words, size_t index) {
    char place[128], exact[40] = "";
    if (pair->exact)
        snprintf(exact, sizeof exact, ", exact %.12g", mcv_tensor_get(pair->exact, index));
    snprintf(row->problem, sizeof row->problem, "%s at %s: %.9g, golden %.9g%s", words,
             index_text(pair->golden, index, place, sizeof place), mcv_tensor_get(pair->ours, index),
             mcv_tensor_get(pair->golden, index), exact);
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

/* norm(a) / norm(b) from the sums of their squares. 0 / 0 is 0: nothing differs from nothing. */
static double relative(double a_squared, double b_squared) {
    return a_squared == 0 ? 0 : sqrt(a_squared) / sqrt(b_squared);
}

static void measure(mcv_comparison_row *row, const tensor_pair *pair) {
    const element_sums *s = &pair->sums;
    row->compared = s->count;
    row->max_abs = s->max_abs;
    row->rel_l2 = relative(s->difference, s->golden);
    double norms = sqrt(s->ours) * sqrt(s->golden);
    row->cosine = norms > 0 ? s->product / norms : s->ours == s->golden;
    if (pair->exact) {
        row->has_exact = true;
        row->exact_rel_l2 = relative(s->ours_exact, s->exact);
        row->golden_exact_rel_l2 = relative(s->golden_exact, s->exact);
    }
}

/* How far from exact arithmetic a tensor may be: half as far as golden is, or what the nearest FP32 tensor is. */
static double exact_allowance(const element_sums *s) {
    return fmax(0.5 * sqrt(s->golden_exact), 1.05 * sqrt(s->rounded_exact));
}

static void judge_distances(mcv_comparison_row *row, const tensor_pair *pair, double limit) {
    const element_sums *s = &pair->sums;
    char words[100];
    if (pair->exact)
        limit = fmax(limit, MCV_SPOILT_LIMIT);
    if (pair->exact && !(sqrt(s->ours_exact) <= exact_allowance(s))) {
        snprintf(words, sizeof words, "exact_rel_l2 %.3g, at most %.3g; worst", row->exact_rel_l2,
                 exact_allowance(s) / sqrt(s->exact));
        explain_element(row, pair, words, s->worst_exact);
    } else if (!(row->rel_l2 <= limit)) {
        snprintf(words, sizeof words, "rel_l2 %.3g, at most %.3g; worst", row->rel_l2, limit);
        explain_element(row, pair, words, s->worst);
    }
}

static void judge(mcv_comparison_row *row, const tensor_pair *pair, double limit) {
    const element_sums *s = &pair->sums;
    if (s->not_finite != SIZE_MAX)
        explain_element(row, pair, "not finite", s->not_finite);
    else if (!must_be_equal(row->name, pair->golden))
        judge_distances(row, pair, limit);
    else if (s->first_unequal != SIZE_MAX)
        explain_element(row, pair, "must be equal; first unequal", s->first_unequal);
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

static void add_all_elements(const mcv_comparison *comparison, const char *name, tensor_pair *pair) {
    const mcv_tensor *golden = pair->golden;
    size_t count, row_size = 1, first_slice = first_slice_of(comparison, name);
    mcv_tensor_count(golden, &count); /* was checked when the file was opened */
    if (!mcv_padding_applies(&comparison->padding, name, golden, first_slice)) {
        add_elements(pair, 0, count);
        return;
    }
    for (int axis = 2; axis < golden->rank; axis++)
        row_size *= (size_t)golden->shape[axis];
    for (size_t i = 0; i < (size_t)golden->shape[0]; i++) {
        mcv_row_range rows = mcv_padding_rows(&comparison->padding, name, first_slice, i);
        size_t start = i * (size_t)golden->shape[1];
        add_elements(pair, (start + rows.begin) * row_size, (start + rows.end) * row_size);
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
    **row = (mcv_comparison_row){.name = copy, .max_abs = (double)NAN, .rel_l2 = (double)NAN, .cosine = (double)NAN};
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
    size_t exact_index = comparison->exact ? find_tensor(comparison->exact, row->name) : 0;
    bool has_exact = comparison->exact && exact_index < mcv_safetensors_count(comparison->exact);
    if (has_exact)
        exact = mcv_safetensors_at(comparison->exact, exact_index);
    tensor_pair pair = {
        .ours = ours,
        .golden = &row->golden,
        .exact = has_exact ? &exact : NULL,
        .sums = {.worst = SIZE_MAX, .worst_exact = SIZE_MAX, .first_unequal = SIZE_MAX, .not_finite = SIZE_MAX}};
    if (!are_comparable(row, ours, &row->golden, pair.exact))
        return MCV_OK;
    add_all_elements(comparison, row->name, &pair);
    measure(row, &pair);
    judge(row, &pair, comparison->limit);
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
        count += comparison->rows[i].compared > 0;
    return count;
}
