/* How far two tensors are apart, and both from a third that is exact: all that reports show of a tensor. */
#ifndef MCV_CLI_MEASURE_H
#define MCV_CLI_MEASURE_H

#include "cli/ulp.h"
#include "core/tensor.h"

/* One element of the compared tensors. */
typedef struct mcv_element {
    size_t index; /* of the flattened tensor; SIZE_MAX: there is none */
    double ours, golden;
    double exact; /* NaN where no exact tensor is known */
} mcv_element;

enum { MCV_WORST_ELEMENTS = 8 };

/* Numbers over the elements that were compared. Distances are |ours - golden| unless they say otherwise. A norm over a
 * norm is 0 where both are 0: nothing differs from nothing. */
typedef struct mcv_measures {
    size_t compared;        /* elements, padding left out; where it is 0, the numbers below are NaN */
    double max_abs;         /* the largest distance */
    double max_rel;         /* the largest distance / |golden| of the elements that are not 0 in golden */
    double rel_l2;          /* norm(ours - golden) / norm(golden) */
    double cosine;          /* of the angle between the two */
    mcv_ulp_histogram ulps; /* of distances in units in the last place of FP32; what is not finite is left out */

    bool has_exact;                           /* the numbers below are known */
    double exact_rel_l2, golden_exact_rel_l2; /* norm(x - exact) / norm(exact): ours, golden's */
    double exact_l2, golden_exact_l2;         /* norm(x - exact) */
    double rounded_exact_l2;                  /* the same of exact rounded to FP32 */
    double exact_norm;                        /* norm(exact) */

    mcv_element worst[MCV_WORST_ELEMENTS]; /* [num_worst]: the largest distances that are not 0, largest first */
    int num_worst;
    mcv_element worst_exact;               /* of the largest |ours - exact| */
    mcv_element first_unequal, not_finite; /* the first ones; of `not_finite` one value at least is a NaN or infinite */
} mcv_measures;

/* Measures nothing yet. */
mcv_measures mcv_measures_none(void);

/* A measurement of tensors of one shape that goes on range by range. */
typedef struct mcv_measurement mcv_measurement;

/* exact may be NULL. The tensors stay the caller's. */
mcv_status mcv_measurement_start(mcv_measurement **measurement, const mcv_tensor *ours, const mcv_tensor *golden,
                                 const mcv_tensor *exact);
/* Takes elements [begin, end) of the flattened tensors. */
void mcv_measurement_add(mcv_measurement *measurement, size_t begin, size_t end);
/* *measures: the numbers of all that was taken. Releases the measurement. */
void mcv_measurement_finish(mcv_measurement *measurement, mcv_measures *measures);

#endif
