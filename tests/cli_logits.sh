#!/usr/bin/env bash
# minicpmv logits: shown, kept, held to what was kept.
. "$(dirname "$0")/command_line.sh"
logits=("$PROGRAM" logits)
single=golden/cases/single model=golden/models/base-f32
question=("${logits[@]}" -m $model -i golden/images/scene.png -p "What is it?")

plan 34
expect "hashes and best tokens" 0 '^batch\[2\]  [0-9a-f]{32}  21 "6" 7\.2783, 136 ' "${logits[@]}" golden/cases/batch --top-k 2
expect "a question" 0 '^question\[0\]  [0-9a-f]{32}  ' "${question[@]}"
expect "JSON" 0 '^\{"count": 1, "rows": \[\{"case": "single", "conversation": 0, "xxh3_128": "[0-9a-f]{32}", "top": \[\{"id": 136, "logit": 8\.356' "${logits[@]}" "$single" --json
cases=(golden/cases/{single,batch,foreach})
expect "kept" 0 '^foreach\[0\]' "${logits[@]}" "${cases[@]}" --save "$work/kept"
expect "the same again" 0 '^all equal: ' "${logits[@]}" "${cases[@]}" --check "$work/kept" --expect-bitwise --threads 3
expect "a row" 0 '^single\[0\]  [0-9a-f]{32}  max_abs 0.00e\+00  kl 0.00e\+00  top_k 1.00  same bits  ok$' "${logits[@]}" "${cases[@]}" --check "$work/kept"
expect "all numbers" 0 '^logits.batch +F32 +\[3, 462\]' "$PROGRAM" inspect "$work/kept"
expect "hashes alone" 0 '^foreach' "${logits[@]}" "${cases[@]}" --save "$work/kept.json"
expect "the same hashes" 0 '^all equal: ' "${logits[@]}" "${cases[@]}" --check "$work/kept.json"
expect "who made them" 0 '"engine": "ref"' cat "$work/kept.json"
expect "one case as .npy" 0 '^question' "${question[@]}" --save "$work/kept.npy"
expect "held to it" 0 '^all equal: ' "${question[@]}" --check "$work/kept.npy" --expect-bitwise
expect_error "two cases as .npy" 2 'a .npy file holds one case' "${logits[@]}" "${cases[@]}" --save "$work/two.npy" --json
expect "written again" 0 '^foreach' "${logits[@]}" "${cases[@]}" --save "$work/kept.json"
cp golden/models/base-f32/config.json "$work/config.json"
cp golden/models/base-f32/model.safetensors "$work/model"
expect_error "into a file that is something else" 3 'model: not a file of kept logits; it is left as it is' "${question[@]}" --save "$work/model"
expect_error "onto standard output" 2 '--save -: expected a file' "${question[@]}" --save -
expect_error "into another .json file" 3 'config.json: not a file of kept logits' "${question[@]}" --save "$work/config.json"
result "both are left as they are" "$(cmp "$work/model" golden/models/base-f32/model.safetensors 2>&1; cmp "$work/config.json" golden/models/base-f32/config.json 2>&1)"
expect_error "two cases as .npy, before any is run" 2 'a .npy file holds one case' "${logits[@]}" "$single" nowhere --save "$work/two.npy"

# Another model: other numbers.
"${logits[@]}" -m golden/demo -p ho --save "$work/ho" >/dev/null
expect "another question" 1 '^first divergence: question\[0\]: max_abs [0-9.]+, at most 0.001$' "${logits[@]}" -m golden/demo -p hi --check "$work/ho"
expect "other hashes" 1 "^single\[0\] .*FAIL: hash [0-9a-f]{32}, expected [0-9a-f]{32}; best token 451, expected 136$" "${logits[@]}" "$single" -m golden/models/identity-bf16 --check "$work/kept.json"
expect "a case that was not kept" 1 'kept: has nothing of text-only, conversation 0' "${logits[@]}" golden/cases/text-only --check "$work/kept"
expect "a vocabulary of another size" 1 'numbers a row, expected' "${logits[@]}" -m golden/demo -p hi --check "$work/kept.npy"

# Another best token is excused below the margin, and counted.
printf '* * logits max_abs=100 margin=0\n' >"$work/strict"
printf '* * logits max_abs=100 margin=100\n' >"$work/lenient"
expect "a flip" 1 'best token [0-9]+, expected 136, which leads by 0.0179, not below 0$' "${logits[@]}" "$single" -m golden/models/identity-bf16 --check "$work/kept" --tol "$work/strict"
expect "counted" 1 '^1 rows, 1 with another best token, 0 of them excused$' "${logits[@]}" "$single" -m golden/models/identity-bf16 --check "$work/kept" --tol "$work/strict"
expect "an excused one" 0 '^1 rows, 1 with another best token, 1 of them excused$' "${logits[@]}" "$single" -m golden/models/identity-bf16 --check "$work/kept" --tol "$work/lenient"
expect "in JSON" 0 '"excused": true, .*"failed": 0, "flips": 1, "excused": 1, "first_divergence": null' "${logits[@]}" "$single" -m golden/models/identity-bf16 --check "$work/kept" --tol "$work/lenient" --json
expect "bits are not excused" 1 'FAIL: hash' "${logits[@]}" "$single" -m golden/models/identity-bf16 --check "$work/kept" --tol "$work/lenient" --expect-bitwise

expect_error "no prompt and no case" 2 '--prompt is needed' "${logits[@]}" -m $model
expect_error "no model" 2 '--model is needed' "${logits[@]}" -p hi
expect_error "a prompt and a case" 2 '--prompt and cases exclude each other' "${logits[@]}" "$single" -p hi
expect_error "bits of nothing" 2 '--expect-bitwise goes with --check' "${logits[@]}" "$single" --expect-bitwise
expect_error "a file that is not there" 3 'nowhere' "${logits[@]}" "$single" --check nowhere
echo '{"rows": [{"case": "single", "conversation": 0}]}' >"$work/damaged.json"
expect_error "a file without hashes" 3 'damaged.json: rows\[0\]' "${logits[@]}" "$single" --check "$work/damaged.json"

finish
