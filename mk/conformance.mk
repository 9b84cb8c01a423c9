# Outside suites on stock and on the plugin (tests/conformance): about 30 minutes on two idle cores, FULL=1 several hours.
# SUITES="kazoo zkcli" runs some of them, ONLY=test.ClientTest one part of one.
CONFORMANCE_SETS := zookeeper-tests curator-tests kazoo
CONFORMANCE_STAMPS := $(CONFORMANCE_SETS:%=$(DEPS)/.conformance-%)

.PHONY: conformance conformance-deps
conformance: all conformance-deps
	$(Q)tests/conformance/conformance.py $(if $(FULL),--full) $(ONLY:%=--only %) $(SUITES)

conformance-deps: $(CONFORMANCE_STAMPS) $(B)/conformance/classes/RunTests.class $(B)/conformance/bin/capi

$(DEPS)/.conformance-%: tests/conformance/fetch.sh $(wildcard tests/conformance/*-pom.xml tests/conformance/requirements.txt)
	$(Q)tests/conformance/fetch.sh $*
	@touch $@

$(B)/conformance/classes/RunTests.class: tests/conformance/java/RunTests.java $(DEPS)/.conformance-zookeeper-tests
	@mkdir -p $(@D)
	$(say) JAVAC $@
	$(Q)javac --release 11 -Xlint:all -d $(@D) -cp '$(DEPS)/zookeeper-tests-$(ZK_VERSION)/*' $<

$(B)/conformance/bin/capi: tests/conformance/capi.c
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CFLAGS) -std=c11 -D_GNU_SOURCE -Wall -Wextra $(WERROR) $(CCLIENT_CFLAGS) $(LDFLAGS) $< $(CCLIENT_LIBS) -o $@
