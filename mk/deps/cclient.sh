#!/bin/bash
# cclient.sh ZK_VERSION: ZooKeeper's C client with TLS into build/deps/cclient/{include,lib}.
#
# Debian's libzookeeper-mt is built without TLS, so the same source is built here with it. The source archive is the one that
# this machine's package sources name: nothing else is asked. The record classes in C come out of ZooKeeper's own compiler.
. "$(dirname "$0")/common.sh"

root=$(cd "$(dirname "$0")/../.." && pwd)
deps=$root/build/deps
target=$deps/cclient
work=$deps/.cclient.$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/sources" "$work/lists/partial" "$work/out"
say "ZooKeeper C client with TLS"

"$root/mk/deps/source-lists.sh" "$work/sources" || die NOSOURCES "no Debian package source found under /etc/apt" "add one to /etc/apt/sources.list"
apt=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/sources" -o "Dir::State::lists=$work/lists"
    -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache=" -o APT::Sandbox::User=root)
retry "${apt[@]}" update || die NETWORK "the source lists could not be read" "look at the lines above; is the package archive reachable?"
cd "$work"
retry "${apt[@]}" source zookeeper || die SOURCE "the source package 'zookeeper' could not be fetched" "look at the lines above"
src=$(find "$work" -maxdepth 2 -type d -path '*/zookeeper-[0-9]*/zookeeper-client' | head -n 1)
[ -n "$src" ] || die SOURCE "the source package 'zookeeper' has no zookeeper-client folder" "its layout changed: adapt mk/deps/cclient.sh"
c=$src/zookeeper-client-c
jute=$src/../zookeeper-jute/src/main/resources/zookeeper.jute

mkdir -p "$c/generated" "$work/rcc"
cd "$work/rcc"
java -cp "$(echo "$deps/zookeeper-$1"/zookeeper-jute-*.jar)" org.apache.jute.compiler.generated.Rcc -l c "$jute" >rcc.log 2>&1 \
    || die RCC "the jute compiler failed: $(tail -n 1 rcc.log)" "is zookeeper-jute-$1.jar whole? remove build/deps/zookeeper-$1"
find . -name 'zookeeper.jute.[ch]' -exec cp {} "$c/generated/" \;

# The source asks FIPS_mode(), which OpenSSL 3 no longer has.
cat >"$work/fips_mode.h" <<'EOF'
#include <openssl/evp.h>
#define FIPS_mode() EVP_default_properties_is_fips_enabled(NULL)
EOF
flags="-O2 -fPIC -fstack-protector-strong -Werror=implicit-function-declaration -include $work/fips_mode.h"
{
    cmake -S "$c" -B "$work/out" -DWITH_OPENSSL=ON -DWANT_CPPUNIT=OFF -DWITH_CYRUS_SASL=OFF -DCMAKE_BUILD_TYPE=Release "-DCMAKE_C_FLAGS=$flags" \
        && cmake --build "$work/out" --target zookeeper
} >"$deps/cclient.log" 2>&1 || { tail -n 15 "$deps/cclient.log" >&2; die BUILD "the C client does not build" "see build/deps/cclient.log"; }

# One archive instead of two: users then need -lzookeeper_mt -lssl -lcrypto -lpthread -lm and nothing of the build tree.
mkdir -p "$work/new/include/zookeeper" "$work/new/lib" "$work/objects"
cp "$c"/include/*.h "$c"/generated/zookeeper.jute.h "$work/new/include/zookeeper/"
find "$work/out" -name '*.o' \( -path '*zookeeper.dir*' -o -path '*hashtable.dir*' \) -exec cp {} "$work/objects/" \;
ar rcs "$work/new/lib/libzookeeper_mt.a" "$work/objects"/*.o
cat >"$work/try.c" <<'EOF'
#include <zookeeper/zookeeper.h>
int main(void) { return zookeeper_init_ssl("127.0.0.1:1", "a,b,c,d", 0, 1000, 0, 0, 0) != 0; }
EOF
cc -DTHREADED -DHAVE_OPENSSL_H -Werror=implicit-function-declaration "-I$work/new/include" "$work/try.c" "-L$work/new/lib" -lzookeeper_mt -lssl -lcrypto -lpthread -lm -o "$work/try" >"$deps/cclient.log" 2>&1 \
    || { tail -n 15 "$deps/cclient.log" >&2; die NOTLS "a program with zookeeper_init_ssl does not link" "see build/deps/cclient.log"; }
rm -rf "$target"
mv "$work/new" "$target"
