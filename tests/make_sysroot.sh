#!/usr/bin/env bash
# Unpacks the Debian libraries of another architecture into a folder that a cross compiler (--sysroot) and qemu
# (QEMU_LD_PREFIX) take for the root. The system's own packages are left alone, and root is not needed.
#
# usage: tests/make_sysroot.sh ARCHITECTURE FOLDER        ARCHITECTURE as dpkg names it: arm64
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }

architecture=$1 folder=$2
packages=(libc6-dev libjansson-dev libjpeg62-turbo-dev libwebp-dev libpng-dev libxxhash-dev libcriterion-dev)
made_from="$architecture ${packages[*]}"
[ "$(cat "$folder/made-from" 2>/dev/null)" != "$made_from" ] || exit 0

echo "making $folder" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
: >"$work/status" # nothing is installed: everything that the packages need is fetched
apt=(apt-get -qq -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture" -o "Dir::State=$work/state"
     -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User="$(id -un)")
"${apt[@]}" update
"${apt[@]}" -y --no-install-recommends --download-only install "${packages[@]}" >/dev/null

rm -rf "$folder"
mkdir -p "$folder"
for package in "$work"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$folder" --exclude=./usr/share
done
echo "$made_from" >"$folder/made-from"
