# Groupkeeper. `make help` lists the targets. Outputs go to build/.
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-6s %s\n')

B := build
CC ?= gcc
WERROR ?= $(if $(CI),-Werror,)
CFLAGS ?= -O2 -g
# The bounded reader and writer are functions of a few instructions: let them be inlined across files.
LTO ?= -flto=auto -ffat-lto-objects
GK_CFLAGS := -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wvla \
  -fPIC -fvisibility=hidden -fstack-protector-strong -D_FORTIFY_SOURCE=2 -MMD -MP $(WERROR)
LDFLAGS ?= -Wl,-z,relro,-z,now

NATIVE_SRC := $(wildcard native/*/*.c)
NATIVE_OBJ := $(NATIVE_SRC:%.c=$(B)/obj/%.o)
NATIVE_LIB := $(B)/lib/libgknative.a

.DEFAULT_GOAL := all
include $(wildcard mk/*.mk)

JNI_SRC := $(wildcard jni-glue/c/*.c)
JNI_OBJ := $(JNI_SRC:%.c=$(B)/obj/%.o)
JNI_SO := $(B)/lib/libgroupkeeper-jni.so
JAVA_SRC := $(shell find jni-glue/java -name '*.java')
JAR := $(B)/groupkeeper.jar
JAVA_HOME ?= $(shell readlink -f /usr/bin/javac | sed 's|/bin/javac$$||')

.PHONY: all
all: $(NATIVE_LIB) $(JNI_SO) $(JAR)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CFLAGS) $(LTO) $(GK_CFLAGS) $(EXTRA_CFLAGS) -c $< -o $@

$(NATIVE_LIB): $(NATIVE_OBJ)
	@mkdir -p $(@D)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

$(JNI_OBJ): EXTRA_CFLAGS += -isystem $(JAVA_HOME)/include -isystem $(JAVA_HOME)/include/linux

# libcrypto goes in statically and hidden: the server's own OpenSSL, if any, is another world.
$(JNI_SO): $(NATIVE_OBJ) $(JNI_OBJ)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) -shared $(CFLAGS) $(LTO) $(LDFLAGS) -Wl,--exclude-libs,ALL -Wl,-Bsymbolic -Wl,-z,noexecstack -Wl,--no-undefined \
	  $^ -l:libcrypto.a -lpthread -ldl -o $@.new && mv $@.new $@

# --release 8: the oldest Java that ZooKeeper 3.9 runs on.
$(JAR): $(JAVA_SRC) $(JNI_SO) LICENSE
	$(say) JAVA $@
	$(Q)rm -rf $(B)/classes && mkdir -p $(B)/classes/groupkeeper $(B)/classes/META-INF
	$(Q)javac --release 8 -Xlint:all,-options,-processing,-path,-classfile -g -d $(B)/classes -cp '$(ZK_HOME)/*' $(JAVA_SRC)
	$(Q)strip --strip-debug $(JNI_SO) -o $(B)/classes/groupkeeper/libgroupkeeper.so
	$(Q)cp LICENSE $(B)/classes/META-INF/LICENSE
	$(Q)jar --create --file $@.new -C $(B)/classes . && mv $@.new $@ # running servers keep the old file

-include $(NATIVE_OBJ:.o=.d) $(JNI_OBJ:.o=.d)

.PHONY: clean
clean:
	rm -rf $(B)
