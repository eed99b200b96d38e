/* Prompts and images to model inputs. HF: processing_minicpmv.py. */
#ifndef MCV_REF_PROCESSING_MINICPMV_H
#define MCV_REF_PROCESSING_MINICPMV_H

#include "ref/image_processing_minicpmv.h"
#include "ref/tokenization_qwen2.h"

typedef struct MiniCPMVProcessor {
    MiniCPMVImageProcessor image_processor;
    Qwen2Tokenizer *tokenizer;
} MiniCPMVProcessor;

/* HF: AutoProcessor.from_pretrained. */
mcv_status MiniCPMVProcessor_from_pretrained(MiniCPMVProcessor *processor, const char *folder);
void MiniCPMVProcessor_free(MiniCPMVProcessor *processor);

typedef struct ProcessorOptions {
    int max_length;     /* ids kept of each prompt; 0: all */
    int max_slice_nums; /* 0: the image processor's own */
    int use_image_id;   /* -1: the image processor's own, 0, 1 */
} ProcessorOptions;

/* One conversation: its prompt, where "(<image>./</image>)" stands for each image, and the images. */
typedef struct ProcessorInput {
    const char *prompt;
    size_t prompt_size;
    const mcv_image *images;
    int num_images;
    const TemporalIds *temporal_ids; /* NULL: none */
} ProcessorInput;

/* Model inputs of a batch, left-padded with id 0. HF: MiniCPMVBatchFeature. */
typedef struct MiniCPMVBatchFeature {
    int batch_size, length;
    int32_t *input_ids;         /* [batch_size, length] */
    uint8_t *attention_mask;    /* [batch_size, length]: input_ids != 0 */
    int *padding;               /* [batch_size]: ids of padding in front */
    int *num_bounds;            /* [batch_size] */
    int32_t (**image_bound)[2]; /* [batch_size][num_bounds]: first id of a block of query_num, and one past its last */
    ImageFeatures *images;      /* [batch_size] */
} MiniCPMVBatchFeature;

/* Results are allocated in `arena`. HF: MiniCPMVProcessor.__call__. */
mcv_status MiniCPMVProcessor_call(const MiniCPMVProcessor *processor, mcv_arena *arena, const ProcessorInput *inputs,
                                  int batch_size, const ProcessorOptions *options, MiniCPMVBatchFeature *features);

#endif
