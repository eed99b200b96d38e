#!/usr/bin/env bash
# Proves that tests/run_tests.sh counts what it should: each way in which a test program can go wrong is a failure.
set -u
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0 failed=0

# expect NAME TOTAL EXIT_CODE, the program's text on standard input, where it is to exist.
expect() {
    cat >"$work/program.sh"
    [ -s "$work/program.sh" ] || rm "$work/program.sh"
    output=$(TEST_TIMEOUT=2 tests/run_tests.sh "$work/program.sh" 2>/dev/null)
    code=$?
    total=$(tail -n 1 <<<"$output")
    count=$((count + 1))
    if [ "$total" = "$2" ] && [ "$code" -eq "$3" ]; then
        echo "ok $count - $1"
    else
        failed=1
        echo "not ok $count - $1: '$total' and exit code $code; expected '$2' and $3"
    fi
}

echo 1..11
expect "passes" "2 passed, 0 failed, 0 skipped" 0 <<<'echo 1..2; echo ok 1 - a; echo ok 2 - b'
expect "a skip does not fail" "1 passed, 0 failed, 1 skipped" 0 <<<'echo 1..2; echo ok 1 - a; echo "ok 2 - b # SKIP why"'
expect "a failure" "1 passed, 1 failed, 0 skipped" 1 <<<'echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1'
expect "a failure with exit code 0" "0 passed, 1 failed, 0 skipped" 1 <<<'echo 1..1; echo not ok 1 - b'
expect "only skips" "0 passed, 0 failed, 1 skipped" 1 <<<'echo 1..0 "# SKIP nothing here"'
expect "no output" "0 passed, 1 failed, 0 skipped" 1 <<<'true'
expect "zero tests" "0 passed, 1 failed, 0 skipped" 1 <<<'echo 1..0'
expect "fewer results than planned" "1 passed, 1 failed, 0 skipped" 1 <<<'echo 1..2; echo ok 1 - a'
expect "a crash" "1 passed, 1 failed, 0 skipped" 1 <<<'echo 1..1; echo ok 1 - a; kill -SEGV $$'
expect "runs too long" "0 passed, 1 failed, 0 skipped" 1 <<<'echo 1..1; exec sleep 30'
expect "a missing program" "0 passed, 1 failed, 0 skipped" 1 </dev/null
exit $failed
