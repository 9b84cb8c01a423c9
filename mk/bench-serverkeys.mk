# `make bench-serverkeys [QUICK=1]`: groups' keys on a real ensemble with TLS: joins, leaves, and all groups after a change of servers, integrated and layered.
.PHONY: bench-serverkeys
bench-serverkeys: all $(B)/bench/rekey $(B)/deps/.bench
	$(Q)$(VENV)/bin/python benchmarks/serverkeys/run.py --program $(B)/bench/rekey --out $(B)/bench/serverkeys \
	  $(if $(QUICK),--sizes 1 10 50 --layered-members-most 50 --groups 1 50 200 --rounds 3)
