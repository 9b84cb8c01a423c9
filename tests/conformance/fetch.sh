#!/bin/bash
# fetch.sh zookeeper-tests|curator-tests|kazoo: puts what an outside suite consists of into build/deps/, in one piece or not at all.
. "$(dirname "$0")/../../mk/deps/common.sh"

here=$(cd "$(dirname "$0")" && pwd)
deps=$(cd "$here/../.." && pwd)/build/deps
work=$deps/.conformance.$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"

# jars POM VERSION
jars() {
    say "$1 $2 (Maven)"
    retry mvn -q -B -U -f "$here/$1-pom.xml" dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$work/jars" \
        || die MAVEN "$1 $2 could not be fetched" "is the Maven repository reachable?"
    rm -rf "${deps:?}/$1-$2"
    mv "$work/jars" "$deps/$1-$2"
}

python_tests() {
    local version
    version=$(sed -n 's/^kazoo==//p' "$here/../../mk/requirements.txt")
    [ -n "${PIP_CERT:-}" ] || [ ! -f /etc/ssl/certs/ca-certificates.crt ] || export PIP_CERT=/etc/ssl/certs/ca-certificates.crt
    say "kazoo $version's tests (pip)"
    rm -rf "$deps/conformance-venv" "$deps/kazoo-tests"
    /usr/bin/python3 -m venv "$deps/conformance-venv" || die VENV "no Python environment could be made" "apt-get install python3-venv"
    retry "$deps/conformance-venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" \
        || die PIP "pip could not install tests/conformance/requirements.txt" "is the package index reachable?"
    retry "$deps/conformance-venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: -d "$work" "kazoo==$version" \
        || die PIP "kazoo's source could not be fetched" "is the package index reachable?"
    mkdir "$work/kazoo"
    tar -xzf "$work"/kazoo-*.tar.gz -C "$work/kazoo" --strip-components=1
    mv "$work/kazoo" "$deps/kazoo-tests"
}

case ${1:-} in
zookeeper-tests) jars zookeeper-tests 3.9.5 ;;
curator-tests) jars curator-tests 5.9.0 ;;
kazoo) python_tests ;;
*) die USAGE "unknown set '${1:-}'" "zookeeper-tests, curator-tests or kazoo" ;;
esac
