#!/usr/bin/env bash
# quantize to a folder with INT4 or INT8 weights: what it holds, that both engines run it, what is refused.
. "$(dirname "$0")/command_line.sh"
model=golden/demo
quantize=("$PROGRAM" quantize -m "$model")
int4=$work/int4 int8=$work/int8
question=(-i golden/images/scene.png -p "What is this?")

plan 29
expect "INT4" 0 '^llm.model.layers.0.mlp.down_proj.weight +AWQ +\[256, 512\] +[0-9.]+e-0[12]$' "${quantize[@]}" --type INT4 -o "$int4"
expect "INT8" 0 '^llm.model.layers.0.mlp.down_proj.weight +INT8 +\[256, 512\] +[0-9.]+e-03$' "${quantize[@]}" --type INT8 -o "$int8"
expect "inspect shows the packed matrices" 0 '^AWQ +28 +2359296$' "$PROGRAM" inspect "$int4"
expect "of INT8, too" 0 '^INT8 +28 +2359296$' "$PROGRAM" inspect "$int8"
expect "bits a weight" 0 '"bits_a_weight": 9.98' "$PROGRAM" inspect --json "$int4"
result "no problems" "$({ "$PROGRAM" inspect "$int4"; "$PROGRAM" inspect "$int8"; } | grep -E "^(problem|not used)")"
expect "how it is packed" 0 '"quant_method": "awq"' cat "$int4/config.json"
expect "in config.json" 0 '"quant_method": "compressed-tensors"' cat "$int8/config.json"
result "the other files are copied" "$(cmp "$model/vocab.json" "$int4/vocab.json" 2>&1; cmp "$model/preprocessor_config.json" "$int8/preprocessor_config.json" 2>&1; ls "$int4" | grep -E 'part|md$')"
for packed in "$int4" "$int8"; do
    "$PROGRAM" logits -m "$packed" "${question[@]}" --save "$packed.logits" >/dev/null
    expect "both engines read the same numbers: ${packed##*/}" 0 '^all equal: ' "$PROGRAM" logits -m "$packed" "${question[@]}" --check "$packed.logits" --engine fast
    expect "the fast engine on its own codes or widened: ${packed##*/}" 0 '^all equal: ' "$PROGRAM" logits -m "$packed" "${question[@]}" --check "$packed.logits" --engine fast --dtype stored
done
expect "an answer" 0 . "$PROGRAM" chat -m "$int4" "${question[@]}" --max-new-tokens 3
"${quantize[@]}" --type INT4 --threads 3 -o "$work/again" >/dev/null
result "the same bytes with other threads" "$(cmp "$int4/model.safetensors" "$work/again/model.safetensors" 2>&1)"
"${quantize[@]}" --type INT4 --group 32 -o "$work/group32" >/dev/null
expect "smaller groups" 0 '^llm.model.layers.0.mlp.down_proj.scales +F16 +\[16, 256\]' "$PROGRAM" inspect "$work/group32"
expect "INT8 of a model that is packed" 0 'bits a weight' "$PROGRAM" quantize -m "$int4" --type INT8 -o "$work/repacked"
expect "GGUF of it" 0 '^blk.0.ffn_down.weight +Q8_0 ' "$PROGRAM" quantize -m "$int4" --type Q8_0 -o "$work/q8.gguf"
expect_error "a folder that is there" 2 'is there already' "${quantize[@]}" --type INT4 -o "$int4"
mkdir "$work/empty" "$work/damaged"
cp golden/demo/*.json golden/demo/merges.txt "$work/damaged"
head -c 1000 golden/demo/model.safetensors >"$work/damaged/model.safetensors"
expect_error "a damaged model" 3 'damaged' "$PROGRAM" quantize -m "$work/damaged" --type INT4 -o "$work/empty"
result "the empty folder stays" "$(rmdir "$work/empty" 2>&1)"
expect "rows that end in no group stay as they are" 0 '^llm.model.layers.0.mlp.down_proj.weight +BF16 +\[256, 72\] +0.000e\+00$' "$PROGRAM" quantize -m golden/models/wide-bf16-tied --type INT4 -o "$work/wide"
expect_error "standard output" 2 '--output -: expected a file' "${quantize[@]}" --type INT4 -o -
expect_error "of a GGUF file, too" 2 '--output -: expected a file' "${quantize[@]}" --type Q8_0 -o -
expect_error "a vision side" 2 'no --vision-output' "${quantize[@]}" --type INT4 -o "$work/none" --vision-output "$work/none.gguf"
expect_error "a GGUF file" 2 'Hugging Face layout' "$PROGRAM" quantize -m "$work/q8.gguf" --type INT8 -o "$work/none"
LC_ALL=C sed -i 's/0.mlp.down_proj.weight_scale"/0.mlp.down_proj.weight_point"/' "$int8/model.safetensors"
expect_error "a scale that is missing" 4 'weights of type I8' "$PROGRAM" chat -m "$int8" -p x
expect "inspect tells it, too" 3 '^problem: llm.model.layers.0.mlp.down_proj.weight: weights of type I8' "$PROGRAM" inspect "$int8"
result "nothing is left of what failed" "$(ls "$work" | grep -E 'none|part')"
finish
