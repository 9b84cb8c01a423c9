# `make soak`: the long variants of tests, by the same runner. SUITES="names" runs some of them.
.PHONY: soak
soak: all clients faults solr kafka
	$(Q)tests/run_suites.py --suites tests/soak.txt $(if $(filter 1,$(V)),--verbose) $(SUITES)
