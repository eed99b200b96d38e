build-clang/obj/core/status.o: core/status.c core/status.h \
  include/minicpmv.h

core/status.h:

include/minicpmv.h:
