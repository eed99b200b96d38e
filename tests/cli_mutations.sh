#!/usr/bin/env bash
# The proof by planted faults: some of tests/mutations/faults.txt, and that the script itself takes nothing for caught
# that is not. All faults: make mutations.
. "$(dirname "$0")/command_line.sh"

if [ "${MODE:-release}" != release ]; then
    echo "1..0 # SKIP planted faults are for the release build"
    exit 0
fi
mutations=(make -s --no-print-directory MODE=release CC="${CC:-gcc}" mutations)
unset MAKEFLAGS MAKELEVEL

# fault MODULE OLD NEW: a file of one fault in the resampler.
fault() {
    printf '%s\n' 'fault: planted by the test' 'file: ref/resampler.c' 'case: single' "module: $1" "- $2" "+ $3" \
        >"$work/faults.txt"
    echo "$work/faults.txt"
}

swapped='add_2d_position(pos_embed, (int)(j % slice->grid_w), (int)(j / slice->grid_w), value, key);'
right='add_2d_position(pos_embed, (int)(j / slice->grid_w), (int)(j % slice->grid_w), value, key);'
plan 9
expect "w and h swapped in the resampler's table" 0 '^1 passed, 0 failed' "${mutations[@]}" WORDS="w and h swapped"
expect "a wrong epsilon" 0 '^2 passed, 0 failed' "${mutations[@]}" WORDS="silon 1e-5"
expect "a fault of the test's own" 0 '^planted by the test +single +resampler.attn +resampler\\.attn$' \
    "${mutations[@]}" FAULTS="$(fault 'resampler\.attn' "$right" "$swapped")"
expect "one that is found elsewhere" 2 '^planted .* FAIL found at resampler.attn, not in vpm' \
    "${mutations[@]}" FAULTS="$(fault vpm "$right" "$swapped")"
expect "one that changes nothing" 2 '^planted .* FAIL not caught' \
    "${mutations[@]}" FAULTS="$(fault 'resampler\.attn' "$right" "$right /* the same */")"
expect "one whose text is not there" 2 'FAIL it does not apply: its text is in ref/resampler.c 0 times' \
    "${mutations[@]}" FAULTS="$(fault 'resampler\.attn' "no such text" "$right")"
expect "one whose text is there more than once" 2 'FAIL it does not apply: its text is in ref/resampler.c [0-9]+ times' \
    "${mutations[@]}" FAULTS="$(fault 'resampler\.attn' "1e-6" "1e-5")"
expect "one that does not build" 2 'FAIL it does not build: ' \
    "${mutations[@]}" FAULTS="$(fault 'resampler\.attn' "$right" "no_such_function();")"
expect "one that stops the program" 2 'FAIL exit code 13[0-9]' \
    "${mutations[@]}" FAULTS="$(fault 'resampler\.attn' "$right" "__builtin_trap();")"
finish
