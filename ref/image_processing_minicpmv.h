/* Images to normalized patches: slicing, resizing, normalization. HF: image_processing_minicpmv.py. */
#ifndef MCV_REF_IMAGE_PROCESSING_MINICPMV_H
#define MCV_REF_IMAGE_PROCESSING_MINICPMV_H

#include "core/arena.h"
#include "core/buffer.h"
#include "formats/image.h"
#include "ref/pillow_resize.h"

/* preprocessor_config.json. */
typedef struct MiniCPMVImageProcessor {
    int max_slice_nums;
    int scale_resolution;
    int patch_size;
    bool use_image_id;
    bool slice_mode;
    int image_feature_size;
    const char *im_start_token, *im_end_token;
    const char *slice_start_token, *slice_end_token;
    const char *unk_token;
    const char *im_id_start, *im_id_end;
    double mean[3], std[3];
    double version;
    PillowVersion pillow; /* which Pillow's pass order resize() follows */
    mcv_arena strings;    /* owns the tokens above */
} MiniCPMVImageProcessor;

mcv_status MiniCPMVImageProcessor_from_pretrained(MiniCPMVImageProcessor *processor, const char *folder);
void MiniCPMVImageProcessor_free(MiniCPMVImageProcessor *processor);

/* One slice of an image, ready for the encoder. */
typedef struct ImageSlice {
    int grid_h, grid_w;  /* tgt_sizes: patches down and across */
    float *pixel_values; /* [3, patch_size, grid_h * grid_w * patch_size] */
} ImageSlice;

/* Slices that share one block of query_num tokens: a slice of an image (one slice, id -1), or the same slice of all
 * frames of a packed group. HF: an element of the image processor's `temporal_ids`. */
typedef mcv_frame_group TemporalGroup;

/* The images of one conversation. */
typedef struct ImageFeatures {
    int num_images;
    int (*image_sizes)[2]; /* [num_images]: width, height before any resizing */
    bool *skip_image;      /* [num_images]: no placeholder, later frame of a group. HF: skip_image_idx */
    int num_slices;
    ImageSlice *slices; /* [num_slices], in the order of the groups */
    int num_groups;
    TemporalGroup *groups; /* [num_groups]; their counts add up to num_slices */
} ImageFeatures;

/* The caller's frame groups of one conversation; count 0 where there are none. */
typedef mcv_temporal_ids TemporalIds;

/* HF: MiniCPMVImageProcessor.preprocess, for one conversation.
 * max_slice_nums 0: the processor's own. temporal_ids NULL: none, every image stands for itself.
 * Results are allocated in `arena`. */
mcv_status MiniCPMVImageProcessor_preprocess(const MiniCPMVImageProcessor *processor, mcv_arena *arena,
                                             const mcv_image *images, int num_images, int max_slice_nums,
                                             const TemporalIds *temporal_ids, ImageFeatures *features);

/* Appends the text that stands for image number `image_idx`. use_image_id -1: the processor's own.
 * HF: get_slice_image_placeholder. */
mcv_status MiniCPMVImageProcessor_get_slice_image_placeholder(const MiniCPMVImageProcessor *processor, int width,
                                                              int height, int image_idx, int max_slice_nums,
                                                              int use_image_id, mcv_buffer *text);

#endif
