#include "simd/kernels/cpu_features.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

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

#include <cpuid.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* Linux saves tiles only for processes that asked for it (Documentation/arch/x86/xstate.rst). Every thread that is
 * started later has the permission, too. */
static bool request_tiles(void) {
    enum { ARCH_REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    int before = errno;
    bool granted = syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, TILE_DATA) == 0;
    errno = before;
    return granted;
}

/* Only where cpuid says that the operating system has switched xgetbv on. */
static uint32_t read_xcr0(void) {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static mcv_x86_registers read_registers(void) {
    enum { OSXSAVE = 27 };
    mcv_x86_registers registers = {.request_tiles = request_tiles};
    uint32_t unused, subleaves = 0;
    __get_cpuid(1, &unused, &unused, &registers.leaf_1_ecx, &unused);
    if (__get_cpuid_count(7, 0, &subleaves, &registers.leaf_7_ebx, &registers.leaf_7_ecx, &registers.leaf_7_edx) &&
        subleaves >= 1)
        __get_cpuid_count(7, 1, &registers.leaf_7_1_eax, &unused, &unused, &unused);
    if (bit(registers.leaf_1_ecx, OSXSAVE))
        registers.xcr0 = read_xcr0();
    return registers;
}

static void read_name(char *name, size_t size) {
    uint32_t words[12] = {0};
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t *leaf = words + (size_t)4 * i;
        __get_cpuid(0x80000002 + i, &leaf[0], &leaf[1], &leaf[2], &leaf[3]);
    }
    char text[sizeof words + 1] = "";
    memcpy(text, words, sizeof words);
    const char *start = text + strspn(text, " ");
    size_t length = strlen(start);
    while (length > 0 && start[length - 1] == ' ')
        length--;
    snprintf(name, size, "%.*s", (int)length, length > 0 ? start : "");
}

static void detect(mcv_cpu *cpu) {
    mcv_x86_registers registers = read_registers();
    cpu->features = mcv_x86_features(&registers);
    read_name(cpu->name, sizeof cpu->name);
}

#elif defined(__aarch64__)

#include <sys/auxv.h>

/* Linux, arch/arm64/include/uapi/asm/hwcap.h. */
enum { HWCAP_BIT_ASIMD = 1, HWCAP_BIT_CPUID = 11, HWCAP_BIT_ASIMDDP = 20, HWCAP2_BIT_I8MM = 13, HWCAP2_BIT_BF16 = 14 };

uint32_t mcv_aarch64_features(unsigned long hwcap, unsigned long hwcap2) {
    return FEATURE_IF(hwcap >> HWCAP_BIT_ASIMD & 1, asimd) | FEATURE_IF(hwcap >> HWCAP_BIT_ASIMDDP & 1, asimddp) |
           FEATURE_IF(hwcap2 >> HWCAP2_BIT_I8MM & 1, i8mm) | FEATURE_IF(hwcap2 >> HWCAP2_BIT_BF16 & 1, bf16);
}

/* The CPU has no name of its own, only numbers (Arm, MIDR_EL1), which Linux lets programs read. */
static void read_name(unsigned long hwcap, char *name, size_t size) {
    uint64_t id = 0;
    if (hwcap >> HWCAP_BIT_CPUID & 1)
        __asm__("mrs %0, MIDR_EL1" : "=r"(id));
    snprintf(name, size, "ARM, implementer 0x%02x, part 0x%03x", (unsigned)(id >> 24 & 0xff),
             (unsigned)(id >> 4 & 0xfff));
}

static void detect(mcv_cpu *cpu) {
    cpu->features = mcv_aarch64_features(getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
    read_name(getauxval(AT_HWCAP), cpu->name, sizeof cpu->name);
}

#else

static void detect(mcv_cpu *cpu) {
    cpu->features = 0;
}

#endif

static mcv_cpu this_cpu;

static void detect_this(void) {
    detect(&this_cpu);
    if (!this_cpu.name[0])
        snprintf(this_cpu.name, sizeof this_cpu.name, "a CPU without a name");
}

const mcv_cpu *mcv_cpu_this(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, detect_this);
    return &this_cpu;
}
