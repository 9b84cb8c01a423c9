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

# The member as a library. libgroupkeeper.so also has the plugin's entry points (groupkeeper.native may name it); the jar carries them alone.
# Its OpenSSL goes in statically and hidden, as the plugin's does; the archive leaves OpenSSL to the program.
LIBRARY_OBJ := $(GKM_OBJ) $(patsubst %,$(B)/obj/tools/common/%.o,gk_io gk_text gk_tree gk_zk gk_zk_acl gk_zk_multi gk_zk_ops gk_zk_reads gk_zk_tls)
LIBRARY_SO := $(B)/lib/libgroupkeeper.so
LIBRARY_A := $(B)/lib/libgroupkeeper.a
LIBRARY_MAP := tools/libgroupkeeper/libgroupkeeper.map

all: $(B)/bin/gk-admin $(B)/bin/gk-member $(LIBRARY_SO) $(LIBRARY_A) $(B)/lib/pkgconfig/groupkeeper.pc

$(TOOL_OBJ): EXTRA_CFLAGS += $(CCLIENT_CFLAGS)

$(ZKC): tools/common/gk_zk_tls.syms $(DEPS)/.cclient
	@mkdir -p $(@D)
	$(say) OBJCOPY $@
	$(Q)objcopy --redefine-syms=$< $(CCLIENT)/lib/libzookeeper_mt.a $@

$(LIBRARY_SO): $(LIBRARY_OBJ) $(NATIVE_OBJ) $(patsubst %.c,$(B)/obj/%.o,$(wildcard jni-glue/c/*.c)) $(ZKC) $(LIBRARY_MAP)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) -shared $(CFLAGS) $(LTO) $(LDFLAGS) -Wl,-soname,libgroupkeeper.so -Wl,--version-script=$(LIBRARY_MAP) -Wl,--exclude-libs,ALL \
	  -Wl,-Bsymbolic -Wl,-z,noexecstack -Wl,--no-undefined $(filter-out %.map,$^) -l:libssl.a -l:libcrypto.a -lpthread -lm -ldl -o $@.new && mv $@.new $@

$(LIBRARY_A): $(LIBRARY_OBJ) $(NATIVE_OBJ) $(ZKC)
	@mkdir -p $(@D)
	$(say) AR $@
	$(Q)rm -rf $@ $@.d && mkdir $@.d && (cd $@.d && ar x $(abspath $(ZKC))) && ar rcs $@ $(filter %.o,$^) $@.d/*.o && rm -rf $@.d

# For programs that are linked with what lies in build/.
$(B)/lib/pkgconfig/groupkeeper.pc: tools/libgroupkeeper/groupkeeper.pc.in native/base/gk_version.h
	@mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(abspath $(B))|; s|@VERSION@|'$$(sed -n 's/.*GK_VERSION "\(.*\)"/\1/p' native/base/gk_version.h)'|; s|^includedir=.*|includedir=$(abspath include)|' $< > $@

$(B)/bin/gk-admin: $(ADMIN_OBJ) $(CONTROLLER_OBJ) $(COMMON_OBJ) $(NATIVE_LIB) $(ZKC)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(TOOL_LIBS)

$(B)/bin/gk-member: $(MEMBER_OBJ) $(GKM_OBJ) $(COMMON_OBJ) $(NATIVE_LIB) $(ZKC)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(TOOL_LIBS)

-include $(TOOL_OBJ:.o=.d)

# The clients of `make bench-serverkeys`.
$(B)/obj/benchmarks/serverkeys/rekey.o: EXTRA_CFLAGS += $(CCLIENT_CFLAGS)
$(B)/bench/rekey: $(B)/obj/benchmarks/serverkeys/rekey.o $(COMMON_OBJ) $(NATIVE_LIB) $(ZKC)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(TOOL_LIBS)

-include $(B)/obj/benchmarks/serverkeys/rekey.d
