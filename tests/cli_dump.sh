#!/usr/bin/env bash
# minicpmv dump: cases and questions into files that diff reads.
. "$(dirname "$0")/command_line.sh"
model=golden/models/base-f32 case=golden/cases/single
dump=("$PROGRAM" dump)

plan 21
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
finish
