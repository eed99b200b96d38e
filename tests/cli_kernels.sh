#!/usr/bin/env bash
# minicpmv kernels: the table, the choice of a target, and CPUs that lack what is asked for (played by qemu).
. "$(dirname "$0")/command_line.sh"
kernels=("$PROGRAM" kernels)

plan 11
expect "the CPU" 0 '^CPU +[^ ]' "${kernels[@]}"
expect "targets" 0 '^contract +yes$' "${kernels[@]}"
expect "kernels" 0 '^gemm_f32 +BITS +(used|yes)' "${kernels[@]}"
expect "plain C, asked for" 0 '^gemm_f32 +BITS +used' "${kernels[@]}" --target contract
expect_error "a target that is not there" 2 "target avx1024: there is none of this name, only contract" \
    "${kernels[@]}" --target avx1024
expect_error "an operand" 2 "unexpected operand" "${kernels[@]}" gemm_f32
expect "JSON" 0 '^\{"cpu": ".*"targets": \[\{"name": "contract", "available": true, "lacks": \[\]\}' "${kernels[@]}" --json
expect "JSON of a choice" 0 '"target": "contract".*"name": "gemm_f32", "class": "BITS",.*"used": "contract"' \
    "${kernels[@]}" --json --target contract
if [ "$(uname -m)" = x86_64 ] && command -v qemu-x86_64 >/dev/null && [ "${MODE:-release}" = release ]; then
    old=(qemu-x86_64 -cpu Nehalem "${kernels[@]}")
    expect "a CPU without AVX2 takes plain C" 0 '^target +contract$' "${old[@]}"
    expect_error "a CPU without AVX2, asked for it" 4 'target avx2: this machine \(.*\) lacks AVX2, FMA, F16C$' \
        "${old[@]}" --target avx2
    expect_error "a CPU without AMX, asked for it" 4 'target amx: this machine \(.*\) lacks .*AMX TILE' \
        "${old[@]}" --target amx
else
    for name in "a CPU without AVX2 takes plain C" "a CPU without AVX2, asked for it" "a CPU without AMX, asked for it"; do
        skip "$name" "needs x86-64, qemu-x86_64 and a release build"
    done
fi
finish
