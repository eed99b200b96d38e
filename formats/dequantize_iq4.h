/* The 16 levels of IQ4_NL and IQ4_XS, and how IQ4_XS packs its scales. */
#ifndef MCV_FORMATS_DEQUANTIZE_IQ4_H
#define MCV_FORMATS_DEQUANTIZE_IQ4_H

#include <stdint.h>

extern const int8_t mcv_iq4_levels[16];

/* The index of a level; `level` is one of them. */
int mcv_iq4_index(int level);

/* The signed scale of sub-block j of 8. block: [136]. */
int mcv_iq4_xs_scale(const uint8_t *block, int j);

#endif
