#!/usr/bin/env bash
# Rebuilds everything below golden/ that is made by a program: images, models, golden tensors, manifest. On an x86 CPU
# with AVX2 and the packages of tests/make_venv.sh every byte comes out as committed (`git diff` shows what did not).
#
# usage: HF_CODE=DIR [TOKENIZER=DIR] golden/rebuild.sh
#
# HF_CODE: the folder with the model's Python files. TOKENIZER: the folder with the public tokenizer_config.json and
# special_tokens_map.json (HF_CODE unless given). PYTHON: an interpreter that has the packages; without it .venv is made.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${HF_CODE:-}" ]; then
    echo "rebuild.sh: HF_CODE is not set; expected the folder with modeling_minicpmv.py and its neighbours" >&2
    exit 2
fi
if [ -z "${PYTHON:-}" ]; then
    tests/make_venv.sh
    PYTHON=.venv/bin/python
fi
"$PYTHON" golden/draw_images.py
"$PYTHON" golden/make_models.py --hf-code "$HF_CODE" --tokenizer "${TOKENIZER:-$HF_CODE}"
"$PYTHON" golden/dump.py --hf-code "$HF_CODE" --case golden/cases/*
"$PYTHON" golden/manifest.py
