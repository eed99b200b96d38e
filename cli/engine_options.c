#include "cli/engine_options.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *const ONLY_FAST[] = {"llm-dtype", "vision-dtype", "resampler-dtype", "kv-dtype", "group",
                                        "blas",      "chunk",        "cache",           "numerics"};

/* `last`: the last precision that it may be. */
static mcv_status read_precision(const mcv_arguments *arguments, const char *name, mcv_precision last,
                                 mcv_precision *precision) {
    static const char *const NAMES[] = {"f32", "bf16", "int8", "int4", "stored"};
    const char *text = mcv_option_value(arguments, name);
    if (!text)
        return MCV_OK;
    for (int i = 0; i <= (int)last; i++)
        if (strcmp(text, NAMES[i]) == 0) {
            *precision = (mcv_precision)i;
            return MCV_OK;
        }
    return MCV_FAIL(MCV_USAGE, "--%s %s: expected f32, bf16%s", name, text,
                    last == MCV_PRECISION_INT8 ? " or int8" : ", int8, int4 or stored");
}

/* What the reference has no choice in. */
static mcv_status check_reference(const mcv_arguments *arguments, mcv_precision dtype) {
    const char *target = mcv_option_value(arguments, "target");
    if (dtype != MCV_PRECISION_F32 && dtype != MCV_PRECISION_STORED)
        return MCV_FAIL(MCV_UNSUPPORTED, "--dtype %s: the reference computes in f32 only; --engine fast has others",
                        mcv_option_value(arguments, "dtype"));
    if (target && strcmp(target, "contract") != 0)
        return MCV_FAIL(MCV_UNSUPPORTED, "--target %s: the reference is plain C; --engine fast has others", target);
    for (size_t i = 0; i < sizeof ONLY_FAST / sizeof *ONLY_FAST; i++)
        if (mcv_option_count(arguments, ONLY_FAST[i]))
            return MCV_FAIL(MCV_UNSUPPORTED, "--%s: the reference has no such choice; --engine fast has", ONLY_FAST[i]);
    return MCV_OK;
}

static mcv_status read_group(const mcv_arguments *arguments, mcv_model_options *options) {
    static const int GROUPS[] = {32, 64, 128};
    const char *text = mcv_option_value(arguments, "group");
    if (!text)
        return MCV_OK;
    if (options->llm != MCV_PRECISION_INT4 && options->vpm != MCV_PRECISION_INT4 &&
        options->resampler != MCV_PRECISION_INT4)
        return MCV_FAIL(MCV_USAGE, "--group has no effect without int4 weights (--dtype int4)");
    for (size_t i = 0; i < sizeof GROUPS / sizeof *GROUPS; i++) {
        char number[8];
        snprintf(number, sizeof number, "%d", GROUPS[i]);
        if (strcmp(text, number) == 0) {
            options->group = GROUPS[i];
            return MCV_OK;
        }
    }
    return MCV_FAIL(MCV_USAGE, "--group %s: expected 32, 64 or 128", text);
}

static mcv_status read_numerics(const mcv_arguments *arguments, mcv_numerics *numerics) {
    const char *text = mcv_option_value(arguments, "numerics");
    if (!text || strcmp(text, "exact") == 0)
        return MCV_OK;
    *numerics = MCV_NUMERICS_FAST;
    return strcmp(text, "fast") == 0 ? MCV_OK : MCV_FAIL(MCV_USAGE, "--numerics %s: expected exact or fast", text);
}

const char *mcv_dtype_and_numerics(const mcv_arguments *arguments, const char *engine) {
    static const char *const FAST[] = {"f32-fast", "bf16-fast", "int8-fast", "int4-fast", "stored-fast"};
    const char *dtype = mcv_option_or(arguments, "dtype", strcmp(engine, "fast") == 0 ? "stored" : "f32");
    const char *numerics = mcv_option_value(arguments, "numerics");
    if (strcmp(mcv_option_or(arguments, "engine", engine), "ref") == 0 && strcmp(dtype, "stored") == 0)
        return "f32";
    if (numerics && strcmp(numerics, "fast") == 0)
        for (size_t i = 0; i < sizeof FAST / sizeof *FAST; i++)
            if (strncmp(FAST[i], dtype, strlen(dtype)) == 0)
                return FAST[i];
    return dtype;
}

mcv_status mcv_engine_options_read(const mcv_arguments *arguments, mcv_engine_kind engine, mcv_model_options *options) {
    const char *name = mcv_option_value(arguments, "engine");
    /* Commands that compare want the reference's weights, those that answer want them as they are. */
    mcv_precision dtype = engine == MCV_ENGINE_FAST ? MCV_PRECISION_STORED : MCV_PRECISION_F32;
    *options = mcv_model_options_default();
    options->engine = !name ? engine : strcmp(name, "fast") == 0 ? MCV_ENGINE_FAST : MCV_ENGINE_REFERENCE;
    options->threads = arguments->threads;
    options->target = mcv_option_value(arguments, "target");
    options->blas = mcv_option_value(arguments, "blas");
    options->cache = mcv_option_value(arguments, "cache");
    MCV_TRY(read_precision(arguments, "dtype", MCV_PRECISION_STORED, &dtype));
    if (options->engine == MCV_ENGINE_REFERENCE)
        return check_reference(arguments, dtype);
    options->llm = dtype;
    options->vpm = options->resampler = dtype == MCV_PRECISION_INT4 ? MCV_PRECISION_INT8 : dtype;
    MCV_TRY(read_precision(arguments, "llm-dtype", MCV_PRECISION_STORED, &options->llm));
    MCV_TRY(read_precision(arguments, "vision-dtype", MCV_PRECISION_STORED, &options->vpm));
    MCV_TRY(read_precision(arguments, "resampler-dtype", MCV_PRECISION_STORED, &options->resampler));
    MCV_TRY(read_precision(arguments, "kv-dtype", MCV_PRECISION_INT8, &options->kv));
    MCV_TRY(read_group(arguments, options));
    MCV_TRY(read_numerics(arguments, &options->numerics));
    return mcv_option_int(arguments, "chunk", 1, INT_MAX, &options->chunk);
}
