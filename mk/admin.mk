# gk-admin: build/bin/gk-admin of tools/gk-admin/*.c, one file per command.
ADMIN_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tools/gk-admin/*.c))

all: $(B)/bin/gk-admin

$(B)/bin/gk-admin: $(ADMIN_OBJ) $(NATIVE_LIB)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $$(pkg-config --libs libcjson) -lcrypto

-include $(ADMIN_OBJ:.o=.d)
