/* What a run shows of its images, for people to look at: the slices as the encoder gets them, and how much each of the
 * resampler's queries takes of each patch. Filled by what a run's tap sees, whichever engine it is of. */
#ifndef MCV_CLI_VISION_RECORD_H
#define MCV_CLI_VISION_RECORD_H

#include <jansson.h>

#include "core/arena.h"
#include "ref/image_processing_minicpmv.h"

typedef struct mcv_seen_slice {
    int conversation, index; /* as in pixel_values.I.J */
    int grid_h, grid_w;      /* patches down and across */
    mcv_image image;
    const float *weights; /* [num_queries, grid_h * grid_w]; NULL where the run showed none */
} mcv_seen_slice;

/* Slices that share a block of queries: a slice of an image, or one of each frame of a packed group. */
typedef struct mcv_seen_group {
    int first_slice, count;
    int32_t *temporal_ids; /* [count]; -1: an image */
} mcv_seen_group;

typedef struct mcv_vision_record {
    double mean[3], std[3]; /* that pixel values were normalized with */
    mcv_seen_slice *slices; /* [num_slices], in the order in which the run showed them, at most MCV_MOST_SEEN_SLICES */
    size_t num_slices, slice_capacity;
    mcv_seen_group *groups; /* [num_groups] */
    size_t num_groups, group_capacity;
    int num_queries; /* 0 where the run showed no attention */
    mcv_arena arena;
} mcv_vision_record;

enum { MCV_MOST_SEEN_SLICES = 24 };

/* `processor` tells how to get from pixel values back to pixels. Release with mcv_vision_record_free. */
void mcv_vision_record_start(mcv_vision_record *record, const MiniCPMVImageProcessor *processor);
void mcv_vision_record_free(mcv_vision_record *record);

/* Takes what it can use: pixel_values.I.J, tgt_sizes.I and, behind them, resampler.attn.weights; see mcv_observer. */
mcv_status mcv_vision_record_tensor(mcv_vision_record *record, const char *name, const mcv_tensor *tensor);
/* The same of a run's texts: temporal_ids, which say how slices are grouped. Comes before the tensors. */
mcv_status mcv_vision_record_text(mcv_vision_record *record, const char *name, const json_t *value);

#endif
