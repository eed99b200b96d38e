/* A golden case: a folder with case.json, images/, golden.safetensors and optionally exact.safetensors. Its form:
 * docs/formats.md. */
#ifndef MCV_FORMATS_GOLDEN_CASE_H
#define MCV_FORMATS_GOLDEN_CASE_H

#include "core/arena.h"

/* An image or a text, as they follow one another in a message. */
typedef struct mcv_case_part {
    const char *image; /* path of an image file; NULL: a text */
    const char *text;
} mcv_case_part;

typedef struct mcv_case_message {
    const char *role;
    int num_parts;
    mcv_case_part *parts; /* [num_parts]; one text where `content` is a string */
} mcv_case_message;

/* Frames that share one block of tokens: a list of time stamps in ticks of 0.1 s, -1 for an image. */
typedef struct mcv_case_group {
    int count;
    int32_t *temporal_ids; /* [count] */
} mcv_case_group;

typedef struct mcv_case_conversation {
    int num_messages;
    mcv_case_message *messages; /* [num_messages] */
    int num_groups;
    mcv_case_group *groups; /* [num_groups]; NULL where the case has no temporal_ids */
} mcv_case_conversation;

/* How to decode; the defaults are those of transformers' GenerationConfig. Never with sampling. */
typedef struct mcv_case_decoding {
    const char *name;
    int max_new_tokens;
    int min_new_tokens;
    int num_beams;
    double repetition_penalty;
    double length_penalty;
    int early_stopping; /* 0: false, 1: true, 2: "never" */
} mcv_case_decoding;

typedef struct mcv_golden_case {
    const char *name;          /* the folder's own name */
    const char *model;         /* path of the model's folder; NULL where the case names none */
    const char *golden_path;   /* of golden.safetensors, whether it exists or not */
    const char *exact_path;    /* of exact.safetensors; NULL where there is none */
    const char *system_prompt; /* NULL: none */
    int max_slice_nums;        /* 0: the model's own */
    int use_image_id;          /* -1: the model's own, 0, 1 */
    bool enable_thinking;
    int max_inp_length;
    int num_conversations;
    mcv_case_conversation *conversations; /* [num_conversations] */
    int num_decodings;
    mcv_case_decoding *decodings; /* [num_decodings] */
    mcv_arena arena;              /* owns all of it */
} mcv_golden_case;

/* `path`: the folder, or its case.json. Paths in the file are relative to the folder. MCV_BAD_INPUT: a missing or
 * malformed file or value, a decoding key that is not known, `do_sample`. Keys beside those above are passed over, as
 * cases carry notes of how they were made. Release with mcv_golden_case_free. */
mcv_status mcv_golden_case_load(const char *path, mcv_golden_case *golden_case);
void mcv_golden_case_free(mcv_golden_case *golden_case);

#endif
