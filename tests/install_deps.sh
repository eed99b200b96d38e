#!/usr/bin/env bash
# Installs the Debian packages that building and testing need and that are missing, and says which.
#
# usage: tests/install_deps.sh [PACKAGE...]   (with names: those instead)
set -euo pipefail

packages=(gcc clang make pkg-config clang-format libclang-rt-14-dev libjansson-dev libjpeg62-turbo-dev libwebp-dev libpng-dev
          libxxhash-dev libopenblas-dev libcriterion-dev libavformat-dev libavcodec-dev libswscale-dev libavutil-dev ffmpeg
          qemu-user libsimde-dev)
[ $# -eq 0 ] || packages=("$@")

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
echo "installing: ${missing[*]}" >&2
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "not root, and there is no sudo: install these packages by hand" >&2; exit 4; }
    as_root=(sudo)
fi
"${as_root[@]}" apt-get -qq update
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get -qq -y install --no-install-recommends "${missing[@]}" >/dev/null
