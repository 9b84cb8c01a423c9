#!/bin/bash
# Stands in for `java` where a suite's own harness starts servers: java OPTIONS... MAIN ZOO.CFG. Adds the plugin's jar and properties, or
# stock Netty's; a serverCnxnFactory line in zoo.cfg, which would win over a property, is changed to the same. Set by the drivers:
#   CONFORMANCE_JAVA (the real java), CONFORMANCE_CLASSPATH, CONFORMANCE_FACTORY, CONFORMANCE_PROPERTIES
set -eu
config=${!#}
if [ -f "$config" ]; then
    sed -i "s|^serverCnxnFactory=.*|serverCnxnFactory=$CONFORMANCE_FACTORY|" "$config"
fi
options=()
while [ $# -gt 0 ]; do
    case $1 in
    -cp | -classpath) shift ;;
    *) options+=("$1") ;;
    esac
    shift
done
read -r -a properties <<<"$CONFORMANCE_PROPERTIES"
exec "$CONFORMANCE_JAVA" -Xmx256m -cp "$CONFORMANCE_CLASSPATH" "${properties[@]}" "${options[@]}"
