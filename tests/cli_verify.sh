#!/usr/bin/env bash
# minicpmv verify: golden cases, damaged ones, several runs, reports.
. "$(dirname "$0")/command_line.sh"
verify=("$PROGRAM" verify)

mkdir "$work/cases"
ln -s "$PWD/golden/models" "$PWD/golden/images" "$work"

# copy_case NAME: a copy of a golden case whose files can be spoilt; prints its folder.
copy_case() {
    local copy
    copy=$(mktemp -d "$work/cases/$1.XXXXXX")
    cp golden/cases/"$1"/* "$copy"
    echo "$copy"
}

# header_size FILE: where the data of a safetensors file begins.
header_size() {
    echo $((8 + $(od -An -tu8 -N8 "$1")))
}

# spoil FILE OFFSET BYTES: overwrites bytes of the data; BYTES as printf escapes.
spoil() {
    printf "$3" | dd of="$1" bs=1 seek=$(($(header_size "$1") + $2)) conv=notrunc status=none
}

# offset_of FILE TENSOR: where its data begins behind the header.
offset_of() {
    head -c "$(header_size "$1")" "$1" | grep -aoE "\"$2\":[^}]*" | sed -E 's/.*data_offsets":\[([0-9]+),.*/\1/'
}

single=golden/cases/single
plan 72
expect "a case" 0 '^all equal: [0-9]+ comparisons in 1 case$' "${verify[@]}" "$single"
expect "by its file" 0 '^all equal: ' "${verify[@]}" "$single/case.json"
expect "a line a tensor, with the distances to the exact run" 0 \
    '^llm.lm_head +\[1, 1, [0-9]+\] +F32 .* 1\.0+ +[0-9]+ +[0-9]+ +[0-9]+ +[0-9.]+e-[0-9]+ +[0-9.]+e-[0-9]+  \[.*golden .* ok$' "${verify[@]}" "$single"
expect "a batch" 0 '^all equal: ' "${verify[@]}" golden/cases/batch
expect "several cases" 0 '^all equal: [0-9]+ comparisons in 3 cases$' "${verify[@]}" golden/cases/{single,batch,video-groups}
result "standard error is empty where all is well" "$("${verify[@]}" "$single" 2>&1 >/dev/null)"
expect "one run a number of threads" 0 '^all equal' "${verify[@]}" golden/cases/batch --threads 1,2,3 --expect-bitwise
expect "the order of Pillow's passes" 0 '^all equal' "${verify[@]}" "$single" --pillow 13.0

# Damage. The bytes behind the last tensor's start are of attention_mask, as tensors of larger elements come first.
case=$(copy_case single)
spoil "$case/golden.safetensors" "$(offset_of "$case/golden.safetensors" vpm.embeddings)" '\x00\x00\x00\x7f'
expect "a value that differs" 1 '^first divergence: single.*: vpm.embeddings: ' "${verify[@]}" "$case"
expect "its line in the table" 1 '^vpm.embeddings .*FAIL: rel_l2 .* at most 1e-05; worst at \[0, 0, 0\]: ' "${verify[@]}" "$case"
expect "what is equal stays so" 1 '^vpm +.* ok$' "${verify[@]}" "$case"
"${verify[@]}" "$case" >/dev/null 2>"$work/err"
result "the outcome is on standard error, too" "$(grep -q '1 of .* comparisons differ in 1 of 1 cases, the first: .*vpm.embeddings' "$work/err" || cat "$work/err")"
expect "a bad case beside a good one" 1 '^first divergence: single.*: vpm.embeddings' "${verify[@]}" "$single" "$case"
spoil "$case/golden.safetensors" "$(offset_of "$case/golden.safetensors" vpm.embeddings)" '\x00\x00\xc0\x7f'
expect "a NaN" 1 'vpm.embeddings: not finite at \[0, 0, 0\]' "${verify[@]}" "$case"
case=$(copy_case single)
spoil "$case/golden.safetensors" "$(offset_of "$case/golden.safetensors" input_ids)" '\x01'
expect "an id that differs" 1 '^first divergence: .*: input_ids: must be equal; first unequal at \[0, 0\]' "${verify[@]}" "$case"
case=$(copy_case single)
spoil "$case/golden.safetensors" "$(offset_of "$case/golden.safetensors" generated_ids.greedy)" '\x01'
expect "a generated id that differs" 1 '^first divergence: .*: generated_ids.greedy: must be equal' "${verify[@]}" "$case"
case=$(copy_case single)
spoil "$case/golden.safetensors" "$(offset_of "$case/golden.safetensors" pixel_values.0.0)" '\x01'
expect "a pixel that differs" 1 '^first divergence: .*: pixel_values.0.0: must be equal' "${verify[@]}" "$case"
case=$(copy_case single)
sed -i 's/"llm.lm_head":/"llm.lm_heax":/' "$case/golden.safetensors" "$case/exact.safetensors"
expect "a tensor that the model does not make" 1 'first divergence: .*: llm.lm_heax: missing' "${verify[@]}" "$case"
case=$(copy_case single)
sed -i 's/"text": "/"text": "x/' "$case/case.json"
expect "another question" 1 '^first divergence: .*: prompts: unequal from byte' "${verify[@]}" "$case"

expect_error "no case" 2 'expected CASE\.\.\., found 0' "${verify[@]}"
expect_error "a case that is not there" 3 'nowhere: cannot be opened' "${verify[@]}" nowhere
expect_error "a folder without case.json" 3 'case.json: cannot be opened' "${verify[@]}" golden/models
case=$(copy_case single)
truncate -s 5000 "$case/golden.safetensors"
expect_error "a golden file that is cut" 3 'golden.safetensors: ' "${verify[@]}" "$case"
rm "$case/golden.safetensors"
expect_error "a golden file that is not there" 3 'golden.safetensors: cannot be opened' "${verify[@]}" "$case"
case=$(copy_case single)
sed -i 's/"role": "user"/"role": "judge"/' "$case/case.json"
expect_error "a case that has no meaning" 3 'case single.*role "judge"' "${verify[@]}" "$case"
sed -i 's/"model": /"models": /' "$case/case.json"
expect_error "a case without a model" 2 'names no model: --model is needed' "${verify[@]}" "$case"
expect_error "a folder of cases" 3 'golden/cases: expected a case, found a folder of cases: golden/cases/\* names them all' "${verify[@]}" golden/cases
expect_error "a model that is not there" 3 'nowhere: cannot be opened' "${verify[@]}" "$single" -m nowhere
expect "another model" 1 'first divergence: single: ' "${verify[@]}" "$single" -m golden/models/foreach-f16
expect_error "numbers of threads" 2 'expected whole numbers' "${verify[@]}" "$single" --threads 1,,2
expect_error "--expect-bitwise of one run" 2 'needs several runs' "${verify[@]}" "$single" --expect-bitwise
for dtype in bf16 int8 int4; do
    expect "the fast engine in $dtype" 0 '^all equal: [0-9]+ comparisons in 3 cases$' "${verify[@]}" golden/cases/{single,foreach,video-groups} --engine fast --dtype $dtype
done
expect "what is only shown is counted apart" 0 '^only shown, as nothing is demanded of them: 4 comparisons$' "${verify[@]}" "$single" --engine fast --dtype bf16
result "and marked" "$([ "$(grep -c '  shown$' "$work/out")" -eq 4 ] && grep -q '^all equal: 74 comparisons in 1 case$' "$work/out" || cat "$work/out")"
expect "and is what was not held" 0 '^nothing held: ' "${verify[@]}" "$single" --engine fast --dtype bf16 --filter '^text\.'
expect "in JSON" 0 '"first_divergence": null, "held": 74, "shown": 4, ' "${verify[@]}" "$single" --engine fast --dtype bf16 --json
expect "line by line" 0 '^\{"case": "single", "name": "text.greedy", .*"shown": true\}$' "${verify[@]}" "$single" --engine fast --dtype bf16 --format jsonl

case=$(copy_case single)
spoil "$case/golden.safetensors" "$(offset_of "$case/golden.safetensors" vpm.embeddings)" '\x00\x00\x00\x7f'
"${verify[@]}" "$single" "$case" --junit "$work/junit.xml" >/dev/null 2>&1
result "JUnit" "$(grep -q '<testsuite name="single" tests="[0-9]*" failures="0">' "$work/junit.xml" &&
    [ "$(grep -c '<failure ' "$work/junit.xml")" -eq 1 ] || cat "$work/junit.xml")"
if command -v python3 >/dev/null; then
    json() {
        "${verify[@]}" --json "${@:2}" 2>/dev/null | python3 -c "import json,sys; r=json.load(sys.stdin); t={(x['case'],x['name']): x for x in r['tensors']}; sys.exit(0 if $1 else repr(r)[:1000])" 2>&1
    }
    result "JSON of a case that is right" "$(json "r['cases'] == 1 and r['failed'] == 0 and r['first_divergence'] is None and all(x['pass'] and x['max_abs'] >= 0 and x['rel_l2'] < 2e-6 and x['cosine'] > 0.999 for x in r['tensors']) and t['single', 'vpm']['exact_rel_l2'] < t['single', 'vpm']['golden_exact_rel_l2'] / 2" "$single")"
    result "JSON of one that differs" "$(json "r['cases'] == 2 and r['failed'] == 1 and r['first_divergence'] == 'vpm.embeddings' and [x['name'] for x in r['tensors'] if not x['pass']] == ['vpm.embeddings']" "$single" "$case")"
else
    skip "JSON of a case that is right" "python3 is not installed"
    skip "JSON of one that differs" "python3 is not installed"
fi
if command -v script >/dev/null; then
    script -qec "'$PROGRAM' verify golden/cases/single" "$work/typescript" >/dev/null 2>&1
    result "progress on a terminal" "$(grep -q 'single: [0-9]*/[0-9]*' "$work/typescript" || head -c 300 "$work/typescript")"
    script -qec "'$PROGRAM' verify --quiet golden/cases/single" "$work/typescript" >/dev/null 2>&1
    result "none with --quiet" "$(! grep 'single: [0-9]*/[0-9]*' "$work/typescript" || true)"
else
    skip "progress on a terminal" "script is not installed"
    skip "none with --quiet" "script is not installed"
fi
cp -r golden/cases/text-only "$work/cut_short"
head -c 1000 golden/cases/text-only/golden.safetensors >"$work/cut_short/golden.safetensors"
sed -i "s|../../models|$PWD/golden/models|" "$work/cut_short/case.json"
expect "a case that cannot be run keeps no other from being run" 3 '^all equal: [0-9]+ comparisons in 1 case$' "$PROGRAM" verify "$work/cut_short" golden/cases/text-only
expect "JSON tells why it was not run" 3 '"errors": \[\{"case": ".*cut_short", "error": ".*cut short' "$PROGRAM" verify --json "$work/cut_short" golden/cases/text-only
"$PROGRAM" verify --junit "$work/errors.xml" "$work/cut_short" golden/cases/text-only >/dev/null 2>&1
expect "JUnit has it as a failure" 0 'failure message=".*cut short' grep failure "$work/errors.xml"

# What is looked at.
expect "a stage" 0 '^all equal: 27 comparisons' "${verify[@]}" "$single" --stage vision
result "nothing else is shown" "$("${verify[@]}" "$single" --stage vision | grep -E '^(llm|resampler|prompts|input_ids)')"
expect "several stages and a filter" 0 '^all equal: 2 comparisons' "${verify[@]}" "$single" --stage resampler,llm --filter 'resampler.attn|lm_head'
expect "texts alone" 0 '^all equal: 2 comparisons' "${verify[@]}" "$single" --filter '^text\.'
expect "a case without the stage is passed over" 0 '^all equal: [0-9]+ comparisons in 1 case$' "${verify[@]}" "$single" golden/cases/text-only --stage vision
expect_error "a stage that no case has" 2 '^minicpmv verify: --stage vision: nothing in these cases is of that name' "${verify[@]}" golden/cases/text-only --stage vision
expect_error "a filter that matches nothing" 2 '^minicpmv verify: --stage llm --filter nosuch: nothing in these' "${verify[@]}" "$single" golden/cases/text-only --stage llm --filter nosuch --json
expect_error "a stage that is none" 2 "there is no stage 'visions'" "${verify[@]}" "$single" --stage visions
expect_error "a filter that is no regular expression" 2 'no regular expression' "${verify[@]}" "$single" --filter '('
expect "the first difference ends it" 1 '^first divergence: single: temporal_ids' "${verify[@]}" "$single" golden/cases/batch -m golden/models/foreach-f16 --fail-fast
result "nothing is compared behind it" "$([ "$(grep -c ' ok$\|FAIL' "$work/out")" -eq 2 ] || cat "$work/out")"

# What is demanded.
tolerances() { printf '%s\n' "$@" >"$work/tolerances"; }
tolerances '* * llm.lm_head rel_l2=1e-9' '* * input_ids equal' '* * * shown'
expect "a tighter limit" 1 'single: llm.lm_head: rel_l2 [0-9.]*e-07, at most 1e-09; worst at \[0, 0, [0-9]*\]' "${verify[@]}" "$single" --tol "$work/tolerances"
tolerances '* * llm.lm_head cosine=1.5' '* * * shown'
expect "a cosine" 1 'llm.lm_head: cosine 1.000000000, at least 1.500000000' "${verify[@]}" "$single" --tol "$work/tolerances"
tolerances 'fast * * shown' 'ref f32 vpm.* shown'
expect_error "a tensor that no line matches" 3 'no line for engine ref, dtype f32, tensor prompts' "${verify[@]}" "$single" --tol "$work/tolerances"
tolerances '* * llm.lm_heat equal' '* * * shown'
"${verify[@]}" "$single" --tol "$work/tolerances" >/dev/null 2>"$work/err"
result "a line that no tensor matches" "$(grep -q 'no tensor is named llm.lm_heat' "$work/err" || cat "$work/err")"
expect_error "a file without lines" 3 'expected rules, found none' "${verify[@]}" "$single" --tol /dev/null

# Forms of the report.
"${verify[@]}" "$single" --format junit >"$work/junit.xml"
expect "JUnit on standard output" 0 '<testsuite name="single" tests="78" failures="0">' cat "$work/junit.xml"
expect "a JSON object a line" 0 '^\{"case": "single", "name": "llm.lm_head", "stage": "llm", "pass": true,' "${verify[@]}" "$single" --format jsonl
expect "the last has the counts" 0 '^\{"cases": 1, "failed": 0, "first_divergence": null, "held": [0-9]+, "shown": 0, "not_run": 0\}$' "${verify[@]}" "$single" --format jsonl
expect_error "a form that is none" 2 'expected text, json, jsonl or junit' "${verify[@]}" "$single" --format xml

# A wrong weight is seen in its module alone where every module gets golden input.
cp -r golden/models/base-f32 "$work/spoilt"
spoil "$work/spoilt/model.safetensors" "$(offset_of "$work/spoilt/model.safetensors" llm.model.layers.0.mlp.up_proj.weight)" '\x00\x00\x80\x40'
expect "a wrong weight" 1 '^first divergence: single: llm.model.layers.0.mlp.up_proj: ' "${verify[@]}" "$single" -m "$work/spoilt"
result "what follows differs, too" "$([ "$(grep -c FAIL "$work/out")" -gt 10 ] || cat "$work/out")"
expect "golden input for each module" 1 '^first divergence: single: llm.model.layers.0.mlp.up_proj: ' "${verify[@]}" "$single" -m "$work/spoilt" --inject
result "no other module differs" "$([ "$(grep '^llm\|^vpm\|^resampler' "$work/out" | grep -c FAIL)" -eq 1 ] || grep FAIL "$work/out")"
expect "golden input where all is right" 0 '^all equal: [0-9]+ comparisons in 3 cases' "${verify[@]}" golden/cases/{batch,foreach,video-groups} --inject --threads 1,3 --expect-bitwise
finish
