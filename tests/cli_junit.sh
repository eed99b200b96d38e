#!/usr/bin/env bash
# JUnit's XML of verify and diff is what its schema says, whatever is in names and messages.
. "$(dirname "$0")/command_line.sh"
command -v xmllint >/dev/null || { echo "1..0 # SKIP xmllint is not installed"; exit 0; }
single=golden/cases/single

# valid NAME: junit.xml of the schema's form, with as many tests and failures as its suites say.
valid() {
    local problem tests failures
    problem=$(xmllint --noout --nonet --schema tests/fixtures/junit.xsd "$work/junit.xml" 2>&1) && problem=
    tests=$(xmllint --xpath 'sum(//testsuite/@tests) - count(//testcase)' "$work/junit.xml" 2>&1)
    failures=$(xmllint --xpath 'sum(//testsuite/@failures) - count(//failure)' "$work/junit.xml" 2>&1)
    [ "$tests $failures" = "0 0" ] || problem="$problem
tests or failures that are not there: $tests $failures"
    result "$1" "$problem"
}

plan 15
"$PROGRAM" verify "$single" golden/cases/text-only --junit "$work/junit.xml" >/dev/null
valid "cases that are right"
"$PROGRAM" verify "$single" -m golden/models/foreach-f16 --format junit >"$work/junit.xml" 2>/dev/null
valid "a case that differs, on standard output"
"$PROGRAM" verify nowhere "$single" --junit "$work/junit.xml" >/dev/null 2>&1
valid "a case that cannot be run"
"$PROGRAM" verify "$single" --engine fast --dtype bf16 --junit "$work/junit.xml" >/dev/null
valid "cases of which some rows are only shown"
result "which are skipped" "$([ "$(xmllint --xpath 'concat(sum(//testsuite/@skipped), " ", count(//skipped), " ", count(//testcase[starts-with(@name, "generated_ids") or starts-with(@name, "text.")]))' "$work/junit.xml")" = '4 4 4' ] || cat "$work/junit.xml")"
# A case that cannot be run, between others: every form says so and stays whole.
cases=(golden/cases/text-only nowhere "$single")
"$PROGRAM" verify "${cases[@]}" --format junit --report "$work/page.html" >"$work/junit.xml" 2>/dev/null
valid "a broken case between others"
result "and the page says so" "$(grep -q '"errors":\[{"case":"nowhere"' "$work/page.html" || echo 'not in it')"
if command -v python3 >/dev/null; then
    result "JSON of them" "$("$PROGRAM" verify "${cases[@]}" --json 2>/dev/null | python3 -c "import json,sys; r=json.load(sys.stdin); sys.exit(0 if (r['cases'], r['failed'], r['not_run']) == (3, 1, 1) and r['errors'][0]['case'] == 'nowhere' and {t['case'] for t in r['tensors']} == {'text-only', 'single'} else repr(r)[:300])" 2>&1)"
    result "line by line" "$("$PROGRAM" verify "${cases[@]}" --format jsonl 2>/dev/null | python3 -c "import json,sys; r=[json.loads(line) for line in sys.stdin]; sys.exit(0 if [x['case'] for x in r if 'error' in x] == ['nowhere'] and r[-1]['not_run'] == 1 else repr(r)[-300:])" 2>&1)"
else
    skip "JSON of them" "python3 is not installed"
    skip "line by line" "python3 is not installed"
fi
expect_error "two forms on standard output" 2 'format junit prints it' "$PROGRAM" verify "$single" --json --junit -
expect_error "two forms in one file" 2 'would take the place of' "$PROGRAM" verify "$single" --junit "$work/x" --report "$work/./x"

one='\x00\x00\x80\x3f' two='\x00\x00\x00\x40'
make_dump "$work/a<\"&'>.dump" '{"__metadata__":{"prompts":"[\"<a> & \\\"b\\u0001\\n]]>\"]"},"<&\"\u00e4\u4e2d>":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' "$one"
make_dump "$work/b" '{"__metadata__":{"prompts":"[\"\\u0007\"]"},"<&\"\u00e4\u4e2d>":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' "$two"
"$PROGRAM" diff "$work/a<\"&'>.dump" "$work/b" --junit "$work/junit.xml" >/dev/null 2>&1
valid "names and messages with marks, control characters and letters"
result "names are told as they are" "$([ "$(xmllint --xpath 'string(//testcase[failure][2]/@name)' "$work/junit.xml")" = '<&"ä中>' ] || cat "$work/junit.xml")"
make_dump "$work/nothing" '{}' ''
"$PROGRAM" diff "$work/b" "$work/nothing" --junit "$work/junit.xml" >/dev/null 2>&1
valid "nothing compared"
echo '<testsuites><testsuite name="x" tests="1"/></testsuites>' >"$work/junit.xml"
result "the schema refuses what is not" "$(xmllint --noout --schema tests/fixtures/junit.xsd "$work/junit.xml" 2>/dev/null && echo 'was taken')"
finish
