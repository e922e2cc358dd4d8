#!/usr/bin/env bash
# Apache Kafka's MirrorMaker 2 between two nodes: topics, records, configs and groups' offsets, MirrorMaker killed on the way: run.sh
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
fresh=${FRESH:-$root/target/compat/mirror-maker/fresh}
product=${PRODUCT:-monedula}
mkdir -p "$fresh"
passed=0 failed=0
ok() { passed=$((passed + 1)) && echo "ok mirror: $1"; }
fail() { failed=$((failed + 1)) && echo "FAIL mirror: $1"; }
check() { local what=$1; shift; if "$@"; then ok "$what"; else fail "$what"; fi; }
libs=${WORK:-$root/target/compat/mirror-maker}/libs
fetch_jars "$root/compat/connect/pom.xml" "$libs" || exit 1
declare -A at
for name in east west; do
  port=$("$xtask" node port)
  at[$name]=127.0.0.1:$port
  "$xtask" node start "$product" "$fresh/$name" "$port" >/dev/null || exit 1
done
tool() { "$xtask" kafka "$1" --bootstrap-server "${at[$2]}" "${@:3}" 2>>"$fresh/tools.err"; }
cat >"$fresh/mm2.properties" <<P
clusters=east,west
east.bootstrap.servers=${at[east]}
west.bootstrap.servers=${at[west]}
east->west.enabled=true
west->east.enabled=false
topics=orders.*
groups=readers.*
replication.factor=1
checkpoints.topic.replication.factor=1
heartbeats.topic.replication.factor=1
offset-syncs.topic.replication.factor=1
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
refresh.topics.interval.seconds=2
refresh.groups.interval.seconds=2
sync.topic.configs.interval.seconds=2
sync.group.offsets.enabled=true
sync.group.offsets.interval.seconds=2
emit.checkpoints.interval.seconds=2
emit.heartbeats.interval.seconds=2
offset.lag.max=0
west.offset.flush.interval.ms=500
west.exactly.once.source.support=enabled
dedicated.mode.enable.internal.rest=true
listeners=http://127.0.0.1:$("$xtask" node port)
P
mirror() {
  java -Xmx400m -XX:+UseSerialGC -cp "$libs/*" -Dlog4j2.configurationFile="$root/compat/reference/log4j2.properties" \
    org.apache.kafka.connect.mirror.MirrorMaker "$fresh/mm2.properties" >>"$fresh/mirror.log" 2>&1 &
  mirror=$!
}
mirror=
trap '[[ -z $mirror ]] || kill -KILL "$mirror" 2>/dev/null; for name in east west; do "$xtask" node stop "$fresh/$name" KILL 2>/dev/null; done' EXIT
until_() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do ((SECONDS < end)) || return 1; sleep 1; done
}
# records CLUSTER TOPIC PARTITION: what a partition holds, with keys and headers
records() { tool kafka-console-consumer "$1" --topic "$2" --partition "$3" --offset earliest --timeout-ms 4000 --isolation-level read_committed --formatter-property print.key=true --formatter-property print.headers=true; }
same() { # PARTITION COUNT
  records east orders "$1" >"$fresh/east.$1"
  records west east.orders "$1" >"$fresh/west.$1"
  (($(wc -l <"$fresh/east.$1") == $2)) && cmp "$fresh/east.$1" "$fresh/west.$1"
}
tool kafka-topics east --create --topic orders --partitions 2 --config max.message.bytes=654321 --config cleanup.policy=compact,delete
send() { seq "$1" "$2" | sed $'s/.*/h:&\tk&\torder &/' | tool kafka-console-producer east --topic orders --reader-property parse.key=true --reader-property parse.headers=true; }
total() { tool kafka-get-offsets east --topic orders --time -1 | awk -F: '{n += $3} END {print n}'; }
mirrored() { [[ $(for p in 0 1; do records west east.orders $p; done | wc -l) == "$1" ]]; }
send 1 500
tool kafka-console-consumer east --topic orders --group readers --from-beginning --max-messages 500 --timeout-ms 20000 >/dev/null
mirror
check "the first records arrive" until_ 120 mirrored 500
check "the topic's config comes with it" until_ 40 eval 'tool kafka-configs west --describe --entity-type topics --entity-name east.orders | grep -q max.message.bytes=654321'
# what lies past a translated offset may only be the marker that ended the last transaction
lag_free() { tool kafka-consumer-groups west --describe --group readers | awk '$2 == "east.orders" {n++; if ($4 == "-" || $6 > 1) bad = 1} END {exit !(n > 0 && !bad)}'; }
check "the group's offsets are translated" until_ 60 lag_free
send 501 1000
kill -KILL "$mirror" && wait "$mirror" 2>/dev/null
send 1001 1500
tool kafka-topics east --alter --topic orders --partitions 3
mirror
check "it goes on where it was killed" until_ 120 mirrored 1500
for p in 0 1; do
  count=$(tool kafka-get-offsets east --topic orders --time -1 | awk -F: -v p=$p '$2 == p {print $3}')
  check "partition $p is the same, each record once, in order" same "$p" "$count"
done
check "a partition that was added is added there too" until_ 40 eval 'tool kafka-topics west --describe --topic east.orders | grep -q "PartitionCount: 3"'
check "heartbeats are sent" until_ 30 eval 'tool kafka-topics west --list | grep -qx heartbeats'
kill "$mirror" && wait "$mirror" 2>/dev/null
mirror=
for name in east west; do "$xtask" node stop "$fresh/$name" || fail "$name stops"; done
echo "$passed passed, $failed failed"
((failed == 0))
