build-clang/obj/ref/nn_matmul.o: ref/nn_matmul.c ref/nn_matmul.h

ref/nn_matmul.h:
