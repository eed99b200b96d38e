build-clang/obj/core/threads.o: core/threads.c core/threads.h \
  core/memory.h core/status.h include/minicpmv.h

core/threads.h:

core/memory.h:

core/status.h:

include/minicpmv.h:
