#include "cli/padding.h"

#include <stdio.h>

static mcv_status load_prompts(mcv_padding *padding, const mcv_dump *dump) {
    mcv_tensor mask;
    if (!mcv_dump_find(dump, "attention_mask", &mask))
        return MCV_OK;
    char shape[128];
    if (mask.rank != 2 || mcv_dtype_is_float(mask.dtype))
        return MCV_FAIL(MCV_BAD_INPUT, "attention_mask: expected integers [conversations, positions], found %s %s",
                        mcv_dtype_name(mask.dtype), mcv_tensor_shape_text(&mask, shape, sizeof shape));
    padding->num_prompts = (size_t)mask.shape[0];
    padding->prompt_length = (size_t)mask.shape[1];
    MCV_TRY(MCV_NEW(&padding->prompt_start, padding->num_prompts));
    for (size_t i = 0; i < padding->num_prompts; i++) {
        size_t *start = &padding->prompt_start[i];
        while (*start < padding->prompt_length && mcv_tensor_get(&mask, i * padding->prompt_length + *start) == 0)
            ++*start;
    }
    return MCV_OK;
}

static mcv_status add_slice(mcv_padding *padding, const char *name, double grid_h, double grid_w) {
    static const double MOST = 1 << 20; /* far above the position table's 70 x 70 */
    if (!(grid_h >= 0 && grid_h <= MOST && grid_w >= 0 && grid_w <= MOST))
        return MCV_FAIL(MCV_BAD_INPUT, "%s: a grid of %g x %g patches", name, grid_h, grid_w);
    size_t patches = (size_t)grid_h * (size_t)grid_w;
    MCV_TRY(MCV_GROW(&padding->slice_length, &padding->slice_capacity, padding->num_slices + 1));
    padding->slice_length[padding->num_slices++] = patches;
    if (patches > padding->longest_slice)
        padding->longest_slice = patches;
    return MCV_OK;
}

static mcv_status load_slices(mcv_padding *padding, const mcv_dump *dump) {
    for (size_t conversation = 0; conversation < padding->num_prompts; conversation++) {
        char name[64], shape[128];
        snprintf(name, sizeof name, "tgt_sizes.%zu", conversation);
        mcv_tensor sizes;
        if (!mcv_dump_find(dump, name, &sizes))
            continue; /* a conversation without an image */
        if (sizes.rank != 2 || sizes.shape[1] != 2)
            return MCV_FAIL(MCV_BAD_INPUT, "%s: expected [slices, 2], found %s", name,
                            mcv_tensor_shape_text(&sizes, shape, sizeof shape));
        for (size_t i = 0; i < (size_t)sizes.shape[0]; i++)
            MCV_TRY(add_slice(padding, name, mcv_tensor_get(&sizes, 2 * i), mcv_tensor_get(&sizes, 2 * i + 1)));
    }
    return MCV_OK;
}

mcv_status mcv_padding_load(mcv_padding *padding, const mcv_dump *dump) {
    *padding = (mcv_padding){0};
    MCV_TRY(load_prompts(padding, dump));
    return load_slices(padding, dump);
}

void mcv_padding_free(mcv_padding *padding) {
    free(padding->prompt_start);
    free(padding->slice_length);
    *padding = (mcv_padding){0};
}

static bool starts_with(const char *name, const char *start) {
    return strncmp(name, start, strlen(start)) == 0;
}

static bool is_of_prompts(const char *name) {
    return starts_with(name, "llm.") || strcmp(name, "inputs_embeds") == 0;
}

static bool is_of_slices(const char *name) {
    return strcmp(name, "vpm") == 0 || starts_with(name, "vpm.") || starts_with(name, "vpm#") ||
           strcmp(name, "resampler.kv_proj") == 0 || strcmp(name, "resampler.ln_kv") == 0;
}

bool mcv_padding_applies(const mcv_padding *padding, const char *name, const mcv_tensor *tensor, size_t first_slice) {
    if (tensor->rank < 2)
        return false;
    size_t first = (size_t)tensor->shape[0], second = (size_t)tensor->shape[1];
    if (is_of_prompts(name)) /* not the last position alone */
        return first == padding->num_prompts && second == padding->prompt_length;
    if (is_of_slices(name))
        return second == padding->longest_slice && first_slice <= padding->num_slices &&
               first <= padding->num_slices - first_slice;
    return false;
}

mcv_row_range mcv_padding_rows(const mcv_padding *padding, const char *name, size_t first_slice, size_t index) {
    if (is_of_prompts(name))
        return (mcv_row_range){padding->prompt_start[index], padding->prompt_length};
    return (mcv_row_range){0, padding->slice_length[first_slice + index]};
}
