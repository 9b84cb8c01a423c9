# `make help`: every target, a line each.
.PHONY: help
help:
	@printf '%s\n' \
	'make [TARGET] [V=1]        outputs go to build/' \
	'' \
	'  all           the plugin jar, the libraries and the tools (what plain `make` does)' \
	'  deps          fetch and install what all else needs: Debian packages, ZooKeeper, Curator, Python packages, C client' \
	'  demo          three servers with TLS and the plugin, stock clients, disks searched, a leader killed: two minutes to watch' \
	'  test          all suites of tests/suites.txt; SUITES="unit sandbox" runs some of them' \
	'  unit          unit tests of the native code; T=name runs one' \
	'  integration   the suites that run real servers' \
	'  conformance   outside suites (ZooKeeper, kazoo, Go, Curator, zkCli, C) on stock and on the plugin; FULL=1 for all' \
	'  soak          run for hours under faults' \
	'  fuzz          fuzz all targets with clang; FUZZ_BUDGET=seconds for all together' \
	'  fuzz-replay   run the fuzzing corpora once, no clang needed' \
	'  asan, ubsan, tsan             unit tests under a checker' \
	'  bench         throughput and latency, stock beside plugin; QUICK=1 for a short run; bench-docs puts it into the docs' \
	'  bench-native  the native code alone' \
	'  bench-agreement  what runs of TGDH and CKD compute and send, by the number of parties; QUICK=1' \
	'  bench-serverkeys  keys of groups made inside the servers: joins, leaves, changes of servers; QUICK=1' \
	'  bench-scale   a million znodes and watches, 100,000 children, 10,000 connections: memory and time' \
	'  bench-growth  what encryption adds as paths, names, listings, connections and ensembles grow' \
	'  bench-flame   a flame graph of a server under load' \
	'  bench-groups  group keys: availability with failing controllers, keys received and latency over slow links; QUICK=1' \
	'  bench-groups-scale  group keys: 1,000 groups on one controller, 10,000 watching members; QUICK=1' \
	'  lint          the rules of the house style' \
	'  format        clang-format over native/, jni-glue/, tools/ and tests/' \
	'  install       into DESTDIR and PREFIX (/usr/local)' \
	'  clean         remove build/'
