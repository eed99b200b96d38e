build-clang/obj/cli/main.o: cli/main.c core/status.h include/minicpmv.h

core/status.h:

include/minicpmv.h:
