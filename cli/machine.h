/* What a result was made on, for files that keep results. */
#ifndef MCV_CLI_MACHINE_H
#define MCV_CLI_MACHINE_H

#include "cli/cli.h"

typedef struct mcv_machine {
    char architecture[65]; /* "x86_64" */
    char cpu[128];         /* "AMD EPYC 7763 64-Core Processor"; "" where the system does not tell */
} mcv_machine;

mcv_machine mcv_machine_get(void);

#endif
