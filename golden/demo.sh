#!/usr/bin/env bash
# Builds the program and lets the small model of the repository answer about pictures that it has never seen: a scene
# with small text, a dialogue, two pictures, a clip.
#
# usage: golden/demo.sh
set -euo pipefail
cd "$(dirname "$0")/.."

make --no-print-directory deps
make --no-print-directory -j"$(nproc)" >&2

model=golden/demo
pictures=$model/heldout
chat=(build/minicpmv chat -m $model --no-sampling --num-beams 1 --repetition-penalty 1 --no-stream --quiet)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ask QUESTION... -- OPTION...: one dialogue; the options say about what.
ask() {
    local questions=() i
    while [ "$1" != -- ]; do
        questions+=("$1")
        shift
    done
    shift
    printf '%s\n' "${questions[@]}" | "${chat[@]}" "$@" >"$work/answers"
    for i in "${!questions[@]}"; do
        echo "  asked    ${questions[i]}"
        echo "  answered $(sed -n "$((i + 1))p" "$work/answers")"
    done
}

shows() { echo && echo "$*"; }

echo "$model is a MiniCPM-V 4.5 of 4.6 million parameters, trained on drawn scenes alone. It knows the questions of"
echo "these scenes and no others; the ones below were chosen from those that it answers rightly."

shows "$pictures/136-0.png: shapes, and signs whose letters can be read in the slices of the picture only"
ask "What does the orange sign say?" -- -i $pictures/136-0.png
ask "What colour is the star?" -- -i $pictures/136-0.png

shows "$pictures/051-0.png: two questions, the second about the first one's answer"
ask "What colour is the star?" "Where is it?" -- -i $pictures/051-0.png
ask "图里有什么？" -- -i $pictures/051-0.png

shows "$pictures/182-0.png and 182-1.png: which has more"
ask "Which picture has more shapes?" -- -i $pictures/182-0.png -i $pictures/182-1.png

shows "$pictures/268-0.png, -1 and -2: three frames in one block of tokens, told apart by their times"
mkdir "$work/clip"
cp $pictures/268-[012].png "$work/clip"
ask "What happens?" -- --video "$work/clip" --frame-rate 1 --fps 1 --force-packing 3 --use-image-id 1

shows "How often it is right (build/minicpmv eval -m $model --task $model/heldout.jsonl):"
sed -n '/^| ability/,/^$/p' $model/README.md
echo "For real answers about real pictures, give -m a folder with the weights of MiniCPM-V 4.5."
