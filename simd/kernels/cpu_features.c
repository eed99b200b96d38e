#include "simd/kernels/cpu_features.h"

#if defined(__x86_64__)

#include <cpuid.h>

/* Not among the names that every compiler's __builtin_cpu_supports knows. */
static bool has_f16c(void) {
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & bit_F16C;
}

bool mcv_cpu_has(mcv_target target) {
    __builtin_cpu_init();
    switch (target) {
    case MCV_TARGET_contract:
        return true;
    case MCV_TARGET_avx2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    case MCV_TARGET_avx512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case MCV_TARGET_avx512vnni:
        return __builtin_cpu_supports("avx512vnni");
    default:
        return false;
    }
}

#else

bool mcv_cpu_has(mcv_target target) {
    return target == MCV_TARGET_contract;
}

#endif
