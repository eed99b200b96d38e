# Targets that check and measure.

RACE_SOURCES := $(sort $(wildcard tests/race_*.c))
RACES := $(RACE_SOURCES:tests/%.c=$(BUILD)/tests/%)
# ThreadSanitizer leaves no room for the memory that Criterion shares with its workers: there, plain programs only.
CRITERION_TESTS := $(if $(filter tsan,$(MODE)),,$(TESTS))
CHECK_SCRIPTS := $(sort $(wildcard tests/check_*.sh))
CLI_SCRIPTS := $(sort $(wildcard tests/cli_*.sh))
C_FILES = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h')
PARALLEL = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
RUN_TESTS := BUILD=$(BUILD) PROGRAM=$(PROGRAM) CC=$(CC) MODE=$(MODE) tests/run_tests.sh

# Small programs that the comparisons in tests/live run.
TOOLS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/tools/*.c)))

$(BUILD)/tests/tools/%: $(OBJ)/tests/tools/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(call shown,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/race_%: $(OBJ)/tests/race_%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(call shown,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: tests
tests: $(PROGRAM) $(CRITERION_TESTS) $(RACES) $(TOOLS) ## Build the tests

.PHONY: test
test: deps ## Build and run every test that needs no Python
	@$(MAKE) --no-print-directory -k $(PARALLEL) tests; \
	$(RUN_TESTS) --build-status $$? $(CRITERION_TESTS) $(RACES) $(CHECK_SCRIPTS) $(CLI_SCRIPTS)

.PHONY: check
check: test ## The same as test

.PHONY: check-fast
check-fast: ## The tests of single parts, under a minute
	@$(MAKE) --no-print-directory -k $(PARALLEL) tests; \
	$(RUN_TESTS) --build-status $$? $(CRITERION_TESTS) $(RACES) $(CHECK_SCRIPTS)

.PHONY: asan ubsan tsan
asan ubsan tsan: ## Run the tests under a sanitizer
	@$(MAKE) --no-print-directory test MODE=$@

.PHONY: clang
clang: ## Build with clang and run the tests
	@$(MAKE) --no-print-directory test CC=clang

.PHONY: test-live
test-live: deps ## Compare with the Python originals (makes .venv; HF_CODE=DIR: the model's Python files)
	@$(MAKE) --no-print-directory -k $(PARALLEL) tests; \
	BUILD=$(BUILD) PROGRAM=$(PROGRAM) tests/run_live.sh --build-status $$?

.PHONY: golden
golden: ## Rebuild the golden cases (HF_CODE=DIR: the model's Python files)
	@golden/rebuild.sh

.PHONY: demo
demo: ## Answer about an image with the small random model of the repository
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
