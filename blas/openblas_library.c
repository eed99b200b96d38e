#include "blas/openblas_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char NAME[] = "libopenblas.so.0";

mcv_openblas mcv_openblas_library;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char problem[256]; /* "": it is loaded */

/* `function`: a pointer to a function, which ISO C does not convert a void * to. */
static bool find(void *handle, const char *name, void *function) {
    void *address = dlsym(handle, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static void load(void) {
    mcv_openblas *library = &mcv_openblas_library;
    setenv("OPENBLAS_NUM_THREADS", "1", 0); /* read while it loads */
    void *handle = dlopen(NAME, RTLD_NOW | RTLD_LOCAL);
    if (!handle || !find(handle, "cblas_sgemm", &library->sgemm) ||
        !find(handle, "openblas_set_num_threads", &library->set_num_threads) ||
        !find(handle, "openblas_get_config", &library->get_config))
        snprintf(problem, sizeof problem, "%s", dlerror());
}

mcv_status mcv_openblas_load(void) {
    pthread_once(&once, load);
    return problem[0] ? MCV_FAIL(MCV_UNSUPPORTED, "OpenBLAS cannot be loaded: %s", problem) : MCV_OK;
}
