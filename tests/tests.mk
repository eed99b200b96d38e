# Targets that check and measure.

RACE_SOURCES := $(sort $(wildcard tests/race_*.c))
RACES := $(RACE_SOURCES:tests/%.c=$(BUILD)/tests/%)
# Without a sanitizer: with one, emulated kernels take minutes to compile.
EMULATED := $(and $(filter x86_64,$(ARCHITECTURE)),$(filter release debug,$(MODE)))
EMULATED_TEST := $(if $(EMULATED),$(BUILD)/tests/test_kernels_emulated)
EMULATED_PROGRAM := $(if $(EMULATED),$(BUILD)/emulated/minicpmv)
# ThreadSanitizer leaves no room for the memory that Criterion shares with its workers: there, plain programs only.
CRITERION_TESTS := $(if $(filter tsan,$(MODE)),,$(TESTS) $(EMULATED_TEST))
CHECK_SCRIPTS := $(sort $(wildcard tests/check_*.sh))
CLI_SCRIPTS := $(sort $(wildcard tests/cli_*.sh))
C_FILES = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h')
PARALLEL = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
# Small programs that the comparisons in tests/live run.
TOOLS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/tools/*.c)))
BINARIES := $(PROGRAM) $(EMULATED_PROGRAM) $(CRITERION_TESTS) $(RACES) $(TOOLS)

# Builds what the tests run. Where that fails, what an earlier build left behind is removed, so that nothing old is run.
BUILD_TESTS = $(MAKE) --no-print-directory -k $(PARALLEL) tests; status=$$?; \
	[ $$status -eq 0 ] || for binary in $(BINARIES); do $(MAKE) -q $$binary >/dev/null 2>&1 || rm -f $$binary; done
RUN_TESTS = BUILD=$(BUILD) PROGRAM=$(PROGRAM) CC=$(CC) MODE=$(MODE) tests/run_tests.sh --build-status $$status

$(BUILD)/tests/tools/%: $(OBJ)/tests/tools/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(call shown,LINK)$(CC) $(LDFLAGS) -o $@ $(LINKED) $(LDLIBS)

# What checks kernels: the comparison and one generator of arguments for each of them.
KERNEL_CHECK := $(call objects,$(sort $(wildcard tests/kernels/*.c)))
$(BUILD)/tests/test_kernels $(BUILD)/tests/test_kernel_harness $(BUILD)/tests/test_kernel_bounds $(BUILD)/tests/test_blas $(BUILD)/tests/tools/check_kernels: $(KERNEL_CHECK)

# Kernels for AVX-512 and AMX on CPUs that have AVX2: the same sources with other intrinsics. The objects come before the
# library that has the real ones.
EMULATED_FOLDERS := avx512 avx512vnni avx512bf16 amx
EMULATED_KERNELS := $(sort $(wildcard $(EMULATED_FOLDERS:%=simd/kernels/%/*.c)))
EMULATED_OBJECTS := $(EMULATED_KERNELS:%.c=$(OBJ)/emulated/%.o) $(OBJ)/tests/emulated/emulated_cpu.o

$(OBJ)/emulated/simd/kernels/%.o: simd/kernels/%.c Makefile tests/tests.mk
	@mkdir -p $(@D)
	$(call shown,CC  )$(CC) $(CPPFLAGS) $(CFLAGS) $(TARGET_FLAGS_avx2) -O1 -Wno-psabi -DEMULATED_$(firstword $(subst /, ,$*)) \
	    -include tests/emulated/emulated_avx512.h -c -o $@ $<

$(BUILD)/tests/test_kernels_emulated: $(OBJ)/tests/test_kernels.o $(KERNEL_CHECK) $(EMULATED_OBJECTS) $(LIBRARY)
	@mkdir -p $(@D)
	$(call shown,LINK)$(CC) $(LDFLAGS) -o $@ $(LINKED) -lcriterion $(LDLIBS)

$(BUILD)/emulated/minicpmv: $(call objects,cli/main.c) $(EMULATED_OBJECTS) $(CLI_LIBRARY) $(LIBRARY)
	@mkdir -p $(@D)
	$(call shown,LINK)$(CC) $(LDFLAGS) -o $@ $(LINKED) $(LDLIBS)

$(BUILD)/tests/race_%: $(OBJ)/tests/race_%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(call shown,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: tests
tests: $(BINARIES) ## Build the tests

.PHONY: test
test: deps ## Build and run every test that needs no Python
	@$(BUILD_TESTS); $(RUN_TESTS) $(CRITERION_TESTS) $(RACES) $(CHECK_SCRIPTS) $(CLI_SCRIPTS)

.PHONY: check
check: test ## The same as test

.PHONY: check-fast
check-fast: ## The tests of single parts, under a minute
	@$(BUILD_TESTS); $(RUN_TESTS) $(CRITERION_TESTS) $(RACES) $(CHECK_SCRIPTS)

.PHONY: asan ubsan tsan
asan ubsan tsan: ## Run the tests under a sanitizer
	@$(MAKE) --no-print-directory test MODE=$@

.PHONY: clang
clang: ## Build with clang and run the tests
	@$(MAKE) --no-print-directory test CC=clang

# ARM: a cross build under qemu. The processor that qemu plays has every instruction set that it knows.
AARCH64_SYSROOT := build/aarch64-sysroot
AARCH64 := CC=aarch64-linux-gnu-gcc SYSROOT=$(AARCH64_SYSROOT)
AARCH64_DEPS = tests/install_deps.sh gcc-aarch64-linux-gnu qemu-user && tests/make_sysroot.sh arm64 $(AARCH64_SYSROOT)

.PHONY: aarch64
aarch64: deps ## Cross build for ARM
	@$(AARCH64_DEPS)
	@$(MAKE) --no-print-directory $(PARALLEL) $(AARCH64)

.PHONY: test-aarch64
test-aarch64: deps ## Cross build for ARM and run tests and golden cases in an emulator
	@$(AARCH64_DEPS)
	@$(MAKE) --no-print-directory $(AARCH64) test-emulated

.PHONY: test-emulated
test-emulated: export QEMU_LD_PREFIX := $(SYSROOT)
test-emulated: export QEMU_CPU := max
test-emulated: export MCV_TRIALS ?= 150
test-emulated: export EMULATOR := $(shell command -v qemu-aarch64)
test-emulated:
	@$(BUILD_TESTS); $(RUN_TESTS) $(filter-out %/test_video_libav,$(CRITERION_TESTS)) $(RACES) tests/cli_golden.sh tests/cli_targets.sh tests/cli_results.sh

FUZZERS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_SECONDS ?= 60

$(BUILD)/tests/fuzz/%: $(OBJ)/tests/fuzz/%.o $(CLI_LIBRARY) $(LIBRARY)
	@mkdir -p $(@D)
	$(call shown,LINK)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

.PHONY: fuzz
fuzz: deps ## Feed damaged files to the readers, FUZZ_SECONDS=60 each (clang with libFuzzer)
	@if echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | clang -x c -fsanitize=fuzzer -o /dev/null - 2>/dev/null; \
	then $(MAKE) --no-print-directory $(PARALLEL) CC=clang MODE=fuzz run-fuzzers; \
	else echo 'SKIP fuzz: no clang that has libFuzzer'; echo '0 passed, 0 failed, 1 skipped'; fi

.PHONY: run-fuzzers
run-fuzzers: $(FUZZERS)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_SEED=$(FUZZ_SEED) tests/fuzz/run_fuzzers.sh $^

.PHONY: test-live
test-live: deps ## Compare with the Python originals (makes .venv; HF_CODE=DIR: the model's Python files)
	@$(BUILD_TESTS); BUILD=$(BUILD) PROGRAM=$(PROGRAM) tests/run_live.sh --build-status $$status

.PHONY: golden
golden: ## Rebuild the golden cases (HF_CODE=DIR: the model's Python files)
	@golden/rebuild.sh

.PHONY: demo
demo: ## Answer about pictures, a dialogue and a clip with the small model of the repository
	@golden/demo.sh

.PHONY: bench
bench: $(BENCHES) ## Build and run every benchmark
	@for bench in $(BENCHES); do echo "== $$bench"; $$bench || exit 1; done

.PHONY: format
format: ## Format the C files with clang-format
	@clang-format -i $(C_FILES)

.PHONY: format-check
format-check: ## Fail where clang-format would change a C file
	@clang-format --dry-run --Werror $(C_FILES)

COMPILED := $(LIBRARY_SOURCES) $(CLI_SOURCES) $(TEST_SOURCES) $(RACE_SOURCES) $(BENCH_SOURCES)
compile_commands.json: Makefile tests/tests.mk $(COMPILED)
	@{ separator='['; for file in $(COMPILED); do \
	    printf '%s\n{"directory": "%s", "file": "%s", "command": "%s"}' \
	        "$$separator" '$(CURDIR)' "$$file" '$(CC) $(CPPFLAGS) $(CFLAGS) -c '"$$file"; \
	    separator=','; done; printf '\n]\n'; } >$@

.PHONY: compdb
compdb: compile_commands.json ## Write compile_commands.json for editors and clang-tidy

.PHONY: tidy
tidy: compile_commands.json ## Read the C files with clang-tidy
	@command -v clang-tidy >/dev/null || tests/install_deps.sh clang-tidy
	@clang-tidy --quiet -p . --extra-arg=-Wno-unknown-warning-option $(LIBRARY_SOURCES) $(CLI_SOURCES)

# COMPILE and LINK make the program with one source file exchanged, see tests/mutations/plant_faults.sh.
FAULTS ?= tests/mutations/faults.txt
.PHONY: mutations
mutations: $(PROGRAM) ## Plant faults one by one: verify must find each in its module (WORDS='of some')
	@PROGRAM=$(PROGRAM) COMPILE='$(CC) $(filter-out -MMD -MP,$(CPPFLAGS)) $(CFLAGS) -O1 -w' LINK='$(CC) $(LDFLAGS)' \
	    OBJECTS='$(call objects,cli/main.c) $(CLI_LIBRARY) $(LIBRARY)' LIBRARIES='$(LDLIBS)' \
	    tests/mutations/plant_faults.sh $(FAULTS) '$(WORDS)'
