#!/usr/bin/env bash
# The fast engine's logits have the same bits on every target: those that this machine runs, those of x86-64 that are
# emulated, those of ARM under $EMULATOR, all held to hashes that the contracts in plain C gave. Prints TAP.
#
# usage: tests/cli_targets.sh [--write]     --write: a contract has changed; makes the hashes anew
. "$(dirname "$0")/command_line.sh"
hashes=tests/fixtures/fast_logits
emulated=$(dirname "$PROGRAM")/emulated/minicpmv
dtypes=(f32 bf16 int8 int4 stored)

# The demo model in blocks of several types.
${EMULATOR:-} "$PROGRAM" quantize -m golden/demo --type Q4_K_M -o "$work/Q4_K_M.gguf" --vision-type Q8_0 \
    --vision-output "$work/Q8_0.gguf" >"$work/words" 2>&1 || cat "$work/words"

# logits_of DTYPE PROGRAM OPTIONS...: golden cases whose weights are FP32; else the demo model, whose weights are BF16, or
# have been quantized.
logits_of() {
    local dtype=$1 program=$2
    shift 2
    if [ "$dtype" = stored ]; then
        ${EMULATOR:-} "$program" logits -m "$work/Q4_K_M.gguf" --mmproj "$work/Q8_0.gguf" \
            --preprocessor-config golden/demo/preprocessor_config.json -i golden/images/scene.png \
            -p "What is in the picture, and what colour has it?" --engine fast --dtype stored "$@"
    elif [ "$dtype" = f32 ]; then
        ${EMULATOR:-} "$program" logits golden/cases/{single,foreach} --engine fast --dtype f32 "$@"
    else
        ${EMULATOR:-} "$program" logits -m golden/demo -i golden/images/scene.png \
            -p "What is in the picture, and what colour has it?" --engine fast --dtype "$dtype" "$@"
    fi
}

if [ "${1:-}" = --write ]; then
    mkdir -p $hashes
    for dtype in "${dtypes[@]}"; do
        logits_of "$dtype" "$PROGRAM" --target contract --save "$hashes/$dtype.json" || exit 1
    done
    exit 0
fi

# Targets of a program that can be had.
targets_of() {
    ${EMULATOR:-} "$1" kernels | sed -nE 's/^([a-z0-9]+) +yes$/\1/p'
}

# same_bits NAME PROGRAM TARGET
same_bits() {
    local dtype words
    for dtype in "${dtypes[@]}"; do
        words=$(logits_of "$dtype" "$2" --target "$3" --check "$hashes/$dtype.json" 2>&1) && words=""
        result "$1 $3, $dtype" "$words"
    done
}

mapfile -t own < <(targets_of "$PROGRAM")
others=()
[ ! -x "$emulated" ] || others=(avx512 avx512vnni amx)
plan $((${#dtypes[@]} * (${#own[@]} + ${#others[@]})))
for target in "${own[@]}"; do
    same_bits "this CPU," "$PROGRAM" "$target"
done
for target in "${others[@]}"; do
    same_bits "emulated," "$emulated" "$target"
done
[ ${#own[@]} -gt 0 ] || failed=1
finish
