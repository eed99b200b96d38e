build-clang/obj/core/buffer.o: core/buffer.c core/buffer.h core/memory.h \
  core/status.h include/minicpmv.h

core/buffer.h:

core/memory.h:

core/status.h:

include/minicpmv.h:
