build-clang/obj/ref/nn.o: ref/nn.c ref/nn.h core/arena.h core/memory.h \
  core/status.h include/minicpmv.h core/tensor.h core/threads.h \
  formats/safetensors.h ref/configuration_minicpm.h ref/nn_matmul.h

ref/nn.h:

core/arena.h:

core/memory.h:

core/status.h:

include/minicpmv.h:

core/tensor.h:

core/threads.h:

formats/safetensors.h:

ref/configuration_minicpm.h:

ref/nn_matmul.h:
