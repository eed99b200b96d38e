#!/usr/bin/env bash
# Builds the program and lets it answer about an image. The model is the small random one of the repository: it shows
# that every part runs, from the PNG to the text, and knows nothing.
#
# usage: golden/demo.sh [IMAGE]
set -euo pipefail
cd "$(dirname "$0")/.."

make --no-print-directory deps
make --no-print-directory -j"$(nproc)" >&2

image=${1:-golden/images/frame06.png}
question="What is in the image?"
echo "The model golden/models/base-f32 is random (1.4 MB, never trained). Its answer is noise, the same on every machine."
echo
echo "\$ build/minicpmv chat -m golden/models/base-f32 -i $image -p \"$question\" --max-new-tokens 32"
build/minicpmv chat -m golden/models/base-f32 -i "$image" -p "$question" --max-new-tokens 32
echo
echo "For real answers, give -m a folder with the weights of MiniCPM-V 4.5."
