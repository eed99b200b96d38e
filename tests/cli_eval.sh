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

plan 39
expect "held-out items as JSON" 0 "^\{\"items\": $items, \"accuracy\": [0-9.]*, \"by_ability\": \{" \
    evaluate "$work/some.jsonl" --json --answers "$work/answers"
at_least 93
result "as many answers as items" "$([ "$(wc -l <"$work/answers")" -eq "$items" ] || wc -l "$work/answers")"
expect "a table; a wrong answer is wrong" 0 '^all +1 +0\.00 %$' evaluate "$work/text.jsonl"
expect_error "no answer to compare with" 3 'no_answer.jsonl: line 1: .*answer' evaluate "$work/no_answer.jsonl"
expect_error "no messages" 3 'no_messages.jsonl: line 1: .*messages' evaluate "$work/no_messages.jsonl"
expect_error "a line that is not JSON" 3 'no_json.jsonl: line 1: column [0-9]+: not valid JSON: ' evaluate "$work/no_json.jsonl"
expect_error "an image that is not there" 3 'none.png' evaluate "$work/no_image.jsonl"
expect_error "no items" 3 'expected items, found none' evaluate "$work/empty.jsonl"

# Perplexity, divergence from a kept run, a run that goes on.
eval=("$PROGRAM" eval -m $model)
printf 'Is there a red circle? How many squares are left of it? %s' "$(seq -s ' ' 40)" >"$work/text"
number() { sed -nE "s/^$1 +([0-9.e+-]+)$/\1/p" "$work/out"; }
expect "perplexity of a text" 0 '^perplexity +[0-9.]+$' "${eval[@]}" --text "$work/text" --context 16 --save "$work/kept"
result "it is exp of the mean" "$(awk -v p="$(number perplexity)" -v nll="$(number nll)" 'BEGIN { q = p / exp(nll); if (!(q > 0.9999 && q < 1.0001)) print p, nll }')"
tokens=$(number tokens) perplexity=$(number perplexity)
expect "kept logits" 0 "^all: $tokens tensors|^all +$tokens " "$PROGRAM" inspect "$work/kept"
expect "no divergence from itself" 0 '"kl": 0.0, "max_kl": 0.0, "max_abs": 0.0, "top_1": 1.0, "flips": 0, "excused": 0\}' "${eval[@]}" --text "$work/text" --context 16 --check "$work/kept" --max-kl 0 --json
expect_error "more context is another run" 3 'kept: is of another evaluation: context was 16, is 64' "${eval[@]}" --text "$work/text" --context 64 --check "$work/kept"
tr 'a' 'e' <"$work/text" >"$work/text2"
expect_error "another text of the same length" 3 'kept: is of another evaluation: input was "[0-9a-f]{32}", is "' "${eval[@]}" --text "$work/text2" --context 16 --check "$work/kept"
cp "$work/text" "$work/text3"
expect "the same text under another name" 0 '^kl +0$' "${eval[@]}" --text "$work/text3" --context 16 --check "$work/kept"
# noted SED_SCRIPT: the kept file with another note of what it is of, as long as before.
noted() { sed "$1" "$work/kept" >"$work/noted"; }
noted 's/"input":"{/"input":"[/'
expect_error "a note that is no JSON" 3 'noted: metadata: input: expected a JSON object, found \["eval"' "${eval[@]}" --text "$work/text" --context 16 --check "$work/noted"
noted 's/"input":"{/"other":"{/'
expect "without a note it is taken" 0 '^kl +0$' "${eval[@]}" --text "$work/text" --context 16 --check "$work/noted"
"${eval[@]}" --text "$work/text" --context 16 --resume "$work/results" >"$work/whole"
head -c $(($(stat -c %s "$work/results") - 20)) "$work/results" >"$work/broken_off"
expect "a run that was broken off goes on" 0 "^perplexity +$perplexity$" "${eval[@]}" --text "$work/text" --context 16 --resume "$work/broken_off" --threads 1
result "to the same results" "$(cmp "$work/results" "$work/broken_off" 2>&1)"
expect_error "results of something else" 3 'is of another evaluation' "${eval[@]}" --text "$work/text" --context 32 --resume "$work/results"
cp "$work/results" "$work/again"
eval_at() { "$PROGRAM" eval --text "$work/text" --context 16 --resume "$work/again" -m "$@"; }
expect "the same model by another path" 0 "^perplexity +$perplexity$" eval_at "./$model/../demo"
expect "and another spelling of the options" 0 "^perplexity +$perplexity$" eval_at $model --engine fast --dtype stored
expect_error "another precision" 3 'is of another evaluation: engine was .*"llm":"stored".*, is .*"llm":"int8"' eval_at $model --dtype int8
cp -r $model "$work/model"
printf '\x00\x00\x80\x3f' | dd of="$work/model/model.safetensors" bs=1 seek=$(($(stat -c %s "$work/model/model.safetensors") - 4)) conv=notrunc status=none
expect_error "another model by the same name" 3 'is of another evaluation: model was' eval_at "$work/model"
# An answer that thoughts lead to is not likely without them.
grep -v enable_thinking "$work/some.jsonl" | head -n 6 >"$work/few.jsonl"
expect "likelihood of answers" 0 '"items": 6, "tokens": [0-9]+, "nll": [0-9.]+, "perplexity": [0-9.]+\}$' "${eval[@]}" --task "$work/few.jsonl" --likelihood --json
likely=$(sed -nE 's/.*"perplexity": ([0-9.]+)\}$/\1/p' "$work/out")
result "the demo model expects them" "$(awk -v p="${likely:-99}" 'BEGIN { if (!(p < 10)) print "perplexity", p }')"
"${eval[@]}" --task "$work/few.jsonl" --resume "$work/answers_results" --answers "$work/answers" >/dev/null
"${eval[@]}" --task "$work/few.jsonl" --resume "$work/answers_results" --answers "$work/answers_again" >"$work/out"
result "answers that are not given again are written again" "$(cmp "$work/answers" "$work/answers_again" 2>&1; grep -qE '^all +6 ' "$work/out" || cat "$work/out")"
expect_error "neither task nor text" 2 'expected --task or --text' "${eval[@]}"
expect_error "both" 2 'expected --task or --text' "${eval[@]}" --task "$work/few.jsonl" --text "$work/text"
expect_error "--save of answers" 2 'goes with --text or --likelihood' "${eval[@]}" --task "$work/few.jsonl" --save "$work/x"
expect_error "answers over the task" 2 'would take the place of' "${eval[@]}" --task "$work/few.jsonl" --answers "$work/few.jsonl"
expect_error "--answers of a text" 2 'nothing is answered' "${eval[@]}" --text "$work/text" --answers "$work/x"
expect_error "--max-kl without --check" 2 'goes with --check' "${eval[@]}" --text "$work/text" --max-kl 1
expect_error "--resume and --save" 2 'exclude each other' "${eval[@]}" --text "$work/text" --resume "$work/x" --save "$work/y"
expect_error "a text that is empty" 3 'no token to be predicted' "${eval[@]}" --text /dev/null
expect_error "a text that is not there" 3 'nowhere' "${eval[@]}" --text nowhere
expect_error "logits that are not there" 3 'nowhere' "${eval[@]}" --text "$work/text" --check nowhere
expect_error "numbers into .json" 2 'keeps no numbers' "${eval[@]}" --text "$work/text" --save "$work/x.json"
finish
