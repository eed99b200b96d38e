build-clang/obj/core/memory.o: core/memory.c core/memory.h core/status.h \
  include/minicpmv.h

core/memory.h:

core/status.h:

include/minicpmv.h:
