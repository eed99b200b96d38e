#!/usr/bin/env bash
# Runs fuzzers for $FUZZ_SECONDS seconds each (0: the inputs that are there, once), as many at a time as there are
# processors; $FUZZ_SEED: of their random numbers. They start from make_seeds.sh's inputs and from what earlier runs found, which is kept in FUZZER.corpus. An
# input that breaks something stays as FUZZER-crash-..., FUZZER-timeout-... Ends with "N passed, N failed, N skipped".
#
# usage: tests/fuzz/run_fuzzers.sh FUZZER...
set -uo pipefail
seconds=${FUZZ_SECONDS:-60}
folder=$(dirname "$1")
seeds=$folder/seeds
limits=(-max_len=16384 -timeout=60 -rss_limit_mb=2048)
if [ "$seconds" -gt 0 ]; then limits+=(-max_total_time="$seconds"); else limits+=(-runs=0); fi
[ -z "${FUZZ_SEED:-}" ] || limits+=(-seed="$FUZZ_SEED")

# Inputs of several files are written as such, in a folder that is gone whatever becomes of a fuzzer.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
TMPDIR=$(mktemp -d) || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# run_one FUZZER: its words go to FUZZER.log.
run_one() {
    local name=${1##*/fuzz_}
    mkdir -p "$1.corpus"
    if "$1" "${limits[@]}" -print_final_stats=1 -close_fd_mask=1 -artifact_prefix="$1-" "$1.corpus" "$seeds/$name" >"$1.log" 2>&1; then
        awk -v name="$name" '/ cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") edges = $(i + 1) }
            /number_of_executed_units/ { runs = $2 }
            END { printf "%-16s %9d inputs, %5d edges\n", name, runs, edges }' "$1.log"
    else
        echo "FAIL $name: $1.log ends with"
        tail -n 60 "$1.log" | sed 's/^/     | /'
        return 1
    fi
}

if ! "$(dirname "$0")/make_seeds.sh" "$folder" "$seeds"; then
    echo "FAIL seeds: they cannot be written"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
passed=0 failed=0 running=0
finish() {
    if wait -n; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    running=$((running - 1))
}
for fuzzer; do
    [ "$running" -lt "$(nproc)" ] || finish
    run_one "$fuzzer" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do finish; done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
