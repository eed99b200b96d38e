# For tests of the command line, to be sourced: runs the program, checks exit code and output, prints TAP.
#
#     . tests/command_line.sh
#     plan 2
#     expect "it says its version" 0 '^minicpmv [0-9]' "$PROGRAM" --version
#     expect_error "a command that is not there" 2 "no command 'x'" "$PROGRAM" x
#     finish

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
PROGRAM=${PROGRAM:-build/minicpmv}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0 failed=0

plan() {
    echo "1..$1"
}

# result NAME PROBLEM: ok where the problem is empty.
result() {
    count=$((count + 1))
    if [ -z "$2" ]; then
        echo "ok $count - $1"
    else
        failed=1
        echo "not ok $count - $1"
        sed 's/^/# /' <<<"$2" | head -n 20
    fi
}

skip() {
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}

# expect NAME CODE PATTERN COMMAND...: the exit code, and an extended regular expression in standard output.
expect() {
    check_output out "$@"
}

# The same for standard error, with nothing on standard output.
expect_error() {
    check_output err "$@"
}

check_output() {
    local stream=$1 name=$2 code=$3 pattern=$4 problem="" status
    shift 4
    "$@" >"$work/out" 2>"$work/err"
    status=$?
    [ "$status" -eq "$code" ] || problem="exit code $status, expected $code: $(cat "$work/err")"
    grep -qE -- "$pattern" "$work/$stream" || problem="$problem
no /$pattern/ in: $(head -c 1000 "$work/$stream")"
    [ "$stream" = out ] || [ ! -s "$work/out" ] || problem="$problem
standard output is not empty: $(head -c 200 "$work/out")"
    result "$name" "$problem"
}

finish() {
    exit $failed
}

# little_endian BYTES NUMBER: as printf escapes.
little_endian() {
    local i number=$2
    for ((i = 0; i < $1; i++)); do
        printf '\\x%02x' $((number >> (8 * i) & 255))
    done
}

# make_dump FILE HEADER DATA: a safetensors file; DATA as printf escapes.
make_dump() {
    { printf "$(little_endian 8 ${#2})"; printf '%s' "$2"; printf "$3"; } >"$1"
}
