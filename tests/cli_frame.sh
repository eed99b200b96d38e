#!/usr/bin/env bash
# The frame of the program: help, version, options of every command, exit codes, closed and full outputs.
. "$(dirname "$0")/command_line.sh"
header='{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
make_dump "$work/a" "$header" '\x00\x00\x80\x3f'
same=("$PROGRAM" diff "$work/a" "$work/a")

plan 42
expect "help lists the commands" 0 '^  diff ' "$PROGRAM" --help
expect "help tells the exit codes" 0 '1 differs, 2 wrong use' "$PROGRAM" -h
expect "help as a command" 0 '^usage: minicpmv COMMAND' "$PROGRAM" help
expect "help of a command" 0 '^usage: minicpmv diff \[options\] A B' "$PROGRAM" help diff
expect "--help of a command" 0 '^ +--limit X' "$PROGRAM" diff --help
expect "--help shows common options" 0 '^ +--threads N' "$PROGRAM" dump -h
expect "--help needs no operands and no valid values" 0 '^usage' "$PROGRAM" dump --threads 0 --help
expect "the version" 0 '^minicpmv [0-9]+\.[0-9]+\.[0-9]+$' "$PROGRAM" --version
expect_error "no command" 2 '^usage: minicpmv' "$PROGRAM"
expect_error "an unknown command" 2 "^minicpmv: there is no command 'verfy'" "$PROGRAM" verfy
expect_error "help of an unknown command" 2 "there is no command 'verfy'" "$PROGRAM" help verfy
expect_error "an unknown option in place of a command" 2 "unknown option --fast" "$PROGRAM" --fast
expect_error "wrong use points to the help" 2 "'minicpmv diff --help' tells" "$PROGRAM" diff

expect_error "an unknown long option" 2 '^minicpmv diff: unknown or ambiguous option --nonsense' "${same[@]}" --nonsense
expect_error "an unknown short option" 2 'unknown option -z' "${same[@]}" -z
expect_error "an option of another command" 2 'unknown option -m' "${same[@]}" -m model
expect_error "a value that is missing" 2 '\-\-limit needs a value \(X\)' "${same[@]}" --limit
expect_error "a value where none belongs" 2 '\-\-json takes no value' "${same[@]}" --json=1
expect_error "too few operands" 2 'expected A B, found 1 operand$' "$PROGRAM" diff a
expect_error "too many operands" 2 "unexpected operand 'c'" "$PROGRAM" diff a b c

expect "--engine ref" 0 'all equal' "${same[@]}" --engine ref
expect_error "an unknown engine" 2 'expected ref or fast' "${same[@]}" --engine quick
expect "--dtype f32" 0 'all equal' "${same[@]}" --dtype f32
expect_error "an unknown type" 2 'expected f32, bf16, int8, int4 or stored' "${same[@]}" --dtype f16
for threads in 0 -1 x 2x 99999999999; do
    expect_error "--threads $threads" 2 'expected a whole number from 1' "$PROGRAM" dump --threads "$threads"
done
for useless in "--threads 2" "--target contract" "--threads 2 --quiet"; do
    [[ $useless == *quiet ]] && remarks=0 || remarks=1
    expect "diff $useless: $remarks remarks" 0 "^$remarks\$" \
        bash -c '"$@" 2>&1 >/dev/null | grep -cE "^--(threads|target) changes nothing in diff"; true' - "${same[@]}" $useless
done
for command in detokenize tokenize kernels inspect preprocess; do
    expect "$command shows only options that it has a use for" 0 '^0$' \
        bash -c '"$1" "$2" --help | grep -c "^ *--dtype"; true' - "$PROGRAM" "$command"
done

"${same[@]}" >/dev/full 2>"$work/err"
result "a full disk is exit code 3" "$([ $? -eq 3 ] && grep -q 'standard output: cannot be written' "$work/err" || cat "$work/err")"
"$PROGRAM" chat -m golden/models/base-f32 -p x --max-new-tokens 1 >/dev/full 2>"$work/err"
result "and told once" "$([ $? -eq 3 ] && [ "$(grep -c 'cannot be written' "$work/err")" -eq 1 ] || cat "$work/err")"
exec 3> >(true)
wait $! # nobody reads any more
"${same[@]}" >&3 2>"$work/err"
result "a closed pipe is exit code 3" "$([ $? -eq 3 ] && grep -q 'Broken pipe' "$work/err" || cat "$work/err")"
exec 3>&-
"${same[@]}" >&- 2>"$work/err"
result "closed standard output is exit code 3" "$([ $? -eq 3 ] || cat "$work/err")"

# Sanitizers need more addresses than that.
if [ "${MODE:-release}" = release ]; then
    expect "little memory to be had ends a program all the same" 0 '^usage' \
        bash -c 'ulimit -v 300000; timeout 30 "$@"' - "$PROGRAM" help
else
    skip "little memory to be had" "a build with sanitizers takes more"
fi
finish
