#!/usr/bin/env bash
# GGUF files: quantize writes them, every command that takes a model reads them, damaged ones are refused.
. "$(dirname "$0")/command_line.sh"
model=golden/models/base-f32
quantize=("$PROGRAM" quantize -m "$model")
pair=(-m "$work/f32.gguf" --mmproj "$work/vision.gguf")

# damaged NAME SED_SCRIPT: a copy of the language model's file with bytes replaced; prints its path.
damaged() {
    cp "$work/f32.gguf" "$work/$1"
    LC_ALL=C sed -i "$2" "$work/$1"
    echo "$work/$1"
}

plan 56
expect "quantize to F32" 0 'f32.gguf: 32.000 bits a weight' "${quantize[@]}" --type f32 -o "$work/f32.gguf"
expect "the vision side" 0 'vision.gguf: 32.000 bits a weight' "${quantize[@]}" --vision-type F32 --vision-output "$work/vision.gguf"
expect "a case through the pair" 0 '^all equal' "$PROGRAM" verify golden/cases/unicode "${pair[@]}"
expect "a case with images" 0 '^all equal' "$PROGRAM" verify golden/cases/single "${pair[@]}"
for case in foreach identity tied-bf16; do
    source=$(sed -nE 's|.*"model": *"\.\./\.\./([^"]*)".*|golden/\1|p' "golden/cases/$case/case.json")
    "$PROGRAM" quantize -m "$source" --type F32 --vision-type F32 -o "$work/other.gguf" --vision-output "$work/other_vision.gguf" >/dev/null
    expect "other resolutions, limits and deviations: $case" 0 '^all equal' "$PROGRAM" verify "golden/cases/$case" -m "$work/other.gguf" --mmproj "$work/other_vision.gguf"
done
expect "through chat, too" 0 . "$PROGRAM" chat -m "$work/other.gguf" --mmproj "$work/other_vision.gguf" -i golden/images/wide.png -p x --max-new-tokens 3
without=$work/foreign.gguf # as other writers leave it
LC_ALL=C sed 's/minicpmv.preprocessor_config/minicpmv.preprocessor_nobody/' "$work/vision.gguf" >"$without"
expect "a file without them has 4.5's" 1 'tgt_sizes' "$PROGRAM" verify golden/cases/single -m "$work/f32.gguf" --mmproj "$without"
expect "and takes them from --preprocessor-config" 0 '^all equal' "$PROGRAM" verify golden/cases/single -m "$work/f32.gguf" --mmproj "$without" --preprocessor-config "$model/preprocessor_config.json"
LC_ALL=C sed 's/"scale_resolution":/"scale_resolution";/' "$work/vision.gguf" >"$work/spoilt.gguf"
expect_error "a damaged one" 3 'spoilt.gguf: minicpmv.preprocessor_config: column [0-9]+: not valid JSON' "$PROGRAM" verify golden/cases/single -m "$work/f32.gguf" --mmproj "$work/spoilt.gguf"
result "the tokenizer" "$(diff <("$PROGRAM" tokenize -m "$model" 'It is <image>./</image> <think> 42!') \
    <("$PROGRAM" tokenize -m "$work/f32.gguf" 'It is <image>./</image> <think> 42!'))"
result "and back" "$(diff <("$PROGRAM" detokenize -m "$model" --skip-special-tokens 40 50 60 357 358 100) \
    <("$PROGRAM" detokenize -m "$work/f32.gguf" --skip-special-tokens 40 50 60 357 358 100))"
result "preprocess" "$(diff <("$PROGRAM" preprocess -m "$model" -i golden/images/wide.png -p x) \
    <("$PROGRAM" preprocess "${pair[@]}" -i golden/images/wide.png -p x))"
result "chat" "$(diff <("$PROGRAM" chat -m "$model" -i golden/images/square.png -p hello --num-beams 1 --max-new-tokens 5 2>&1) \
    <("$PROGRAM" chat "${pair[@]}" -i golden/images/square.png -p hello --num-beams 1 --max-new-tokens 5 2>&1))"

for type in Q4_0 Q5_1 Q8_0 BF16; do
    expect "quantize to $type" 0 'bits a weight' "${quantize[@]}" --type $type -o "$work/q.gguf"
done
expect "rows too short for K blocks" 0 '^blk.0.ffn_up.weight +Q5_0 ' "${quantize[@]}" --type Q4_K_M -o "$work/q.gguf"
expect "K blocks" 0 '^blk.0.ffn_down.weight +Q4_K .*' "$PROGRAM" quantize -m golden/demo --type Q4_K_M -o "$work/demo.gguf"
expect "the mix's finer types" 0 '^output.weight +Q6_K ' "$PROGRAM" inspect "$work/demo.gguf"
expect "an answer of it" 0 . "$PROGRAM" tokenize -m "$work/demo.gguf" "What colour is it?"
expect "from one GGUF to another" 0 'bits a weight' "$PROGRAM" quantize -m "$work/f32.gguf" --mmproj "$work/vision.gguf" --type F16 -o "$work/f16.gguf"
cp "$work/q.gguf" "$work/one.gguf"
"${quantize[@]}" --type Q4_K_M --threads 3 -o "$work/q.gguf" >/dev/null
result "the same bytes with other threads" "$(cmp "$work/one.gguf" "$work/q.gguf")"

expect "inspect" 0 '^qwen3.block_count +uint32 2$' "$PROGRAM" inspect "$work/f32.gguf"
expect "bits a weight" 0 '^all +[0-9]+ +[0-9]+ +[0-9]+ +32.000$' "$PROGRAM" inspect "$work/f32.gguf"
result "a pair without problems" "$("$PROGRAM" inspect "$work/f32.gguf" --mmproj "$work/vision.gguf" | grep problem)"
expect "a pair of other models" 3 '^problem: .*shape' "$PROGRAM" inspect "$work/demo.gguf" --mmproj "$work/vision.gguf"
expect "a renamed tensor" 3 '^problem: the weights have no tensor llm.model.norm.weight' "$PROGRAM" inspect \
    "$(damaged renamed.gguf 's/output_norm.weight/output_norn.weight/')" --mmproj "$work/vision.gguf"
expect "a missing tokenizer" 3 'tokenizer.ggml.tokens: expected an array of strings, found no such key' "$PROGRAM" inspect \
    "$(damaged untokenized.gguf 's/tokenizer.ggml.tokens/tokenizer.ggml.tokenz/')"

head -c 300000 "$work/f32.gguf" >"$work/cut.gguf"
expect_error "a file that is cut" 3 'cut.gguf: .*cut short' "$PROGRAM" inspect "$work/cut.gguf"
expect_error "another architecture" 4 'general.architecture: expected qwen3, found string xwen3' "$PROGRAM" verify golden/cases/unicode \
    -m "$(damaged other.gguf '0,/qwen3\./s/\(architecture.\{12\}\)qwen3/\1xwen3/')" --mmproj "$work/vision.gguf"
expect_error "no vision side" 2 '--mmproj FILE is needed' "$PROGRAM" chat -m "$work/f32.gguf" -p x
expect_error "a vision side beside a folder" 2 'no GGUF file' "$PROGRAM" chat -m "$model" --mmproj "$work/vision.gguf" -p x
expect_error "a language model for a vision side" 3 'f32.gguf is the language model .*: name it with --model' "$PROGRAM" chat -m "$work/f32.gguf" \
    --mmproj "$work/f32.gguf" -p x
expect_error "a vision side for a language model" 3 'vision.gguf is the vision side .*: name it with --mmproj' "$PROGRAM" chat -m "$work/vision.gguf" -p x
expect_error "for its tokenizer" 3 'vision.gguf is the vision side' "$PROGRAM" tokenize -m "$work/vision.gguf" x
expect_error "calibration by the fast engine" 2 '--engine fast: only the reference' "$PROGRAM" imatrix -m golden/demo --engine fast --task x -o "$work/x"
expect_error "no such type" 2 'no such type' "${quantize[@]}" --type Q9_9 -o "$work/q.gguf"
expect_error "nothing to write" 2 'needed' "${quantize[@]}"
cp "$work/f32.gguf" "$work/before.gguf"
ln -s f32.gguf "$work/link.gguf"
ln "$work/vision.gguf" "$work/hard.gguf"
cp -r "$model" "$work/folder"
own=("$PROGRAM" quantize -m "$work/f32.gguf" --mmproj "$work/vision.gguf" --type Q8_0)
expect_error "both outputs one file" 2 'would take the place of .*, --(vision-)?output' "${quantize[@]}" --type Q8_0 -o "$work/x.gguf" --vision-output "$work/../${work##*/}/x.gguf"
expect_error "over its own input" 2 'a file of the model' "${own[@]}" -o "$work/f32.gguf"
expect_error "through a link" 2 'a file of the model' "${own[@]}" -o "$work/link.gguf"
expect_error "over the vision side" 2 '--mmproj' "${own[@]}" -o "$work/hard.gguf"
expect_error "over a file of a folder" 2 'a file of the model' "$PROGRAM" quantize -m "$work/folder" --type Q8_0 -o "$work/folder/model.safetensors"
expect "beside a folder's files" 0 . "$PROGRAM" quantize -m "$work/folder" --type Q8_0 -o "$work/folder/q.gguf"
expect "and again" 0 . "$PROGRAM" quantize -m "$work/folder" --type Q8_0 -o "$work/folder/q.gguf"
expect_error "a dump over the model" 2 'a file of the model' "$PROGRAM" dump -m "$work/folder" -p x -o "$work/folder/model.safetensors"
result "nothing was written" "$(cmp "$work/f32.gguf" "$work/before.gguf"; ls "$work" | grep '^x.gguf')"
head -n 3 golden/demo/heldout.jsonl >"$work/task.jsonl"
ln -s "$PWD/golden/demo/heldout" "$work/heldout"
expect "a calibration run" 0 'imatrix.gguf: 29 matrices, 3 items' "$PROGRAM" imatrix -m golden/demo --task "$work/task.jsonl" -o "$work/imatrix.gguf"
expect "its sums" 0 '^blk.0.ffn_down.weight.in_sum2 +F32 +\[1, 512\]' "$PROGRAM" inspect "$work/imatrix.gguf"
"$PROGRAM" quantize -m golden/demo --type Q4_K_M --imatrix "$work/imatrix.gguf" -o "$work/weighed.gguf" >/dev/null
result "quantizing with it changes the weights" "$(cmp -s "$work/weighed.gguf" "$work/demo.gguf" && echo 'the same')"
expect_error "of another model" 3 'blk.0.attn_q.weight: expected one count and 128 sums, found 1 and 256' "${quantize[@]}" --json --type Q4_0 \
    --imatrix "$work/imatrix.gguf" -o "$work/never.gguf"
expect_error "importance weights that are none" 3 'general.type: expected imatrix' "${quantize[@]}" --type Q4_0 \
    --imatrix "$work/f32.gguf" -o "$work/never.gguf"
result "nothing is left of what failed" "$(find "$work" -name 'never*')"
finish
