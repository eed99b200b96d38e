#!/usr/bin/env bash
# minicpmv inspect: model folders and safetensors files, whole and damaged.
. "$(dirname "$0")/command_line.sh"
model=golden/models/base-f32
inspect=("$PROGRAM" inspect)

# damaged_model SED_SCRIPT FILE: a copy of the model with one file edited; prints its folder.
damaged_model() {
    local copy
    copy=$(mktemp -d "$work/model.XXXXXX")
    cp "$model"/* "$copy"
    sed -i "$1" "$copy/$2"
    echo "$copy"
}

plan 29
expect "a model" 0 '^language model +[0-9]+ layers, hidden ' "${inspect[@]}" "$model"
expect "its vision encoder" 0 '^vision encoder +[0-9]+ layers.* patches of 14, [0-9]+ x [0-9]+ positions' "${inspect[@]}" "$model"
expect "its tokenizer" 0 '^tokenizer +[0-9]+ ids' "${inspect[@]}" "$model"
expect "its tensors" 0 '^llm.model.norm.weight +F32 +\[[0-9]+\]' "${inspect[@]}" "$model"
expect "its components" 0 '^resampler +[0-9]+ +[0-9]+ +[0-9]+$' "${inspect[@]}" "$model"
result "no problems" "$("${inspect[@]}" "$model" | grep -E '^(problem|not used)')"
expect "types other than F32" 0 '^llm.model.norm.weight +BF16 ' "${inspect[@]}" golden/models/wide-bf16-tied
expect "a file alone" 0 '^llm.lm_head +F32 +\[1, 1, ' "${inspect[@]}" golden/cases/single/golden.safetensors
expect "fingerprints" 0 '^llm.lm_head +F32 +\[1, 1, [0-9]+\] +[0-9a-f]{32}$' "${inspect[@]}" --hash golden/cases/single/golden.safetensors

renamed=$(damaged_model 's/"llm.model.norm.weight"/"llm.model.norn.weight"/' model.safetensors)
expect "a tensor that is missing" 3 '^problem: llm.model.norm.weight: missing, expected \[[0-9]+\]$' "${inspect[@]}" "$renamed"
expect "a tensor that is not known" 3 '^not used: llm.model.norn.weight$' "${inspect[@]}" "$renamed"
expect "a shape that contradicts the configuration" 3 '^problem: resampler.query: shape \[[0-9]+, [0-9]+\], expected \[5, ' \
    "${inspect[@]}" "$(damaged_model 's/"query_num": [0-9]*/"query_num": 5/' config.json)"
expect_error "a configuration that is no JSON" 3 'config.json: ' "${inspect[@]}" "$(damaged_model '1d' config.json)"
# with FILE COMMAND...: a copy of the model in whose folder the command is run on the file; prints its folder.
with() {
    local copy file=$1
    shift
    copy=$(damaged_model '' config.json)
    (cd "$copy" && "$@" "$file")
    echo "$copy"
}
unreadable() { rm -f "$1" && ln -s "$1" "$1"; } # a link to itself: whoever is root reads everything else
for file in generation_config.json added_tokens.json special_tokens_map.json vocab.json tokenizer_config.json preprocessor_config.json; do
    expect "$file that is cut" 3 "^problem: .*/$file: .*not valid JSON" "${inspect[@]}" "$(with "$file" truncate -s 60)"
done
expect "merges that are cut" 3 '^problem: .*: no merge gives [0-9]+ tokens of the vocabulary, the first is ' "${inspect[@]}" "$(with merges.txt truncate -s 150)"
expect "merges that are empty" 3 '^problem: .*/merges.txt: the file is empty' "${inspect[@]}" "$(with merges.txt truncate -s 0)"
expect "another chat template" 3 '^problem: .*/chat_template.jinja: expected the chat template' "${inspect[@]}" "$(with chat_template.jinja touch)"
expect "a settings file that cannot be read" 3 '^problem: .*/tokenizer_config.json: cannot be opened' "${inspect[@]}" "$(with tokenizer_config.json unreadable)"
expect_error "weights that cannot be read" 3 'model.safetensors: cannot be opened' "${inspect[@]}" "$(with model.safetensors unreadable)"
expect "a configuration without shapes" 3 '^problem: config.json has no .*hidden_size' "${inspect[@]}" "$(damaged_model 's/"hidden_size"/"hidden_sise"/' config.json)"
cut=$(damaged_model '' config.json)
truncate -s 100000 "$cut/model.safetensors"
expect_error "weights that are cut" 3 'model.safetensors: ' "${inspect[@]}" "$cut"
expect_error "a path that is not there" 3 'nowhere' "${inspect[@]}" nowhere
if command -v python3 >/dev/null; then
    json() {
        "${inspect[@]}" --json "${@:2}" 2>/dev/null | python3 -c "import json,sys; r=json.load(sys.stdin); sys.exit(0 if $1 else repr(r)[:500])" 2>&1
    }
    result "JSON of a model" "$(json "r['problems'] == [] and r['config']['num_hidden_layers'] > 0 and r['tokenizer_size'] > 0 and sum(c['tensors'] for c in r['components'].values()) == r['all']['tensors'] == len(r['tensors']) and sum(t['bytes'] for t in r['tensors']) == r['all']['bytes'] == 4 * r['all']['parameters']" "$model")"
    result "JSON of a damaged one" "$(json "len(r['problems']) == 1 and r['unexpected'] == ['llm.model.norn.weight']" "$renamed")"
else
    skip "JSON of a model" "python3 is not installed"
    skip "JSON of a damaged one" "python3 is not installed"
fi
finish
