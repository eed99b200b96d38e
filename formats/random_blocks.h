/* Random weights in any block type, made without quantizing anything: for timing. */
#ifndef MCV_FORMATS_RANDOM_BLOCKS_H
#define MCV_FORMATS_RANDOM_BLOCKS_H

#include "formats/weight_types.h"

/* Blocks [begin, end) of a tensor: plain types hold numbers that are uniform in middle +- span, others have random bits
 * under scales that spread them to about +- span around 0. Each block depends on `stream` and its own place alone.
 * blocks: block number 0. */
void mcv_random_blocks(mcv_weight_type type, uint64_t stream, float middle, float span, size_t begin, size_t end,
                       uint8_t *blocks);

#endif
