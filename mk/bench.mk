# Instruction counts of the native core, repeatable on any machine: `make bench-native` compares them with benchmarks/native/baseline.json and
# fails on growth above 5 %; `make bench-native UPDATE=1` writes that file anew.
.PHONY: bench-native
bench-native: $(B)/bench/core
	$(Q)benchmarks/native/count.py --program $< --out $(B)/bench $(if $(UPDATE),--update)

$(B)/bench/core: $(B)/obj/benchmarks/native/core.o $(NATIVE_OBJ)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LTO) $(LDFLAGS) $^ -l:libcrypto.a -lpthread -ldl -o $@

# The load generator: it shares the bounded cursors with the core, and nothing else.
LOAD_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard benchmarks/load/*.c))
LOAD := $(B)/bench/load

$(LOAD): $(LOAD_OBJ) $(NATIVE_LIB)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LTO) $(LDFLAGS) $^ -o $@ -lssl -lcrypto

-include $(LOAD_OBJ:.o=.d)
