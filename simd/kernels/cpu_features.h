/* What the CPU and its operating system offer. */
#ifndef MCV_SIMD_KERNELS_CPU_FEATURES_H
#define MCV_SIMD_KERNELS_CPU_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

typedef enum mcv_feature {
#define FEATURE(name, by, words) MCV_FEATURE_##name,
#include "simd/kernels/cpu_features.def"
    MCV_FEATURES
} mcv_feature;

typedef struct mcv_cpu {
    char name[64];     /* as the CPU calls itself */
    uint32_t features; /* bit i: mcv_feature i */
} mcv_cpu;

/* The CPU that this runs on. The first call asks the operating system for AMX where the CPU has it. */
const mcv_cpu *mcv_cpu_this(void);

bool mcv_cpu_has(const mcv_cpu *cpu, mcv_feature feature);

const char *mcv_feature_name(mcv_feature feature);
/* As messages call it. */
const char *mcv_feature_words(mcv_feature feature);
/* Whether the operating system gives it, not the CPU alone. */
bool mcv_feature_is_of_system(mcv_feature feature);

#if defined(__x86_64__)

/* What cpuid and xgetbv say (Intel, Software Developer's Manual, volume 2, CPUID). */
typedef struct mcv_x86_registers {
    uint32_t leaf_1_ecx, leaf_7_ebx, leaf_7_ecx, leaf_7_edx, leaf_7_1_eax;
    uint32_t xcr0;               /* which registers the operating system saves */
    bool (*request_tiles)(void); /* asks the operating system for AMX tiles: true where they may be used */
} mcv_x86_registers;

/* The features in what these registers say. `request_tiles` is called only where the rest of AMX is there. */
uint32_t mcv_x86_features(const mcv_x86_registers *registers);

#elif defined(__aarch64__)

/* The features in what getauxval(AT_HWCAP) and getauxval(AT_HWCAP2) say. */
uint32_t mcv_aarch64_features(unsigned long hwcap, unsigned long hwcap2);

#endif

#endif
