#!/usr/bin/env bash
# --engine fast: golden cases, the same bits whatever the threads, targets and chunks, and what it refuses.
. tests/command_line.sh

plan 30
verify=("$PROGRAM" verify)
single=golden/cases/single

expect_error "the reference has f32 only" 4 '--dtype int8: the reference computes in f32 only' "${verify[@]}" $single --dtype int8
expect_error "the reference has no target" 4 '--target avx2: the reference is plain C' "${verify[@]}" $single --target avx2
expect_error "the reference has no chunks" 4 '--chunk: the reference has no such choice' "${verify[@]}" $single --chunk 5
expect_error "an unknown target" 2 'there is none of this name' "${verify[@]}" $single --engine fast --target pentium
expect_error "an unknown type" 2 'expected f32, bf16, int8, int4 or stored' "${verify[@]}" $single --engine fast --llm-dtype q4
expect_error "groups that no kernel has" 2 '--group 48: expected 32, 64 or 128' "${verify[@]}" $single --engine fast --dtype int4 --group 48
expect_error "groups without int4" 2 '--group has no effect without int4 weights' "${verify[@]}" $single --engine fast --dtype int8 --group 32
expect "groups of the encoder alone" 0 '^all equal' "${verify[@]}" golden/cases/text-only --engine fast --vision-dtype int4 --group 32
expect_error "a cache in int4" 2 '--kv-dtype int4: expected f32, bf16 or int8' "${verify[@]}" $single --engine fast --kv-dtype int4

expect "every golden case in f32" 0 '^all equal: [0-9]+ comparisons in [0-9]+ cases' "${verify[@]}" golden/cases/* --engine fast
expect "threads" 0 '^all equal' "${verify[@]}" $single golden/cases/video-groups --engine fast --threads 1,2,3,7 --expect-bitwise
expect_error "the reference has no BLAS" 4 '--blas: the reference has no such choice' "${verify[@]}" $single --blas openblas
expect_error "an unknown BLAS" 2 'products by "mkl"; expected openblas' "${verify[@]}" $single --engine fast --blas mkl
if "$PROGRAM" bench kernels --filter quantize --threads 1 | grep -q '^BLAS  *none'; then
    expect_error "no OpenBLAS in this build" 4 'this build has no OpenBLAS' "${verify[@]}" $single --engine fast --blas openblas
else
    expect "every golden case with OpenBLAS" 0 '^all equal' "${verify[@]}" golden/cases/* --engine fast --blas openblas
fi
expect_error "the reference has no numerics" 4 '--numerics: the reference has no such choice' "${verify[@]}" $single --numerics fast
expect_error "unknown numerics" 2 '--numerics quick: expected exact or fast' "${verify[@]}" $single --engine fast --numerics quick
expect_error "fast numerics where there are none" 4 'numerics fast: target avx2 has nothing faster' \
    "${verify[@]}" $single --engine fast --target avx2 --numerics fast
# What they come to, on any CPU: models with BF16 weights, and with FP32 ones that become BF16.
expect "fast numerics in plain C" 0 '^all equal' "${verify[@]}" golden/cases/tied-bf16 --engine fast --numerics fast --target contract
fast=("${verify[@]}" golden/cases/single --engine fast --dtype bf16 --numerics fast)
if "${fast[@]}" >"$work/fast" 2>&1 || [ $? -ne 4 ]; then
    expect "fast numerics, whatever the threads" 0 '^all equal' "${fast[@]}" --threads 1,2,3 --expect-bitwise
else
    skip "fast numerics, whatever the threads" "$(tail -n 1 "$work/fast")"
fi
expect_error "two kinds of products" 2 'numerics fast and products by openblas: one or the other' "${fast[@]}" --blas openblas
cached=("${verify[@]}" $single --engine fast --cache "$work/packed")
expect "packed weights are kept" 0 '^all equal' "${cached[@]}"
cp "$work/packed" "$work/first"
inode=$(stat -c %i "$work/packed")
expect "and taken from there" 0 '^all equal' "${cached[@]}"
result "without being written again" "$([ "$(stat -c %i "$work/packed")" = "$inode" ] || echo "it is another file")"
expect "those of another model are made anew" 0 '^all equal' "${verify[@]}" golden/cases/tied-bf16 --engine fast --cache "$work/packed"
head -c 5000 "$work/first" >"$work/packed"
expect_error "a damaged file" 3 'expected packed weights .a damaged file of them can be removed' "${cached[@]}"
cp golden/models/base-f32/model.safetensors "$work/model.safetensors"
expect_error "a file that is something else" 3 'not a file of packed weights' "${verify[@]}" $single --engine fast --cache "$work/model.safetensors"
result "is left as it is" "$(cmp golden/models/base-f32/model.safetensors "$work/model.safetensors" 2>&1)"
expect_error "a cache that would be read as an index" 2 'packed.json: packed weights are not kept' "$PROGRAM" logits -m golden/models/base-f32 -p hi --engine fast --cache "$work/packed.json"
result "of which nothing is written" "$(ls "$work/packed.json" 2>/dev/null)"
result "fast numerics without BF16 weights" "$("$PROGRAM" logits -m golden/models/base-f32 -p hi --engine fast --numerics fast --target contract 2>&1 >/dev/null |
    grep -q 'numerics fast: no layer' || echo 'no remark')"
finish
