# Unit tests (Check): one binary per tests/unit/check_*.c, and the same again under the sanitizers.
UNIT_SRC := $(wildcard tests/unit/check_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
UNIT_SUPPORT := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/unit/support/*.c))
# What unit tests and fuzz targets share; a test links what it uses of it.
TEST_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/support/*.c))
TEST_LIB := $(B)/lib/libgktest.a
UNIT_OBJ := $(UNIT_SRC:%.c=$(B)/obj/%.o) $(UNIT_SUPPORT) $(TEST_OBJ)
# Allocations of our objects go through tests/unit/support/gk_fault.c.
UNIT_WRAP := $(foreach f,malloc calloc realloc mmap posix_memalign,-Wl,--wrap=$(f))
UNIT_RUN = $(if $(T),$(B)/unit/check_$(T),$(UNIT_BIN))

.SECONDARY: $(UNIT_OBJ)

.PHONY: unit unit-build
unit: $(UNIT_RUN)
	$(Q)tests/unit/run.sh $^
unit-build: $(UNIT_BIN)

$(B)/unit/check_%: $(B)/obj/tests/unit/check_%.o $(UNIT_SUPPORT) $(TEST_LIB) $(NATIVE_LIB)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) -fno-lto $(LDFLAGS) $(UNIT_WRAP) $^ -o $@ $$(pkg-config --libs check) -lcrypto -lpthread

$(TEST_LIB): $(TEST_OBJ)
	@mkdir -p $(@D)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

# A sanitizer needs objects of its own; what was downloaded is shared.
SANITIZE = $(MAKE) --no-print-directory B=$(B)/$@ DEPS=$(DEPS) CFLAGS='-O1 -g -fno-omit-frame-pointer $(1)' LDFLAGS='$(1)' CI=$(CI) T=$(T) $(if $(T),unit,unit fuzz-replay)

.PHONY: asan ubsan tsan
asan:
	+$(Q)ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1 $(call SANITIZE,-fsanitize=address)
ubsan:
	+$(Q)UBSAN_OPTIONS=print_stacktrace=1 $(call SANITIZE,-fsanitize=undefined -fno-sanitize-recover=all)
tsan:
	+$(Q)TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 $(call SANITIZE,-fsanitize=thread)

# The tools and the library in them under sanitizers, on real ensembles: T="Members Rekeys" runs some classes, GROUPS_TEST=groups_chaos another test. A report
# of any process fails it. What was downloaded (the ZooKeeper client, OpenSSL) isn't instrumented; ThreadSanitizer sees its locks all the same.
GROUPS_BUILD = $(MAKE) --no-print-directory B=$(B)/$@ DEPS=$(DEPS) CI=$(CI) LDFLAGS='$(1)' CFLAGS='-O1 -g -fno-omit-frame-pointer $(1)' \
  $(B)/$@/bin/gk-admin $(B)/$@/bin/gk-member
GROUPS_RUN = rm -f $(B)/$@/report.*; GK_BIN=$(abspath $(B))/$@/bin $(1) build/deps/venv/bin/python tests/integration/test_$(GROUPS_TEST).py $(T) && \
  ! cat $(B)/$@/report.* 2>/dev/null
GROUPS_TEST := groups
GROUPS_LOG = log_path=$(abspath $(B))/$@/report

.PHONY: groups-sanitized groups-tsan
groups-sanitized: all
	+$(Q)$(call GROUPS_BUILD,-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=undefined)
	$(Q)$(call GROUPS_RUN,ASAN_OPTIONS=$(GROUPS_LOG):detect_stack_use_after_return=1 UBSAN_OPTIONS=$(GROUPS_LOG):print_stacktrace=1)
groups-tsan: all
	+$(Q)$(call GROUPS_BUILD,-fsanitize=thread)
	$(Q)$(call GROUPS_RUN,TSAN_OPTIONS=$(GROUPS_LOG):second_deadlock_stack=1)

# Memcheck needs no build of its own. Tests run in children, which it follows; a finding in one makes that test fail.
VALGRIND := valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite

.PHONY: valgrind
valgrind: $(UNIT_RUN)
	$(Q)CK_TIMEOUT_MULTIPLIER=10 UNIT_WRAP='$(VALGRIND)' tests/unit/run.sh $^

-include $(UNIT_OBJ:.o=.d)
