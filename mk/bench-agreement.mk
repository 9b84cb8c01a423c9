# `make bench-agreement [QUICK=1]`: what runs of TGDH and CKD compute and send, by the number of parties; tables and plots in build/bench/agreement.
.PHONY: bench-agreement
bench-agreement: $(B)/bench/agreement-costs $(B)/deps/.bench
	$(Q)$(VENV)/bin/python benchmarks/agreement/run.py --program $< --out $(B)/bench/agreement $(if $(QUICK),--quick)

$(B)/bench/agreement-costs: $(B)/obj/benchmarks/agreement/agreement.o $(NATIVE_OBJ)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -fno-lto $(LDFLAGS) $^ -l:libcrypto.a -lpthread -ldl -o $@
