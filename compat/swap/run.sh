#!/usr/bin/env bash
# One data directory, served by Apache Kafka and by this node in turn: every topic, record, config, offset, transaction and group of any
# kind stays, and Apache Kafka's own tools describe it alike: run.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
work=${WORK:-$root/target/compat/swap}
fresh=${FRESH:-$work/fresh}
ours=${PRODUCT:-monedula}
libs=$("$xtask" kafka libs)
mkdir -p "$work/classes" "$fresh"
fetch_jars "$here/pom.xml" "$work/libs"
javac -nowarn -d "$work/classes" -cp "$libs/*:$work/libs/*" "$here"/*.java
swap() { java -Xmx300m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$root/compat/reference/log4j2.properties" -cp "$work/classes:$libs/*:$work/libs/*" Swap "$@" 2>"$fresh/swap.err" || { grep -v WARN "$fresh/swap.err"; return 1; }; }
passed=0 failed=0
verdict() { # CODE WHAT
  if (($1 == 0)); then passed=$((passed + 1)) && echo "ok swap: $2"; else failed=$((failed + 1)) && echo "FAIL swap: $2"; fi
}
turn() { # FOLDER PORT PRODUCT NUMBER: starts it, compares with what the one before left, adds more, stops it
  local folder=$1 port=$2 product=$3 number=$4 code=0
  "$xtask" node start "$product" "$folder" "$port" log.segment.bytes=1048576 \
    transaction.state.log.num.partitions=8 group.consumer.min.session.timeout.ms=10000 group.consumer.session.timeout.ms=60000 \
    group.share.min.session.timeout.ms=10000 group.share.session.timeout.ms=60000 \
    group.streams.min.session.timeout.ms=10000 group.streams.session.timeout.ms=60000 group.streams.initial.rebalance.delay.ms=0 >/dev/null || code=1
  verdict $code "$product starts in turn $number"
  ((code == 0)) || return 1
  if ((number > 1)); then
    for _ in 1 2 3 4 5; do # a node answers before it has applied every dynamic config
      code=0
      swap dump "127.0.0.1:$port" "$folder/found-$number" || code=1
      diff "$folder/left-$((number - 1))" "$folder/found-$number" >"$folder/diff-$number" || code=1
      ((code == 0)) && break
      sleep 1
    done
    head -n 20 "$folder/diff-$number"
    verdict $code "$product finds what was left to it in turn $number: $(wc -l <"$folder/left-$((number - 1))") facts"
  fi
  code=0
  swap fill "127.0.0.1:$port" "$number" && swap dump "127.0.0.1:$port" "$folder/left-$number" || code=1
  verdict $code "$product adds to it in turn $number"
  "$xtask" node stop "$folder" TERM
}
for first in kafka "$ours"; do
  second=$([[ $first == kafka ]] && echo "$ours" || echo kafka)
  folder=$fresh/$first-first port=$("$xtask" node port) number=0
  for product in "$first" "$second" "$first"; do
    number=$((number + 1))
    turn "$folder" "$port" "$product" $number || break
  done
  [[ $ours == kafka ]] && break
done
echo "$passed passed, $failed failed"
((failed == 0))
