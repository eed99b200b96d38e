/* A golden case: a folder with case.json, images/, golden.safetensors and optionally exact.safetensors. Its form:
 * golden/README.md. */
#ifndef MCV_FORMATS_GOLDEN_CASE_H
#define MCV_FORMATS_GOLDEN_CASE_H

#include "core/arena.h"
#include "formats/json.h"

/* How to decode; what is not given stays the model's default. Never with sampling. */
typedef struct mcv_case_decoding {
    const char *name;
    int max_new_tokens, min_new_tokens, num_beams; /* -1: not given */
    int early_stopping;                            /* 0: false, 1: true, 2: "never", -1: not given */
    double repetition_penalty, length_penalty;     /* NaN: not given */
} mcv_case_decoding;

typedef struct mcv_golden_case {
    const char *name;        /* the folder's own name */
    const char *model;       /* path of the model's folder; NULL where the case names none */
    const char *golden_path; /* of golden.safetensors, whether it exists or not */
    const char *exact_path;  /* of exact.safetensors; NULL where there is none */
    mcv_prompt_options prompt_options;
    int num_conversations;
    mcv_conversation *conversations; /* [num_conversations], their images decoded */
    int num_decodings;
    mcv_case_decoding *decodings; /* [num_decodings] */

    mcv_arena arena; /* owns all of it but the pixels */
    mcv_image **images;
    size_t num_images, image_capacity;
} mcv_golden_case;

/* `path`: the folder, or its case.json. Paths in the file are relative to the folder. MCV_BAD_INPUT: a missing or
 * malformed file or value, a decoding key that is not known, `do_sample`. Keys beside those above are passed over, as
 * cases carry notes of how they were made. Release with mcv_golden_case_free. */
mcv_status mcv_golden_case_load(const char *path, mcv_golden_case *golden_case);
/* One conversation with its prompt options: an object with `messages` in place of `conversations`, as in a line of a
 * task file (cli/eval.c). Paths in it are relative to `folder`. MCV_BAD_INPUT as above. Release with
 * mcv_golden_case_free. */
mcv_status mcv_golden_case_read_item(const mcv_json *item, const char *folder, mcv_golden_case *golden_case);
void mcv_golden_case_free(mcv_golden_case *golden_case);

#endif
