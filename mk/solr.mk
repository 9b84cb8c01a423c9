# Solr for `make soak`: its jars, and the program that drives it.
SOLR_VERSION := 9.6.1
SOLR_HOME := $(DEPS)/solr-$(SOLR_VERSION)

.PHONY: solr
solr: $(B)/apps/SolrApp.class

$(DEPS)/.solr-$(SOLR_VERSION): tests/apps/solr-pom.xml tests/apps/fetch.sh
	$(Q)tests/apps/fetch.sh solr $(SOLR_VERSION)
	@touch $@

$(B)/apps/%App.class: tests/apps/%App.java $(DEPS)/.solr-$(SOLR_VERSION)
	@mkdir -p $(@D)
	$(say) JAVAC $@
	$(Q)javac --release 11 -nowarn -cp '$(SOLR_HOME)/*' -d $(@D) $<
