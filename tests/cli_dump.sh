#!/usr/bin/env bash
# minicpmv dump: cases and questions into files that diff reads.
. "$(dirname "$0")/command_line.sh"
model=golden/models/base-f32 case=golden/cases/single
dump=("$PROGRAM" dump)

plan 37
expect "a case" 0 "^$work/case: [0-9]+ tensors$" "${dump[@]}" --case "$case" -o "$work/case"
expect "its tensors are golden's" 0 '^all equal: ' "$PROGRAM" diff "$work/case" "$case/golden.safetensors"
expect "texts are compared, too" 0 '^text.[a-z0-9]+ .* ok$' "$PROGRAM" diff "$work/case" "$case/golden.safetensors"
"${dump[@]}" --case "$case" -o "$work/again" --threads 3 >/dev/null
result "the same file whatever the number of threads" "$(cmp "$work/case" "$work/again" 2>&1)"

question=("${dump[@]}" -m "$model" -i golden/images/scene.png -p "What is it?")
expect "a question" 0 'question: [0-9]+ tensors' "${question[@]}" -o "$work/question"
expect "no ids unless asked for" 1 '^generated_ids.greedy .*FAIL: missing' "$PROGRAM" diff "$work/question" "$case/golden.safetensors"
expect "greedy ids" 0 'greedy: [0-9]+ tensors' "${question[@]}" -o "$work/greedy" --max-new-tokens 3
expect "their number" 0 '^generated_ids.greedy +I32 +\[1, 3\]' "$PROGRAM" inspect "$work/greedy"
expect "a text alone" 0 'text: [0-9]+ tensors' "${dump[@]}" -m "$model" -p hello -o "$work/text"
expect "JSON" 0 '^\{"file": ".*/text", "tensors": [0-9]+\}$' "${dump[@]}" -m "$model" -p hello -o "$work/text" --json
expect_error "no output" 2 '--output is needed' "${question[@]}"
expect_error "no question" 2 '--prompt is needed' "${dump[@]}" -m "$model" -o "$work/x"
expect_error "no model" 2 '--model is needed' "${dump[@]}" -p hello -o "$work/x"
expect_error "a case and a question" 2 '--prompt and --case exclude each other' "${dump[@]}" --case "$case" -p hello -o "$work/x"
expect_error "an image that is not there" 3 'nowhere.png: ' "${dump[@]}" -m "$model" -i nowhere.png -p hello -o "$work/x"
expect_error "an output that cannot be written" 3 '/nowhere/x: cannot be' "${dump[@]}" -m "$model" -p hello -o /nowhere/x
expect_error "a folder in place of an output" 3 'cannot be created: Is a directory' "${dump[@]}" -m "$model" -p hello -o "$work"
expect "golden's tensors are its own" 0 '^all equal: ' "$PROGRAM" diff "$case/golden.safetensors" "$work/case"
mkfifo "$work/pipe"
timeout 60 cat "$work/pipe" >"$work/received" &
"${dump[@]}" --case "$case" -o "$work/pipe" >/dev/null
wait $!
result "a pipe is written to, not replaced" "$(cmp "$work/case" "$work/received" 2>&1; [ -p "$work/pipe" ] || echo 'no pipe')"
echo "old" >"$work/linked" && ln -s linked "$work/link"
"${dump[@]}" --case "$case" -o "$work/link" >/dev/null
result "a link stays a link" "$(cmp "$work/case" "$work/linked" 2>&1; [ -L "$work/link" ] || echo 'no link')"
result "nothing is left beside the outputs" "$(find "$work" -name '*.part*')"

# Standard output, parts, other forms.
"${dump[@]}" --case "$case" -o - >"$work/piped"
result "standard output" "$(cmp "$work/case" "$work/piped" 2>&1; [ ! -e - ] || echo 'a file named -')"
"${dump[@]}" --case "$case" -o - | cat >"$work/piped"
result "into a pipe" "$(cmp "$work/case" "$work/piped" 2>&1)"
expect "a filter" 0 ': 2 tensors$' "${dump[@]}" --case "$case" -o "$work/part" --filter 'lm_head|^vpm$'
expect "what it takes" 0 '^all equal: 2 comparisons' "$PROGRAM" diff "$work/case" "$work/part"
expect "a stage" 0 ': 6 tensors$' "${dump[@]}" --case "$case" -o "$work/part" --stage resampler
expect_error "nothing selected" 2 '--filter nothing: nothing in the run' "${dump[@]}" --case "$case" -o "$work/none" --filter nothing
result "leaves no file" "$([ ! -e "$work/none" ] || ls "$work/none")"
expect ".npy files" 0 ': [0-9]+ tensors$' "${dump[@]}" --case "$case" -o "$work/arrays" --format npy
expect "a dump like others" 0 '^text.greedy .* ok$' "$PROGRAM" diff "$work/arrays" "$work/case"
expect "on both sides" 0 '^all equal: [0-9]+ comparisons' "$PROGRAM" diff "$work/case" "$work/arrays"
expect_error "into a folder that is there" 3 'a new folder cannot be created: File exists' "${dump[@]}" --case "$case" -o "$work/arrays" --format npy
expect_error "a form that is none" 2 'expected safetensors or npy' "${dump[@]}" --case "$case" -o "$work/x" --format xml
expect "numbers alone" 0 '^resampler +F32 +\[1, 4, 128\] +-[0-9.]+e.* 0  [0-9a-f]{16}$' "${dump[@]}" --case "$case" --stats-only
expect "their hash is that of the data" 0 "\"input_ids\": \"$(awk '$1 == "input_ids" { print $NF }' "$work/out")\"" cat golden/manifest.json
expect "as JSON" 0 '^\{"tensors": \[\{"name": "llm.lm_head", "dtype": "F32", "shape": \[1, 1, [0-9]+\], "min": -' "${dump[@]}" --case "$case" --stats-only --json --filter lm_head
expect_error "numbers alone, and a file" 2 'no --output' "${dump[@]}" --case "$case" --stats-only -o "$work/x"
finish
