# Everything that isn't in the repository and isn't built from it: Debian packages, ZooKeeper, Curator, Python packages, the C client.
# The steps leave stamps, so a second run takes no time. Goals that need them get them before anything else is read or built:
# the stamps stand in an included file, and make starts over once that file is made (so that `pkg-config` and `javac` are there).
DEPS := $(B)/deps
ZK_VERSION := 3.9.5
CURATOR_VERSION := 5.9.0
ZK_HOME := $(DEPS)/zookeeper-$(ZK_VERSION)
CCLIENT := $(DEPS)/cclient
CCLIENT_CFLAGS := -DTHREADED -DHAVE_OPENSSL_H -isystem $(CCLIENT)/include
CCLIENT_LIBS := $(CCLIENT)/lib/libzookeeper_mt.a -lssl -lcrypto -lpthread -lm
VENV := $(DEPS)/venv
DEPS_PACKAGES := $(sort $(wildcard mk/packages.d/*.txt))

.PHONY: deps
deps: $(DEPS)/ready.mk
	$(Q)mk/deps/packages.sh $(DEPS_PACKAGES)

NO_DEPS_GOALS := deps help clean lint format
ifneq ($(filter-out $(NO_DEPS_GOALS),$(or $(MAKECMDGOALS),all)),)
include $(DEPS)/ready.mk
endif

$(DEPS)/ready.mk: $(DEPS)/.packages $(DEPS)/.zookeeper-$(ZK_VERSION) $(DEPS)/.curator-$(CURATOR_VERSION) $(DEPS)/.venv $(DEPS)/.cclient
	@echo "# Made when all dependencies were there." > $@

$(DEPS)/.packages: $(DEPS_PACKAGES) mk/deps/packages.sh
	@mkdir -p $(@D)
	$(Q)mk/deps/packages.sh $(DEPS_PACKAGES)
	@touch $@

$(DEPS)/.zookeeper-$(ZK_VERSION): mk/maven/zookeeper-pom.xml | $(DEPS)/.packages
	$(Q)mk/deps/maven.sh zookeeper $(ZK_VERSION)
	@touch $@

$(DEPS)/.curator-$(CURATOR_VERSION): mk/maven/curator-pom.xml | $(DEPS)/.zookeeper-$(ZK_VERSION)
	$(Q)mk/deps/maven.sh curator $(CURATOR_VERSION) $(ZK_VERSION)
	@touch $@

$(DEPS)/.venv: mk/requirements.txt | $(DEPS)/.packages
	$(Q)mk/deps/venv.sh
	@touch $@

$(DEPS)/.cclient: mk/deps/cclient.sh mk/deps/source-lists.sh | $(DEPS)/.zookeeper-$(ZK_VERSION)
	$(Q)mk/deps/cclient.sh $(ZK_VERSION)
	@touch $@
