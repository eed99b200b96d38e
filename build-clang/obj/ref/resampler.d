build-clang/obj/ref/resampler.o: ref/resampler.c ref/resampler.h \
  ref/image_processing_minicpmv.h core/arena.h core/memory.h \
  core/status.h include/minicpmv.h core/buffer.h formats/image.h \
  ref/pillow_resize.h ref/nn.h core/tensor.h core/threads.h \
  formats/safetensors.h ref/configuration_minicpm.h

ref/resampler.h:

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
