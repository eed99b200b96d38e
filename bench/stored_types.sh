#!/usr/bin/env bash
# What running quantized weights on their own blocks costs: the fast engine beside the reference on the same files, the demo
# model quantized to each type. The only difference is that activations are rounded to int8, and with NF4 levels to 16 bits.
# NF4 is only measured where it is asked for: it needs numpy, gguf and safetensors ($PYTHON, python3 if not set).
#
#     bench/stored_types.sh [ITEMS] [TYPE...]
#
# Prints for each type how far the next token's distribution is from the reference's over the answers of ITEMS held-out questions
# (mean KL divergence, nats a token), and how many best tokens are others. Table: docs/engine.md.
set -euo pipefail
PROGRAM=${PROGRAM:-build/minicpmv}
items=${1:-40}
shift $(($# < 1 ? $# : 1))
types=("$@")
[ $# -gt 0 ] || types=(Q8_0 Q6_K Q5_K_M Q5_1 Q5_0 Q4_K_M Q4_1 Q4_0 IQ4_NL IQ4_XS Q3_K_M Q2_K)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
head -n "$items" golden/demo/heldout.jsonl >"$work/task.jsonl"
ln -s "$PWD/golden/demo/heldout" "$work/heldout"
"$PROGRAM" quantize -m golden/demo --vision-output "$work/vision.gguf" >/dev/null

printf '| type | KL | other best tokens |\n| --- | ---: | ---: |\n'
for type in "${types[@]}"; do
    if [ "$type" = NF4 ]; then
        "${PYTHON:-python3}" bench/nf4_folder.py "$work/nf4"
        model=(-m "$work/nf4")
    else
        "$PROGRAM" quantize -m golden/demo --type "$type" -o "$work/model.gguf" >/dev/null
        model=(-m "$work/model.gguf" --mmproj "$work/vision.gguf")
    fi
    run=("$PROGRAM" eval "${model[@]}" --task "$work/task.jsonl" --likelihood --json --quiet)
    "${run[@]}" --engine ref --save "$work/logits.safetensors" >/dev/null
    "${run[@]}" --engine fast --dtype stored --check "$work/logits.safetensors" --max-kl 1 |
        jq -r '"\(.kl) \(.flips) \(.tokens)"' | while read -r kl flips tokens; do
            printf '| %s | %.1e | %s of %s |\n' "$type" "$kl" "$flips" "$tokens"
        done
done
