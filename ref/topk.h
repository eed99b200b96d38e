/* The largest of many numbers. torch.topk. */
#ifndef MCV_REF_TOPK_H
#define MCV_REF_TOPK_H

#include <stdint.h>

/* indices: those of the k largest keys, the largest first, equal ones by index. (torch leaves the order of equal ones
 * open, and which of them are chosen.) 0 < k <= count; no key is NaN. */
void topk(const float *keys, int count, int k, int32_t *indices);

#endif
