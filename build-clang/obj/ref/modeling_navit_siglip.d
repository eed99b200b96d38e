build-clang/obj/ref/modeling_navit_siglip.o: ref/modeling_navit_siglip.c \
  ref/modeling_navit_siglip.h ref/image_processing_minicpmv.h \
  core/arena.h core/memory.h core/status.h include/minicpmv.h \
  core/buffer.h formats/image.h ref/pillow_resize.h ref/nn.h \
  core/tensor.h core/threads.h formats/safetensors.h \
  ref/configuration_minicpm.h

ref/modeling_navit_siglip.h:

ref/image_processing_minicpmv.h:

core/arena.h:

core/memory.h:

core/status.h:

include/minicpmv.h:

core/buffer.h:

formats/image.h:

ref/pillow_resize.h:

ref/nn.h:

core/tensor.h:

core/threads.h:

formats/safetensors.h:

ref/configuration_minicpm.h:
