#!/usr/bin/env bash
# minicpmv bench: one kernel's timing as a table and as JSON; the numbers themselves are the machine's.
. "$(dirname "$0")/command_line.sh"
bench=("$PROGRAM" bench kernels --filter quantize --threads 1)

model=("$PROGRAM" bench model -m golden/demo --repeats 1 --prompts 16 --answer 2)

plan 10
expect "a table" 0 '^quantize_rows +[a-z0-9]+ +1024 x 12288 +1 +[0-9.]+ +[0-9.]+ GB/s' "${bench[@]}"
expect "limits" 0 '^limit read 1 threads +[0-9.]+ GB/s' "${bench[@]}"
expect "JSON" 0 '"limits": \[\{"name": "f32".*"results": \[\{"kernel": "quantize_rows", .*"of_limit": [0-9.]+\}\]\}' \
    "${bench[@]}" --json
expect "decoding beside reading" 0 '^answer .* tokens of [0-9.]+ GB; [0-9.]+ GB/s, [0-9.]+ % of read, [0-9.]+ GB/s' \
    "${model[@]}"
expect "decoding beside reading, JSON" 0 '"stage": "answer", .*"bytes_per_token": [0-9.]+, .*"of_read": [0-9.]+' \
    "${model[@]}" --json
expect "an option of the model changes no kernel" 0 '^--dtype changes nothing in bench kernels' \
    bash -c '"$@" 2>&1' - "${bench[@]}" --dtype int4
expect "an option of kernels changes no model" 0 '^--filter changes nothing in bench model' \
    bash -c '"$@" 2>&1' - "${model[@]}" --filter gemm
expect_error "a type that keys cannot have" 2 '--kv-dtype int4: expected f32, bf16 or int8' "${model[@]}" --kv-dtype int4
expect_error "something else" 2 "everything: expected kernels" "$PROGRAM" bench everything
expect_error "a filter that matches nothing" 2 "no kernel that is timed has it" "$PROGRAM" bench kernels --filter nosuch
finish
