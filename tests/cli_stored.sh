#!/usr/bin/env bash
# --dtype stored: quantized models run on their own blocks, near to what the reference makes of the same files.
. "$(dirname "$0")/command_line.sh"
question=(-i golden/images/scene.png -p "What is in the picture, and what colour has it?")

# as_the_reference NAME MODEL...: logits of the fast engine against the reference's.
as_the_reference() {
    local name=$1
    shift
    "$PROGRAM" logits "$@" "${question[@]}" --save "$work/reference.safetensors" >"$work/words" 2>&1 || cat "$work/words"
    expect "$name" 0 '^all equal' "$PROGRAM" logits "$@" "${question[@]}" --engine fast --dtype stored --check "$work/reference.safetensors"
}

plan 16
"$PROGRAM" quantize -m golden/demo --vision-type Q8_0 --vision-output "$work/vision.gguf" >/dev/null
for type in Q4_K_M Q5_1 Q2_K IQ4_XS; do
    "$PROGRAM" quantize -m golden/demo --type $type -o "$work/$type.gguf" >/dev/null
    as_the_reference "$type" -m "$work/$type.gguf" --mmproj "$work/vision.gguf"
done
for type in INT4 INT8; do
    "$PROGRAM" quantize -m golden/demo --type $type -o "$work/$type" >/dev/null
    as_the_reference "$type" -m "$work/$type"
done
"$PROGRAM" quantize -m golden/models/wide-bf16-tied --type Q8_0 -o "$work/tied.gguf" --vision-output "$work/tied-vision.gguf" >/dev/null
as_the_reference "an output that is the embedding" -m "$work/tied.gguf" --mmproj "$work/tied-vision.gguf"

pair=(-m "$work/Q4_K_M.gguf" --mmproj "$work/vision.gguf" "${question[@]}")
"$PROGRAM" logits "${pair[@]}" --engine fast --dtype stored --save "$work/stored.json" >/dev/null
again=("$PROGRAM" logits "${pair[@]}" --engine fast --check "$work/stored.json")
expect "the same bits on three threads" 0 '^all equal' "${again[@]}" --dtype stored --threads 3
expect "packed weights are kept" 0 '^all equal' "${again[@]}" --dtype stored --cache "$work/packed"
inode=$(stat -c %i "$work/packed")
expect "and taken from there" 0 '^all equal' "${again[@]}" --dtype stored --cache "$work/packed"
result "without being written again" "$([ "$(stat -c %i "$work/packed")" = "$inode" ] || echo "it is another file")"
expect "widened weights are others" 1 '^question' "${again[@]}" --dtype f32 --cache "$work/packed"
result "and packed anew" "$([ "$(stat -c %i "$work/packed")" != "$inode" ] || echo "it is the same file")"
chat=("$PROGRAM" chat "${pair[@]}" --num-beams 1 --no-sampling --max-new-tokens 8)
expect "chat answers" 0 . "${chat[@]}"
result "chat takes weights as stored" "$(diff <("${chat[@]}" 2>&1) <("${chat[@]}" --dtype stored 2>&1))"
expect_error "keys and values have no stored type" 2 '--kv-dtype stored: expected f32, bf16 or int8' "${again[@]}" --kv-dtype stored
finish
