#!/usr/bin/env bash
# The reference on every golden case of the repository, and of ../shared/golden-sample where that is there: right, and
# the same bits with one thread and with three. Prints TAP.
set -u
cd "$(dirname "$0")/.."
PROGRAM=${PROGRAM:-build/minicpmv}
sample=../shared/golden-sample/cases
count=0 failed=0

verify() {
    local words
    count=$((count + 1))
    if words=$(${EMULATOR:-} "$PROGRAM" verify --quiet --threads 1,3 --expect-bitwise "$1" 2>&1) &&
        [[ ${words##*$'\n'} == "all equal: "* ]]; then
        echo "ok $count - $(basename "$1"), ${words##*: }"
    else
        failed=1
        echo "not ok $count - $(basename "$1")"
        tail -n 5 <<<"$words" | sed 's/^/# /'
    fi
}

cases=(golden/cases/*)
if [ -d "$sample" ]; then
    cases+=("$sample"/*)
    echo "1..${#cases[@]}"
else
    echo "1..$((${#cases[@]} + 1))"
fi
for path in "${cases[@]}"; do
    verify "$path"
done
[ -d "$sample" ] || echo "ok $((count + 1)) - sample cases # SKIP no $sample"
exit $failed
