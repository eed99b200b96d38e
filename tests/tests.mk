# Targets that check and measure.

.PHONY: tests
tests: $(PROGRAM) $(TESTS) ## Build the tests
