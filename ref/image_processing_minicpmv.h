/* Images to normalized patches: slicing, resizing, normalization. HF: image_processing_minicpmv.py. */
#ifndef MCV_REF_IMAGE_PROCESSING_MINICPMV_H
#define MCV_REF_IMAGE_PROCESSING_MINICPMV_H

#include "core/arena.h"
#include "core/buffer.h"
#include "core/tensor.h"
#include "formats/image.h"
#include "formats/json.h"
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
    PillowVersion pillow;       /* which Pillow's pass order resize() follows */
    const PillowPasses *passes; /* what computes it */
    mcv_arena strings;          /* owns the tokens above */
} MiniCPMVImageProcessor;

/* Reads folder/preprocessor_config.json; keys that are missing have HF's defaults. MCV_BAD_INPUT: a value of the wrong
 * type or without meaning, with the key's name. Release with MiniCPMVImageProcessor_free, also after a failure. */
mcv_status MiniCPMVImageProcessor_from_pretrained(MiniCPMVImageProcessor *processor, const char *folder);
/* The same from the root of a file that has been read. */
mcv_status MiniCPMVImageProcessor_from_json(MiniCPMVImageProcessor *processor, const mcv_json *json);
void MiniCPMVImageProcessor_free(MiniCPMVImageProcessor *processor);

/* How an image is cut, 0 x 0 where it is not. HF: a list of both numbers, or None. */
typedef struct SliceGrid {
    int columns, rows;
} SliceGrid;

/* A rectangle of an image, seen as [channels, height, width]. */
typedef struct Pixels {
    const uint8_t *image; /* NULL: it is not kept */
    size_t offset;        /* of the rectangle in the image */
    int channels, height, width;
    size_t channel_step, row_step, column_step;
} Pixels;

/* What each 8-bit level becomes: to_numpy_array, the division by 255 and normalize, all in float32. */
typedef struct Levels {
    float mean[3], std[3];
    float normalized[3][256];
} Levels;

/* Where the pixels of a slice come from whose image is not kept. */
typedef struct UnreadSlice {
    const mcv_unread_image *image;
    int width, height; /* to which the image is to be resized; the slice is a part of that */
    const MiniCPMVImageProcessor *processor;
} UnreadSlice;

/* One slice of an image, resized. It stays in 8 bits until the encoder wants it, as its floats take four times the
 * memory. */
typedef struct ImageSlice {
    int grid_h, grid_w; /* tgt_sizes: patches down and across */
    int patch_size;
    Pixels pixels; /* 3 channels; what is beyond the patches is left out */
    const Levels *levels;
    UnreadSlice unread; /* where pixels.image is NULL */
} ImageSlice;

/* Slices that share one block of query_num tokens: a slice of an image (one slice, id -1), or the same slice of all
 * frames of a packed group. HF: an element of the image processor's `temporal_ids`. */
typedef mcv_frame_group TemporalGroup;

/* The images of one conversation. */
typedef struct ImageFeatures {
    int num_images;
    int (*image_sizes)[2]; /* [num_images]: width, height before any resizing */
    SliceGrid *grids;      /* [num_images] */
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
 * Results are allocated in `arena`. An image that has its slice's size already is not copied: the images must stay for
 * as long as the slices are used.
 *
 * Where HF raises: MCV_USAGE for temporal ids that do not cover the images one by one; MCV_BAD_INPUT for a conversation
 * whose first image is 1 or 3 pixels high (HF takes its rows for channels), for a frame with fewer slices than the
 * first of its group, and, with slice_mode off, for an image smaller than a patch.
 * A frame with more slices than the first of its group is cut by the first one's grid, so that what is joined shows the
 * same place; HF joins the frame's own first slices and drops the rest. */
mcv_status MiniCPMVImageProcessor_preprocess(const MiniCPMVImageProcessor *processor, mcv_arena *arena,
                                             const mcv_image *images, int num_images, int max_slice_nums,
                                             const TemporalIds *temporal_ids, ImageFeatures *features);

/* *read: the slice with its pixels. Those of an image that is not kept are read and resized, each time anew: *resized
 * is what they lie in, to be released with mcv_image_free (of others it is empty). */
mcv_status ImageSlice_read(const ImageSlice *slice, ImageSlice *read, mcv_image *resized);

/* *pixel_values: float32 [3, patch_size, grid_h * grid_w * patch_size], allocated in `arena`: patches beside each
 * other. HF: what preprocess does with each slice. */
mcv_status ImageSlice_pixel_values(const ImageSlice *slice, mcv_arena *arena, mcv_tensor *pixel_values);

/* Appends the text that stands for image number `image_idx`. use_image_id -1: the processor's own.
 * HF: get_slice_image_placeholder. HF's processor calls it with tensors, which makes the aspect ratio a float32: at a
 * few sizes above 11 million pixels (2810 x 4443 with 10 slices) its text then has another grid than its slices. Here
 * both follow the slices. */
mcv_status MiniCPMVImageProcessor_get_slice_image_placeholder(const MiniCPMVImageProcessor *processor, int width,
                                                              int height, int image_idx, int max_slice_nums,
                                                              int use_image_id, mcv_buffer *text);

/* Not in HF: makes an image smaller ahead of preprocess, so that it takes less memory to keep (a video's frames). It
 * becomes its own source_image where preprocess makes the same slices and placeholders of both: where it is not cut,
 * and where the smaller one would neither be cut nor resized again. Otherwise it stays as it is.
 * *is_small: it takes no more memory now than a slice does. */
mcv_status MiniCPMVImageProcessor_resize_ahead(const MiniCPMVImageProcessor *processor, int max_slice_nums,
                                               mcv_image *image, bool *is_small);

#endif
