build-clang/obj/ref/modeling_qwen3.o: ref/modeling_qwen3.c \
  ref/modeling_qwen3.h ref/nn.h core/arena.h core/memory.h core/status.h \
  include/minicpmv.h core/tensor.h core/threads.h formats/safetensors.h \
  ref/configuration_minicpm.h

ref/modeling_qwen3.h:

ref/nn.h:

core/arena.h:

core/memory.h:

core/status.h:

include/minicpmv.h:

core/tensor.h:

core/threads.h:

formats/safetensors.h:

ref/configuration_minicpm.h:
