/* minicpmv synth: a model of random weights in the full shapes, or any other, for timing. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/json_output.h"
#include "cli/synth_gguf.h"
#include "cli/synth_range.h"
#include "core/buffer.h"
#include "core/file.h"
#include "core/log.h"
#include "core/random.h"
#include "core/threads.h"
#include "formats/safetensors.h"
#include "ref/byte_level.h"
#include "ref/parameters.h"

/* ---- Configuration and tokenizer ---------------------------------------------------------------------------- */

/* The published configuration's shapes; the numbers of layers are options. */
static json_t *make_config(int layers, int vision_layers, const char *torch_dtype) {
    json_t *vision = json_pack("{s:i, s:i, s:i, s:s, s:i, s:i, s:i}", "hidden_size", 1152, "image_size", 980,
                               "intermediate_size", 4304, "model_type", "siglip", "num_attention_heads", 16,
                               "num_hidden_layers", vision_layers, "patch_size", 14);
    json_t *slices = json_pack("{s:i, s:i, s:s}", "max_slice_nums", 9, "patch_size", 14, "model_type", "minicpmv");
    return json_pack("{s:f, s:[s], s:b, s:i, s:i, s:i, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:i, s:b, s:s, s:i, "
                     "s:b, s:b, s:b, s:i, s:s, s:i, s:i, s:o, s:b, s:o}",
                     "version", 4.5, "architectures", "MiniCPMV", "attention_bias", 0, "bos_token_id", 151643,
                     "eos_token_id", 151645, "head_dim", 128, "hidden_act", "silu", "hidden_size", 4096,
                     "intermediate_size", 12288, "max_position_embeddings", 40960, "num_attention_heads", 32,
                     "num_hidden_layers", layers, "num_key_value_heads", 8, "rms_norm_eps", 1e-6, "rope_theta", 1000000,
                     "tie_word_embeddings", 0, "torch_dtype", torch_dtype, "vocab_size", 151748, "batch_vision_input",
                     1, "batch_3d_resampler", 1, "drop_vision_last_layer", 0, "image_size", 448, "model_type",
                     "minicpmv", "patch_size", 14, "query_num", 64, "slice_config", slices, "slice_mode", 1,
                     "vision_config", vision);
}

static json_t *make_preprocessor_config(void) {
    return json_pack("{s:s, s:i, s:i, s:i, s:b, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:[f, f, f], s:[f, f, f], "
                     "s:f}",
                     "image_processor_type", "MiniCPMVImageProcessor", "max_slice_nums", 9, "scale_resolution", 448,
                     "patch_size", 14, "use_image_id", 1, "image_feature_size", 64, "im_start", "<image>", "im_end",
                     "</image>", "slice_start", "<slice>", "slice_end", "</slice>", "unk", "<unk>", "im_id_start",
                     "<image_id>", "im_id_end", "</image_id>", "slice_mode", 1, "norm_mean", 0.5, 0.5, 0.5, "norm_std",
                     0.5, 0.5, 0.5, "version", 2.6);
}

/* The tokens that prompts are made with, at their published ids. The vocabulary fills the ids below FIRST_ADDED; those
 * between the tokens here are made up, as ids may not have gaps. */
enum { UNK = 128244, FIRST_ADDED = 151643, LAST_ADDED = 151682 };

static const struct {
    int id;
    const char *content;
} ADDED_TOKENS[] = {
    {151643, "<|endoftext|>"}, {151644, "<|im_start|>"}, {151645, "<|im_end|>"},  {151667, "<think>"},
    {151668, "</think>"},      {151669, "<image>"},      {151670, "</image>"},    {151679, "<slice>"},
    {151680, "</slice>"},      {151681, "<image_id>"},   {151682, "</image_id>"},
};

static void token_content(int id, char *content, size_t size) {
    for (size_t i = 0; i < sizeof ADDED_TOKENS / sizeof *ADDED_TOKENS; i++)
        if (ADDED_TOKENS[i].id == id) {
            snprintf(content, size, "%s", ADDED_TOKENS[i].content);
            return;
        }
    if (id == UNK)
        snprintf(content, size, "<unk>");
    else
        snprintf(content, size, id >= FIRST_ADDED ? "<|unused_%d|>" : "token%d", id);
}

/* The first 256 ids are the bytes. */
static mcv_status add_token(json_t *vocabulary, int id) {
    char content[32], byte = (char)id;
    mcv_buffer spelled = {0};
    token_content(id, content, sizeof content);
    if (id < 256)
        MCV_TRY(ByteLevel_encode(&byte, 1, &spelled));
    int failed = json_object_set_new(vocabulary, id < 256 ? mcv_buffer_text(&spelled) : content, json_integer(id));
    mcv_buffer_free(&spelled);
    return failed ? MCV_FAIL_MEMORY(sizeof content) : MCV_OK;
}

static mcv_status make_vocabulary(json_t **vocabulary) {
    *vocabulary = json_object();
    mcv_status status = MCV_OK;
    for (int id = 0; id < FIRST_ADDED && status == MCV_OK; id++)
        status = add_token(*vocabulary, id);
    if (status != MCV_OK)
        json_decref(*vocabulary);
    return status;
}

static json_t *make_tokenizer_config(void) {
    json_t *decoder = json_object();
    for (int id = UNK; id <= LAST_ADDED; id = id == UNK ? FIRST_ADDED : id + 1) {
        char key[16], content[32];
        snprintf(key, sizeof key, "%d", id);
        token_content(id, content, sizeof content);
        json_object_set_new(decoder, key,
                            json_pack("{s:s, s:b, s:b, s:b, s:b, s:b}", "content", content, "lstrip", 0, "normalized",
                                      0, "rstrip", 0, "single_word", 0, "special", 1));
    }
    return json_pack("{s:b, s:b, s:o, s:s, s:s, s:s, s:s, s:s}", "add_bos_token", 0, "add_prefix_space", 0,
                     "added_tokens_decoder", decoder, "bos_token", "<|im_start|>", "eos_token", "<|im_end|>",
                     "pad_token", "<|endoftext|>", "unk_token", "<unk>", "tokenizer_class", "MiniCPMVTokenizerFast");
}

static mcv_status write_text(const char *folder, const char *name, const char *text, size_t size) {
    char *path;
    mcv_file_writer writer;
    MCV_TRY(mcv_path_join(&path, folder, name));
    mcv_status status = mcv_unfinished_add_new(path);
    if (status == MCV_OK)
        status = mcv_writer_open(&writer, path);
    if (status == MCV_OK) {
        status = mcv_writer_write(&writer, text, size);
        if (status == MCV_OK)
            status = mcv_writer_commit(&writer);
        else
            mcv_writer_abandon(&writer);
    }
    free(path);
    return status;
}

/* Writes and releases `value`. */
static mcv_status write_json(const char *folder, const char *name, json_t *value) {
    char *text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;
    json_decref(value);
    if (!text)
        return MCV_FAIL_MEMORY(1);
    mcv_status status = write_text(folder, name, text, strlen(text));
    free(text);
    return status;
}

static mcv_status write_small_files(const char *folder, int layers, int vision_layers, const char *torch_dtype) {
    static const char MERGES[] = "#version: 0.2\n";
    json_t *vocabulary;
    MCV_TRY(write_json(folder, "config.json", make_config(layers, vision_layers, torch_dtype)));
    MCV_TRY(write_json(folder, "preprocessor_config.json", make_preprocessor_config()));
    MCV_TRY(write_json(folder, "tokenizer_config.json", make_tokenizer_config()));
    MCV_TRY(make_vocabulary(&vocabulary));
    MCV_TRY(write_json(folder, "vocab.json", vocabulary));
    return write_text(folder, "merges.txt", MERGES, sizeof MERGES - 1);
}

/* With --like: that folder's files, as they are. The tokenizer's are there in one form or another. */
static mcv_status copy_small_files(const char *from, const char *to) {
    static const struct {
        const char *name;
        bool required;
    } FILES[] = {{"config.json", true},
                 {"preprocessor_config.json", true},
                 {"tokenizer_config.json", false},
                 {"vocab.json", false},
                 {"merges.txt", false},
                 {"added_tokens.json", false},
                 {"tokenizer.json", false},
                 {"generation_config.json", false},
                 {"special_tokens_map.json", false}};
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        mcv_buffer text = {0};
        char *path;
        MCV_TRY(mcv_path_join(&path, from, FILES[i].name));
        mcv_status status = MCV_OK;
        if (FILES[i].required || mcv_file_exists(path)) {
            status = mcv_file_read(path, 1 << 28, &text);
            if (status == MCV_OK)
                status = write_text(to, FILES[i].name, text.data, text.size);
        }
        mcv_buffer_free(&text);
        free(path);
        MCV_TRY(status);
    }
    return MCV_OK;
}

/* ---- Weights ------------------------------------------------------------------------------------------------ */

enum { SHARD_BYTES = 2000000000, CHUNK = 1 << 16 };

typedef struct synthesis {
    const char *folder;
    mcv_dtype dtype;
    uint64_t seed;
    mcv_pool *pool;
    mcv_safetensors_writer *shard; /* the one being filled */
    int num_shards;
    size_t shard_bytes, total_bytes, written_bytes;
    json_t *weight_map; /* name -> number of its shard, until all are known */
    char *numbers;      /* [capacity] of the tensor at hand */
    size_t capacity;
} synthesis;

typedef struct fill_work {
    const synthesis *synthesis;
    uint64_t stream;    /* differs from tensor to tensor */
    float offset, span; /* numbers are uniform in offset +- span */
    size_t count;
} fill_work;

static void store(const synthesis *self, size_t i, float value) {
    if (self->dtype == MCV_F32) {
        memcpy(self->numbers + 4 * i, &value, 4);
    } else {
        uint16_t half = self->dtype == MCV_BF16 ? mcv_bf16_from_f32(value) : mcv_f16_from_f32(value);
        memcpy(self->numbers + 2 * i, &half, 2);
    }
}

/* Each number depends on its own place alone, so threads can share the work in any way. */
static void fill_chunks(void *context, size_t begin, size_t end, int worker) {
    (void)worker;
    const fill_work *work = context;
    size_t last = end * CHUNK < work->count ? end * CHUNK : work->count;
    for (size_t i = begin * CHUNK; i < last; i++) {
        float uniform = (float)(mcv_random_mix(work->stream + i) >> 40) * 0x1p-23f - 1;
        store(work->synthesis, i, work->offset + work->span * uniform);
    }
}

static mcv_status shard_path(const synthesis *self, int number, char **path) {
    char name[64];
    snprintf(name, sizeof name, "model-%05d.safetensors", number);
    return mcv_path_join(path, self->folder, name);
}

static mcv_status finish_shard(synthesis *self) {
    mcv_safetensors_writer *shard = self->shard;
    self->shard = NULL;
    self->shard_bytes = 0;
    return shard ? mcv_safetensors_commit(shard) : MCV_OK;
}

static mcv_status start_shard(synthesis *self) {
    char *path;
    MCV_TRY(finish_shard(self));
    MCV_TRY(shard_path(self, ++self->num_shards, &path));
    mcv_status status = mcv_unfinished_add_new(path);
    if (status == MCV_OK)
        status = mcv_safetensors_create(path, &self->shard);
    free(path);
    MCV_TRY(status);
    return mcv_safetensors_add_metadata(self->shard, "format", "pt");
}

static mcv_status tensor_bytes(const synthesis *self, const mcv_tensor *shape, mcv_tensor *tensor, size_t *bytes) {
    *tensor = *shape;
    tensor->dtype = self->dtype;
    return mcv_tensor_bytes(tensor, bytes) ? MCV_OK : MCV_FAIL_MEMORY(SIZE_MAX);
}

static mcv_status add_bytes(void *context, const char *name, const mcv_tensor *shape) {
    (void)name;
    synthesis *self = context;
    mcv_tensor tensor;
    size_t bytes;
    MCV_TRY(tensor_bytes(self, shape, &tensor, &bytes));
    self->total_bytes += bytes;
    return MCV_OK;
}

static mcv_status write_parameter(void *context, const char *name, const mcv_tensor *shape) {
    synthesis *self = context;
    fill_work work = {.synthesis = self, .stream = mcv_random_mix(mcv_random_mix(self->seed) + self->written_bytes)};
    mcv_tensor tensor;
    size_t bytes;
    MCV_TRY(tensor_bytes(self, shape, &tensor, &bytes));
    if (!self->shard || self->shard_bytes + bytes > SHARD_BYTES)
        MCV_TRY(start_shard(self));
    MCV_TRY(MCV_GROW(&self->numbers, &self->capacity, bytes));
    work.count = bytes / mcv_dtype_size(self->dtype);
    mcv_synth_range(name, shape, &work.offset, &work.span);
    mcv_parallel_for(self->pool, (work.count + CHUNK - 1) / CHUNK, fill_chunks, &work);
    tensor.data = self->numbers;
    MCV_TRY(mcv_safetensors_add(self->shard, name, &tensor));
    if (json_object_set_new(self->weight_map, name, json_integer(self->num_shards)) != 0)
        return MCV_FAIL_MEMORY(strlen(name));
    self->shard_bytes += bytes;
    self->written_bytes += bytes;
    mcv_log_progress("MB written", self->written_bytes >> 20, self->total_bytes >> 20);
    return MCV_OK;
}

/* The names carry the number of shards, which is known only now. */
static mcv_status name_shards(const synthesis *self) {
    for (int i = 1; i <= self->num_shards; i++) {
        char *from, *to, name[64];
        MCV_TRY(shard_path(self, i, &from));
        snprintf(name, sizeof name, "model-%05d-of-%05d.safetensors", i, self->num_shards);
        mcv_status status = mcv_path_join(&to, self->folder, name);
        if (status == MCV_OK)
            status = mcv_unfinished_add_new(to);
        if (status == MCV_OK && rename(from, to) != 0)
            status = MCV_FAIL(MCV_BAD_INPUT, "%s: %s", to, strerror(errno));
        free(from);
        free(to);
        MCV_TRY(status);
    }
    return MCV_OK;
}

static mcv_status write_index(const synthesis *self) {
    const char *name;
    json_t *shard;
    json_object_foreach(self->weight_map, name, shard) {
        char file[64];
        snprintf(file, sizeof file, "model-%05d-of-%05d.safetensors", (int)json_integer_value(shard), self->num_shards);
        json_object_set_new(self->weight_map, name, json_string(file));
    }
    return write_json(self->folder, "model.safetensors.index.json",
                      json_pack("{s:{s:I}, s:O}", "metadata", "total_size", (json_int_t)self->total_bytes, "weight_map",
                                self->weight_map));
}

static mcv_status write_weights(synthesis *self) {
    MiniCPMVConfig config;
    MCV_TRY(MiniCPMVConfig_from_pretrained(&config, self->folder));
    MCV_TRY(MiniCPMV_named_parameters(&config, add_bytes, self));
    MCV_TRY(MiniCPMV_named_parameters(&config, write_parameter, self));
    MCV_TRY(finish_shard(self));
    MCV_TRY(name_shards(self));
    return write_index(self);
}

/* ---- The command -------------------------------------------------------------------------------------------- */

static mcv_status choose_dtype(const char *name, mcv_dtype *dtype, const char **torch_dtype) {
    static const struct {
        const char *name, *torch_dtype;
        mcv_dtype dtype;
    } TYPES[] = {{"bf16", "bfloat16", MCV_BF16}, {"f16", "float16", MCV_F16}, {"f32", "float32", MCV_F32}};
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (strcmp(name, TYPES[i].name) == 0) {
            *dtype = TYPES[i].dtype;
            *torch_dtype = TYPES[i].torch_dtype;
            return MCV_OK;
        }
    return MCV_FAIL(MCV_USAGE, "--dtype %s: expected bf16, f16 or f32", name);
}

/* *mix: of --format gguf; NULL: safetensors. */
static mcv_status choose_format(const mcv_arguments *arguments, const mcv_mix **mix) {
    const char *format = mcv_option_value(arguments, "format"), *type = mcv_option_value(arguments, "type");
    bool is_gguf = format && strcmp(format, "gguf") == 0;
    *mix = is_gguf ? mcv_mix_find(type ? type : "Q4_K_M") : NULL;
    if (format && !is_gguf && strcmp(format, "safetensors") != 0)
        return MCV_FAIL(MCV_USAGE, "--format %s: expected safetensors or gguf", format);
    if (type && !is_gguf)
        return MCV_FAIL(MCV_USAGE, "--type goes with --format gguf");
    if (is_gguf && mcv_option_value(arguments, "dtype"))
        return MCV_FAIL(MCV_USAGE, "--dtype does not go with --format gguf, whose types --type chooses");
    return is_gguf && !*mix ? MCV_FAIL(MCV_USAGE, "--type %s: no such type", type) : MCV_OK;
}

/* A model is never replaced by a random one. */
static mcv_status refuse_model(const char *folder) {
    char *path;
    MCV_TRY(mcv_path_join(&path, folder, "config.json"));
    bool exists = access(path, F_OK) == 0;
    free(path);
    return exists ? MCV_FAIL(MCV_USAGE, "%s holds a model already; expected a new folder or one without", folder)
                  : MCV_OK;
}

static mcv_status write_model(synthesis *self, const mcv_arguments *arguments) {
    const char *like = mcv_option_value(arguments, "like"), *type = mcv_option_value(arguments, "dtype");
    const char *torch_dtype = NULL;
    int layers = 36, vision_layers = 27, seed = 0;
    const mcv_mix *mix;
    MCV_TRY(choose_format(arguments, &mix));
    MCV_TRY(choose_dtype(type ? type : "bf16", &self->dtype, &torch_dtype));
    MCV_TRY(mcv_option_int(arguments, "layers", 1, 1000, &layers));
    MCV_TRY(mcv_option_int(arguments, "vision-layers", 1, 1000, &vision_layers));
    MCV_TRY(mcv_option_int(arguments, "seed", 0, 0x7fffffff, &seed));
    if (like && (mcv_option_count(arguments, "layers") || mcv_option_count(arguments, "vision-layers")))
        return MCV_FAIL(MCV_USAGE, "--layers and --vision-layers do not go with --like, whose config.json says them");
    self->seed = (uint64_t)seed;
    MCV_TRY(mcv_unfinished_add_new(self->folder));
    if (mkdir(self->folder, 0777) != 0 && errno != EEXIST)
        return MCV_FAIL(MCV_BAD_INPUT, "%s: %s", self->folder, strerror(errno));
    MCV_TRY(refuse_model(self->folder));
    MCV_TRY(like ? copy_small_files(like, self->folder)
                 : write_small_files(self->folder, layers, vision_layers, torch_dtype));
    if (!mix)
        return write_weights(self);
    self->num_shards = 2;
    return mcv_synth_gguf(self->folder, mix, self->seed, self->pool, &self->total_bytes);
}

static mcv_status print_outcome(const synthesis *self, bool json) {
    if (json)
        return mcv_json_print(json_pack("{s:s, s:I, s:i}", "folder", self->folder, "bytes",
                                        (json_int_t)self->total_bytes, "files", self->num_shards));
    printf("%s: %zu bytes of weights in %d file%s\n", self->folder, self->total_bytes, self->num_shards,
           self->num_shards == 1 ? "" : "s");
    return MCV_OK;
}

static mcv_status run(const mcv_arguments *arguments) {
    synthesis self = {0};
    const mcv_unfinished *before = mcv_unfinished_newest();
    MCV_TRY(mcv_option_required(arguments, "output", &self.folder));
    self.weight_map = json_object();
    mcv_status status = mcv_pool_create(&self.pool, arguments->threads);
    if (status == MCV_OK)
        status = write_model(&self, arguments);
    mcv_log_progress_end();
    if (status == MCV_OK)
        status = print_outcome(&self, arguments->json);
    if (self.shard)
        mcv_safetensors_abandon(self.shard);
    mcv_unfinished_settle(before, status == MCV_OK);
    json_decref(self.weight_map);
    free(self.numbers);
    mcv_pool_free(self.pool);
    return status;
}

static const mcv_option OPTIONS[] = {
    {'o', "output", "FOLDER", "where the model goes; made if it does not exist"},
    {0, "like", "FOLDER", "take configuration and tokenizer from there (default: the published shapes)"},
    {0, "layers", "N", "layers of the language model (default 36)"},
    {0, "vision-layers", "N", "layers of the vision encoder (default 27)"},
    {0, "dtype", "TYPE", "type of the weights: bf16 (default), f16, f32"},
    {0, "format", "FORMAT", "safetensors (default), or gguf: a pair of files, model.gguf and mmproj.gguf"},
    {0, "type", "TYPE", "with --format gguf: types of the language model as of quantize (default Q4_K_M)"},
    {0, "seed", "N", "of the random numbers (default 0)"},
    {0},
};

const mcv_command mcv_synth_command = {
    .name = "synth",
    .summary = "write a random model of the full shapes, for timing",
    .operands = "",
    .details = "Writes a model in Hugging Face layout whose weights are random: 17.4 GB in the published shapes. Its\n"
               "answers mean nothing; its timings and its memory are those of the real model.\n",
    .takes = MCV_TAKES_THREADS,
    .options = OPTIONS,
    .run = run,
};
