#!/usr/bin/env bash
# examples/ask.c: builds against the public header alone and answers as the program does. The header serves C++, too.
. "$(dirname "$0")/command_line.sh"
BUILD=${BUILD:-build}
CC=${CC:-gcc}
model=golden/models/base-f32 image=golden/images/frame06.png
# The sanitizers' runtimes must be linked where the library was built with them.
case ${MODE:-release} in
asan) flags=-fsanitize=address ;;
ubsan) flags=-fsanitize=undefined ;;
tsan) flags=-fsanitize=thread ;;
*) flags= ;;
esac

plan 4
libraries=$(make -s --no-print-directory print-libraries)
# shellcheck disable=SC2086
expect "it builds" 0 '^$' bash -c "$CC $flags -std=c11 -Wall -Wextra -Werror -Iinclude examples/ask.c $BUILD/libminicpmv.a $libraries -o '$work/ask' && echo"
# The preset of chat() allows 2048 tokens; the random model goes on for long, so the first bytes are enough.
timeout 20 "$work/ask" "$model" "$image" "What is this?" 2>&1 | head -c 40 >"$work/example"
timeout 20 "$PROGRAM" chat -m "$model" -i "$image" -p "What is this?" 2>&1 | head -c 40 >"$work/program"
result "it answers as the program does" "$(cmp "$work/example" "$work/program" 2>&1; [ -s "$work/example" ] || echo "no answer")"
expect "it is about 30 lines" 0 '^ok$' bash -c '[ "$(sed -n "/^int main/,\$p" examples/ask.c | wc -l)" -le 32 ] && echo ok'
if command -v g++ >/dev/null; then
    expect "the header compiles as C++" 0 '^$' bash -c "echo '#include \"minicpmv.h\"' | g++ -std=c++17 -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c++ - && echo"
else
    skip "the header compiles as C++" "g++ is not installed"
fi
finish
