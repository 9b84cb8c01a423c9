# Stock client programs for the demo and for tests, and the demo itself.
CLIENT_CLASSPATH = $(ZK_HOME)/*:$(DEPS)/curator/*
CLIENTS := $(B)/clients/c_client $(B)/clients/CuratorLock.class

.PHONY: clients demo
clients: $(CLIENTS)

$(B)/clients/c_client: tests/clients/c_client.c
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CFLAGS) -std=c11 -D_GNU_SOURCE -Wall -Wextra $(WERROR) $(CCLIENT_CFLAGS) $(LDFLAGS) $< $(CCLIENT_LIBS) -o $@

$(B)/clients/%.class: tests/clients/%.java
	@mkdir -p $(@D)
	$(say) JAVAC $@
	$(Q)javac --release 11 -nowarn -Xlint:-deprecation -cp '$(CLIENT_CLASSPATH)' -d $(@D) $<

demo: all clients
	$(Q)tools/gk-demo $(DEMO_OPTIONS)
