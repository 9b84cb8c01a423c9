#!/bin/bash
# maven.sh zookeeper VERSION | curator VERSION | profiler VERSION: puts the jars of mk/maven/NAME-pom.xml into build/deps/, in one piece or not at all.
. "$(dirname "$0")/common.sh"

root=$(cd "$(dirname "$0")/../.." && pwd)
name=${1:?zookeeper, curator or profiler}
version=${2:?version}
case $name in
zookeeper) property=zk.version target=$root/build/deps/zookeeper-$version ;;
curator) property=curator.version target=$root/build/deps/curator ;;
profiler) property=profiler.version target=$root/build/deps/profiler ;;
*) die USAGE "unknown set '$name'" "zookeeper, curator or profiler" ;;
esac

work=$root/build/deps/.$name-$version.$$
trap 'rm -rf "$work"' EXIT
say "$name $version (Maven)"
hopeless='Could not find artifact|was not found in|version.* is missing'
retry mvn -q -B -U -Dstyle.color=never -f "$root/mk/maven/$name-pom.xml" "-D$property=$version" dependency:copy-dependencies \
    -DincludeScope=runtime "-DoutputDirectory=$work/jars" \
    || die MAVEN "$name $version could not be fetched" "is that version published, and the Maven repository reachable?"

if [ "$name" = curator ]; then
    for jar in "$work"/jars/*.jar; do
        artifact=$(basename "$jar" | sed 's/-[0-9].*//')
        ! compgen -G "$root/build/deps/zookeeper-${3:?ZooKeeper version}/$artifact-[0-9]*.jar" >/dev/null || rm "$jar"
    done
fi
compgen -G "$work/jars/*.jar" >/dev/null || die EMPTY "Maven copied no jar for $name $version" "run it again with 'mvn -X'"
rm -rf "$target"
mv "$work/jars" "$target"
