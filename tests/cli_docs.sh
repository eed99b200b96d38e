#!/usr/bin/env bash
# The commands in docs/conformance.md's sh blocks and in docs/ci, as they stand there; and golden/names, whose rules must
# lead to names that golden files have.
. "$(dirname "$0")/command_line.sh"
root=$PWD build=${BUILD:-build} page=docs/conformance.md GGML_FLAGS=${GGML_FLAGS:-}

# The checkout with this build under the name that the page uses, for commands that write files.
checkout=$work/checkout
mkdir "$checkout" "$checkout/build"
ln -s "$root"/{golden,cli,docs,tests} "$checkout"
ln -s "$root/$PROGRAM" "$checkout/build/minicpmv"
ln -s "$root/$build/tests" "$checkout/build/tests"

# commands: a line each, without the remark; in front of it the exit code and a blank.
commands() {
    sed -n '/^```sh$/,/^```$/p' "$page" | grep -v '^```' |
        sed -E 's/^(.*[^ ])  # exit code ([0-9])$/\2 \1/; t; s/^/0 /'
    sed -nE 's/^ *(run:|-) (build\/minicpmv .*)$/0 \2/p' docs/ci/*.yml
}

# try CODE COMMAND: runs a line of the page in the checkout.
try() {
    local status
    if [[ $2 == *test_kernels* && ! -x $checkout/build/tests/test_kernels ]]; then
        skip "$2" "test_kernels was not built (ThreadSanitizer)"
        return
    fi
    (cd "$checkout" && bash -c "$2") >"$work/out" 2>&1
    status=$?
    result "$2" "$([ "$status" -eq "$1" ] || { echo "exit code $status, expected $1"; tail -n 5 "$work/out"; })"
}

# rules FILE: "THEIRS GOLDEN" with 1 for the number of the layer; rules that leave tensors out or are no plain name are
# passed over.
rules() {
    grep -vE '^ *(#|$)' "$1" | while read -r theirs golden; do
        [[ $golden == - || $theirs == *'|'* ]] && continue
        theirs=${theirs//'([0-9]+)'/1} theirs=${theirs//\\./.}
        echo "$theirs ${golden//\\1/1}"
    done
}

# check_names FILE RULES: a dump of ours under their names is right once it has gone through the map.
check_names() {
    local rules=0 problem="" theirs golden dump
    dump=$work/$(basename "$1" .txt)
    cp -r "$work/ours" "$dump"
    while read -r theirs golden; do
        [ -e "$work/ours/$golden.npy" ] || problem="$problem$golden is no name of a golden tensor
"
        mv "$work/ours/$golden.npy" "$dump/$theirs.npy" 2>/dev/null
        cp "$work/right/$golden.npy" "$work/ours/$golden.npy" 2>/dev/null
        rm -f "$dump/$golden.npy"
        rules=$((rules + 1))
    done < <(rules "$1")
    [ "$rules" -ge "$2" ] || problem="$problem$rules rules, at least $2 expected"
    "$PROGRAM" diff "$dump" golden/cases/single/golden.safetensors --names "$1" --common --format jsonl >"$work/out" 2>&1 ||
        problem="$problem$(tail -n 3 "$work/out")"
    while read -r theirs golden; do
        grep -q "\"name\": \"$golden\".*\"pass\": true" "$work/out" || problem="$problem$golden was not compared
"
    done < <(rules "$1")
    result "$1" "$problem"
}

if [ "${MODE:-release}" != release ]; then
    echo "1..0 # SKIP the page's commands are tried with the release build"
    exit 0
fi
mapfile -t lines < <(commands | awk '!seen[$0]++')
plan $((${#lines[@]} + 6))
result "commands were found" "$([ ${#lines[@]} -ge 25 ] || echo "${#lines[@]}")"
for line in "${lines[@]}"; do
    try "${line%% *}" "${line#* }"
done
"$PROGRAM" dump --quiet --case golden/cases/single --format npy -o "$work/right" >/dev/null
cp -r "$work/right" "$work/ours"
check_names golden/names/llama.cpp-language.txt 13
check_names golden/names/llama.cpp-vision.txt 12
check_names golden/names/vllm.txt 1
awk '/^```cpp$/ { shown = 1; next } /^```$/ { shown = 0 } shown' "$page" >"$work/dump.cpp"
echo 'int main() { dump_tensor(nullptr, true, nullptr); dump_write("."); }' >>"$work/dump.cpp"
if echo '#include <ggml-backend.h>' | g++ $GGML_FLAGS -fsyntax-only -x c++ - 2>/dev/null; then
    result "the callback for ggml compiles" "$(g++ $GGML_FLAGS -std=c++17 -Wall -Wextra -fsyntax-only "$work/dump.cpp" 2>&1)"
else
    skip "the callback for ggml compiles" "no headers of ggml; GGML_FLAGS=-IDIR tells where they are"
fi
# The links of the page lead somewhere.
result "links" "$(grep -oE '\]\([^)#]+\)' "$page" | tr -d '])(' | while read -r path; do [ -e "docs/$path" ] || echo "$path"; done)"
finish
