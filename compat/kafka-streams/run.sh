#!/usr/bin/env bash
# Kafka Streams counts words, with streams groups and with classic ones, exactly once: an instance comes, one is killed, the
# node is killed, and every word is counted as often as it was said: run.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
work=${WORK:-$root/target/compat/kafka-streams}
fresh=${FRESH:-$work/fresh}
product=${PRODUCT:-monedula}
libs=$work/libs
mkdir -p "$fresh" "$work/classes"
[[ -e $libs/whole ]] || {
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs" >&2
  touch "$libs/whole"
}
javac -nowarn -d "$work/classes" -cp "$libs/*" "$here"/*.java
java=(java -Xmx250m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$work/classes:$libs/*")
port=$("$xtask" node port)
boot=127.0.0.1:$port
"$xtask" node start "$product" "$fresh/node" "$port" group.streams.min.session.timeout.ms=6000 \
  group.streams.session.timeout.ms=8000 group.streams.min.heartbeat.interval.ms=500 group.streams.heartbeat.interval.ms=1000 \
  group.initial.rebalance.delay.ms=500 group.streams.num.standby.replicas=1 >/dev/null
instances=()
stop_all() { kill "${instances[@]}" 2>/dev/null || true; "$xtask" node stop "$fresh/node" KILL 2>/dev/null || true; }
trap stop_all EXIT
drive() { "${java[@]}" Driver "$boot" "$@"; }
start() { # INSTANCE PROTOCOL
  local timeout=()
  [[ $2 == streams ]] || timeout=(session.timeout.ms=8000)
  "${java[@]}" WordCount "$boot" "words-$2" "lines-$2" "counts-$2" group.protocol="$2" state.dir="$fresh/$2-$1" \
    processing.guarantee=exactly_once_v2 num.stream.threads=2 "${timeout[@]}" >"$fresh/$2-$1.out" 2>&1 &
  instances+=($!)
}
check() { # NAME COMMAND...
  if "${@:2}" 2>"$fresh/why"; then passed=$((passed + 1)) && echo "ok kafka-streams: $1"; else
    failed=$((failed + 1)) && echo "FAIL kafka-streams: $1" && tail -n 3 "$fresh/why"
  fi
}
passed=0 failed=0
for protocol in ${PROTOCOLS:-streams classic}; do
  drive create "lines-$protocol" "counts-$protocol"
  start a "$protocol"
  first=${instances[-1]}
  drive produce "lines-$protocol" 200
  check "$protocol: words are counted" drive await "counts-$protocol" 200 120
  start b "$protocol"
  [[ $protocol == classic ]] || check "$protocol: two instances share the tasks" drive group "words-$protocol" 4
  drive produce "lines-$protocol" 600 &
  producer=$!
  sleep 3
  kill -9 "$first"
  sleep 3
  "$xtask" node stop "$fresh/node" KILL
  "$xtask" node start "$product" "$fresh/node" "$port" >/dev/null
  wait $producer
  check "$protocol: no word is lost or counted twice when an instance and the node are killed" \
    drive await "counts-$protocol" 800 180
  start a "$protocol"
  drive produce "lines-$protocol" 100
  check "$protocol: the instance comes back" drive await "counts-$protocol" 900 120
  kill "${instances[@]}" 2>/dev/null || true
  wait "${instances[@]}" 2>/dev/null || true
  instances=()
done
echo "$passed passed, $failed failed"
((failed == 0))
