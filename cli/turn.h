/* A message of a conversation, with the images and videos that it shows. */
#ifndef MCV_CLI_TURN_H
#define MCV_CLI_TURN_H

#include "core/memory.h"

/* A file to be shown. */
typedef struct mcv_medium {
    char *path;
    bool is_video;
} mcv_medium;

typedef struct mcv_turn {
    const char *role;
    char *text;
    mcv_part *parts; /* [num_parts]: images and frames in the order of the media, then the text */
    int num_parts;
    mcv_frame_group *groups; /* [num_groups]: of the images and frames */
    int num_groups;
    bool has_video;

    mcv_image *images; /* [num_media]: of the media that are images */
    mcv_video_frames *videos;
    size_t num_media;
} mcv_turn;

/* How videos are shown. */
typedef struct mcv_turn_options {
    const mcv_model *model;
    mcv_clip_options clip;
    int max_slice_nums; /* of a conversation with a video */
} mcv_turn_options;

/* Reads the media, with progress on a terminal. Nothing of `media` is kept. Release with mcv_turn_free, also after a
 * failure. */
mcv_status mcv_turn_make(const mcv_turn_options *options, const char *role, const mcv_medium *media, size_t num_media,
                         const char *text, mcv_turn *turn);
void mcv_turn_free(mcv_turn *turn);

/* The groups of all turns' images, where one of them shows a video; otherwise *groups is NULL and images stand for
 * themselves. To be released with free(). */
mcv_status mcv_turns_groups(const mcv_turn *turns, size_t count, mcv_frame_group **groups, int *num_groups);

#endif
