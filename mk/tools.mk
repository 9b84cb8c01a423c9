# The tools on ZooKeeper's C client: what they share (tools/common), gk-admin.
# The client is linked with our functions in place of some of OpenSSL's (tools/common/gk_zk_tls.h).
ZKC := $(B)/lib/libzkclient.a
COMMON_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tools/common/*.c))
ADMIN_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tools/gk-admin/*.c))
CONTROLLER_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tools/controller/*.c))
GKM_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tools/libgroupkeeper/*.c))
MEMBER_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tools/gk-member/*.c))
TOOL_OBJ := $(COMMON_OBJ) $(CONTROLLER_OBJ) $(ADMIN_OBJ) $(GKM_OBJ) $(MEMBER_OBJ)
TOOL_LIBS = $$(pkg-config --libs libcjson) -lssl -lcrypto -lpthread -lm

all: $(B)/bin/gk-admin $(B)/bin/gk-member

$(TOOL_OBJ): EXTRA_CFLAGS += $(CCLIENT_CFLAGS)

$(ZKC): tools/common/gk_zk_tls.syms $(DEPS)/.cclient
	@mkdir -p $(@D)
	$(say) OBJCOPY $@
	$(Q)objcopy --redefine-syms=$< $(CCLIENT)/lib/libzookeeper_mt.a $@

$(B)/bin/gk-admin: $(ADMIN_OBJ) $(CONTROLLER_OBJ) $(COMMON_OBJ) $(NATIVE_LIB) $(ZKC)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(TOOL_LIBS)

$(B)/bin/gk-member: $(MEMBER_OBJ) $(GKM_OBJ) $(COMMON_OBJ) $(NATIVE_LIB) $(ZKC)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(TOOL_LIBS)

-include $(TOOL_OBJ:.o=.d)
