#!/bin/bash
# venv.sh: the Python environment of tests and demo, build/deps/venv, from mk/requirements.txt.
. "$(dirname "$0")/common.sh"

root=$(cd "$(dirname "$0")/../.." && pwd)
venv=$root/build/deps/venv
python=/usr/bin/python3
[ -x "$python" ] || python=$(command -v python3) || die NOPYTHON "python3 is missing" "apt-get install python3 python3-venv"
# pip trusts its own list of authorities; a machine behind a company's proxy has one more, in the system's list.
system_cas=/etc/ssl/certs/ca-certificates.crt
[ -n "${PIP_CERT:-}" ] || [ ! -f "$system_cas" ] || export PIP_CERT=$system_cas
say "Python environment"
rm -rf "$venv"
"$python" -m venv "$venv" || die VENV "no Python environment could be made in $venv" "apt-get install python3-venv"
retry "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$root/mk/requirements.txt" \
    || die PIP "pip could not install mk/requirements.txt" "look at the lines above; is the package index reachable?"
