build-clang/obj/core/arena.o: core/arena.c core/arena.h core/memory.h \
  core/status.h include/minicpmv.h

core/arena.h:

core/memory.h:

core/status.h:

include/minicpmv.h:
