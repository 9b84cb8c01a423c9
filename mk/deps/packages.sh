#!/bin/bash
# packages.sh FILE...: installs the Debian packages named in FILEs (one per line) that are missing; says nothing when none is.
. "$(dirname "$0")/common.sh"

mapfile -t wanted < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$@" | sort -u)
have=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null | sed -n 's/^.i. *//p')
missing=()
for name in "${wanted[@]}"; do
    grep -qxF -- "$name" <<<"$have" || missing+=("$name")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

[ "$(id -u)" = 0 ] || die NOROOT "these Debian packages are missing: ${missing[*]}" "run 'make deps' as root, or install them yourself"
command -v apt-get >/dev/null || die NOAPT "apt-get is missing; needed: ${missing[*]}" "use Debian 12, or install the same by other means"
say "apt-get install ${missing[*]}"
retry apt-get -qq -o DPkg::Lock::Timeout=300 update || die NETWORK "apt-get update failed" "look at the lines above; is the package archive reachable?"
retry apt-get -qq -y -o DPkg::Lock::Timeout=300 --no-install-recommends install "${missing[@]}" \
    || die INSTALL "apt-get install failed" "look at the lines above"
