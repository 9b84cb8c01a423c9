# `make test`: everything that must hold before a change goes in. `make test SUITES="unit sandbox"` runs some of it, V=1 shows output.
SUITES ?=
INTEGRATION_SUITES = $(shell sed -n '/^[^\#].*tests\/integration\//s/ .*//p' tests/suites.txt)

.PHONY: test integration
test: all clients faults $(LOAD)
	$(Q)tests/run_suites.py $(if $(filter 1,$(V)),--verbose) $(SUITES)

integration: all clients faults $(LOAD)
	$(Q)tests/run_suites.py $(if $(filter 1,$(V)),--verbose) $(INTEGRATION_SUITES)
