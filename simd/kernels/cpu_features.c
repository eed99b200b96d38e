#include "simd/kernels/cpu_features.h"

#include <stddef.h>

enum GivenBy { CPU, SYSTEM };

static const struct Feature {
    const char *name, *words;
    enum GivenBy by;
} FEATURES[] = {
#define FEATURE(name, by, words) {#name, words, by},
#include "simd/kernels/cpu_features.def"
    {NULL, NULL, CPU},
};

const char *mcv_feature_name(mcv_feature feature) {
    return FEATURES[feature].name;
}

const char *mcv_feature_words(mcv_feature feature) {
    return FEATURES[feature].words;
}

bool mcv_feature_is_of_system(mcv_feature feature) {
    return FEATURES[feature].by == SYSTEM;
}

bool mcv_cpu_has(const mcv_cpu *cpu, mcv_feature feature) {
    return cpu->features >> feature & 1;
}

/* The bit of a feature where `there` is true. */
#define FEATURE_IF(there, name) ((there) ? (uint32_t)1 << MCV_FEATURE_##name : 0)

#if defined(__x86_64__)

enum {
    XCR0_AVX = 1 << 1 | 1 << 2,                        /* SSE and AVX state */
    XCR0_AVX512 = XCR0_AVX | 1 << 5 | 1 << 6 | 1 << 7, /* mask registers and the rest of ZMM0 to ZMM31 */
    XCR0_TILES = 1 << 17 | 1 << 18,                    /* tile configuration and tile data */
};

static bool bit(uint32_t bits, int index) {
    return bits >> index & 1;
}

static bool saves(const mcv_x86_registers *registers, uint32_t state) {
    return (registers->xcr0 & state) == state;
}

uint32_t mcv_x86_features(const mcv_x86_registers *registers) {
    const mcv_x86_registers *r = registers;
    bool tiles = bit(r->leaf_7_edx, 24) && saves(r, XCR0_TILES);
    return FEATURE_IF(saves(r, XCR0_AVX), avx_state) | FEATURE_IF(bit(r->leaf_7_ebx, 5), avx2) |
           FEATURE_IF(bit(r->leaf_1_ecx, 12), fma) | FEATURE_IF(bit(r->leaf_1_ecx, 29), f16c) |
           FEATURE_IF(saves(r, XCR0_AVX512), avx512_state) | FEATURE_IF(bit(r->leaf_7_ebx, 16), avx512f) |
           FEATURE_IF(bit(r->leaf_7_ebx, 30), avx512bw) | FEATURE_IF(bit(r->leaf_7_ebx, 17), avx512dq) |
           FEATURE_IF(bit(r->leaf_7_ebx, 31), avx512vl) | FEATURE_IF(bit(r->leaf_7_ecx, 11), avx512vnni) |
           FEATURE_IF(bit(r->leaf_7_1_eax, 5), avx512bf16) | FEATURE_IF(bit(r->leaf_7_edx, 24), amx_tile) |
           FEATURE_IF(bit(r->leaf_7_edx, 25), amx_int8) | FEATURE_IF(bit(r->leaf_7_edx, 22), amx_bf16) |
           FEATURE_IF(saves(r, XCR0_TILES), amx_state) | FEATURE_IF(tiles && r->request_tiles(), amx_permission);
}

#elif defined(__aarch64__)

/* Linux, arch/arm64/include/uapi/asm/hwcap.h. */
enum { HWCAP_BIT_ASIMD = 1, HWCAP_BIT_ASIMDDP = 20, HWCAP2_BIT_I8MM = 13, HWCAP2_BIT_BF16 = 14 };

uint32_t mcv_aarch64_features(unsigned long hwcap, unsigned long hwcap2) {
    return FEATURE_IF(hwcap >> HWCAP_BIT_ASIMD & 1, asimd) | FEATURE_IF(hwcap >> HWCAP_BIT_ASIMDDP & 1, asimddp) |
           FEATURE_IF(hwcap2 >> HWCAP2_BIT_I8MM & 1, i8mm) | FEATURE_IF(hwcap2 >> HWCAP2_BIT_BF16 & 1, bf16);
}

#endif
