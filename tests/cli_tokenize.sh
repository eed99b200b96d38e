#!/usr/bin/env bash
# minicpmv tokenize and detokenize.
. "$(dirname "$0")/command_line.sh"
model=tests/fixtures/tokenizer/model

tokenize() { "$PROGRAM" tokenize -m "$model" "$@"; }
detokenize() { "$PROGRAM" detokenize -m "$model" "$@"; }
# lines COMMAND TEXT: the lines of TEXT as standard input.
lines() { printf '%b' "$2" | "$1" --jsonl; }
there_and_back() { tokenize --file "$1" | detokenize --file -; }

printf 'The fox\xc3\xa9 <image>\n\n 12' >"$work/text"
printf 'a\xff' >"$work/not_utf8"
echo '[{"role": "user", "content": "hi"}]' >"$work/messages.json"
echo '[{"role": "user"}]' >"$work/no_content.json"
echo '[{"type": "function", "function": {"name": "f", "x": 0.10}}]' >"$work/tools.json"
echo 'no json' >"$work/broken.json"
mkdir "$work/other" && cp $model/* "$work/other" && echo '{{ messages }}' >"$work/other/chat_template.jinja"

plan 35
expect "a text" 0 '^11 11 82 257 220 11$' tokenize ',,s   ,'
expect "a line a text" 0 '^64$' tokenize b a
expect "JSON" 0 '^\{"ids": \[39, 68\], "tokens": \["H", "e"\]\}$' tokenize --json He
expect "an empty text" 0 '^$' tokenize ''
expect "lines of JSON" 0 '^\[64, 188, 64\]$' lines tokenize '"b"\n"a\\u0000a"\n'
result "no lines" "$(lines tokenize '' 2>&1)"
result "text and back" "$(diff <(there_and_back "$work/text") <(cat "$work/text" && echo) 2>&1)"
expect "ids" 0 '^ab$' detokenize 64 65
expect "ids of no token" 0 '^ab$' detokenize 64 99999 65
expect "ids to JSON" 0 '^"\\n<image>"$' detokenize --json 198 424
expect "without special tokens" 0 '^"\\n"$' detokenize --json --skip-special-tokens 198 424
expect "lines of ids" 0 '^"\\u0000"$' lines detokenize '[]\n[188]\n'
expect "a conversation" 0 '^422 ' tokenize --messages "$work/messages.json"
expect "its prompt" 0 '^<\|im_start\|>assistant$' tokenize --messages "$work/messages.json" --prompt-only
expect "its prompt as JSON" 0 '^\{"prompt": "<\|im_start\|>user\\nhi<\|im_end\|>\\n"\}$' \
    tokenize --messages "$work/messages.json" --prompt-only --no-generation-prompt --json
expect "thinking" 0 'assistant\\n<think>\\n"' tokenize --messages "$work/messages.json" --prompt-only --thinking on --json
expect "no thinking" 0 '<think>\\n\\n</think>' tokenize --messages "$work/messages.json" --prompt-only --thinking off --json
expect "tools" 0 '"name": "f", "x": 0.1}}$' tokenize --messages "$work/messages.json" --tools "$work/tools.json" --prompt-only
expect_error "no text" 2 'expected one of TEXT, --file, --jsonl and --messages, found 0' tokenize
expect_error "two kinds of text" 2 'found 2 of them' tokenize --jsonl x
expect_error "no model" 2 'needed|required|--model' "$PROGRAM" tokenize x
expect_error "tools without a conversation" 2 'tools needs --messages' tokenize --tools "$work/tools.json" x
expect_error "an unknown way of thinking" 2 "expected on, off or unset" tokenize --messages "$work/messages.json" --thinking maybe
expect_error "a model that is not there" 3 'none: cannot be opened' "$PROGRAM" tokenize -m "$work/none" x
expect_error "text that is no UTF-8" 3 'not_utf8: text: byte 1: expected UTF-8' tokenize --file "$work/not_utf8"
expect_error "a message without content" 3 'no_content.json: message 0: content' tokenize --messages "$work/no_content.json"
expect_error "broken JSON" 3 'broken.json: line 1, column 2' tokenize --messages "$work/broken.json"
expect_error "a line that is no string" 3 'standard input: line 1: text: expected a JSON string, found 7' lines tokenize '7\n"a"\n'
expect_error "another chat template" 4 'chat_template.jinja: expected the chat template of MiniCPM-V 4.5' \
    "$PROGRAM" tokenize -m "$work/other" --messages "$work/messages.json"
expect_error "an id below 0" 3 'line 1: ids: \[1\]: expected an id from 0 to [0-9]+, found -1' lines detokenize '[1, -1]\n'
expect_error "an id that is no integer" 3 'line 1: ids: \[0\]: expected an id .* found 2.5' lines detokenize '[2.5]\n'
expect_error "a line that is no list" 3 'line 1: ids: expected a JSON list of ids, found an object' lines detokenize '{}\n'
expect_error "an empty line" 3 'line 1: expected JSON, found an empty line' lines tokenize '\n"a"\n'
printf '64 65\0 66' >"$work/zero"
expect_error "a byte 0 among ids" 3 'zero: byte 5: expected ids, found a byte 0' detokenize --file "$work/zero"
expect_error "a word among ids" 3 'standard input: byte 3: expected an id .* found .x' bash -c \
    "echo '64 x' | $PROGRAM detokenize -m $model --file -"
finish
