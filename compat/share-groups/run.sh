#!/usr/bin/env bash
# A share group of Java consumers that accept, release and reject, while the node and a consumer are killed: what was accepted or
# rejected does not come again, nothing is lost, and what is rejected or was given back too often is in the dead-letter queue: run.sh
#
# Apache Kafka 4.3 has no dead-letter queues; with PRODUCT=kafka the rest is looked at.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
work=${WORK:-$root/target/compat/share-groups}
fresh=${FRESH:-$work/fresh}
product=${PRODUCT:-monedula}
jobs=${JOBS:-1500} kills=${KILLS:-3}
queues=true
[[ $product == monedula ]] || queues=false
libs=$work/libs
mkdir -p "$fresh" "$work/classes"
fetch_jars "$here/pom.xml" "$libs"
javac -nowarn -d "$work/classes" -cp "$libs/*" "$here"/*.java
java=(java -Xmx200m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$work/classes:$libs/*" ShareWork)
port=${PORT:-$("$xtask" node port)}
boot=127.0.0.1:$port
"$xtask" node start "$product" "$fresh/node" "$port" errors.deadletterqueue.auto.create.topics.enable=true \
  share.coordinator.state.topic.num.partitions=3 group.share.min.session.timeout.ms=6000 >/dev/null
consumers=()
stop_all() { kill -9 "${consumers[@]}" 2>/dev/null || true; "$xtask" node stop "$fresh/node" KILL 2>/dev/null || true; }
trap stop_all EXIT
work_as() { # NAME
  "${java[@]}" "$boot" consume "$fresh/$1.log" >"$fresh/$1.out" 2>&1 &
  consumers+=($!)
}
check() { # NAME COMMAND...
  if "${@:2}" 2>"$fresh/why"; then passed=$((passed + 1)) && echo "ok share-groups: $1"; else
    failed=$((failed + 1)) && echo "FAIL share-groups: $1" && head -n 3 "$fresh/why"
  fi
}
passed=0 failed=0
"${java[@]}" "$boot" setup "$queues"
work_as a
work_as b
"${java[@]}" "$boot" produce "$jobs" &
producer=$!
for ((wait = 0; wait < 300; wait++)); do [[ -s $fresh/a.log && -s $fresh/b.log ]] && break || sleep 0.1; done
for ((kill = 1; kill <= kills; kill++)); do
  sleep "$((4 + RANDOM % 3)).$((RANDOM % 10))"
  "$xtask" node stop "$fresh/node" KILL
  "$xtask" node start "$product" "$fresh/node" "$port" >/dev/null
  if ((kill == 1)); then
    kill -9 "${consumers[0]}"
    work_as c
  fi
done
check "all jobs are produced over $kills kills of the node" wait $producer
check "nothing is lost or comes again, and what is given up is in the dead-letter queue" \
  "${java[@]}" "$boot" check "$fresh" "$jobs" "$queues" 240
echo "$passed passed, $failed failed"
((failed == 0))
