# Fuzz targets: each tests/fuzz/fuzz_x.c has its corpus in tests/fuzz/corpus/x/. `fuzz-replay` runs the corpora with gcc and no engine, in every
# test run; `fuzz` runs libFuzzer under clang for FUZZ_SECONDS a target, or FUZZ_BUDGET seconds for all together, beginning with the corpus.
# T=x: that target alone.
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_NAMES := $(FUZZ_SRC:tests/fuzz/fuzz_%.c=%)
FUZZ_RUN = $(or $(T),$(FUZZ_NAMES))
FUZZ_SECONDS ?= $(if $(FUZZ_BUDGET),$(shell expr $(FUZZ_BUDGET) / $(words $(FUZZ_RUN))),60)
FUZZ_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZ_B := $(B)/fuzz
FUZZ_NATIVE := $(NATIVE_SRC:%.c=$(FUZZ_B)/obj/%.o)
FUZZ_SUPPORT := $(patsubst %.c,$(FUZZ_B)/obj/%.o,$(wildcard tests/support/*.c))
FUZZ_REPLAY_OBJ := $(FUZZ_SRC:%.c=$(B)/obj/%.o) $(B)/obj/tests/fuzz/replay.o

.SECONDARY: $(FUZZ_REPLAY_OBJ) $(FUZZ_NATIVE) $(FUZZ_SUPPORT) $(FUZZ_SRC:%.c=$(FUZZ_B)/obj/%.o)

.PHONY: fuzz fuzz-build fuzz-replay
fuzz-replay: $(FUZZ_RUN:%=$(FUZZ_B)/fuzz_%-replay)
	$(Q)good=0; bad=0; for t in $(FUZZ_RUN); do printf '  %-6s %s: ' REPLAY $$t; \
	  if $(FUZZ_B)/fuzz_$$t-replay tests/fuzz/corpus/$$t; then good=$$((good + 1)); else bad=$$((bad + 1)); fi; done; \
	  echo "fuzz-replay: $$good passed, $$bad failed, 0 skipped"; [ $$bad = 0 ]

$(FUZZ_B)/fuzz_%-replay: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/obj/tests/fuzz/replay.o $(B)/lib/libgktest.a $(NATIVE_LIB)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -fno-lto $(LDFLAGS) $^ -o $@ -lcrypto -lpthread

fuzz-build: $(FUZZ_RUN:%=$(FUZZ_B)/fuzz_%)
# What libFuzzer finds is kept beside the build; an input worth keeping is copied into the corpus by hand.
fuzz: fuzz-build
	$(Q)good=0; for t in $(FUZZ_RUN); do mkdir -p $(FUZZ_B)/found/$$t; printf '  %-6s %s: %s s ' FUZZ $$t $(FUZZ_SECONDS); \
	  $(FUZZ_B)/fuzz_$$t -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(FUZZ_B)/found/$$t- -print_final_stats=1 \
	    $(FUZZ_B)/found/$$t tests/fuzz/corpus/$$t >$(FUZZ_B)/$$t.log 2>&1 || { echo; tail -60 $(FUZZ_B)/$$t.log; \
	    grep -aE '^(request|seen|want|a secret)' $(FUZZ_B)/$$t.log | tail -6 | cut -c1-2000; \
	    for f in $$(ls -t $(FUZZ_B)/found/$$t-* | head -1); do echo "the input, in base64:"; base64 -w 0 $$f; echo; done; \
	    echo "fuzz: $$good passed, 1 failed, 0 skipped"; exit 1; }; \
	  sed -n 's/^stat::number_of_executed_units: */runs: /p' $(FUZZ_B)/$$t.log; good=$$((good + 1)); done; echo "fuzz: $$good passed, 0 failed, 0 skipped"

$(FUZZ_B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(say) CLANG $<
	$(Q)clang $(FUZZ_CFLAGS) $(filter-out -D_FORTIFY_SOURCE=2,$(GK_CFLAGS)) $(EXTRA_CFLAGS) -c $< -o $@

$(FUZZ_B)/fuzz_%: $(FUZZ_B)/obj/tests/fuzz/fuzz_%.o $(FUZZ_SUPPORT) $(FUZZ_NATIVE)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer $^ -o $@ -lcrypto -lpthread

-include $(FUZZ_REPLAY_OBJ:.o=.d) $(FUZZ_NATIVE:.o=.d) $(FUZZ_SUPPORT:.o=.d) $(FUZZ_SRC:%.c=$(FUZZ_B)/obj/%.d)
