#!/usr/bin/env bash
# Makes .venv with the Python packages of the live comparisons and of golden/, unless it is there already.
# Exit code 4 where Python or the packages cannot be had.
set -uo pipefail
cd "$(dirname "$0")/.."

packages=(torch==2.13.0 transformers==4.51.3 pillow==13.0.0 numpy==2.4.6 safetensors xxhash scipy gguf==0.19.0)
wanted="${packages[*]}"
mark=.venv/packages.txt

[ -f "$mark" ] && [ "$(cat "$mark")" = "$wanted" ] && exit 0

unavailable() {
    echo "make_venv.sh: $*" >&2
    exit 4
}

tests/install_deps.sh python3 python3-venv || unavailable "python3 and python3-venv cannot be installed"
echo "making .venv with $wanted (a few minutes, about 1.5 GB, more where pip takes torch with CUDA)" >&2
rm -rf .venv
python3 -m venv .venv || unavailable "python3 -m venv failed"
.venv/bin/pip install --quiet --disable-pip-version-check "${packages[@]}" ||
    unavailable "pip could not install $wanted"
echo "$wanted" >"$mark"
