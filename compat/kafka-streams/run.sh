#!/usr/bin/env bash
# Kafka Streams with streams groups and with classic ones, exactly once, while instances and the node are killed: words are
# counted as often as they were said, and Kafka's own smoke test finds each result: run.sh
#
# PROTOCOLS and STORIES choose some of it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
work=${WORK:-$root/target/compat/kafka-streams}
fresh=${FRESH:-$work/fresh}
product=${PRODUCT:-monedula}
libs=$work/libs
mkdir -p "$fresh" "$work/classes"
fetch_jars "$here/pom.xml" "$libs"
javac -nowarn -d "$work/classes" -cp "$libs/*" "$here"/*.java
java=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$work/classes:$libs/*")
port=$("$xtask" node port)
boot=127.0.0.1:$port
instances=()
serve() { "$xtask" node start "$product" "$fresh/node" "$port" "$@" >/dev/null; }
crash() { "$xtask" node stop "$fresh/node" KILL && serve; }
stop_all() { kill "${instances[@]}" 2>/dev/null || true; "$xtask" node stop "$fresh/node" KILL 2>/dev/null || true; }
trap stop_all EXIT
rest() { # all instances end
  kill "${instances[@]}" 2>/dev/null || true
  wait "${instances[@]}" 2>/dev/null || true
  instances=()
}
passed=0 failed=0
check() { # NAME COMMAND...
  if "${@:2}" 2>"$fresh/why"; then passed=$((passed + 1)) && echo "ok kafka-streams: $1"; else
    failed=$((failed + 1)) && echo "FAIL kafka-streams: $1" && tail -n 3 "$fresh/why"
  fi
}
drive() { "${java[@]}" -Xmx250m Driver "$boot" "$@"; }

count() { # INSTANCE PROTOCOL: starts one that counts words
  local timeout=()
  [[ $2 == streams ]] || timeout=(session.timeout.ms=8000)
  "${java[@]}" -Xmx250m WordCount "$boot" "words-$2" "lines-$2" "counts-$2" group.protocol="$2" state.dir="$fresh/$2-$1" \
    processing.guarantee=exactly_once_v2 num.stream.threads=2 "${timeout[@]}" >"$fresh/$2-$1.out" 2>&1 &
  instances+=($!)
}
words() { # PROTOCOL
  local protocol=$1 first producer
  drive create 3 "lines-$protocol" "counts-$protocol"
  count a "$protocol"
  first=${instances[-1]}
  drive produce "lines-$protocol" 200
  check "$protocol: words are counted" drive await "counts-$protocol" 200 120
  count b "$protocol"
  [[ $protocol == classic ]] || check "$protocol: two instances share the tasks" drive group "words-$protocol" 4
  drive produce "lines-$protocol" 600 &
  producer=$!
  sleep 3
  kill -9 "$first"
  sleep 3
  crash
  wait $producer
  check "$protocol: no word is lost or counted twice when an instance and the node are killed" \
    drive await "counts-$protocol" 800 180
  count a "$protocol"
  drive produce "lines-$protocol" 100
  check "$protocol: the instance comes back" drive await "counts-$protocol" 900 120
  rest
}

smoke=org.apache.kafka.streams.tests.StreamsSmokeTest
smoke_topics=(data fk echo max min min-suppressed min-raw sum sws-raw sws-suppressed dif cnt avg wcnt tagg)
smoke_instance() { # INSTANCE PROTOCOL
  local config=$fresh/smoke-$2-$1
  {
    printf '%s\n' "bootstrap.servers=$boot" processing.guarantee=exactly_once_v2 num.stream.threads=2 \
      "state.dir=$config.state" "group.protocol=$2"
    [[ $2 == streams ]] || echo session.timeout.ms=8000
  } >"$config.properties"
  "${java[@]}" -Xmx400m $smoke "$config.properties" process >>"$config.out" 2>&1 &
  instances+=($!)
}
all_right() { grep -q '^SUCCESS' "$1" && ! grep -qE 'FAIL|PROCESSED-(MORE|LESS)' "$1"; }
smoke_test() { # PROTOCOL: records come for 90 seconds; meanwhile an instance joins, another is killed and comes back, the node is killed
  local protocol=$1 first driver out=$fresh/smoke-$1.out
  drive create 5 "${smoke_topics[@]}"
  smoke_instance a "$protocol"
  first=${instances[-1]}
  timeout 700 "${java[@]}" -Xmx400m $smoke "$fresh/smoke-$protocol-a.properties" run >"$out" 2>&1 &
  driver=$!
  instances+=($driver)
  sleep 25
  smoke_instance b "$protocol"
  sleep 20
  kill -9 "$first"
  sleep 10
  crash
  sleep 10
  smoke_instance a "$protocol"
  wait $driver || true
  check "$protocol: Kafka's smoke test, exactly once, when an instance and the node are killed" all_right "$out"
  grep -E '^(SUCCESS|FAILURE|PROCESSED|ALL-RECORDS|All transactions)' "$out" | tail -n 5 | sed 's/^/  /'
  rest
}

for story in ${STORIES:-words smoke_test}; do
  for protocol in ${PROTOCOLS:-streams classic}; do
    rm -rf "$fresh/node"
    serve group.streams.min.session.timeout.ms=6000 group.streams.session.timeout.ms=8000 \
      group.streams.min.heartbeat.interval.ms=500 group.streams.heartbeat.interval.ms=1000 \
      group.initial.rebalance.delay.ms=500 group.streams.num.standby.replicas=1
    $story "$protocol"
    "$xtask" node stop "$fresh/node" TERM
  done
done
echo "$passed passed, $failed failed"
((failed == 0))
