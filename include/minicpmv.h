/* minicpmv.h: MiniCPM-V 4.5 in C. The one public header.
 *
 * Every function that can fail returns an mcv_status; the words for the newest failure of the calling thread are in
 * mcv_error_message(). Nothing here prints. A model serves one call at a time; different models, different threads. */
#ifndef MINICPMV_H
#define MINICPMV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ------------------------------------------------------------------------------------------------- */

/* The first five are also the exit codes of the program `minicpmv`. */
typedef enum mcv_status {
    MCV_OK = 0,
    MCV_DIFFERS = 1,     /* a comparison ran and found a difference */
    MCV_USAGE = 2,       /* the caller asked for something that has no meaning */
    MCV_BAD_INPUT = 3,   /* a file is missing, damaged or contradicts another */
    MCV_UNSUPPORTED = 4, /* this CPU or build lacks what was asked for */
    MCV_NO_MEMORY = 5,   /* an allocation failed (exit code 4) */
} mcv_status;

/* The words for the newest failure in this thread: what was expected, what was found, and where. Never NULL. */
const char *mcv_error_message(void);

/* ---- Tensors ------------------------------------------------------------------------------------------------ */

/* Element types: those of the safetensors format, in its order of growing alignment. F4 and F6 share bytes: element i
 * has the `bits` bits from bit i * bits on, where bit 0 is a byte's lowest. */
typedef enum mcv_dtype {
    MCV_BOOL,
    MCV_F4,      /* E2M1 */
    MCV_F6_E2M3, /* OCP Microscaling Formats (MX) 1.0, as F4, F6_E3M2 and F8_E8M0 */
    MCV_F6_E3M2,
    MCV_U8,
    MCV_I8,
    MCV_F8_E5M2,
    MCV_F8_E4M3,
    MCV_F8_E8M0,
    MCV_F8_E4M3FNUZ,
    MCV_F8_E5M2FNUZ,
    MCV_I16,
    MCV_U16,
    MCV_F16,
    MCV_BF16,
    MCV_I32,
    MCV_U32,
    MCV_F32,
    MCV_C64, /* two F32: real, imaginary */
    MCV_F64,
    MCV_I64,
    MCV_U64,
    MCV_DTYPE_COUNT
} mcv_dtype;

enum { MCV_MAX_RANK = 8 };

/* A view of a dense, row-major (last index fastest), little-endian array. It owns nothing. rank 0 is a scalar. */
typedef struct mcv_tensor {
    mcv_dtype dtype;
    int rank;
    int64_t shape[MCV_MAX_RANK];
    const void *data;
} mcv_tensor;

/* Sees a module's output. `name` is its path in the Hugging Face model ("llm.model.layers.3.mlp"). The data is valid
 * during the call only. A return other than MCV_OK stops the run, which returns the same. */
typedef mcv_status (*mcv_tap_fn)(void *context, const char *name, const mcv_tensor *output);

/* May put other values in the place of an FP32 output that a tap has just seen: the run goes on from them. `values` are
 * the output's own elements. */
typedef mcv_status (*mcv_replace_fn)(void *context, const char *name, const mcv_tensor *output, float *values);

/* ---- Images ------------------------------------------------------------------------------------------------- */

typedef struct mcv_image {
    int width, height;
    uint8_t *rgb; /* [height, width, 3] */
    /* Of a large frame of a video, whose rgb is NULL: where its pixels are read from when a prompt wants them. NULL for
     * every other image. */
    const struct mcv_unread_image *unread;
} mcv_image;

/* Reads an image file, or one in memory (`name` stands for it in messages), as Pillow's convert("RGB") gives it: JPEG,
 * PNG, WebP, BMP, GIF (first frame), PNM. EXIF rotation is not applied. Release with mcv_image_free. */
mcv_status mcv_image_load(const char *path, mcv_image *image);
mcv_status mcv_image_decode(const void *data, size_t size, const char *name, mcv_image *image);
void mcv_image_free(mcv_image *image);

/* ---- Conversations ------------------------------------------------------------------------------------------ */

/* A piece of a message: text or an image; the other is NULL. */
typedef struct mcv_part {
    const char *text; /* UTF-8 */
    const mcv_image *image;
} mcv_part;

typedef struct mcv_message {
    const char *role; /* "user" or "assistant"; the first is the user's */
    const mcv_part *parts;
    int num_parts;
} mcv_message;

/* Video frames that share one block of tokens. */
typedef struct mcv_frame_group {
    int count;
    const int32_t *temporal_ids; /* [count], in steps of 0.1 s; -1 for an image that is no frame */
} mcv_frame_group;

/* The groups of a conversation's images; their counts add up to the number of images. */
typedef struct mcv_temporal_ids {
    int num_groups;
    const mcv_frame_group *groups;
} mcv_temporal_ids;

typedef struct mcv_conversation {
    const mcv_message *messages;
    int num_messages;
    const mcv_temporal_ids *temporal_ids; /* NULL: images stand for themselves */
} mcv_conversation;

/* How prompts are made. HF: the parameters of chat() of the same names. */
typedef struct mcv_prompt_options {
    const char *system_prompt; /* NULL or "": none */
    int enable_thinking;       /* 0, 1 */
    int max_inp_length;        /* prompt tokens kept; 0: all */
    int max_slice_nums;        /* 0: the model's own */
    int use_image_id;          /* 0, 1; -1: the model's own */
} mcv_prompt_options;

/* max_inp_length 16384, everything else off or the model's own. */
mcv_prompt_options mcv_prompt_options_default(void);

/* How answers are written. HF: GenerationConfig. */
typedef struct mcv_generation_options {
    int max_new_tokens, min_new_tokens;
    int do_sample; /* 0: greedy or beam search, 1: sampling */
    int num_beams;
    double temperature;
    int top_k;    /* 0: off */
    double top_p; /* 1: off */
    double min_p; /* 0: off */
    double repetition_penalty;
    double length_penalty;
    int early_stopping; /* 0: False, 1: True, 2: "never" */
    uint64_t seed;      /* the same seed gives the same answer on every machine */
} mcv_generation_options;

/* ---- Videos ------------------------------------------------------------------------------------------------- */

/* Which frames of a video a model sees. Card: the parameters of encode_video in the model card. */
typedef struct mcv_clip_options {
    double fps;        /* frames wanted a second. Card: choose_fps */
    int max_frames;    /* groups at most, where packing can help it. Card: MAX_NUM_FRAMES */
    int max_packing;   /* frames a group at most, 1 to 6. Card: MAX_NUM_PACKING */
    int force_packing; /* frames a group, but max_packing at most; 0: as few as keep within max_frames */
    double start, end; /* seconds after the first picture: the section begins at the first that is not shown before
                          `start` and ends before the first not shown before `end`. end 0: the whole rest */
    int card_timing;   /* 1: picture number i is taken to be shown at i / rate even where the file says otherwise, as in
                          the card */
    double frame_rate; /* of a folder of images, frames a second; 0: not given */
    const char *timestamps; /* of a folder of images: a file with a time in seconds a line, or one in mkvmerge's
                               "timestamp format v2"; NULL: none */
    int threads;            /* of the video decoder; 0: its own choice */
    void (*progress)(void *context, int frames, int num_frames); /* hears of each frame that is ready; NULL: nobody */
    void *progress_context;
} mcv_clip_options;

/* The whole video: 3 frames a second, 180 groups, 3 frames a group, nothing forced. */
mcv_clip_options mcv_clip_options_default(void);

/* Frames for a message, in this order, and their groups for the conversation's temporal ids. */
typedef struct mcv_video_frames {
    int num_frames;
    mcv_image *frames;      /* [num_frames]; see mcv_video_load for those without pixels */
    int64_t *frame_indices; /* [num_frames]: their numbers in the video, in the order in which it shows them */
    double *timestamps;     /* [num_frames]: seconds after the first picture */
    int32_t *temporal_ids;  /* [num_frames]: in steps of 0.1 s from the section's start */
    int num_groups;
    mcv_frame_group *groups;         /* [num_groups]: parts of temporal_ids; their counts add up to num_frames */
    char *remark;                    /* what is amiss with the file; NULL: nothing */
    struct mcv_frame_reader *reader; /* of the frames without pixels; NULL: there are none */
} mcv_video_frames;

/* ---- Models ------------------------------------------------------------------------------------------------- */

typedef struct mcv_model mcv_model;

/* Who runs the model. */
typedef enum mcv_engine_kind {
    MCV_ENGINE_REFERENCE, /* plain C, FP32 with FP64 inside, slow */
    MCV_ENGINE_FAST,      /* packed weights and the instruction set of the CPU */
} mcv_engine_kind;

/* What the fast engine multiplies weights as, and keeps keys and values as. */
typedef enum mcv_precision {
    MCV_PRECISION_F32, /* weights that are BF16 or F16 in the file stay so: the same numbers in half the memory */
    MCV_PRECISION_BF16,
    MCV_PRECISION_INT8,   /* weights: a scale for each row, and activations in int8 with a scale for each token */
    MCV_PRECISION_INT4,   /* weights: a scale for each group of a row, and activations in int8 the same */
    MCV_PRECISION_STORED, /* weights that are quantized in the file: as they are, number for number (but NF4's 16 levels
                             are rounded to 16 bits), and activations in int8 with a scale for each of their blocks; all
                             others, and quantized ones for which there is no kernel (mcv_model_remark), as F32 */
} mcv_precision;

/* How exact the fast engine's products are. */
typedef enum mcv_numerics {
    MCV_NUMERICS_EXACT, /* the same bits on every CPU */
    MCV_NUMERICS_FAST,  /* layers with BF16 weights get their inputs rounded to BF16, too, where the instruction set has
                           products of such pairs: about twice as fast; bits depend on the CPU */
} mcv_numerics;

typedef struct mcv_model_options {
    int threads;        /* 0: one per processor */
    int fix_token_zero; /* 1: token id 0 ("!") is text like any other. HF masks it in prompts and drops it from answers
                         */
    const char *pillow_version;      /* whose resizing is followed: "13.0.0"; NULL: the newest known */
    const char *mmproj;              /* the GGUF file of the vision side, where the model is a GGUF file; NULL: none */
    const char *preprocessor_config; /* a preprocessor_config.json in place of the model's own; NULL: that one */
    mcv_engine_kind engine;
    /* Of the fast engine alone. */
    mcv_precision llm, vpm, resampler; /* the decoder's, the encoder's and the resampler's weights */
    mcv_precision kv;                  /* the KV cache: F32, BF16 or INT8 */
    int group;                         /* weights that share a scale in INT4: 32, 64 or 128 */
    int chunk;          /* tokens of a prompt that are run at a time; 0: 512. Results do not depend on it */
    const char *target; /* the instruction set, as `minicpmv kernels` lists them; NULL: the best of this CPU. Results do
                           not depend on it */
    mcv_numerics numerics; /* MCV_NUMERICS_FAST where the instruction set has no such products: MCV_UNSUPPORTED */
    const char *blas;  /* "openblas": products by OpenBLAS, where the build has it, whose results do depend on the CPU
                          and on how many tokens are run at a time; NULL: the target's own */
    const char *cache; /* a file that packed weights are kept in: made, or made anew, where it is not of this model and
                          these options (as far as some bytes of each matrix tell), and used in their place otherwise;
                          what is no such file is MCV_BAD_INPUT; NULL: none */
} mcv_model_options;

/* The fast engine with weights as they are stored, the KV cache in F32, all processors. */
mcv_model_options mcv_model_options_default(void);

/* Opens a model: a folder in Hugging Face layout (config.json, preprocessor_config.json, tokenizer, safetensors), or a
 * GGUF file of the language model, whose vision side is in options->mmproj. options NULL: the defaults. */
mcv_status mcv_model_open(const char *path, const mcv_model_options *options, mcv_model **model);
void mcv_model_close(mcv_model *model);

/* What a person who chose the options should know about how they are met, in words; NULL: nothing. */
const char *mcv_model_remark(const mcv_model *model);

/* Chooses and decodes a video's frames. It can be what FFmpeg's libraries read (mp4, mkv, webm, mov, avi, GIF, ...;
 * where the build has them), animated WebP, Y4M, or a folder of images. options NULL: the defaults. The card prompts
 * with max_slice_nums 1 and use_image_id 0; max_slice_nums here is to be the one of the prompt: frames that it leaves
 * whole are made smaller ahead where the model sees the same of them. Those that it cuts are too large to be kept: they
 * have a size, but no pixels, and each prompt reads them again from the file, which has to stay as it is. From one
 * thread at a time. MCV_UNSUPPORTED: a format that this build does
 * not read. Release with mcv_video_frames_free. */
mcv_status mcv_video_load(const mcv_model *model, const char *path, const mcv_clip_options *options, int max_slice_nums,
                          mcv_video_frames *frames);
void mcv_video_frames_free(mcv_video_frames *frames);

/* The presets of HF's chat(): sampling on or off, thinking or not. */
mcv_generation_options mcv_generation_options_preset(const mcv_model *model, int sampling, int enable_thinking);

/* Sees a new piece of the answer to conversation `row`: whole UTF-8 characters, `size` bytes. */
typedef mcv_status (*mcv_text_fn)(void *context, int row, const char *text, size_t size);

/* What a run shows while it goes on. All may be NULL. */
typedef struct mcv_observer {
    mcv_tap_fn tap;    /* sees each module's output on the prompts */
    mcv_text_fn text;  /* sees the answers grow; the pieces together are the answers */
    void *context;     /* for all */
    int tap_in_parts;  /* 1: images go through the encoder and the resampler a few at a time, as without a tap, and the
                          tap sees the outputs of each part; memory does not grow with their number. The fast engine
                          pads nothing then and shows prompts in parts, too. 0: all in one piece, as HF runs them */
    int tap_attention; /* 1: the tap sees "resampler.attn.weights", too: [groups, queries, frames * patches], for each
                          group of slices how much each query takes of each patch (mean of the heads), frame by frame;
                          0 at padding. PyTorch's torch.nn.MultiheadAttention returns them as its second value */
    mcv_replace_fn replace; /* is called behind the tap, which must be there */
} mcv_observer;

/* Answers batch_size conversations. answers: [batch_size] strings, to be released with mcv_free; where a model writes
 * the character U+0000, the string seems to end there, while observer->text sees all of it. Options NULL: the defaults,
 * and the preset of sampling. observer may be NULL. */
mcv_status mcv_chat(mcv_model *model, const mcv_conversation *conversations, int batch_size,
                    const mcv_prompt_options *prompt_options, const mcv_generation_options *generation_options,
                    const mcv_observer *observer, char **answers);

/* Runs the prompts alone. *logits: [batch_size, *vocab_size], behind each prompt's last token; to be released with
 * mcv_free. Together with observer->tap this is the way to every tensor of a forward pass. */
mcv_status mcv_logits(mcv_model *model, const mcv_conversation *conversations, int batch_size,
                      const mcv_prompt_options *prompt_options, const mcv_observer *observer, float **logits,
                      int *vocab_size);

/* Sees the logits [vocab_size] by which ids[index] is to be predicted. */
typedef mcv_status (*mcv_score_fn)(void *context, size_t index, const float *logits, int vocab_size);

/* Runs a conversation's prompt and then `count` given ids one by one, whatever the model would rather write, and shows
 * the logits before each. conversation NULL: the ids alone, of which the first has nothing before it and is not shown.
 * Options NULL: the defaults. A return of `see` other than MCV_OK stops the run, which returns the same. */
mcv_status mcv_score(mcv_model *model, const mcv_conversation *conversation, const mcv_prompt_options *prompt_options,
                     const int32_t *ids, size_t count, mcv_score_fn see, void *context);

/* Where the time went, since the model was opened or mcv_model_reset_times: seconds, and what was done in them. */
typedef struct mcv_times {
    double encoder, resampler, prompt, decoding;
    int64_t slices, groups, prompt_tokens, decoded_tokens; /* a group: a block of image tokens; prompt tokens that were
                                                              still in the cache do not count */
    int64_t decoding_bytes; /* that decoding had to read: packed weights for each step, keys and values of each token */
} mcv_times;

/* Of the fast engine; all 0 for the reference. */
mcv_times mcv_model_times(const mcv_model *model);
void mcv_model_reset_times(mcv_model *model);

/* Text to token ids and back. Results are to be released with mcv_free. */
mcv_status mcv_tokenize(const mcv_model *model, const char *text, size_t size, int32_t **ids, size_t *count);
mcv_status mcv_detokenize(const mcv_model *model, const int32_t *ids, size_t count, char **text);

void mcv_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif
