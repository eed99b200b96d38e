#!/usr/bin/env bash
# Damaged and contradictory models, odd images, prompts without meaning: a clear error and the right exit code from the
# whole program, or an answer where the Hugging Face model answers.
. "$(dirname "$0")/command_line.sh"
base=golden/models/base-f32 sharded=golden/models/foreach-f16 image=golden/images/frame06.png
# broken NAME: a copy of the base model to be damaged.
broken() {
    rm -rf "${work:?}/$1"
    cp -r "$base" "$work/$1"
}
# edit FILE FROM TO: replaces a text that must be there.
edit() {
    grep -q -- "$2" "$1" || echo "# $1 has no $2"
    sed -i "s/$2/$3/" "$1"
}
ask() {
    local model=$1
    shift
    "$PROGRAM" chat -m "$model" -p "What is this?" --max-new-tokens 2 --no-sampling "$@"
}

plan 31
weights=$(stat -c %s "$base/model.safetensors")
for part in 4 100 $((weights / 2)) $((weights - 1)); do
    broken cut && head -c "$part" "$base/model.safetensors" >"$work/cut/model.safetensors"
    expect_error "weights cut to $part bytes" 3 'cut/model.safetensors: ' ask "$work/cut"
done
broken empty && : >"$work/empty/model.safetensors"
expect_error "weights of 0 bytes" 3 'empty/model.safetensors: ' ask "$work/empty"
broken none && rm "$work/none/model.safetensors"
expect_error "no weights" 3 'none' ask "$work/none"
broken header && printf '\xff\xff\xff\xff\xff\xff\xff\x7f' | dd of="$work/header/model.safetensors" conv=notrunc status=none
expect_error "a header of 2^63 bytes" 3 'header/model.safetensors: ' ask "$work/header"

cp -r "$sharded" "$work/shard" && rm "$work/shard/model-00001-of-00002.safetensors"
expect_error "a missing shard" 3 'model-00001-of-00002.safetensors' ask "$work/shard"
broken wide && edit "$work/wide/config.json" '"intermediate_size": [0-9]*' '"intermediate_size": 999'
expect_error "a configuration that contradicts the weights" 3 'expects shape .*999.*the file has' ask "$work/wide"
broken deep && edit "$work/deep/config.json" '"num_hidden_layers": [0-9]*' '"num_hidden_layers": 7'
expect_error "a configuration of more layers" 3 'the weights have no tensor .*layers' ask "$work/deep"
broken queries && edit "$work/queries/preprocessor_config.json" '"image_feature_size": [0-9]*' '"image_feature_size": 9'
expect_error "query_num and image_feature_size disagree" 3 'query_num.*image_feature_size' ask "$work/queries"
broken patches && edit "$work/patches/preprocessor_config.json" '"patch_size": [0-9]*' '"patch_size": 7'
expect_error "patch_size of the two files disagree" 3 'patch_size = 14.*has 7' \
    "$PROGRAM" dump -m "$work/patches" -i "$image" -p "What is this?" -o "$work/patches.safetensors"
broken key && edit "$work/key/config.json" '"hidden_size"' '"hidden_sise"'
expect_error "a misspelt key" 3 'config.json has no hidden_size' ask "$work/key"
broken json && head -c 200 "$base/config.json" >"$work/json/config.json"
expect_error "a configuration that is cut" 3 'config.json' ask "$work/json"
broken vocabulary && head -c 200 "$base/vocab.json" >"$work/vocabulary/vocab.json"
expect_error "a vocabulary that is cut" 3 'vocab.json' ask "$work/vocabulary"
broken merges && echo "no such" >>"$work/merges/merges.txt"
expect_error "a merge of unknown tokens" 3 'merges.txt' ask "$work/merges"
broken nan
# The last weights of the file become NaN: the model must say so, not loop.
head -c "$((weights - 4096))" "$base/model.safetensors" >"$work/nan/model.safetensors"
head -c 4096 /dev/zero | tr '\0' '\377' >>"$work/nan/model.safetensors"
expect_error "weights that are NaN" 3 'score of token' ask "$work/nan" -i "$image"

# pnm WIDTH HEIGHT FILE: a gray image.
pnm() {
    { printf 'P5\n%d %d\n255\n' "$1" "$2"; head -c $(($1 * $2)) /dev/zero | tr '\0' '\200'; } >"$3"
}
for size in "1 4000" "4000 1" "4000 3" "2 2" "1 1"; do
    # shellcheck disable=SC2086
    pnm $size "$work/odd.pgm"
    case $size in
    "1 4000" | "2 2") expect "an image of ${size/ / x }" 0 '.' ask "$base" -i "$work/odd.pgm" ;;
    *) expect_error "an image of ${size/ / x }" 3 '1 or 3 pixels high' ask "$base" -i "$work/odd.pgm" ;;
    esac
done
expect_error "an empty file for an image" 3 'null' ask "$base" -i /dev/null
printf 'GIF89a' >"$work/stub.gif"
expect_error "a GIF that ends behind its name" 3 'stub.gif: ' ask "$base" -i "$work/stub.gif"
expect_error "a file that is no model" 3 'README.md: expected a model, which is a folder in Hugging Face layout or a GGUF file' ask README.md
mkfifo "$work/pipe"
expect_error "a pipe for a model" 3 'pipe: expected a regular file, found a pipe' ask "$work/pipe"
expect_error "a pipe for an image" 3 'pipe: expected a regular file, found a pipe' ask "$base" -i "$work/pipe"
expect_error "text that is no UTF-8" 3 'UTF-8' "$PROGRAM" chat -m "$base" -p $'a\xc3'
expect "an empty question" 0 '' "$PROGRAM" chat -m "$base" -p "" --max-new-tokens 1
mkdir "$work/case" && echo '{"model": "'"$PWD/$base"'", "conversations": [[]], "generate": []}' >"$work/case/case.json"
expect_error "a conversation without messages" 3 'case.json|conversation' "$PROGRAM" verify "$work/case"
mkdir "$work/none2" && echo '{"model": "'"$PWD/$base"'", "conversations": [], "generate": []}' >"$work/none2/case.json"
expect_error "a case without conversations" 3 'case.json|conversation' "$PROGRAM" verify "$work/none2"
finish
