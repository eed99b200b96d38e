/* How the blocks of 256 elements pack the scales of their sub-blocks. */
#ifndef MCV_FORMATS_DEQUANTIZE_K_H
#define MCV_FORMATS_DEQUANTIZE_K_H

#include <stdint.h>

enum { MCV_K_BLOCK = 256 };

/* Q3_K: the signed scale of sub-block j of 16, from 12 bytes. */
int mcv_q3_k_scale(const uint8_t *scales, int j);

/* Q4_K, Q5_K: scale and minimum, 0 to 63, of sub-block j of 8, from 12 bytes. */
void mcv_k_scale_and_minimum(const uint8_t *scales, int j, int *scale, int *minimum);

#endif
