#!/usr/bin/env bash
# minicpmv eval, and what the demo model in golden/demo is worth.
. "$(dirname "$0")/command_line.sh"
model=golden/demo

evaluate() { "$PROGRAM" eval -m $model --task "$@"; }
# task NAME TEXT: a task file beside copies of nothing; image paths in it do not exist.
task() { printf '%s\n' "$2" >"$work/$1"; }

# Every tenth held-out item, with paths that hold from here.
awk 'NR % 10 == 1' $model/heldout.jsonl | sed "s|\"path\": \"|&$PWD/$model/|g" >"$work/some.jsonl"
items=$(wc -l <"$work/some.jsonl")
question='"messages": [{"role": "user", "content": "Is there a red circle?"}], "ability": "a"'
task text.jsonl "{$question, \"answer\": \"nobody says this\", \"max_new_tokens\": 2}"
task no_json.jsonl "{$question"
task no_answer.jsonl "{$question}"
task no_messages.jsonl '{"ability": "a", "answer": "b"}'
task no_image.jsonl '{"messages": [{"role": "user", "content": [{"type": "image", "path": "none.png"}]}], "ability": "a", "answer": "b"}'
task empty.jsonl ''

# accuracy of an ability (or of all) in percent.
accuracy() { sed "s/.*\"$1\": {\"items\": [0-9]*, \"accuracy\": \([0-9.]*\).*/\1/" "$work/out" | awk '{ print 100 * $1 }'; }
at_least() {
    result "$1: at least $2 % are right" "$(awk -v found="$(accuracy "$1")" -v least="$2" \
        'BEGIN { if (!(found >= least)) print found " %" }')"
}
