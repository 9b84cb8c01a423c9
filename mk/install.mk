# `make install DESTDIR= PREFIX=/usr/local`: what was built, and the man pages. The jar's place is what a server's class path names.
PREFIX ?= /usr/local
DESTDIR ?=
INSTALL := install
TO := $(DESTDIR)$(PREFIX)

.PHONY: install
install: all
	$(Q)$(INSTALL) -d $(TO)/bin $(TO)/lib $(TO)/share/groupkeeper $(TO)/share/doc/groupkeeper
	$(Q)$(INSTALL) -m 644 $(B)/groupkeeper.jar $(TO)/share/groupkeeper/
	$(Q)$(INSTALL) -m 755 $(B)/lib/libgroupkeeper.so $(TO)/lib/
	$(Q)$(INSTALL) -m 644 $(B)/lib/libgroupkeeper.a $(TO)/lib/
	$(Q)$(INSTALL) -D -m 644 include/groupkeeper/member.h $(TO)/include/groupkeeper/member.h
	$(Q)$(INSTALL) -d $(TO)/lib/pkgconfig && sed -e 's|^prefix=.*|prefix=$(PREFIX)|; s|^includedir=.*|includedir=$${prefix}/include|' \
	    $(B)/lib/pkgconfig/groupkeeper.pc > $(TO)/lib/pkgconfig/groupkeeper.pc
	$(Q)$(INSTALL) -D -m 644 tools/completion/groupkeeper.bash $(TO)/share/bash-completion/completions/gk-admin
	$(Q)ln -sf gk-admin $(TO)/share/bash-completion/completions/gk-member
	$(Q)for f in $(B)/bin/*; do $(INSTALL) -m 755 "$$f" $(TO)/bin/ || exit 1; done
	$(Q)for f in $(wildcard docs/man/*.[1-8]); do \
	    $(INSTALL) -D -m 644 "$$f" "$(TO)/share/man/man$${f##*.}/$$(basename "$$f")" || exit 1; done
	$(Q)$(INSTALL) -m 644 LICENSE $(wildcard README.md) $(TO)/share/doc/groupkeeper/
	$(Q)[ ! -d zk-plugin-config ] || cp -r zk-plugin-config $(TO)/share/groupkeeper/
	$(say) OK "installed under $(TO); put $(PREFIX)/share/groupkeeper/groupkeeper.jar on the server's class path"
