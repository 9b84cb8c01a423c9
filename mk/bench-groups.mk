# Many members in one process, for the experiments in benchmarks/groups.
GROUP_MEMBERS_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard benchmarks/groups/*.c))
GROUP_MEMBERS := $(B)/bench/members

$(GROUP_MEMBERS_OBJ): EXTRA_CFLAGS += -Iinclude
$(GROUP_MEMBERS): $(GROUP_MEMBERS_OBJ) $(B)/lib/libgroupkeeper.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ -lssl -lcrypto -lpthread -lm

-include $(GROUP_MEMBERS_OBJ:.o=.d)
