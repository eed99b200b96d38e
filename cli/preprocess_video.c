#include "cli/preprocess_video.h"

#include <stdio.h>

#include "cli/contact_sheet.h"
#include "cli/json_output.h"
#include "cli/model_options.h"
#include "cli/prompt_options.h"
#include "cli/video_options.h"
#include "core/log.h"
#include "formats/safetensors.h"
#include "simd/engine/fast_image.h"
#include "simd/kernels/kernel_table.h"

/* Card: the max_slice_nums of its call of chat(). */
enum { CARD_MAX_SLICE_NUMS = 1 };

typedef struct video_job {
    const char *path;
    MiniCPMVImageProcessor processor;
    mcv_kernels kernels;
    PillowPasses passes; /* by the kernels: those of plain C take longer */
    int max_slice_nums;
    mcv_clip clip;
    mcv_contact_sheet sheet;
    mcv_safetensors_writer *writer; /* NULL: nothing is written */
    mcv_buffer tgt_sizes;           /* int32_t [num_slices, 2]: patches down and across */
    int64_t num_slices;             /* so far */
} video_job;

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static json_t *about_video(const mcv_clip *clip) {
    const mcv_video_info *info = mcv_video_get_info(clip->video);
    json_t *object = json_object();
    mcv_json_set(&object, "format", json_string(info->format));
    mcv_json_set(&object, "width", json_integer(info->width));
    mcv_json_set(&object, "height", json_integer(info->height));
    mcv_json_set(&object, "frame_count", json_integer(info->frame_count));
    mcv_json_set(&object, "fps", mcv_json_number(info->fps));
    mcv_json_set(&object, "container_fps", mcv_json_number(info->container_fps));
    mcv_json_set(&object, "variable_rate", json_boolean(info->variable_rate));
    mcv_json_set(&object, "duration", mcv_json_number((double)info->frame_count / info->fps));
    return object;
}

static json_t *temporal_ids(const mcv_frame_sampling *sampling) {
    json_t *groups = json_array();
    for (int group = 0; group < sampling->num_groups; group++) {
        int first, count = mcv_frame_sampling_group(sampling, group, &first);
        json_t *ids = json_array();
        for (int i = first; i < first + count; i++)
            mcv_json_append(&ids, json_integer(sampling->temporal_ids[i]));
        mcv_json_append(&groups, ids);
    }
    return groups;
}

static mcv_status print_json(const mcv_clip *clip) {
    const mcv_frame_sampling *sampling = &clip->sampling;
    json_t *object = json_object(), *indices = json_array(), *timestamps = json_array();
    for (int i = 0; i < sampling->num_frames; i++) {
        mcv_json_append(&indices, json_integer(sampling->frame_indices[i]));
        mcv_json_append(&timestamps, mcv_json_number(sampling->timestamps[i]));
    }
    mcv_json_set(&object, "video", about_video(clip));
    mcv_json_set(&object, "packing", json_integer(sampling->packing));
    mcv_json_set(&object, "frame_indices", indices);
    mcv_json_set(&object, "timestamps", timestamps);
    mcv_json_set(&object, "temporal_ids", temporal_ids(sampling));
    return mcv_json_print(object);
}

/* ---- Frames ------------------------------------------------------------------------------------------------------ */

static mcv_status write_frame(video_job *job, int position, const mcv_image *frame) {
    char name[32];
    snprintf(name, sizeof name, "frames.%d", position);
    return mcv_safetensors_add(job->writer, name, &MCV_TENSOR(MCV_U8, frame->rgb, frame->height, frame->width, 3));
}

static mcv_status write_slices(video_job *job, const ImageFeatures *features, mcv_arena *arena) {
    for (int i = 0; i < features->num_slices; i++) {
        char name[64];
        const ImageSlice *slice = &features->slices[i];
        mcv_tensor pixel_values;
        int32_t grid[2] = {slice->grid_h, slice->grid_w};
        snprintf(name, sizeof name, "pixel_values.0.%lld", (long long)job->num_slices++);
        MCV_TRY(ImageSlice_pixel_values(slice, arena, &pixel_values));
        MCV_TRY(mcv_safetensors_add(job->writer, name, &pixel_values));
        MCV_TRY(mcv_buffer_append(&job->tgt_sizes, grid, sizeof grid));
    }
    return MCV_OK;
}

static mcv_status process_frames(video_job *job, int first, int count, mcv_image *frames /* [count] */) {
    for (int i = 0; i < count; i++) {
        mcv_log_progress("frames", (uint64_t)(first + i) + 1, (uint64_t)job->clip.sampling.num_frames);
        MCV_TRY(mcv_clip_read(&job->clip, first + i, &frames[i]));
        if (job->sheet.page.rgb)
            MCV_TRY(mcv_contact_sheet_put(&job->sheet, first + i, &frames[i]));
        if (job->writer)
            MCV_TRY(write_frame(job, first + i, &frames[i]));
    }
    if (!job->writer)
        return MCV_OK;
    mcv_arena arena = {0};
    ImageFeatures features;
    mcv_frame_group group = {count, job->clip.sampling.temporal_ids + first};
    mcv_status status = MiniCPMVImageProcessor_preprocess(&job->processor, &arena, frames, count, job->max_slice_nums,
                                                          &(mcv_temporal_ids){1, &group}, &features);
    if (status != MCV_OK)
        mcv_fail_context(status, "%s", job->path);
    else
        status = write_slices(job, &features, &arena);
    mcv_arena_free(&arena);
    return status;
}

/* Frames are kept for no longer than their group. */
static mcv_status process_group(video_job *job, int group) {
    mcv_image frames[MCV_MAX_PACKING] = {0};
    int first, count = mcv_frame_sampling_group(&job->clip.sampling, group, &first);
    mcv_status status = process_frames(job, first, count, frames);
    for (int i = 0; i < count; i++)
        mcv_image_free(&frames[i]);
    return status;
}

/* ---- Output ------------------------------------------------------------------------------------------------------ */

/* A list for each conversation of a batch, as in a golden case. */
static mcv_status add_metadata(video_job *job) {
    json_t *batch = json_array();
    mcv_json_append(&batch, temporal_ids(&job->clip.sampling));
    char *text = batch ? json_dumps(batch, JSON_COMPACT) : NULL;
    json_decref(batch);
    if (!text)
        return MCV_FAIL(MCV_NO_MEMORY, "out of memory (JSON)");
    mcv_status status = mcv_safetensors_add_metadata(job->writer, "temporal_ids", text);
    free(text);
    return status;
}

static mcv_status finish_writing(video_job *job) {
    const mcv_frame_sampling *sampling = &job->clip.sampling;
    int64_t count = sampling->num_frames;
    mcv_safetensors_writer *writer = job->writer;
    MCV_TRY(mcv_safetensors_add(writer, "tgt_sizes.0", &MCV_TENSOR(MCV_I32, job->tgt_sizes.data, job->num_slices, 2)));
    MCV_TRY(mcv_safetensors_add(writer, "frame_indices", &MCV_TENSOR(MCV_I64, sampling->frame_indices, count)));
    MCV_TRY(mcv_safetensors_add(writer, "timestamps", &MCV_TENSOR(MCV_F64, sampling->timestamps, count)));
    MCV_TRY(mcv_safetensors_add(writer, "temporal_ids", &MCV_TENSOR(MCV_I32, sampling->temporal_ids, count)));
    MCV_TRY(add_metadata(job));
    job->writer = NULL; /* released by the commit, whatever its outcome */
    return mcv_safetensors_commit(writer);
}

static mcv_status process_all(video_job *job, const char *output, const char *sheet) {
    const mcv_video_info *info = mcv_video_get_info(job->clip.video);
    if (output)
        MCV_TRY(mcv_safetensors_create(output, &job->writer));
    if (sheet)
        MCV_TRY(mcv_contact_sheet_init(&job->sheet, &job->clip.sampling, info->width, info->height));
    for (int group = 0; group < job->clip.sampling.num_groups; group++)
        MCV_TRY(process_group(job, group));
    mcv_log_progress_end();
    if (output)
        MCV_TRY(finish_writing(job));
    return sheet ? mcv_contact_sheet_write(&job->sheet, sheet) : MCV_OK;
}

/* ---- Command line ------------------------------------------------------------------------------------------------ */

static mcv_status refuse_others(const mcv_arguments *arguments) {
    static const char *const OTHERS[] = {"image",        "prompt",       "system",         "thinking", "raw-prompt",
                                         "use-image-id", "temporal-ids", "max-inp-length", "jsonl"};
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        if (mcv_option_count(arguments, OTHERS[i]) > 0)
            return MCV_FAIL(MCV_USAGE, "--%s does not go with --video, which shows the frames alone", OTHERS[i]);
    if (mcv_option_count(arguments, "video") > 1)
        return MCV_FAIL(MCV_USAGE, "--video: one at a time");
    return MCV_OK;
}

static mcv_status load_processor(const mcv_arguments *arguments, video_job *job) {
    ModelFiles files;
    const char *pillow = mcv_option_value(arguments, "pillow");
    MCV_TRY(mcv_model_options_require(arguments, &files));
    job->max_slice_nums = CARD_MAX_SLICE_NUMS;
    MCV_TRY(mcv_option_int(arguments, "max-slice-nums", 1, MCV_MOST_SLICES, &job->max_slice_nums));
    MCV_TRY(ModelFiles_image_processor(&files, &job->processor));
    MCV_TRY(mcv_kernels_select(NULL, &job->kernels));
    job->passes = mcv_resize_passes(&job->kernels);
    job->processor.passes = &job->passes;
    return pillow ? PillowVersion_from_string(pillow, &job->processor.pillow) : MCV_OK;
}

static mcv_status run_job(const mcv_arguments *arguments, video_job *job) {
    mcv_clip_options options;
    const char *output = mcv_option_value(arguments, "output");
    const char *sheet = mcv_option_value(arguments, "contact-sheet");
    MCV_TRY(refuse_others(arguments));
    MCV_TRY(mcv_video_options_read(arguments, &options));
    MCV_TRY(load_processor(arguments, job));
    job->path = mcv_option_value(arguments, "video");
    MCV_TRY(mcv_clip_open(job->path, &options, &job->clip));
    if (output || sheet)
        MCV_TRY(process_all(job, output, sheet));
    const char *remark = mcv_video_get_info(job->clip.video)->remark;
    if (remark)
        mcv_log_remark("%s: %s", job->path, remark);
    return arguments->json || (!output && !sheet) ? print_json(&job->clip) : MCV_OK;
}

mcv_status mcv_preprocess_video(const mcv_arguments *arguments) {
    video_job job = {0};
    mcv_status status = run_job(arguments, &job);
    mcv_safetensors_abandon(job.writer);
    mcv_buffer_free(&job.tgt_sizes);
    mcv_contact_sheet_free(&job.sheet);
    mcv_clip_close(&job.clip);
    MiniCPMVImageProcessor_free(&job.processor);
    return status;
}
