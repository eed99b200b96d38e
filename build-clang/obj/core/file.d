build-clang/obj/core/file.o: core/file.c core/file.h core/buffer.h \
  core/memory.h core/status.h include/minicpmv.h

core/file.h:

core/buffer.h:

core/memory.h:

core/status.h:

include/minicpmv.h:
