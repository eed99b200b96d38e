#!/usr/bin/env bash
# minicpmv diff: two dumps.
. "$(dirname "$0")/command_line.sh"
one='\x00\x00\x80\x3f' two='\x00\x00\x00\x40' nan='\x00\x00\xc0\x7f'
pair='{"llm.lm_head":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"vpm":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
single='{"vpm":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
make_dump "$work/both" "$pair" "$one$two"
make_dump "$work/head_differs" "$pair" "$one$one"
make_dump "$work/all_differs" "$pair" "$two$one"
make_dump "$work/nan" "$pair" "$one$nan"
make_dump "$work/single" "$single" "$one"
make_dump "$work/near" "$single" '\x04\x00\x80\x3f' # 1 + 2^-21, 4.8e-7
make_dump "$work/exact" '{"vpm":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}' '\x00\x00\x00\x00\x00\x00\xf0\x3f'
make_dump "$work/nothing" '{}' ''
make_dump "$work/texts_a" '{"__metadata__":{"prompts":"[\"a\"]"},"vpm":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' "$one"
make_dump "$work/texts_b" '{"__metadata__":{"prompts":"[\"b\"]"},"vpm":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' "$one"
head -c 60 "$work/both" >"$work/cut"

diff() { "$PROGRAM" diff "$@"; }
# json FILTER A B: a Python expression over the parsed report `r` that must be true.
json() {
    local filter=$1
    shift
    "$PROGRAM" diff --json "$@" 2>/dev/null | python3 -c "import json,sys; r=json.load(sys.stdin); sys.exit(0 if $filter else repr(r))"
}

plan 37
expect "equal dumps" 0 '^all equal: 2 comparisons in 1 case$' diff "$work/both" "$work/both"
expect "a line a tensor" 0 '^vpm +\[1\] +F32 +0.00e\+00 +0.00e\+00 +0.00e\+00 +1.000000000 +0 +0 +0  - +ok$' diff "$work/both" "$work/both"
expect "one differs" 1 '^first divergence: .*: llm.lm_head: rel_l2 0.5' diff "$work/head_differs" "$work/both"
expect "the first is the first in the order of execution" 1 '^first divergence: .*: vpm: ' diff "$work/all_differs" "$work/both"
expect "a NaN" 1 '^first divergence: .*: llm.lm_head: not finite' diff "$work/nan" "$work/both"
expect "a NaN on both sides" 1 'not finite' diff "$work/nan" "$work/nan"
expect "a tensor that A lacks" 1 '^first divergence: .*: llm.lm_head: missing' diff "$work/single" "$work/both"
expect "a tensor that B lacks" 0 '^all equal: 1 comparison in 1 case' diff "$work/both" "$work/single"
expect "nothing to compare" 1 '^first divergence: .*nothing was compared' diff "$work/both" "$work/nothing"
expect "within the limit" 0 'all equal' diff "$work/near" "$work/single"
expect "beyond a tighter limit" 1 'rel_l2 4.77e-07, at most 1e-07' diff --limit 1e-7 "$work/near" "$work/single"
expect "farther from the exact run than half" 1 'exact_rel_l2 4.77e-07, at most 0;' diff --exact "$work/exact" "$work/near" "$work/single"
expect "prompts of the metadata" 1 '^first divergence: .*: prompts: ' diff "$work/texts_a" "$work/texts_b"
expect_error "a limit that is no number" 2 'expected a number' diff --limit x "$work/both" "$work/both"
expect_error "a file that is missing" 3 'none: ' diff "$work/none" "$work/both"
expect_error "a file that is cut" 3 'cut: ' diff "$work/both" "$work/cut"
if command -v python3 >/dev/null; then
    result "JSON of equal dumps" "$(json "r['cases'] == 1 and r['failed'] == 0 and r['first_divergence'] is None" "$work/both" "$work/both" 2>&1)"
    result "JSON names the first divergence" "$(json "r['failed'] == 1 and r['first_divergence'] == 'vpm'" "$work/all_differs" "$work/both" 2>&1)"
    result "JSON rows" "$(json "[(t['name'], t['max_abs'], t['rel_l2'], t['pass']) for t in r['tensors']] == [('vpm', 0, 0, True), ('llm.lm_head', 1, 0.5, False)] and 'exact_rel_l2' not in r['tensors'][0]" "$work/head_differs" "$work/both" 2>&1)"
    result "JSON has no NaN" "$(json "r['tensors'][1]['rel_l2'] is None and not r['tensors'][1]['pass']" "$work/nan" "$work/both" 2>&1)"
else
    for name in "of equal dumps" "names the first divergence" "rows" "has no NaN"; do
        skip "JSON $name" "python3 is not installed"
    done
fi

# Dumps of other engines.
printf '%s\n' 'blk-([0-9]+) vpm.\1' 'rope -' >"$work/names"
make_dump "$work/foreign" '{"blk-0":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"rope":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}' "$one$two$one"
make_dump "$work/native" '{"vpm.0":{"dtype":"F32","shape":[1,2,1],"data_offsets":[0,8]},"vpm.1":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}' "$one$two$one"
expect "names of another engine; dimensions of size 1 do not count" 0 '^vpm.0 +\[1, 2, 1\] .* ok$' diff --names "$work/names" --common "$work/foreign" "$work/native"
make_dump "$work/split" '{"blk-0":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"blk-1":{"dtype":"F32","shape":[2,2],"data_offsets":[16,32]}}' "$one$two$one$two$one$two$one$two"
make_dump "$work/joined" '{"vpm.0":{"dtype":"F32","shape":[1,4],"data_offsets":[0,16]},"vpm.1":{"dtype":"F32","shape":[4],"data_offsets":[16,32]}}' "$one$two$one$two$one$two$one$two"
expect "dimensions that one side has joined" 0 '^vpm.0 +\[1, 4\] .* ok$' diff --names "$work/names" "$work/split" "$work/joined"
make_dump "$work/six" '{"blk-0":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}' "$one$two$one$two$one$two"
make_dump "$work/turned" '{"vpm.0":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]}}' "$one$two$one$two$one$two"
expect "but not that are turned" 1 '^vpm.0 .*FAIL: shape \[2, 3\], B \[3, 2\]' diff --names "$work/names" "$work/six" "$work/turned"
expect "what only B has, without --common" 1 '^vpm.1 .*FAIL: missing' diff --names "$work/names" "$work/foreign" "$work/native"
expect "without names nothing is common" 1 'nothing was compared' diff --common "$work/foreign" "$work/native"
expect_error "names that are not there" 3 'none: ' diff --names "$work/none" "$work/foreign" "$work/native"
expect_error "names that are none" 3 'both: ' diff --names "$work/both" "$work/foreign" "$work/native"
expect_error "a filter that matches nothing" 2 '^minicpmv diff: --filter nosuch: nothing in .*both is of that name' "$PROGRAM" diff --filter nosuch "$work/both" "$work/both"
expect_error "a type that the reference has not" 2 '--engine ref with --dtype int4: nothing is demanded' "$PROGRAM" diff --dtype int4 "$work/both" "$work/both"
expect "the fast engine's demands" 0 '^all equal' "$PROGRAM" diff --dtype int4 --engine fast "$work/both" "$work/both"
expect "a filter" 0 '^all equal: 1 comparison in' diff --filter vpm "$work/head_differs" "$work/both"
expect "a stage" 1 '^first divergence: .*: llm.lm_head' diff --stage llm "$work/all_differs" "$work/both"
printf '* * vpm ulp_max=4\n* * * shown\n' >"$work/tolerances"
expect "a table of tolerances" 0 'all equal' diff --tol "$work/tolerances" "$work/near" "$work/single"
expect "a limit in ulps" 1 'ulp_max 8.39e\+06, at most 4; worst at \[0\]: 2, B 1$' diff --tol "$work/tolerances" "$work/all_differs" "$work/single"
mkdir "$work/arrays"
{ printf '\x93NUMPY\x01\x00\x46\x00'; printf '%-69s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"; printf "$one"; } >"$work/arrays/vpm.npy"
expect "a folder of .npy files" 0 'all equal: 1 comparison' diff "$work/arrays" "$work/single"
expect "on either side" 0 'all equal: 1 comparison' diff "$work/single" "$work/arrays"

# Two dumps of 256 MB of zeros, which take no room on the disk.
big='{"vpm":{"dtype":"F32","shape":[67108864],"data_offsets":[0,268435456]}}'
make_dump "$work/big_a" "$big" '' && truncate -s $((8 + ${#big} + 268435456)) "$work/big_a"
cp --sparse=always "$work/big_a" "$work/big_b"
if command -v python3 >/dev/null && [ "${MODE:-release}" = release ]; then
    result "large dumps take little memory" "$(python3 -c "
import resource, subprocess
subprocess.run(['$PROGRAM', 'diff', '$work/big_a', '$work/big_b'], check=True, stdout=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
print(f'{peak} MB resident') if peak > 100 else None" 2>&1)"
else
    skip "large dumps take little memory" "needs python3, and no sanitizer"
fi
finish
