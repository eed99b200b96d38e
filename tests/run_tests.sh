#!/usr/bin/env bash
# Runs tests that speak TAP, shows every failure and every skip, and ends with "N passed, N failed, N skipped".
#
# usage: tests/run_tests.sh [--build-status N] PROGRAM...
#
#   test_*   a Criterion binary; its report is asked for with --tap
#   *.sh     run with bash, *.py with $PYTHON; both print TAP on standard output
#   others   run as they are, print TAP on standard output
#
# $EMULATOR runs the programs that are no scripts where it is set: those of another CPU.
#
# A program that is missing, crashes, runs past $TEST_TIMEOUT seconds or tells fewer results than it planned counts as
# one failure more, and so does any report of a sanitizer and a build that failed (--build-status). Exit code 1 where
# anything failed or nothing passed.
set -uo pipefail

TEST_TIMEOUT=${TEST_TIMEOUT:-600}
PYTHON=${PYTHON:-python3}
passed=0 failed=0 skipped=0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Reports go to files of their own: Criterion ignores the exit code of a test that leaks.
export ASAN_OPTIONS="log_path=$work/sanitizer:allocator_may_return_null=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export UBSAN_OPTIONS="log_path=$work/sanitizer:print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
export TSAN_OPTIONS="log_path=$work/sanitizer:allocator_may_return_null=1:suppressions=$PWD/tests/tsan.supp${TSAN_OPTIONS:+:$TSAN_OPTIONS}"

fail() {
    failed=$((failed + 1))
    echo "FAIL $*"
}

# Reads TAP, prints failures and skips, and as its last line "PASSED FAILED SKIPPED RESULTS PLANNED"; PLANNED is -1
# where the plan is missing. Criterion writes "not ok - suite::test" and the failed assertions as YAML behind it.
read_tap() {
    awk -v name="$1" '
        function title(line) {
            sub(/^(not )?ok *[0-9]*( *-)? */, "", line)
            sub(SKIP, ": ", line)
            return line
        }
        BEGIN { planned = -1; SKIP = " *# *[Ss][Kk][Ii][Pp] *" }
        /^1\.\.[0-9]+/ { planned = substr($1, 4) + 0; if ($0 ~ SKIP) reason = $0; next }
        /^(not )?ok([^a-zA-Z]|$)/ {
            results++
            shown = 0
            if ($0 ~ SKIP) { skipped++; print "SKIP " name ": " title($0) }
            else if ($1 == "ok") passed++
            else { failed++; shown = 1; print "FAIL " name ": " title($0) }
            next
        }
        /^Bail out!/ { failed++; print "FAIL " name ": " $0; next }
        shown && /^( |#)/ && $0 !~ /^ *(---|\.\.\.|failures:|assertions: [0-9]+)$/ { print "     " $0 }
        END {
            if (planned == 0 && reason != "") { skipped++; sub("1..0" SKIP, "", reason); print "SKIP " name ": " reason }
            print passed + 0, failed + 0, skipped + 0, results + 0, planned
        }'
}

# At most 60 lines of a file: its beginning (head) or its end (tail).
show() {
    [ ! -s "$2" ] || "$1" -n 60 "$2" | sed 's/^/     | /'
}

run_one() {
    local program=$1 name status counts p f s results planned
    name=$(basename "$program")
    if [ ! -e "$program" ]; then
        fail "$name: $program is missing"
        return
    fi
    if [[ $name == cli_* && ! -x ${PROGRAM:-build/minicpmv} ]]; then
        fail "$name: ${PROGRAM:-build/minicpmv} is missing"
        return
    fi
    : >"$work/tap"
    case $name in
        *.sh) timeout -k 10 "$TEST_TIMEOUT" bash "$program" >"$work/tap" 2>"$work/output" ;;
        *.py) timeout -k 10 "$TEST_TIMEOUT" "$PYTHON" "$program" >"$work/tap" 2>"$work/output" ;;
        test_*) timeout -k 10 "$TEST_TIMEOUT" ${EMULATOR:-} "$program" --tap="$work/tap" >"$work/output" 2>&1 ;;
        *) timeout -k 10 "$TEST_TIMEOUT" ${EMULATOR:-} "$program" >"$work/tap" 2>"$work/output" ;;
    esac
    status=$?

    read_tap "$name" <"$work/tap" >"$work/report"
    counts=$(tail -n 1 "$work/report")
    sed '$d' "$work/report"
    read -r p f s results planned <<<"$counts"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))

    local before=$((failed - f))
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        fail "$name: stopped after $TEST_TIMEOUT seconds"
    elif [ "$planned" -lt 0 ]; then
        fail "$name: no plan (exit code $status)"
    elif [ "$results" -ne "$planned" ]; then
        fail "$name: $results results, $planned planned (exit code $status)"
    elif [ $((p + f + s)) -eq 0 ]; then
        fail "$name: ran no test"
    elif [ "$status" -ne 0 ] && [ "$f" -eq 0 ] && ! compgen -G "$work/sanitizer.*" >/dev/null; then
        fail "$name: exit code $status, though no test failed"
    fi
    local report
    for report in "$work"/sanitizer.*; do
        [ -e "$report" ] || continue
        fail "$name: report of a sanitizer"
        show head "$report"
        rm -f "$report"
    done
    [ "$failed" -eq "$before" ] || show tail "$work/output"
    printf '%-40s %3d passed %3d failed %3d skipped\n' "$name" "$p" $((failed - before)) "$s"
}

if [ "${1:-}" = --build-status ]; then
    [ "$2" -eq 0 ] || fail "build: make exited with $2; its messages are above"
    shift 2
fi
for program in "$@"; do
    run_one "$program"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
