# Shared by the steps of `make deps`; sourced, never run.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

step=$(basename "$0" .sh)

say() { printf '  %-6s %s\n' DEPS "$*"; }

# die CODE TEXT HINT: one line that says what is wrong and what to do.
die() {
    printf 'deps-%s: error: %s: %s (hint: %s)\n' "$step" "$1" "$2" "$3" >&2
    exit 1
}

# retry COMMAND...: networks fail; four attempts, each a little later. The output is shown when the last one failed. Output that matches
# the expression in $hopeless ends it at once.
retry() {
    local attempt log
    log=$(mktemp)
    for attempt in 1 2 3 4; do
        if "$@" >"$log" 2>&1; then
            rm -f "$log"
            return 0
        fi
        ! grep -qE "${hopeless:-^$}" "$log" || break
        [ "$attempt" = 4 ] || { say "$1 failed; attempt $((attempt + 1)) of 4 in $((attempt * 5)) s" && sleep $((attempt * 5)); }
    done
    head -n 15 "$log" >&2
    rm -f "$log"
    return 1
}
