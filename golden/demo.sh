#!/usr/bin/env bash
# Builds the program and lets the small model of the repository answer about pictures that it has never seen: a scene
# with small text, a dialogue, a clip.
#
# usage: golden/demo.sh
set -euo pipefail
cd "$(dirname "$0")/.."

make --no-print-directory deps
make --no-print-directory -j"$(nproc)" >&2

model=golden/demo
chat=(build/minicpmv chat -m $model --no-sampling --num-beams 1 --repetition-penalty 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ask IMAGE QUESTION...: one dialogue.
ask() {
    local image=$1 i
    shift
    printf '%s\n' "$@" | "${chat[@]}" -i "$image" --no-stream >"$work/answers"
    echo "picture  $image"
    for ((i = 1; i <= $#; i++)); do
        echo "asked    ${!i}"
        echo "answered $(sed -n "${i}p" "$work/answers")"
    done
    echo
}

# watch ITEM: the held-out item about a clip whose first frame is ITEM.
watch() {
    grep -m 1 "heldout/$1-0.png" $model/heldout.jsonl | sed "s|\"path\": \"|&$PWD/$model/|g" >"$work/clip.jsonl"
    build/minicpmv eval -m $model --task "$work/clip.jsonl" --answers "$work/answers" --quiet >"$work/score"
    echo "clip     $model/heldout/$1-0.png, -1, -2: one block of tokens, told apart by their times"
    echo "asked    $(sed 's/.*"type": "text", "text": "\([^"]*\)".*/\1/' "$work/clip.jsonl")"
    echo "answered $(tr -d '"' <"$work/answers")"
    echo
}

echo "$model is a MiniCPM-V 4.5 of 4.7 million parameters, trained on drawn scenes alone (its README tells how)."
echo
ask $model/heldout/270-0.png "What does the orange sign say?"
ask $model/heldout/270-0.png "How many moons are there?"
ask $model/heldout/025-0.png "What is at the top?" "Where is it?"
watch 389
echo "How often it is right, by ability: build/minicpmv eval -m $model --task $model/heldout.jsonl"
echo "For real answers about real pictures, give -m a folder with the weights of MiniCPM-V 4.5."
