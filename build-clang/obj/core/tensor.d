build-clang/obj/core/tensor.o: core/tensor.c core/tensor.h core/memory.h \
  core/status.h include/minicpmv.h

core/tensor.h:

core/memory.h:

core/status.h:

include/minicpmv.h:
