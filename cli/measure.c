#include "cli/measure.h"

#include <math.h>

enum { BLOCK = 1024 };

/* Sums over the elements of up to three tensors. */
typedef struct element_sums {
    double ours, golden, product, difference;              /* of ours^2, golden^2, ours * golden, (ours - golden)^2 */
    double exact, ours_exact, golden_exact, rounded_exact; /* of exact^2, (x - exact)^2 */
    double max_exact;                                      /* the largest |ours - exact| */
} element_sums;

struct mcv_measurement {
    const mcv_tensor *ours, *golden, *exact; /* exact may be NULL */
    element_sums sums;
    mcv_measures found;
};

mcv_measures mcv_measures_none(void) {
    const double none = (double)NAN;
    const mcv_element nothing = {SIZE_MAX, none, none, none};
    return (mcv_measures){.max_abs = none,
                          .max_rel = none,
                          .rel_l2 = none,
                          .cosine = none,
                          .exact_rel_l2 = none,
                          .golden_exact_rel_l2 = none,
                          .worst_exact = nothing,
                          .first_unequal = nothing,
                          .not_finite = nothing};
}

mcv_status mcv_measurement_start(mcv_measurement **measurement, const mcv_tensor *ours, const mcv_tensor *golden,
                                 const mcv_tensor *exact) {
    MCV_TRY(MCV_NEW(measurement, 1));
    **measurement = (mcv_measurement){.ours = ours, .golden = golden, .exact = exact, .found = mcv_measures_none()};
    (*measurement)->found.max_abs = (*measurement)->found.max_rel = 0;
    return MCV_OK;
}

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

static double distance_of(const mcv_element *element) {
    return fabs(element->ours - element->golden);
}

/* Puts an element into its place among the worst; of equal distances the first element stays in front. */
static void rank_element(mcv_measures *found, const mcv_element *element) {
    int place = found->num_worst < MCV_WORST_ELEMENTS ? found->num_worst++ : MCV_WORST_ELEMENTS - 1;
    for (; place > 0 && distance_of(&found->worst[place - 1]) < distance_of(element); place--)
        found->worst[place] = found->worst[place - 1];
    found->worst[place] = *element;
}

/* An element whose two values differ. */
static void add_unequal(mcv_measures *found, const mcv_element *element) {
    double distance = distance_of(element);
    if (found->first_unequal.index == SIZE_MAX)
        found->first_unequal = *element;
    if (distance > found->max_abs)
        found->max_abs = distance;
    if (distance > found->max_rel * fabs(element->golden) && element->golden != 0)
        found->max_rel = distance / fabs(element->golden);
    if (found->num_worst < MCV_WORST_ELEMENTS ? distance > 0
                                              : distance > distance_of(&found->worst[MCV_WORST_ELEMENTS - 1]))
        rank_element(found, element);
}

static void add_element(mcv_measurement *self, const mcv_element *element) {
    element_sums *sums = &self->sums;
    double ours = element->ours, golden = element->golden;
    bool finite = isfinite(ours) && isfinite(golden);
    sums->ours += square(ours);
    sums->golden += square(golden);
    sums->product += ours * golden;
    sums->difference += square(ours - golden);
    if (!finite && self->found.not_finite.index == SIZE_MAX)
        self->found.not_finite = *element;
    if (finite)
        mcv_ulp_add(&self->found.ulps, ours == golden ? 0 : mcv_ulp_distance((float)ours, (float)golden));
    if (ours != golden)
        add_unequal(&self->found, element);
}

static void add_exact_element(mcv_measurement *self, const mcv_element *element) {
    element_sums *sums = &self->sums;
    double ours = element->ours, exact = element->exact;
    sums->exact += square(exact);
    sums->ours_exact += square(ours - exact);
    sums->golden_exact += square(element->golden - exact);
    sums->rounded_exact += square((double)(float)exact - exact);
    if (fabs(ours - exact) > sums->max_exact || self->found.worst_exact.index == SIZE_MAX) {
        sums->max_exact = fabs(ours - exact);
        self->found.worst_exact = *element;
    }
    if (!isfinite(exact) && self->found.not_finite.index == SIZE_MAX)
        self->found.not_finite = *element;
}

void mcv_measurement_add(mcv_measurement *self, size_t begin, size_t end) {
    double ours[BLOCK], golden[BLOCK], exact[BLOCK];
    for (size_t count; begin < end; begin += count) {
        count = end - begin < BLOCK ? end - begin : BLOCK;
        load_block(self->ours, begin, count, ours);
        load_block(self->golden, begin, count, golden);
        if (self->exact)
            load_block(self->exact, begin, count, exact);
        for (size_t i = 0; i < count; i++) {
            mcv_element element = {begin + i, ours[i], golden[i], self->exact ? exact[i] : (double)NAN};
            add_element(self, &element);
            if (self->exact)
                add_exact_element(self, &element);
        }
        self->found.compared += count;
    }
}

/* norm(a) / norm(b) from the sums of their squares. */
static double relative(double a_squared, double b_squared) {
    return a_squared == 0 ? 0 : sqrt(a_squared) / sqrt(b_squared);
}

void mcv_measurement_finish(mcv_measurement *self, mcv_measures *measures) {
    const element_sums *s = &self->sums;
    mcv_measures *found = &self->found;
    found->rel_l2 = relative(s->difference, s->golden);
    double norms = sqrt(s->ours) * sqrt(s->golden);
    found->cosine = norms > 0 ? s->product / norms : s->ours == s->golden;
    if (self->exact) {
        found->has_exact = true;
        found->exact_rel_l2 = relative(s->ours_exact, s->exact);
        found->golden_exact_rel_l2 = relative(s->golden_exact, s->exact);
        found->exact_l2 = sqrt(s->ours_exact);
        found->golden_exact_l2 = sqrt(s->golden_exact);
        found->rounded_exact_l2 = sqrt(s->rounded_exact);
        found->exact_norm = sqrt(s->exact);
    }
    *measures = *found;
    free(self);
}
