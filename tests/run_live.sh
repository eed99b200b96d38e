#!/usr/bin/env bash
# Runs tests/live/*.py, which compare the program with the Python originals, and sums their results like run_tests.sh.
#
# usage: HF_CODE=DIR tests/run_live.sh [--build-status N]
#
# HF_CODE is a folder with the model's Python files (modeling_minicpmv.py and its neighbours); tests that need it skip
# where it is not given. LLAMA_CPP and LLAMA_CPP_LIB are the source folder and the libraries of a llama.cpp. PYTHON names an interpreter that has the packages; without it .venv is made.
set -uo pipefail
cd "$(dirname "$0")/.."

if [ -z "${PYTHON:-}" ]; then
    if ! tests/make_venv.sh; then
        echo "SKIP tests/live: the Python packages cannot be had here"
        echo "0 passed, 0 failed, $(find tests/live -name '*.py' | wc -l) skipped"
        exit 0
    fi
    PYTHON=.venv/bin/python
fi
export PYTHON
export LLAMA_CPP=${LLAMA_CPP:-} LLAMA_CPP_LIB=${LLAMA_CPP_LIB:-} HF_CODE=${HF_CODE:-} HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1
exec tests/run_tests.sh "$@" tests/live/*.py
