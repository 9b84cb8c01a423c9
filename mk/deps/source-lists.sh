#!/bin/bash
# source-lists.sh DIR: writes this machine's Debian package sources again as deb-src into DIR, for a private `apt-get source`.
# Both styles are read (one-line *.list and deb822 *.sources); only the release that runs here counts, not third parties.
. "$(dirname "$0")/common.sh"

out=${1:?directory}
etc=${APT_ETC:-/etc/apt}
codename=${CODENAME:-$(. /etc/os-release && echo "${VERSION_CODENAME:-}")}

# A one-line entry: deb [options] URI SUITE COMPONENT...
for list in "$etc/sources.list" "$etc"/sources.list.d/*.list; do
    [ -f "$list" ] || continue
    awk -v codename="$codename" '
        $1 == "deb" || $1 == "deb-src" {
            suite = 3
            if ($2 ~ /^\[/) { while (suite < NF && $(suite - 1) !~ /\]$/) suite++; suite++ }
            if (index($suite, codename) == 1) { $1 = "deb-src"; print }
        }' "$list"
done | sort -u >"$out/private.list"

# A deb822 stanza: only Types changes, so that Signed-By and embedded keys stay.
for list in "$etc"/sources.list.d/*.sources; do
    [ -f "$list" ] || continue
    awk -v codename="$codename" -v RS= '
        {
            keep = 0
            count = split($0, lines, "\n")
            text = ""
            for (i = 1; i <= count; i++) {
                line = lines[i]
                if (tolower(line) ~ /^enabled:[ \t]*no/) { keep = 0; break }
                if (tolower(line) ~ /^suites:/ && index(line, codename)) keep = 1
                if (tolower(line) ~ /^types:/) line = "Types: deb-src"
                text = text line "\n"
            }
            if (keep) print text
        }' "$list"
done >"$out/private.sources"

[ -s "$out/private.list" ] || rm "$out/private.list"
[ -s "$out/private.sources" ] || rm "$out/private.sources"
[ -n "$(ls "$out")" ]
