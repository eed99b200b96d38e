/* Asks the CPU and the operating system. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "simd/kernels/cpu_features.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

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
    if (registers.leaf_1_ecx >> OSXSAVE & 1)
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

/* The CPU has no name of its own, only numbers (Arm, MIDR_EL1), which Linux lets programs read. */
static void read_name(unsigned long hwcap, char *name, size_t size) {
    enum { HWCAP_BIT_CPUID = 11 };
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
