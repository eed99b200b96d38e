// Runs a prompt about pictures through llama.cpp and keeps the logits behind it, and on request what its graphs compute:
//
//     llama_run MODEL MMPROJ PROMPT LOGITS.npy none|vision|language FOLDER IMAGE...
//
// PROMPT has llama.cpp's marker where a picture belongs. Prints how many tokens and how many pieces of pictures there were.
// dump_tensors.h is the header that docs/conformance.md shows.
#include <llama.h>
#include <mtmd-helper.h>
#include <mtmd.h>

#include <cstdio>
#include <cstring>

#include "dump_tensors.h"

static int fail(const char * what) {
    fprintf(stderr, "llama_run: %s\n", what);
    return 1;
}

static mtmd_context * open_vision(const char * path, const llama_model * model, bool dumps) {
    mtmd_context_params params = mtmd_context_params_default();
    params.use_gpu = params.warmup = params.print_timings = false;
    params.n_threads = 2;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.cb_eval = dumps ? dump_tensor : nullptr;
    return mtmd_init_from_file(path, model, params);
}

static llama_context * open_language(llama_model * model, bool dumps) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = 4096;
    params.n_threads = params.n_threads_batch = 2;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.cb_eval = dumps ? dump_tensor : nullptr;
    return llama_init_from_model(model, params);
}

int main(int argc, char ** argv) {
    if (argc < 7) {
        return fail("usage: llama_run MODEL MMPROJ PROMPT LOGITS.npy none|vision|language FOLDER IMAGE...");
    }
    const char * dumps = argv[5];
    llama_backend_init();
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    llama_model * model = llama_model_load_from_file(argv[1], params);
    mtmd_context * vision = model ? open_vision(argv[2], model, !strcmp(dumps, "vision")) : nullptr;
    llama_context * language = model ? open_language(model, !strcmp(dumps, "language")) : nullptr;
    if (!vision || !language) {
        return fail("the pair cannot be opened");
    }
    std::vector<const mtmd_bitmap *> bitmaps;
    for (int i = 7; i < argc; i++) {
        mtmd_helper_bitmap_wrapper image = mtmd_helper_bitmap_init_from_file(vision, argv[i], false, mtmd_helper_init_opt_default());
        if (!image.bitmap) {
            return fail(argv[i]);
        }
        bitmaps.push_back(image.bitmap);
    }
    mtmd_input_text text = {argv[3], strlen(argv[3]), false, true};
    mtmd_input_chunks * chunks = mtmd_input_chunks_init();
    if (mtmd_tokenize(vision, chunks, &text, bitmaps.data(), bitmaps.size()) != 0) {
        return fail("the prompt cannot be tokenized");
    }
    size_t pieces = 0;
    for (size_t i = 0; i < mtmd_input_chunks_size(chunks); i++) {
        pieces += mtmd_input_chunk_get_type(mtmd_input_chunks_get(chunks, i)) == MTMD_INPUT_CHUNK_TYPE_IMAGE;
    }
    llama_pos past = 0;
    if (mtmd_helper_eval_chunks(vision, language, chunks, 0, 0, 4096, true, &past) != 0) {
        return fail("the prompt cannot be run");
    }
    int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
    printf("%zu tokens, %zu pieces\n", mtmd_helper_get_n_tokens(chunks), pieces);
    if (strcmp(dumps, "none")) {
        dump_write(argv[6]);
    }
    const float * logits = llama_get_logits_ith(language, -1);
    write_npy(argv[4], "1, " + std::to_string(vocabulary), logits, vocabulary);
    return 0;
}
