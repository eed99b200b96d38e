#!/usr/bin/env bash
# The rules of the source tree: which folder may include which, no instruction set in model code, file names unique,
# headers that compile alone.
set -u
cd "$(dirname "$0")/.."
CC=${CC:-gcc}
count=0 failed=0

# The folders that a folder may include besides itself.
declare -A MAY_INCLUDE=(
    [include]=""
    [core]="include"
    [formats]="core include"
    [ref]="formats core include"
    [video]="formats core include"
    [simd/kernels]="core include"
    [blas]="simd/kernels core include"
    [simd/engine]="simd/kernels ref video formats core include"
    [api]="simd/engine simd/kernels blas ref video formats core include"
    [cli]="api simd/engine simd/kernels blas ref video formats core include"
    [tests]="cli api simd/engine simd/kernels blas ref video formats core include"
    [examples]="include"
    [bench]="cli api simd/engine simd/kernels blas ref video formats core include"
)
MODEL_CODE=(formats ref video api simd/engine)
INSTRUCTION_SETS='(\b|_)(avx[0-9]*|avx512[a-z0-9_]*|sse[0-9_]*|amx|neon|sve|fma3?|x86(_64)?|aarch64)(\b|_)|mmintrin|\b_mm[0-9]*_|__m(128|256|512)'

# report NAME FINDINGS: ok where there are none.
report() {
    count=$((count + 1))
    if [ -z "$2" ]; then
        echo "ok $count - $1"
    else
        failed=1
        echo "not ok $count - $1"
        sed 's/^/# /' <<<"$2"
    fi
}

# Files below FOLDER... (all folders without it) whose names end in the given letters ("c|h").
files() {
    local endings=$1
    shift
    find "${@:-.}" \( -name build -o -name 'build-*' -o -name '.?*' -o -name __pycache__ \) -prune -o -type f -print 2>/dev/null |
        grep -E "\.($endings)\$" | sed 's|^\./||' | sort
}

sources() {
    files 'c|h' "$@"
}

# The folder of the table above that a path lies in; its first part where none fits.
layer_of() {
    local folder
    for folder in "${!MAY_INCLUDE[@]}"; do
        [[ $1 == "$folder"/* ]] && echo "$folder" && return
    done
    echo "${1%%/*}"
}

check_directions() {
    local line file included from to
    sources | xargs grep -HnE '^ *# *include *"' | while IFS= read -r line; do
        file=${line%%:*}
        included=$(sed -E 's/.*# *include *"([^"]*)".*/\1/' <<<"$line")
        # Examples are compiled as a user of the library would, with -Iinclude.
        [[ $file == examples/* && -e include/$included ]] && included=include/$included
        [ -e "$included" ] || { echo "${line%:*}: $included is not a path from the repository's root"; continue; }
        from=$(layer_of "$file")
        to=$(layer_of "$included")
        [ "$from" = "$to" ] && continue
        [[ -v MAY_INCLUDE[$from] ]] || { echo "$file: the folder $from has no place in the order of dependencies"; continue; }
        [[ " ${MAY_INCLUDE[$from]} " == *" $to "* ]] || echo "$(cut -d: -f1,2 <<<"$line"): $from/ may not include $included"
    done
}

check_model_code() {
    sources "${MODEL_CODE[@]}" | xargs -r grep -HniE "$INSTRUCTION_SETS"
}

check_names() {
    files 'c|h|S|def|py|sh|mk' | sed 's|.*/||' | sort | uniq -d
}

# All but the texts of kernels that each variant completes, and what is put in front of kernels.
check_headers() {
    local header
    for header in $(sources | grep '\.h$' | grep -vE '^(simd/kernels/[^/]*_(tiles|walk)\.h|tests/emulated/.*)$'); do
        "$CC" -std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -fsyntax-only -include "$header" -x c /dev/null 2>&1 |
            sed -n "s|^|$header: |p" | head -n 3
    done
}

echo 1..4
report "includes point one way" "$(check_directions)"
report "model code names no instruction set" "$(check_model_code)"
report "file names are unique" "$(check_names)"
report "headers compile alone" "$(check_headers)"
exit $failed
