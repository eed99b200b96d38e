#!/usr/bin/env bash
# Plants faults in the program, one at a time, and shows that `verify` catches each on a golden case and names the
# module that it is in. Prints a row a fault and ends with "N passed, N failed, N skipped".
#
# usage: tests/mutations/plant_faults.sh FILE [WORDS]
#        FILE: the faults, as in faults.txt; with WORDS: only those whose description has them
#
# A fault replaces one piece of one source file. That file alone is compiled; the rest comes from the objects of the
# build that is there. `make mutations` sets what is needed: PROGRAM, COMPILE and LINK (commands; without warnings, as
# a fault may leave a variable without use), OBJECTS and LIBRARIES (what the program is linked from).
#
# A fault passes where `verify --inject` (each module goes on from golden values) finds the case right without it, and
# with it exits with 1, its first divergence being of the expected module, and no other module failing. Anything else
# fails: a text that is not in the source exactly once, a build that breaks, a case that is still right, a fault that is
# found elsewhere, a crash.
set -uo pipefail
cd "$(dirname "$0")/../.."
: "${PROGRAM:?}" "${COMPILE:?}" "${LINK:?}" "${OBJECTS:?}" "${LIBRARIES:?}"
file=$1 words=${2:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# read_faults: one folder a fault, holding files of its name, file, case, module, old and new text.
read_faults() {
    local line folder="" number=0 key
    while IFS= read -r line; do
        case $line in
            '#'* | '') ;;
            'fault: '*)
                number=$((number + 1))
                folder=$work/$(printf %03d $number)
                mkdir "$folder"
                printf '%s' "${line#*: }" >"$folder/fault"
                ;;
            'file: '* | 'case: '* | 'module: '* | 'also: '*)
                key=${line%%:*}
                printf '%s' "${line#*: }" >"$folder/$key"
                ;;
            '- '*) printf '%s\n' "${line#- }" >>"$folder/old" ;;
            '+ '* | '+') printf '%s\n' "${line:2}" >>"$folder/new" ;;
            *) echo "$file: a line that is none of its form: $line" >&2; exit 2 ;;
        esac
    done <"$file"
}

# plant FOLDER: writes the file with the fault; fails with a word where the old text is not in it exactly once.
plant() {
    local file old new source without
    file=$(<"$1/file") old=$(<"$1/old") new=$(<"$1/new")
    source=$(<"$file") || return 1
    without=${source//"$old"/}
    if [ $((${#source} - ${#without})) -ne ${#old} ]; then
        echo "its text is in $file $(((${#source} - ${#without}) / ${#old})) times"
        return 1
    fi
    printf '%s\n' "${source/"$old"/"$new"}" >"$1/source.c"
}

# first_divergence FILE: the name in the last line of verify's table.
first_divergence() {
    sed -nE 's/^first divergence: [^:]*: ([^:]*): .*/\1/p' "$1"
}

# others FILE MODULES: the names in verify's table that fail besides MODULES in any layer. Wrong inputs cannot be put
# right for the modules, and answers are not of one module: those do not count.
others() {
    [[ $2 =~ ^(vpm|resampler|inputs_embeds|llm) ]] || return 0
    grep '  FAIL: ' "$1" | cut -d ' ' -f 1 |
        grep -vE "^($(sed -E 's/layers\\\.[0-9]+/layers\\.[0-9]+/g' <<<"$2")|generated_ids\..*|text\..*)\$"
}

# judge FOLDER: "ok NAME" where the fault is found in its module, else "FAIL why".
judge() {
    local folder=$1 case module modules words status found others
    case=golden/cases/$(<"$folder/case") module=$(<"$folder/module")
    modules=$module$([ ! -e "$folder/also" ] || printf '|%s' "$(<"$folder/also")")
    words=$(plant "$folder") || { echo "FAIL it does not apply: $words"; return; }
    $COMPILE -c -o "$folder/source.o" "$folder/source.c" 2>"$folder/errors" &&
        $LINK -o "$folder/program" "$folder/source.o" $OBJECTS $LIBRARIES 2>>"$folder/errors" ||
        { echo "FAIL it does not build: $(head -n 1 "$folder/errors")"; return; }
    "$PROGRAM" verify --inject --quiet --threads 1 "$case" >"$folder/right" 2>&1 ||
        { echo "FAIL the case is wrong without it: $(tail -n 1 "$folder/right")"; return; }
    timeout 60 "$folder/program" verify --inject --quiet --threads 1 "$case" >"$folder/table" 2>"$folder/errors"
    status=$?
    found=$(first_divergence "$folder/table") others=$(others "$folder/table" "$modules" | tr '\n' ' ')
    if [ $status -eq 0 ]; then
        echo "FAIL not caught"
    elif [ $status -ne 1 ]; then
        echo "FAIL exit code $status: $(head -n 1 "$folder/errors")"
    elif [[ ! $found =~ ^($module)$ ]]; then
        echo "FAIL found at $found, not in $module"
    elif [ -n "$others" ]; then
        echo "FAIL found at $found, but not alone: $others"
    else
        echo "ok $found"
    fi
}

run_fault() {
    judge "$1" >"$1/verdict"
    rm -f "$1/program" "$1/source.o"
}

read_faults
export -f plant first_divergence others judge run_fault
export PROGRAM COMPILE LINK OBJECTS LIBRARIES
chosen=()
for folder in "$work"/[0-9]*; do
    [[ $(<"$folder/fault") == *"$words"* ]] && chosen+=("$folder")
done
[ ${#chosen[@]} -gt 0 ] && printf '%s\0' "${chosen[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'run_fault "$1"' _

passed=0 failed=0
printf '%-66s %-18s %-44s %s\n' fault case "first divergence" module
for folder in "${chosen[@]}"; do
    verdict=$(<"$folder/verdict")
    if [[ $verdict == "ok "* ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
    printf '%-66s %-18s %-44s %s\n' "$(<"$folder/fault")" "$(<"$folder/case")" "${verdict#ok }" "$(<"$folder/module")"
done
echo "$passed of $((passed + failed)) faults were caught and found in their module"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
