#!/usr/bin/env bash
# Writes the inputs that fuzzers start from, out of the fixtures: FOLDER/TARGET/... Inputs of several files and of tensors
# as lines: input_parts.h, tensor_lines.h.
#
# usage: tests/fuzz/make_seeds.sh FUZZERS FOLDER     FUZZERS: where fuzz_packed is
set -euo pipefail
cd "$(dirname "$0")/../.."
fuzzers=$1 folder=$2
fixtures=tests/fixtures
rm -rf "$folder"
mkdir -p "$folder"/{gguf,image,model_folder,packed,results,tensors,video,weights}

# parts NAME=FILE...: the files as one input. NAME=-: standard input.
parts() {
    local part newline=
    for part; do
        printf '%s>>>> %s\n' "$newline" "${part%%=*}"
        cat -- "${part#*=}"
        newline=$'\n'
    done
}

# ---- Models ----------------------------------------------------------------------------------------------------------

cp $fixtures/ggufs/*.gguf "$folder/gguf"
parts model-00001-of-00002.gguf=$fixtures/ggufs/split-1.gguf model-00002-of-00002.gguf=$fixtures/ggufs/split-2.gguf \
    mmproj.gguf=$fixtures/ggufs/model.gguf >"$folder/gguf/pair"

for name in awq gptq gptq-32 gptq-v2 nf4 nf4-flat; do
    parts config.json=$fixtures/quantized/$name/config.json \
        model.safetensors=$fixtures/quantized/$name/model.safetensors >"$folder/weights/$name"
    cp $fixtures/quantized/$name/model.safetensors "$folder/tensors/$name"
done

# packed_lines CONFIGURATION SHAPE LINE...: packed weights of that shape and their zeros, then other tensors.
packed_lines() {
    printf '>>>> config.json\n{"quantization_config": {%s}}\n>>>> model.safetensors\n' "$1"
    printf '%s\n' "a.qweight I32 $2 abcdefgh1234" 'a.qzeros I32 2,2 hgfedcba' "${@:3}"
}
packed_lines '"quant_method": "awq", "bits": 4, "version": "gemm", "zero_point": true' 64,2 \
    'a.scales F16 2,16 .4/5' >"$folder/weights/awq-lines"
packed_lines '"quant_method": "gptq", "bits": 4, "checkpoint_format": "gptq_v2"' 8,16 \
    'a.scales BF16 2,16 .<' 'a.g_idx I32 64 ' >"$folder/weights/gptq-lines"
state='{"blocksize": 32, "shape": [4, 64], "nested_blocksize": 4, "nested_offset": 0.5, "dtype": "float16"}'
cat >"$folder/weights/int8-lines" <<END
>>>> model.safetensors
a.weight I8 8,64 abcdefgh
a.weight_scale F32 8,2 abc=
END
cat >"$folder/weights/nf4-lines" <<END
>>>> model.safetensors
a.weight U8 128,1 abcdefg
a.weight.absmax U8 8 abc
a.weight.quant_map F32 16 ab/=12.=
a.weight.nested_absmax F32 2 abc=
a.weight.nested_quant_map F32 256 ab.=
a.weight.quant_state.bitsandbytes__nf4 U8 * $state
END
cat >"$folder/weights/nf4-flat-lines" <<END
>>>> model.safetensors
a.weight U8 128,1 abcdefg
a.weight.absmax F32 8 abc=
a.weight.quant_map F32 16 ab/=12.=
a.weight.quant_state.bitsandbytes__nf4 U8 * $state
END
cat >"$folder/weights/index" <<END
>>>> model.safetensors.index.json
{"weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": "b.safetensors"}}
>>>> a.safetensors
x F32 2,4 ab.=
>>>> b.safetensors
y BF16 8 .=
z F16 - .4
END

tokenizer=$fixtures/tokenizer
printf '[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "<think>\\na\\n</think>\\nb",
"tool_calls": [{"function": {"name": "f", "arguments": {"x": [1.5, null, "\\u00e9"]}}}]}, {"role": "tool", "content": "t"}]' |
    parts messages.json=- tools.json=<(printf '[{"type": "function", "function": {"name": "f"}}]') >"$folder/model_folder/conversation"
for name in base-f32 wide-bf16-tied; do
    parts config.json=golden/models/$name/config.json \
        preprocessor_config.json=golden/models/$name/preprocessor_config.json >"$folder/model_folder/$name"
done
printf 'low lower <image>\n  it'"'"'s 12 e\xcc\x81 \xed\x95\x9c \xf0\x9f\x98\x80<|im_end|>' |
    parts vocab.json=$tokenizer/model/vocab.json merges.txt=$tokenizer/model/merges.txt \
        tokenizer_config.json=$tokenizer/model/tokenizer_config.json \
        added_tokens.json=$tokenizer/model/added_tokens.json text=- >"$folder/model_folder/tokenizer"
printf 'low lower <image>' |
    parts tokenizer.json=<(sed 's/^ *//' $tokenizer/model-fast/tokenizer.json) \
        tokenizer_config.json=<(sed 's/^ *//' $tokenizer/model-fast/tokenizer_config.json) text=- \
        >"$folder/model_folder/tokenizer-fast"
printf 'a template' | parts chat_template.jinja=- >"$folder/model_folder/template"
printf 'ab' | parts vocab.json=$fixtures/tiny_processor/vocab.json merges.txt=$fixtures/tiny_processor/merges.txt \
    added_tokens.json=$fixtures/tiny_processor/added_tokens.json text=- >"$folder/model_folder/tokenizer-tiny"

MCV_FUZZ_SEED=$folder/packed/layers "$fuzzers/fuzz_packed" -runs=0 2>/dev/null

# ---- Pictures --------------------------------------------------------------------------------------------------------

cp $fixtures/images/*.* "$folder/image"
rm "$folder/image/expected.json"
cp $fixtures/videos/* "$folder/video"
printf '# timestamp format v2\n0\n40.5\n81\n100' |
    parts 1.png=$fixtures/images/gray-8.png 2.pnm=$fixtures/images/p5-255.pnm 3.bmp=$fixtures/images/1.bmp \
        times.txt=- >"$folder/video/folder"

# ---- Tensors and results ---------------------------------------------------------------------------------------------

# npy DESCR SHAPE: an array of version 1.0 from standard input.
npy() {
    local header="{'descr': '$1', 'fortran_order': False, 'shape': ($2), }"
    printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "$header"
    cat
}
for type in BOOL F4 F6_E2M3 F6_E3M2 U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ I16 U16 F16 BF16 I32 U32 F32 C64 F64 I64 U64; do
    echo "$type $type 4,2 abcdefgh"
done >"$folder/tensors/types"
printf 'abc=def=' | npy '<f4' 1,2 >"$folder/tensors/f4.npy"
printf 'abcdefgh' | npy '<i8' 1, >"$folder/tensors/i8.npy"
printf 'ab' | npy '<f2' '' >"$folder/tensors/f2.npy"
printf 'abc' | npy '|u1' 3, >"$folder/tensors/u1.npy"

cat >"$folder/results/case" <<'END'
>>>> case.json
{"model": "m", "conversations": [[{"role": "user", "content": [{"type": "image", "path": "a.png"}, {"type": "text", "text": "a"}]},
 {"role": "assistant", "content": "b"}], [{"role": "user", "content": "c"}]], "temporal_ids": [[[-1]], []], "system_prompt": "s",
 "enable_thinking": true, "use_image_id": false, "max_slice_nums": 2, "max_inp_length": 9, "exact": true,
 "generate": [{"name": "d", "num_beams": 2, "repetition_penalty": 1.5, "length_penalty": -1, "min_new_tokens": 1,
 "max_new_tokens": 2, "early_stopping": "never", "do_sample": false}, {"name": "e", "early_stopping": true}]}
>>>> a.png
P1 1 1 0
>>>> exact.safetensors
x F64 1 abcdefgh
END
cat >"$folder/results/item" <<'END'
>>>> item.json
{"messages": [{"role": "user", "content": [{"type": "image", "path": "a.png"}, {"type": "text", "text": "a"}]}],
 "temporal_ids": [[-1], [0, 5]], "answer": "b", "max_slice_nums": 2, "use_image_id": true}
>>>> a.png
P1 1 1 0
END
printf '{"prompts": "[]"}' | parts a.npy="$folder/tensors/f4.npy" b.npy="$folder/tensors/u1.npy" metadata.json=- \
    names.txt=golden/names/llama.cpp-language.txt >"$folder/results/dump"
cat >"$folder/results/dump-file" <<'END'
>>>> dump.safetensors
l_out-3 F32 2 ab.=
out BF16 2,2 .=
x I64 1 abcdefgh
>>>> names.txt
l_out-([0-9]+) llm.model.layers.\1 # remark
out -
END
parts logits.json=$fixtures/fast_logits/f32.json >"$folder/results/logits-json"
cat >"$folder/results/logits" <<'END'
>>>> logits.json
{"made_with": {}, "rows": [{"case": "case", "conversation": 0, "xxh3_128": "0123456789abcdef0123456789abcdef",
 "top": [{"id": 3}]}]}
>>>> logits.safetensors
logits.case F32 2,4 ab.=
END
printf 'ab.=cd.=ef.=gh.=' | npy '<f4' 1,4 | parts logits.npy=- >"$folder/results/logits-npy"
parts tolerances.txt=cli/tolerances.txt >"$folder/results/tolerances"
cat >"$folder/results/manifest" <<'END'
>>>> manifest.json
{"made_with": {}, "files": {"dump.safetensors": {"xxh3": "0123456789abcdef", "tensors": {"x": "0123456789abcdef"}}, "a": {"xxh3": ""}}}
>>>> dump.safetensors
x U8 2 ab
END
printf '{"model":"a"}\n{"right":true}\n{' | parts results.jsonl=- >"$folder/results/evaluation"
