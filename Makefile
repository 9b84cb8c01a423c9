# Groupkeeper. `make help` lists the targets. Outputs go to build/.
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-6s %s\n')

B := build
CC ?= gcc
WERROR ?= $(if $(CI),-Werror,)
CFLAGS ?= -O2 -g
GK_CFLAGS := -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wvla \
  -fPIC -fvisibility=hidden -fstack-protector-strong -D_FORTIFY_SOURCE=2 -MMD -MP $(WERROR)
LDFLAGS ?= -Wl,-z,relro,-z,now

NATIVE_SRC := $(wildcard native/*/*.c)
NATIVE_OBJ := $(NATIVE_SRC:%.c=$(B)/obj/%.o)
NATIVE_LIB := $(B)/lib/libgroupkeeper.a

.DEFAULT_GOAL := all
include $(wildcard mk/*.mk)

.PHONY: all
all: $(NATIVE_LIB)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CFLAGS) $(GK_CFLAGS) $(EXTRA_CFLAGS) -c $< -o $@

$(NATIVE_LIB): $(NATIVE_OBJ)
	@mkdir -p $(@D)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

-include $(NATIVE_OBJ:.o=.d)

.PHONY: clean
clean:
	rm -rf $(B)
