#!/usr/bin/env bash
# minicpmv synth: random models, here in the shapes of a small one.
. "$(dirname "$0")/command_line.sh"
base=golden/models/base-f32
synth() { "$PROGRAM" synth --like "$base" "$@"; }

plan 21
expect "a model" 0 "^$work/a: 703616 bytes of weights in 1 file$" synth -o "$work/a"
expect "it is complete" 0 '^all +75 +351808 +703616$' "$PROGRAM" inspect "$work/a"
expect "it answers" 0 '.' "$PROGRAM" chat -m "$work/a" -i golden/images/scene.png -p "What is it?" --max-new-tokens 4
expect "JSON" 0 '^\{"folder": ".*/again", "bytes": 703616, "files": 1\}$' synth -o "$work/again" --json --threads 3
weights() { cat "$work/$1"/*.safetensors; }
result "the same seed gives the same weights, whatever the number of threads" "$(cmp <(weights a) <(weights again) 2>&1)"
synth -o "$work/other" --seed 1 >/dev/null
result "another seed gives others" "$(cmp -s <(weights a) <(weights other) && echo 'the same')"
expect "another type" 0 ': 1407232 bytes' synth -o "$work/f32" --dtype f32
expect_error "no folder" 2 '\-\-output is needed' synth
expect_error "an unknown type" 2 'expected bf16, f16 or f32' synth -o "$work/x" --dtype int8
expect_error "layers beside --like" 2 'do not go with --like' synth -o "$work/x" --layers 2
expect_error "a model that is not there" 3 'none/config.json: cannot be opened' "$PROGRAM" synth --like "$work/none" -o "$work/x"
expect_error "a file in place of the folder" 3 'README.md' synth -o README.md
full() (
    ulimit -f 400 # blocks of 1024 bytes
    trap '' XFSZ
    synth -o "$work/full"
)
expect_error "no room for the weights" 3 'full/model-00001.safetensors: cannot be written: File too large' full
result "what fails leaves nothing behind" "$(ls -d "$work"/full* 2>/dev/null)"
mkdir "$work/full" && echo mine >"$work/full/merges.txt"
full 2>/dev/null
result "but for what was there before" "$(ls "$work/full" | tr '\n' ' ' | grep -v '^merges.txt $')"
rm -r "$work/full"
interrupted() {
    "$PROGRAM" synth --layers 1 -o "$work/interrupted" & # of the full shapes, which takes a while
    until ls "$work"/interrupted/model-*.part >/dev/null 2>&1; do kill -0 $! || break; sleep 0.05; done
    kill -TERM $!
    wait $!
    [ $? -eq 143 ] || echo "exit code $?, expected 143"
    ls -d "$work"/interrupted* 2>/dev/null
}
result "nor does what is interrupted" "$(interrupted 2>/dev/null)"
expect "a pair of GGUF files" 0 "^$work/pair: [0-9]+ bytes of weights in 2 files$" synth -o "$work/pair" --format gguf --type Q4_0
result "its tensors are those of the configuration" "$("$PROGRAM" inspect "$work/pair/model.gguf" --mmproj "$work/pair/mmproj.gguf" 2>&1 | grep problem)"
expect "it answers" 0 '.' "$PROGRAM" chat -m "$work/pair/model.gguf" --mmproj "$work/pair/mmproj.gguf" -p "What is it?" --max-new-tokens 4
synth -o "$work/pair3" --format gguf --type Q4_0 --threads 3 >/dev/null
result "the same files whatever the number of threads" "$(cmp "$work/pair/model.gguf" "$work/pair3/model.gguf")"
expect_error "a format that is not known" 2 'expected safetensors or gguf' synth -o "$work/x" --format onnx
finish
