/* Blocks of quantized weights, taken apart into the integers and the binary16 scales that they hold.
 *
 * All quantized block types say the same thing with other numbers of bits: element i of a block is
 *
 *     (d * scale[j]) * (code[i] - zero) - dmin * minimum[j],   j = i / group,
 *
 * in FP32 and in this order; in types with levels, levels[code[i]] stands in place of code[i] - zero. Where each number
 * lies is told in formats/unpack_*.c, one function a type. */
#ifndef MCV_FORMATS_UNPACK_BLOCKS_H
#define MCV_FORMATS_UNPACK_BLOCKS_H

#include "formats/weight_types.h"

enum { MCV_LARGEST_BLOCK = 256, MCV_MOST_GROUPS = 16 };

/* What the blocks of a type have in common. */
typedef struct mcv_block_form {
    int group;      /* elements that share a scale and a minimum */
    int bits, zero; /* a code is below 1 << bits */
    bool has_scales, has_minima;
    const int8_t *levels; /* [16]; NULL: codes are numbers */
} mcv_block_form;

typedef struct mcv_block {
    uint16_t d, dmin;                 /* bits of binary16; dmin 0 where the type has no minima */
    int8_t scale[MCV_MOST_GROUPS];    /* 1 where it has no scales of groups */
    uint8_t minimum[MCV_MOST_GROUPS]; /* 0 where it has no minima, 1 where they are dmin alone */
    uint8_t code[MCV_LARGEST_BLOCK];
} mcv_block;

/* NULL: F32, F16 and BF16, AWQ, GPTQ, NF4 and INT8 have none. */
const mcv_block_form *mcv_weight_block_form(mcv_weight_type type);

/* One block of a type that has a form, which need not be aligned. */
void mcv_unpack_block(mcv_weight_type type, const uint8_t *block, mcv_block *out);

/* The types behind it. */
typedef void (*mcv_unpack_fn)(const uint8_t *block, mcv_block *out);
void mcv_unpack_q4_0(const uint8_t *block, mcv_block *out);
void mcv_unpack_q4_1(const uint8_t *block, mcv_block *out);
void mcv_unpack_q5_0(const uint8_t *block, mcv_block *out);
void mcv_unpack_q5_1(const uint8_t *block, mcv_block *out);
void mcv_unpack_q8_0(const uint8_t *block, mcv_block *out);
void mcv_unpack_q2_k(const uint8_t *block, mcv_block *out);
void mcv_unpack_q3_k(const uint8_t *block, mcv_block *out);
void mcv_unpack_q4_k(const uint8_t *block, mcv_block *out);
void mcv_unpack_q5_k(const uint8_t *block, mcv_block *out);
void mcv_unpack_q6_k(const uint8_t *block, mcv_block *out);
void mcv_unpack_iq4_nl(const uint8_t *block, mcv_block *out);
void mcv_unpack_iq4_xs(const uint8_t *block, mcv_block *out);

/* The 16 levels of IQ4_NL and IQ4_XS, and the index of one of them. */
extern const int8_t mcv_iq4_levels[16];
int mcv_iq4_index(int level);

#endif
