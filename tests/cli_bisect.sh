#!/usr/bin/env bash
# minicpmv bisect: a model against another whose weights are spoilt in one place, and against its dump.
. "$(dirname "$0")/command_line.sh"
bisect=("$PROGRAM" bisect --quiet --case golden/cases/single)
model=golden/models/base-f32

# offset_of FILE TENSOR: where its bytes begin in a safetensors file.
offset_of() {
    local size
    size=$(od -An -tu8 -N8 "$1")
    echo $((8 + size + $(head -c $((8 + size)) "$1" | grep -aoE "\"$2\":[^}]*" | sed -E 's/.*data_offsets":\[([0-9]+),.*/\1/')))
}

# spoilt TENSOR: a copy of the model with a 2.0 as the first element of a weight; prints its folder.
spoilt() {
    local copy=$work/$1
    cp -r "$model" "$copy"
    printf '\x00\x00\x00\x40' |
        dd of="$copy/model.safetensors" bs=1 seek="$(offset_of "$copy/model.safetensors" "$1")" conv=notrunc status=none
    echo "$copy"
}

plan 24
expect "a model and itself" 0 '^no module differs given equal inputs: [0-9]+ compared$' "${bisect[@]}" "$model" "$model"
deep=$(spoilt llm.model.layers.1.mlp.down_proj.weight)
expect "a weight of the last layer" 1 '^first module that differs given equal inputs: llm.model.layers.1.mlp.down_proj$' "${bisect[@]}" "$model" "$deep"
expect "the other way round" 1 '^first module that differs given equal inputs: llm.model.layers.1.mlp.down_proj$' "${bisect[@]}" "$deep" "$model"
expect "what only follows from it is right" 1 '^llm.lm_head +0.00e\+00 +0.00e\+00 +[0-9.]+e-[0-9]+  ok$' "${bisect[@]}" "$model" "$deep"
early=$(spoilt vpm.encoder.layers.0.self_attn.v_proj.weight)
expect "a weight of the first layer" 1 '^first module that differs given equal inputs: vpm.encoder.layers.0.self_attn.v_proj$' "${bisect[@]}" "$model" "$early"
expect "two faults, each given the other's input" 1 'llm.model.layers.1.mlp.down_proj +[0-9.]+e-[0-9]+ +[0-9.]+e-[0-9]+ +[0-9.]+e-[0-9]+  DIFFERS: rel_l2' "${bisect[@]}" "$early" "$deep"
expect "a limit that it stays within" 0 '^no module differs' "${bisect[@]}" "$model" "$deep" --limit 1e9

"$PROGRAM" dump --quiet -m "$deep" --case golden/cases/single -o "$work/dump.safetensors" >/dev/null
expect "a model and a dump" 1 '^first module that differs given equal inputs: llm.model.layers.1.mlp.down_proj$' "${bisect[@]}" "$model" "$work/dump.safetensors"
expect "a dump and a model" 1 '^llm.model.layers.1.mlp.down_proj +[0-9.]+e-[0-9]+ +- +' "${bisect[@]}" "$work/dump.safetensors" "$model"
expect "PyTorch's run" 0 '^no module differs' "${bisect[@]}" "$model" golden/cases/single/golden.safetensors
sed 's/llm.model.layers.1.mlp.down_proj"/their.number.ab.of.layers.1.down"/' "$work/dump.safetensors" >"$work/theirs.safetensors"
printf '%s\n' 'their\.number\.ab\.of\.layers\.([0-9]+)\.down llm.model.layers.\1.mlp.down_proj' >"$work/names.txt"
expect "a dump under names of its own" 1 '^first module that differs given equal inputs: llm.model.layers.1.mlp.down_proj$' "${bisect[@]}" "$model" "$work/theirs.safetensors" --names "$work/names.txt"
expect "a question of the command line" 1 '^first module that differs given equal inputs: llm.model.layers.1.mlp.down_proj$' "$PROGRAM" bisect --quiet "$model" "$deep" -p "What is this?" -i golden/images/scene.png
question=("$PROGRAM" bisect --quiet "$model" -i golden/images/scene.png)
expect "prompts of other lengths" 1 '^the prompts differ, .*: 1 x [0-9]+ ids in A, 1 x [0-9]+ in B, the first that differs at \[0, [0-9]+\]: [0-9]+ in A, [0-9]+ in B$' "${question[@]}" golden/models/foreach-f16 -p "What is this?"
"$PROGRAM" dump --quiet -m "$model" -i golden/images/scene.png -p "What is that?" -o "$work/that.safetensors" >/dev/null
expect "told of A and B" 1 '^first difference as they are: .*, B ' "${question[@]}" golden/models/foreach-f16 -p "What is this?"
result "nothing is called golden" "$(grep ', golden' "$work/out")"
expect "another word" 1 '^the prompts differ, .* the first that differs at \[0, [0-9]+\]' "${question[@]}" "$work/that.safetensors" -p "What is this?"
expect "a prompt that goes on" 1 '"prompts_differ": *"1 x [0-9]+ ids in A, 1 x [0-9]+ in B' "${question[@]}" "$work/that.safetensors" -p "What is that? And this?" --json
make_dump "$work/other.safetensors" '{"nothing.known":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' '\0\0\0\0'
result "nothing in common" "$("${question[@]}" "$work/other.safetensors" -p Hi 2>&1 | grep -q 'have no tensor in common' || echo "not said")"
expect_error "two dumps" 2 'one side at least must be a model that the reference runs' "${bisect[@]}" "$work/dump.safetensors" golden/cases/single/golden.safetensors
expect "the fast engine against the reference" 0 '^no module differs given equal inputs' "${bisect[@]}" "$model" "$model" --engine fast
expect "another model in the fast engine" 1 '^first module that differs given equal inputs: llm.model.layers.1.mlp.down_proj$' "${bisect[@]}" "$model" "$deep" --engine fast
expect_error "an engine for a dump" 2 'is a dump' "${bisect[@]}" "$model" "$work/dump.safetensors" --engine fast
expect_error "a side that is not there" 3 'nowhere' "${bisect[@]}" "$model" nowhere
if command -v python3 >/dev/null; then
    result "JSON" "$("${bisect[@]}" --json "$model" "$early" 2>/dev/null | python3 -c "import json,sys; r=json.load(sys.stdin); m={x['name']: x for x in r['modules']}; sys.exit(0 if r['first'] == r['first_as_is'] == 'vpm.encoder.layers.0.self_attn.v_proj' and [n for n in m if m[n]['differs']] == [r['first']] and m['llm.lm_head']['b_given_a'] == 0 and m['llm.lm_head']['as_is'] > 0 else repr(r)[:800])" 2>&1)"
else
    skip "JSON" "python3 is not installed"
fi
finish
