#include "core/status.h"
#include <stdio.h>
int main(void) {
    fprintf(stderr, "not yet\n");
    return MCV_USAGE;
}
