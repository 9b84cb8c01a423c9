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

# What only the benchmarks need: plots, and a profiler.
$(B)/deps/.bench: mk/requirements-bench.txt $(B)/deps/.venv
	$(say) DEPS "Python packages of the benchmarks"
	$(Q)$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# `make bench`: all parts, less than two hours; QUICK=1: less than five minutes. OPTIONS="--parts standalone zpp --launches 8" and more choose
# (benchmarks/run.py --help). Tables and plots go to build/bench.
.PHONY: bench
bench: all $(LOAD) $(B)/deps/.bench
	$(Q)$(VENV)/bin/python benchmarks/run.py $(if $(QUICK),--quick) $(OPTIONS)

# `make bench-docs`: docs/PERFORMANCE.md gets the tables and plots that lie in build/bench.
.PHONY: bench-docs
bench-docs: $(B)/deps/.bench
	$(Q)$(VENV)/bin/python benchmarks/docs.py

PROFILER_VERSION := 4.1
$(B)/deps/.profiler-$(PROFILER_VERSION): mk/maven/profiler-pom.xml
	$(Q)mk/deps/maven.sh profiler $(PROFILER_VERSION)
	@touch $@

# `make bench-flame`: a flame graph (SVG) of the encrypted server under pipelined reads; OPTIONS="--configuration tuned --phase 'set depth=16'".
.PHONY: bench-flame
bench-flame: all $(LOAD) $(B)/deps/.profiler-$(PROFILER_VERSION)
	$(Q)benchmarks/flame.py $(OPTIONS)

# `make bench-scale`: memory and time with a million znodes and watches, 100,000 children, 10,000 connections.
.PHONY: bench-scale
bench-scale: all $(LOAD)
	$(Q)benchmarks/scale.py $(OPTIONS)

# `make bench-growth`: what encryption adds as paths, names, listings, payloads, connections and ensembles grow.
.PHONY: bench-growth
bench-growth: all $(LOAD)
	$(Q)benchmarks/growth.py $(OPTIONS)

# The paper's two experiments with group keys: an hour and a quarter; QUICK=1: four minutes. Tables and plots go to build/bench/groups, and by
# `make bench-docs` to docs/PERFORMANCE.md.
GROUPS_LATENCY := --ring 8,64 --rates 0.25,0.5,1,2,4,8,16,32,64
GROUPS_LATENCY_QUICK := --ring 8 --rates 1,8 --seconds 10
.PHONY: bench-groups
bench-groups: all $(B)/bench/members $(B)/deps/.bench
	$(Q)$(VENV)/bin/python benchmarks/groups/availability.py $(if $(QUICK),--runs 2 --seconds 15)
	$(Q)$(VENV)/bin/python benchmarks/groups/latency.py $(if $(QUICK),$(GROUPS_LATENCY_QUICK),$(GROUPS_LATENCY))

# `make bench-groups-scale`: 1,000 groups on one controller (ten minutes), and up to 10,000 real members of one group on three servers (ten minutes).
.PHONY: bench-groups-scale
bench-groups-scale: all $(B)/bench/members $(B)/deps/.bench
	$(Q)$(VENV)/bin/python benchmarks/groups/many.py $(if $(QUICK),--groups 100 --takeovers 1)
	$(Q)$(VENV)/bin/python benchmarks/groups/watchers.py $(if $(QUICK),--sizes 100 1000)
