#!/bin/bash
# What Apache's zkServer.sh does with `start-foreground ZOO.CFG`, on the class path that the driver gives.
set -eu
here=$(dirname "$(readlink -f "$0")")
read -r -a flags <<<"${SERVER_JVMFLAGS:-}"
exec "$here/java-with-factory.sh" "${flags[@]}" org.apache.zookeeper.server.quorum.QuorumPeerMain "$2"
