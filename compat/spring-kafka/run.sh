#!/usr/bin/env bash
# An application of Spring for Apache Kafka, with what its users use: listeners of both protocols, batches, acknowledgments by hand,
# dead letters, retry topics, transactions, requests with replies, share consumers; at last all of them while the node is killed: run.sh
#
# STORIES chooses some of it: "calm storm".
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
work=${WORK:-$root/target/compat/spring-kafka}
fresh=${FRESH:-$work/fresh}
product=${PRODUCT:-monedula}
libs=$work/libs
mkdir -p "$fresh" "$work/classes"
fetch_jars "$here/pom.xml" "$libs"
javac -nowarn -parameters -d "$work/classes" -cp "$libs/*" "$here"/*.java
port=${PORT:-$("$xtask" node port)}
cat >"$fresh/crash.sh" <<C
"$xtask" node stop "$fresh/node" KILL
for try in 1 2 3; do "$xtask" node start $product "$fresh/node" $port && exit 0; done
exit 1
C
trap '"$xtask" node stop "$fresh/node" KILL 2>/dev/null || true' EXIT
"$xtask" node start "$product" "$fresh/node" "$port" transaction.state.log.num.partitions=4 offsets.topic.num.partitions=4 \
  share.coordinator.state.topic.num.partitions=3 auto.create.topics.enable=false >/dev/null
java -Xmx400m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
  -cp "$work/classes:$libs/*" Suite "127.0.0.1:$port" "$fresh/crash.sh" 2>"$fresh/application.log"
