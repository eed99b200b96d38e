#include "cli/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* The first "model name : ..." of Linux's list of processors. */
static void read_cpu(char *cpu, size_t size) {
    static const char KEY[] = "model name";
    FILE *list = fopen("/proc/cpuinfo", "re");
    char line[256];
    while (list && fgets(line, sizeof line, list)) {
        const char *value = strchr(line, ':');
        if (strncmp(line, KEY, strlen(KEY)) != 0 || !value)
            continue;
        value += 1 + strspn(value + 1, " \t");
        snprintf(cpu, size, "%.*s", (int)strcspn(value, "\n"), value);
        break;
    }
    if (list)
        fclose(list);
}

mcv_machine mcv_machine_get(void) {
    mcv_machine machine = {"", ""};
    struct utsname system;
    if (uname(&system) == 0)
        snprintf(machine.architecture, sizeof machine.architecture, "%s", system.machine);
    read_cpu(machine.cpu, sizeof machine.cpu);
    return machine;
}
