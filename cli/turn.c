#include "cli/turn.h"

#include <limits.h>
#include <string.h>

#include "core/log.h"

static const int32_t NO_TIME = -1; /* the temporal id of an image */

static void show_progress(void *context, int frames, int num_frames) {
    (void)context;
    mcv_log_progress("frames", (uint64_t)frames, (uint64_t)num_frames);
}

static mcv_status load_video(const mcv_turn_options *options, const char *path, mcv_video_frames *video) {
    mcv_clip_options clip = options->clip;
    clip.progress = show_progress;
    mcv_status status = mcv_video_load(options->model, path, &clip, options->max_slice_nums, video);
    mcv_log_progress_end();
    if (status == MCV_OK && video->remark)
        mcv_log_remark("%s: %s", path, video->remark);
    return status;
}

static mcv_status load_media(const mcv_turn_options *options, const mcv_medium *media, mcv_turn *turn) {
    for (size_t i = 0; i < turn->num_media; i++) {
        turn->has_video = turn->has_video || media[i].is_video;
        if (media[i].is_video)
            MCV_TRY(load_video(options, media[i].path, &turn->videos[i]));
        else
            MCV_TRY(mcv_image_load(media[i].path, &turn->images[i]));
    }
    return MCV_OK;
}

static mcv_status count_parts(const mcv_turn *turn, size_t *num_images, size_t *num_groups) {
    *num_images = *num_groups = 0;
    for (size_t i = 0; i < turn->num_media; i++) {
        *num_images += turn->images[i].rgb ? 1 : (size_t)turn->videos[i].num_frames;
        *num_groups += turn->images[i].rgb ? 1 : (size_t)turn->videos[i].num_groups;
    }
    return *num_images < INT_MAX ? MCV_OK : MCV_FAIL(MCV_USAGE, "%zu images in one message", *num_images);
}

static void add_image(mcv_turn *turn, const mcv_image *image) {
    turn->parts[turn->num_parts++].image = image;
}

static void add_group(mcv_turn *turn, int count, const int32_t *temporal_ids) {
    turn->groups[turn->num_groups++] = (mcv_frame_group){count, temporal_ids};
}

static mcv_status list_parts(mcv_turn *turn) {
    size_t num_images, num_groups;
    MCV_TRY(count_parts(turn, &num_images, &num_groups));
    MCV_TRY(MCV_NEW(&turn->parts, num_images + 1));
    MCV_TRY(MCV_NEW(&turn->groups, num_groups));
    for (size_t i = 0; i < turn->num_media; i++) {
        const mcv_video_frames *video = &turn->videos[i];
        if (turn->images[i].rgb) {
            add_image(turn, &turn->images[i]);
            add_group(turn, 1, &NO_TIME);
        }
        for (int j = 0; j < video->num_frames; j++)
            add_image(turn, &video->frames[j]);
        for (int j = 0; j < video->num_groups; j++)
            add_group(turn, video->groups[j].count, video->groups[j].temporal_ids);
    }
    turn->parts[turn->num_parts++].text = turn->text;
    return MCV_OK;
}

mcv_status mcv_turn_make(const mcv_turn_options *options, const char *role, const mcv_medium *media, size_t num_media,
                         const char *text, mcv_turn *turn) {
    *turn = (mcv_turn){.role = role};
    MCV_TRY(mcv_strdup(&turn->text, text));
    MCV_TRY(MCV_NEW(&turn->images, num_media));
    MCV_TRY(MCV_NEW(&turn->videos, num_media));
    turn->num_media = num_media;
    MCV_TRY(load_media(options, media, turn));
    return list_parts(turn);
}

void mcv_turn_free(mcv_turn *turn) {
    for (size_t i = 0; i < turn->num_media; i++) {
        mcv_image_free(&turn->images[i]);
        mcv_video_frames_free(&turn->videos[i]);
    }
    free(turn->images);
    free(turn->videos);
    free(turn->parts);
    free(turn->groups);
    free(turn->text);
    *turn = (mcv_turn){0};
}

mcv_status mcv_turns_groups(const mcv_turn *turns, size_t count, mcv_frame_group **groups, int *num_groups) {
    bool has_video = false;
    size_t total = 0;
    *groups = NULL;
    *num_groups = 0;
    for (size_t i = 0; i < count; i++) {
        has_video = has_video || turns[i].has_video;
        total += (size_t)turns[i].num_groups;
    }
    if (!has_video)
        return MCV_OK;
    if (total > INT_MAX)
        return MCV_FAIL(MCV_USAGE, "%zu images and groups in one conversation", total);
    MCV_TRY(MCV_NEW(groups, total));
    for (size_t i = 0; i < count; *num_groups += turns[i++].num_groups)
        memcpy(*groups + *num_groups, turns[i].groups, (size_t)turns[i].num_groups * sizeof **groups);
    return MCV_OK;
}
