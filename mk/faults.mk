# What the tests of faults need: the linearizability checker (Porcupine, by the Go module proxy), and libraries that make
# allocations fail and the clock jump.
.PHONY: faults
faults: $(B)/faults/linear $(B)/faults/failmalloc.so $(B)/faults/clockjump.so

$(B)/faults/linear: $(wildcard tests/faults/linear/*)
	@mkdir -p $(@D)
	$(say) GO $@
	$(Q)cd tests/faults/linear && go build -buildvcs=false -o $(abspath $@) .

$(B)/faults/%.so: tests/faults/%.c
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) -shared -fPIC -O2 -g -std=c11 -D_GNU_SOURCE -Wall -Wextra $(WERROR) $< -o $@ -ldl
