# Kafka for `make soak`: its jars.
KAFKA_VERSION := 3.9.1

.PHONY: kafka
kafka: $(DEPS)/.kafka-$(KAFKA_VERSION)

$(DEPS)/.kafka-$(KAFKA_VERSION): tests/apps/kafka-pom.xml tests/apps/fetch.sh
	$(Q)tests/apps/fetch.sh kafka $(KAFKA_VERSION)
	@touch $@
