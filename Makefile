# minicpmv: `make help` lists the targets.
#
# MODE=release|debug|asan|ubsan|tsan|fuzz   CC=gcc|clang   SYSROOT=FOLDER: the libraries of another architecture
MODE ?= release
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
# build/ for the default, else a folder in it: build/asan, build/clang, build/clang-asan.
BUILD := $(patsubst build/,build,build/$(subst $(eval) ,-,$(strip $(filter-out gcc,$(CC)) $(filter-out release,$(MODE)))))
OBJ := $(BUILD)/obj

CPPFLAGS := -I. -D_GNU_SOURCE -MMD -MP
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wformat=2
# Cutting a message short is what snprintf is used for; only gcc warns of it.
WARNINGS += $(if $(findstring gcc,$(CC)),-Wno-format-truncation)
CFLAGS := -std=c11 -g -pthread -ffp-contract=off $(WARNINGS)
LDFLAGS := -pthread
LDLIBS := -ljansson -ljpeg -lpng -lwebp -lwebpdemux -lxxhash -lm

# FFmpeg's libraries, for videos, where they are installed. `make LIBAV=` builds without them.
LIBAV_PACKAGES := libavformat libavcodec libswscale libavutil
ifeq ($(origin LIBAV),undefined)
LIBAV := $(if $(SYSROOT),,$(shell pkg-config --exists $(LIBAV_PACKAGES) 2>/dev/null && echo yes))
endif
LIBAV_SOURCES := video/video_libav.c video/libav_index.c video/libav_rgb.c
CPPFLAGS += $(if $(LIBAV),$(shell pkg-config --cflags $(LIBAV_PACKAGES)))
LDLIBS := $(if $(LIBAV),$(shell pkg-config --libs $(LIBAV_PACKAGES))) $(LDLIBS)

# OpenBLAS, for --blas openblas, where it is installed; loaded when it is asked for. `make OPENBLAS=` builds without it.
ifeq ($(origin OPENBLAS),undefined)
OPENBLAS := $(if $(SYSROOT),,$(shell pkg-config --exists openblas 2>/dev/null && echo yes))
endif
CPPFLAGS += $(if $(OPENBLAS),$(shell pkg-config --cflags openblas))

CFLAGS_release := -O3
CFLAGS_debug := -O0
CFLAGS_asan := -O1 -fsanitize=address -fno-omit-frame-pointer
CFLAGS_ubsan := -O1 -fsanitize=undefined -fno-sanitize-recover=all
CFLAGS_tsan := -O1 -fsanitize=thread
CFLAGS_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -DMCV_MAX_PIXELS=1048576
# Sanitizers hide from gcc that a variable is set.
CFLAGS += $(CFLAGS_$(MODE)) $(if $(findstring gcc,$(CC)),$(if $(filter %san,$(MODE)),-Wno-maybe-uninitialized))
LDFLAGS += $(CFLAGS_$(MODE))
CFLAGS += $(if $(SYSROOT),--sysroot=$(SYSROOT))
LDFLAGS += $(if $(SYSROOT),--sysroot=$(SYSROOT))

LIBRARY_FOLDERS := core formats ref video simd blas api
LIBRARY_SOURCES := $(sort $(foreach folder,$(LIBRARY_FOLDERS),$(shell find $(folder) -name '*.c' -not -path '*/template/*' 2>/dev/null)))
# Kernels for instruction sets of other architectures are left out.
KERNEL_FOLDERS_x86_64 := avx2 avx512 avx512vnni avx512bf16 amx
KERNEL_FOLDERS_aarch64 := neon dotprod i8mm neonbf16
ARCHITECTURE := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
OTHER_KERNELS := $(filter-out $(KERNEL_FOLDERS_$(ARCHITECTURE)),$(KERNEL_FOLDERS_x86_64) $(KERNEL_FOLDERS_aarch64))
LIBRARY_SOURCES := $(filter-out $(OTHER_KERNELS:%=simd/kernels/%/%),$(LIBRARY_SOURCES))
LIBRARY_SOURCES := $(filter-out $(if $(LIBAV),video/libav_missing.c,$(LIBAV_SOURCES)),$(LIBRARY_SOURCES))
OPENBLAS_SOURCES := blas/blas_openblas.c blas/openblas_attention.c blas/openblas_library.c
LIBRARY_SOURCES := $(filter-out $(if $(OPENBLAS),blas/blas_missing.c,$(OPENBLAS_SOURCES)),$(LIBRARY_SOURCES))
CLI_SOURCES := $(sort $(wildcard cli/*.c))
# Text that is part of the program, as C strings.
CLI_TEXTS := $(BUILD)/default_tolerances.c $(BUILD)/report_page.c
TEST_SOURCES := $(sort $(wildcard tests/test_*.c))
BENCH_SOURCES := $(sort $(wildcard bench/bench_*.c))

LIBRARY := $(BUILD)/libminicpmv.a
PROGRAM := $(BUILD)/minicpmv
CLI_LIBRARY := $(BUILD)/libcli.a
TESTS := $(TEST_SOURCES:tests/%.c=$(BUILD)/tests/%)
BENCHES := $(BENCH_SOURCES:bench/%.c=$(BUILD)/bench/%)

objects = $(1:%.c=$(OBJ)/%.o)

.PHONY: all
all: $(PROGRAM) ## Build the program (default)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'MODE=release|debug|asan|ubsan|tsan chooses the build, CC=gcc|clang the compiler.'

# V=1 shows the whole command lines.
shown = $(if $(V),,@echo '  $(1) $@';)

# Kernels for an instruction set are compiled for it; everything else for the oldest CPU of the architecture.
TARGET_FLAGS = $(TARGET_FLAGS_$(word 3,$(subst /, ,$(filter simd/kernels/%,$<)))) $(KERNEL_FLAGS_$(MODE))
# Kernels read no files, and take minutes to compile with sanitizers.
KERNEL_FLAGS_fuzz = $(if $(filter simd/kernels/%,$<),-fno-sanitize=all)
TARGET_FLAGS_avx2 := -mavx2 -mfma -mf16c
TARGET_FLAGS_avx512 := $(TARGET_FLAGS_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl
TARGET_FLAGS_avx512vnni := $(TARGET_FLAGS_avx512) -mavx512vnni
TARGET_FLAGS_avx512bf16 := $(TARGET_FLAGS_avx512vnni) -mavx512bf16
TARGET_FLAGS_amx := $(TARGET_FLAGS_avx512bf16) -mamx-tile -mamx-int8 -mamx-bf16
TARGET_FLAGS_dotprod := -march=armv8.2-a+dotprod
TARGET_FLAGS_i8mm := -march=armv8.2-a+dotprod+i8mm
TARGET_FLAGS_neonbf16 := $(TARGET_FLAGS_i8mm)+bf16

$(OBJ)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call shown,CC  )$(CC) $(CPPFLAGS) $(CFLAGS) $(TARGET_FLAGS) -c -o $@ $<

$(LIBRARY): $(call objects,$(LIBRARY_SOURCES))
	@rm -f $@
	$(call shown,AR  )$(AR) rcs $@ $^

$(BUILD)/default_tolerances.c: cli/tolerances.txt
$(BUILD)/report_page.c: cli/report_page.html
# mcv_NAME, of NAME.c.
$(CLI_TEXTS): Makefile
	@mkdir -p $(@D)
	@{ echo 'extern const char mcv_$(basename $(@F))[];'; echo 'const char mcv_$(basename $(@F))[] ='; \
	   sed 's/[\\"]/\\&/g; s/.*/    "&\\n"/' $(filter-out Makefile,$^); echo '    ;'; } >$@

$(BUILD)/%.o: $(BUILD)/%.c
	$(call shown,CC  )$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# All of the program but main(), for the tests.
$(CLI_LIBRARY): $(call objects,$(filter-out cli/main.c,$(CLI_SOURCES))) $(CLI_TEXTS:.c=.o)
	@rm -f $@
	$(call shown,AR  )$(AR) rcs $@ $^

$(PROGRAM): $(call objects,cli/main.c) $(CLI_LIBRARY) $(LIBRARY)
	$(call shown,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Objects before libraries, whatever the order in which a rule names them.
LINKED = $(filter %.o,$^) $(filter %.a,$^)

$(BUILD)/tests/%: $(OBJ)/tests/%.o $(if $(SYSROOT),$(OBJ)/tests/emulated_execve.o) $(CLI_LIBRARY) $(LIBRARY)
	@mkdir -p $(@D)
	$(call shown,LINK)$(CC) $(LDFLAGS) -o $@ $(LINKED) -lcriterion $(LDLIBS)

$(BUILD)/bench/%: $(OBJ)/bench/%.o $(CLI_LIBRARY) $(LIBRARY)
	@mkdir -p $(@D)
	$(call shown,LINK)$(CC) $(LDFLAGS) -o $@ $(LINKED) $(LDLIBS)

.SECONDARY:
-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

.PHONY: deps
deps: ## Install the Debian packages that are missing
	@tests/install_deps.sh

.PHONY: print-libraries
print-libraries:
	@echo $(LDLIBS) -pthread

.PHONY: clean
clean: ## Remove every build
	rm -rf build

include tests/tests.mk
