# `make test`: everything that must hold before a change goes in. `make test SUITES="unit sandbox"` runs some of it, V=1 shows output.
SUITES ?=

.PHONY: test
test: all
	$(Q)tests/run_suites.py $(if $(filter 1,$(V)),--verbose) $(SUITES)
