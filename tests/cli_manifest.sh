#!/usr/bin/env bash
# minicpmv verify --manifest: a copy of the golden files that is whole, and some that are not.
. "$(dirname "$0")/command_line.sh"
copy=$work/golden
mkdir "$copy"
cp -r golden/cases golden/demo golden/images golden/models golden/manifest.json golden/README.md "$copy"
whole() { "$PROGRAM" verify --manifest "$copy/manifest.json" "$@"; }
dump=cases/single/golden.safetensors

plan 12
expect "the repository's files" 0 '^whole: [0-9]+ files, [0-9]+ tensors$' "$PROGRAM" verify --manifest golden/manifest.json
expect "JSON" 0 '^\{"files": [0-9]+, "tensors": [0-9]+, "failed": 0, "problems": \[\], "made_with": \{.*"torch": "' whole --json
printf 'x' | dd of="$copy/$dump" bs=1 seek=$(($(stat -c %s "$copy/$dump") - 1)) conv=notrunc status=none
expect "a byte that differs" 1 "^$dump: XXH3 is [0-9a-f]{16}, the manifest says [0-9a-f]{16}$" whole
expect "the tensor that it is in" 1 "^$dump: [a-z_.0-9]+: XXH3 is " whole
expect "JSON names both" 1 '"failed": 2, .*"file": "cases/single/golden.safetensors", "tensor": null, .*"tensor": "[a-z]' whole --json
head -c 100 "golden/$dump" >"$copy/$dump"
expect "a file that is cut" 1 "^$dump: .*cut short" whole
rm "$copy/$dump"
expect "a file that is missing" 1 "^$dump: missing$" whole
cp "golden/$dump" "$copy/$dump"
touch "$copy/images/more.png" && mkdir "$copy/cases/another"
expect "a file that is too much" 1 '^images/more.png: not in the manifest$' whole
expect "a folder that is too much" 1 '^cases/another: not in the manifest$' whole
expect_error "a manifest that is not there" 3 'nowhere: cannot be opened' "$PROGRAM" verify --manifest nowhere
echo '{"files": {}}' >"$copy/manifest.json"
expect_error "a manifest without files" 3 'manifest.json: files: expected' whole
expect_error "cases besides" 2 '--manifest takes no cases' whole golden/cases/single
finish
