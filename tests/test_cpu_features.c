/* Which targets CPUs run that this machine is not: what they say of themselves is given as they would say it. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/status.h"
#include "simd/kernels/kernel_table.h"

/* The best target of a CPU. */
static const char *best_target(const mcv_cpu *cpu) {
    mcv_target target;
    cr_assert_eq(mcv_target_find(NULL, cpu, &target), MCV_OK);
    return mcv_target_name(target);
}

/* The message that refuses a target which the CPU lacks. */
static const char *refusal(const char *name, const mcv_cpu *cpu) {
    mcv_target target;
    cr_assert_eq(mcv_target_find(name, cpu, &target), MCV_UNSUPPORTED);
    return mcv_error_message();
}

#if defined(__x86_64__)

static int times_asked;

static bool grant(void) {
    times_asked++;
    return true;
}

static bool deny(void) {
    times_asked++;
    return false;
}

enum { XCR0_SSE = 3, XCR0_AVX = 7, XCR0_AVX512 = 0xe7, XCR0_AMX = 0x600e7 };

/* A CPU that has everything; others are made from it. */
static const mcv_x86_registers ALL = {.leaf_1_ecx = UINT32_MAX,
                                      .leaf_7_ebx = UINT32_MAX,
                                      .leaf_7_ecx = UINT32_MAX,
                                      .leaf_7_edx = UINT32_MAX,
                                      .leaf_7_1_eax = UINT32_MAX,
                                      .xcr0 = XCR0_AMX,
                                      .request_tiles = grant};

static mcv_cpu cpu_of(mcv_x86_registers registers) {
    mcv_cpu cpu = {"test", mcv_x86_features(&registers)};
    return cpu;
}

Test(cpu_features, everything) {
    mcv_cpu cpu = cpu_of(ALL);
    cr_assert_str_eq(best_target(&cpu), "amx");
    for (int i = 0; i < MCV_TARGETS; i++)
        cr_expect_eq(mcv_target_lacks((mcv_target)i, &cpu), 0);
    cr_expect_eq(times_asked, 1);
}

Test(cpu_features, tiles_denied) {
    mcv_x86_registers registers = ALL;
    registers.request_tiles = deny;
    mcv_cpu cpu = cpu_of(registers);
    cr_assert_str_eq(best_target(&cpu), "avx512bf16");
    cr_expect_str_eq(refusal("amx", &cpu),
                     "target amx: this machine (test) lacks the operating system's permission to use AMX tiles");
    cr_expect_eq(times_asked, 1);
}

Test(cpu_features, tiles_not_saved_are_not_asked_for) {
    mcv_x86_registers registers = ALL;
    registers.xcr0 = XCR0_AVX512;
    mcv_cpu cpu = cpu_of(registers);
    cr_assert_str_eq(best_target(&cpu), "avx512bf16");
    cr_expect_eq(times_asked, 0);
}

Test(cpu_features, no_avx512_registers) {
    mcv_x86_registers registers = ALL;
    registers.xcr0 = XCR0_AVX;
    mcv_cpu cpu = cpu_of(registers);
    cr_assert_str_eq(best_target(&cpu), "avx2");
    cr_expect_str_eq(refusal("avx512", &cpu),
                     "target avx512: this machine (test) lacks support for AVX-512 registers in the operating system");
}

Test(cpu_features, one_extension_less) {
    static const struct {
        uint32_t leaf_7_ebx, leaf_7_ecx, leaf_7_1_eax; /* the bits that are taken away */
        const char *best;
    } CASES[] = {
        {1u << 5, 0, 0, "contract"}, /* AVX2 */
        {1u << 16, 0, 0, "avx2"},    /* AVX-512 F, BW, DQ, VL */
        {1u << 30, 0, 0, "avx2"},      {1u << 17, 0, 0, "avx2"},
        {1u << 31, 0, 0, "avx2"},      {0, 1u << 11, 0, "avx512"}, /* VNNI */
        {0, 0, 1u << 5, "avx512vnni"},                             /* BF16 */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        mcv_x86_registers registers = ALL;
        registers.leaf_7_ebx &= ~CASES[i].leaf_7_ebx;
        registers.leaf_7_ecx &= ~CASES[i].leaf_7_ecx;
        registers.leaf_7_1_eax &= ~CASES[i].leaf_7_1_eax;
        mcv_cpu cpu = cpu_of(registers);
        cr_expect_str_eq(best_target(&cpu), CASES[i].best, "case %zu: %s", i, best_target(&cpu));
    }
}

Test(cpu_features, neither_fma_nor_f16c) {
    mcv_x86_registers registers = ALL;
    registers.leaf_1_ecx &= ~(1u << 12) & ~(1u << 29);
    mcv_cpu cpu = cpu_of(registers);
    cr_assert_str_eq(best_target(&cpu), "contract");
    cr_expect_str_eq(refusal("avx2", &cpu), "target avx2: this machine (test) lacks FMA, F16C");
}

Test(cpu_features, sse_alone) {
    mcv_cpu cpu = cpu_of((mcv_x86_registers){.xcr0 = XCR0_SSE, .request_tiles = grant});
    cr_assert_str_eq(best_target(&cpu), "contract");
    cr_expect_str_eq(refusal("avx2", &cpu), "target avx2: this machine (test) lacks AVX2, FMA, F16C");
    cr_expect_eq(times_asked, 0);
}

#elif defined(__aarch64__)

Test(cpu_features, arm) {
    enum { ASIMD = 1 << 1, ASIMDDP = 1 << 20, I8MM = 1 << 13, BF16 = 1 << 14 };
    mcv_cpu plain = {"test", mcv_aarch64_features(ASIMD, 0)},
            dot = {"test", mcv_aarch64_features(ASIMD | ASIMDDP, BF16)};
    mcv_cpu matrix = {"test", mcv_aarch64_features(ASIMD | ASIMDDP, I8MM)};
    mcv_cpu halves = {"test", mcv_aarch64_features(ASIMD | ASIMDDP, I8MM | BF16)};
    cr_expect_str_eq(best_target(&plain), "neon");
    cr_expect_str_eq(best_target(&dot), "dotprod");
    cr_expect_str_eq(best_target(&matrix), "i8mm");
    cr_expect_str_eq(best_target(&halves), "neonbf16");
    cr_expect_str_eq(
        refusal("i8mm", &plain),
        "target i8mm: this machine (test) lacks dot products of int8 (ASIMDDP), matrix products of int8 (I8MM)");
}

#endif

Test(cpu_features, this_machine) {
    const mcv_cpu *cpu = mcv_cpu_this();
    cr_assert_gt(strlen(cpu->name), 0);
    cr_expect_eq(mcv_cpu_this(), cpu);
    mcv_kernels kernels;
    cr_assert_eq(mcv_kernels_select(NULL, &kernels), MCV_OK);
    cr_expect_str_eq(kernels.target, best_target(cpu));
    cr_expect(mcv_target_available(MCV_TARGET_contract));
}

Test(cpu_features, compilers_agree) {
#if defined(__x86_64__)
    const mcv_cpu *cpu = mcv_cpu_this();
    __builtin_cpu_init();
    cr_expect_eq(mcv_cpu_has(cpu, MCV_FEATURE_fma), __builtin_cpu_supports("fma") != 0);
    if (mcv_cpu_has(cpu, MCV_FEATURE_avx_state))
        cr_expect_eq(mcv_cpu_has(cpu, MCV_FEATURE_avx2), __builtin_cpu_supports("avx2") != 0);
    if (mcv_cpu_has(cpu, MCV_FEATURE_avx512_state)) {
        cr_expect_eq(mcv_cpu_has(cpu, MCV_FEATURE_avx512f), __builtin_cpu_supports("avx512f") != 0);
        cr_expect_eq(mcv_cpu_has(cpu, MCV_FEATURE_avx512bw), __builtin_cpu_supports("avx512bw") != 0);
        cr_expect_eq(mcv_cpu_has(cpu, MCV_FEATURE_avx512dq), __builtin_cpu_supports("avx512dq") != 0);
        cr_expect_eq(mcv_cpu_has(cpu, MCV_FEATURE_avx512vl), __builtin_cpu_supports("avx512vl") != 0);
        cr_expect_eq(mcv_cpu_has(cpu, MCV_FEATURE_avx512vnni), __builtin_cpu_supports("avx512vnni") != 0);
        cr_expect_eq(mcv_cpu_has(cpu, MCV_FEATURE_avx512bf16), __builtin_cpu_supports("avx512bf16") != 0);
    }
#else
    cr_skip_test("only x86 compilers say it");
#endif
}

Test(cpu_features, a_name_that_is_not_there) {
    mcv_target target;
    mcv_kernels kernels;
    cr_expect_eq(mcv_target_find("avx1024", mcv_cpu_this(), &target), MCV_USAGE);
    cr_expect_eq(mcv_kernels_select("avx1024", &kernels), MCV_USAGE);
    cr_expect(strstr(mcv_error_message(), "avx1024"));
    cr_expect(strstr(mcv_error_message(), " contract"));
}
