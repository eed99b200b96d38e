#!/usr/bin/env bash
# minicpmv eval, and what the demo model in golden/demo is worth.
. "$(dirname "$0")/command_line.sh"
model=golden/demo

evaluate() { "$PROGRAM" eval -m $model --task "$@"; }
# task NAME TEXT: a task file.
task() { printf '%s\n' "$2" >"$work/$1"; }

# Every tenth held-out item, with paths that hold from here; fewer where each takes ten times as long.
every=10
[ "${MODE:-release}" != tsan ] || every=40
awk -v every=$every 'NR % every == 1' $model/heldout.jsonl | sed "s|\"path\": \"|&$PWD/$model/|g" >"$work/some.jsonl"
items=$(wc -l <"$work/some.jsonl")
question='"messages": [{"role": "user", "content": "Is there a red circle?"}], "ability": "a"'
task text.jsonl "{$question, \"answer\": \"nobody says this\", \"max_new_tokens\": 2}"
task no_json.jsonl "{$question"
task no_answer.jsonl "{$question}"
task no_messages.jsonl '{"ability": "a", "answer": "b"}'
task no_image.jsonl '{"messages": [{"role": "user", "content": [{"type": "image", "path": "none.png"}]}]}'
task empty.jsonl ''

# at_least PERCENT: the accuracy in the last output.
at_least() {
    local found
    found=$(sed -n 's/.*"items": '"$items"', "accuracy": \([0-9.]*\).*/\1/p' "$work/out" | head -n 1)
    result "at least $1 % are right" "$(awk -v found="${found:-0}" -v least="$1" \
        'BEGIN { if (100 * found < least) print 100 * found " %" }')"
}

plan 9
expect "held-out items as JSON" 0 "^\{\"items\": $items, \"accuracy\": [0-9.]*, \"by_ability\": \{" \
    evaluate "$work/some.jsonl" --json --answers "$work/answers"
at_least 60
result "as many answers as items" "$([ "$(wc -l <"$work/answers")" -eq "$items" ] || wc -l "$work/answers")"
expect "a table; a wrong answer is wrong" 0 '^all +1 +0\.00 %$' evaluate "$work/text.jsonl"
expect_error "no answer to compare with" 3 'no_answer.jsonl: line 1: .*answer' evaluate "$work/no_answer.jsonl"
expect_error "no messages" 3 'no_messages.jsonl: line 1: .*messages' evaluate "$work/no_messages.jsonl"
expect_error "a line that is not JSON" 3 'no_json.jsonl: line 1' evaluate "$work/no_json.jsonl"
expect_error "an image that is not there" 3 'none.png' evaluate "$work/no_image.jsonl"
expect_error "no items" 3 'expected items, found none' evaluate "$work/empty.jsonl"
finish
