#!/bin/sh
# Runs unit test binaries one after the other and ends in one line: UNIT: N passed, N failed, N skipped.
# usage: run.sh BINARY...   A binary that dies without its totals counts as one failure. UNIT_WRAP: a command to run each one under.
set -u
passed=0 failed=0 skipped=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
for binary in "$@"; do
    name=${binary##*/}
    ${UNIT_WRAP-} "$binary" >"$out" 2>&1
    status=$?
    totals=$(sed -n "s/^$name: \([0-9]*\) passed, \([0-9]*\) failed\$/\1 \2/p" "$out")
    skips=$(grep -c '^SKIP: ' "$out")
    if [ -z "$totals" ]; then
        p=0 f=1
    else
        p=${totals% *} f=${totals#* }
        [ "$status" -eq 0 ] || [ "$f" -gt 0 ] || f=1
    fi
    p=$((p - skips))
    if [ "$f" -gt 0 ]; then
        cat "$out"
    else
        grep '^SKIP: ' "$out"
    fi
    printf '  %-6s %s: %d passed, %d failed, %d skipped\n' UNIT "$name" "$p" "$f" "$skips"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + skips))
done
echo "UNIT: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
