# `make lint`: the rules that a machine can check. `make format` rewrites the C code as .clang-format says.
.PHONY: lint format
lint:
	$(Q)tests/lint.py

format:
	$(Q)git ls-files '*.c' '*.h' | xargs -r clang-format -i
