#!/usr/bin/env bash
# minicpmv chat: one answer, sessions, decoding options, bad input. The model is random, so answers are compared with each
# other, not read.
. "$(dirname "$0")/command_line.sh"
model=golden/models/base-f32 image=golden/images/frame06.png
chat() { "$PROGRAM" chat -m "$model" --max-new-tokens 12 "$@"; }
# same NAME A B: two texts that must be equal and not empty.
same() {
    local problem=""
    [ "$2" = "$3" ] || problem="differs: '$2' and '$3'"
    [ -n "$2" ] || problem="nothing was printed"
    result "$1" "$problem"
}
differ() {
    local problem=""
    [ "$2" != "$3" ] || problem="both are '$2'"
    result "$1" "$problem"
}
ask() { chat -i "$image" -p "What is this?" "$@"; }

plan 38
greedy=(--no-sampling --num-beams 1)
answer=$(ask)
same "an answer, twice" "$answer" "$(ask)"
same "the seed is 0 unless given" "$answer" "$(ask --seed 0)"
differ "another seed" "$answer" "$(ask --seed 1)"
same "all at once" "$answer" "$(ask --no-stream)"
same "any number of threads" "$(ask --threads 1)" "$(ask --threads 3)"
beams=$(ask --no-sampling)
same "beam search, all at once" "$beams" "$(ask --no-sampling --no-stream)"
same "its preset is 3 beams with a penalty of 1.2" "$beams" "$(ask --no-sampling --num-beams 3 --repetition-penalty 1.2)"
differ "greedy is not beam search" "$beams" "$(ask "${greedy[@]}")"
same "top_k 1 is greedy with sampling's penalty" "$(ask --top-k 1)" "$(ask "${greedy[@]}" --repetition-penalty 1.03)"
differ "a system prompt changes the answer" "$(ask "${greedy[@]}")" "$(ask "${greedy[@]}" --system 'Be brief.')"
expect "thinking begins with a thought" 0 '^<think>$' ask --thinking
expect "JSON" 0 '^\{"answer":".*"\}$' ask --json
expect "a question without an image" 0 '.' chat -p "Hello"
differ "two images are not one" "$(ask "${greedy[@]}")" "$(ask "${greedy[@]}" -i golden/images/scene.png)"

session=$(printf '/image %s\nWhat is this?\nAre you sure?\n' "$image" | chat "${greedy[@]}")
same "a session's first answer is the single one" "$(head -n 1 <<<"$session")" "$(ask "${greedy[@]}" | head -n 1)"
again=$(printf '/image %s\nWhat is this?\n/reset\nAre you sure?\n' "$image" | chat "${greedy[@]}")
differ "it remembers until /reset" "$session" "$again"
same "/quit ends it" "$(printf '/quit\nWhat?\n' | chat; echo done)" "done"
expect "/help" 0 '^$' bash -c "printf '/help\n' | $PROGRAM chat -m $model 2>&1 >/dev/null | grep -q /image && echo"
expect_error "an unknown session command" 2 'no such command: /what' bash -c "echo /what | $PROGRAM chat -m $model"

expect_error "no model" 2 '\-\-model' "$PROGRAM" chat -p x
expect_error "a folder that is not there" 3 'none: cannot be opened' "$PROGRAM" chat -m "$work/none" -p x
expect_error "an image that is not there" 3 'none.png: cannot be opened' chat -i "$work/none.png" -p x
head -c 300 "$image" >"$work/cut.png"
expect_error "an image that is cut" 3 'cut.png: ' chat -i "$work/cut.png" -p x
expect_error "text that is no UTF-8" 3 'UTF-8' chat -p $'\xff'
expect_error "temperature 0" 2 'temperature' chat -p x --temperature 0
expect_error "an option of sampling without sampling" 2 'top-p has no effect' chat -p x --no-sampling --top-p 0.5
expect_error "a length penalty without beams" 2 'length-penalty has no effect' chat -p x --length-penalty 2
expect_error "a prompt that loses half an image to --max-inp-length" 2 "cut one in two" ask --max-inp-length 8
expect_error "standard output that is full" 3 'standard output' bash -c "$PROGRAM chat -m $model -p x >/dev/full"
same "white space at a line's end does not count" "$(printf 'What?\nSure?\n' | chat)" "$(printf 'What? \r\n \nSure?\r\n/quit \n' | chat)"
expect_error "an image of the session that is not there" 3 'none.png: cannot be opened' bash -c \
    "echo '/image $work/none.png' | $PROGRAM chat -m $model"
expect_error "a byte 0 in a question" 3 'standard input: expected text, found a byte 0' bash -c \
    "printf 'a\0b\n' | $PROGRAM chat -m $model"
expect_error "a command without its file" 2 'line 1: /video: expected a file behind it' bash -c "echo '/video ' | $PROGRAM chat -m $model"
expect_error "more ids at least than at most" 2 'min-new-tokens 3: expected at most --max-new-tokens, 2' chat -p x --max-new-tokens 2 --min-new-tokens 3
expect "the session goes on behind it" 3 . bash -c "printf '/image $work/none.png\nWhat?\n' | $PROGRAM chat -m $model --max-new-tokens 12 2>$work/told"
same "and answers as without it" "$(cat "$work/out")" "$(echo 'What?' | chat)"
same "which line it was" "$(grep -c "line 1: $work/none.png: cannot be opened" "$work/told")" 1
expect_error "standard input that cannot be read" 3 'standard input: cannot be read: Is a directory' bash -c "$PROGRAM chat -m $model </"
finish
