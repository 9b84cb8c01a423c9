#!/bin/bash
# fetch.sh NAME VERSION: the jars of an application that tests run on our servers into build/deps/NAME-VERSION, in one piece or not at all.
. "$(dirname "$0")/../../mk/deps/common.sh"

here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$here/../.." && pwd)/build/deps/$1-$2
work=$target.$$
trap 'rm -rf "$work"' EXIT
say "$1 $2 (Maven)"
retry mvn -q -B -U -f "$here/$1-pom.xml" "-D$1.version=$2" dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$work" \
    || die MAVEN "$1 $2 could not be fetched" "is the Maven repository reachable?"
rm -rf "$target"
mv "$work" "$target"
