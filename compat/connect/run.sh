#!/usr/bin/env bash
# Apache Kafka's Connect, two distributed workers on a node: connectors, transforms, converters, a dead-letter queue, exactly-once
# sources (which are transactions), a worker and the node killed on the way: run.sh
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
fresh=${FRESH:-$root/target/compat/connect/fresh}
product=${PRODUCT:-monedula}
lines=${LINES_EACH:-5000}
mkdir -p "$fresh"
passed=0 failed=0
ok() { passed=$((passed + 1)) && echo "ok connect: $1"; }
fail() { failed=$((failed + 1)) && echo "FAIL connect: $1"; }
libs=${WORK:-$root/target/compat/connect}/libs
fetch_jars "$root/compat/connect/pom.xml" "$libs" || exit 1
port=$("$xtask" node port)
boot=127.0.0.1:$port
node() { "$xtask" node start "$product" "$fresh/node" "$port" transaction.state.log.num.partitions=4 >/dev/null; }
tool() { "$xtask" kafka "$1" --bootstrap-server "$boot" "${@:2}" 2>>"$fresh/tools.err"; }
declare -A pid rest
worker() { # NAME
  [[ -n ${rest[$1]:-} ]] || rest[$1]=$("$xtask" node port)
  cat >"$fresh/$1.properties" <<P
bootstrap.servers=$boot
group.id=workers
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
config.storage.topic=connect-configs
offset.storage.topic=connect-offsets
status.storage.topic=connect-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
offset.storage.partitions=3
status.storage.replication.factor=1
status.storage.partitions=2
exactly.once.source.support=enabled
scheduled.rebalance.max.delay.ms=1000
session.timeout.ms=10000
offset.flush.interval.ms=500
plugin.discovery=service_load
plugin.path=$libs
listeners=http://127.0.0.1:${rest[$1]}
P
  java -Xmx300m -XX:+UseSerialGC -cp "$libs/*" -Dlog4j2.configurationFile="$root/compat/reference/log4j2.properties" \
    org.apache.kafka.connect.cli.ConnectDistributed "$fresh/$1.properties" >>"$fresh/$1.log" 2>&1 &
  pid[$1]=$!
}
end() { kill "-$2" "${pid[$1]}" 2>/dev/null; wait "${pid[$1]}" 2>/dev/null; }
trap 'for name in "${!pid[@]}"; do end $name KILL; done; "$xtask" node stop "$fresh/node" KILL 2>/dev/null' EXIT
ask() { curl -s -m 10 -X "$2" -H 'Content-Type: application/json' ${4:+-d "$4"} "http://127.0.0.1:${rest[$1]}/$3"; }
# until SECONDS COMMAND…: waits until the command succeeds
until_() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do ((SECONDS < end)) || return 1; sleep 0.5; done
}
check() { local what=$1; shift; if "$@"; then ok "$what"; else fail "$what"; fi; }
answers() { ask "$1" GET connectors | grep -q '^\['; }
running() { [[ $(ask "$1" GET "connectors/$2/status" | grep -o '"state":"RUNNING"' | wc -l) == "$3" ]]; }
has_lines() { [[ -e $1 ]] && (($(wc -l <"$1") >= $2)); }

node || exit 1
worker a && worker b
check "two workers answer" until_ 90 eval 'answers a && answers b'
seq -f 'line %g' "$lines" >"$fresh/in.txt"
ask a PUT connectors/in/config '{"connector.class":"org.apache.kafka.connect.file.FileStreamSourceConnector","tasks.max":"1","file":"'"$fresh"'/in.txt","topic":"lines","exactly.once.support":"required","transaction.boundary":"poll","topic.creation.default.partitions":"1","topic.creation.default.replication.factor":"1","transforms":"tag","transforms.tag.type":"org.apache.kafka.connect.transforms.InsertHeader","transforms.tag.header":"from","transforms.tag.value.literal":"file"}' >>"$fresh/rest.log"
ask b PUT connectors/out/config '{"connector.class":"org.apache.kafka.connect.file.FileStreamSinkConnector","tasks.max":"1","file":"'"$fresh"'/out.txt","topics":"lines","consumer.override.isolation.level":"read_committed"}' >>"$fresh/rest.log"
check "a source and a sink run" until_ 60 eval 'running a in 2 && running b out 2'
check "the sink gets every line" until_ 60 has_lines "$fresh/out.txt" "$lines"

seq -f 'line %g' $((lines + 1)) $((2 * lines)) >>"$fresh/in.txt"
end a KILL
check "the other worker goes on when one is killed" until_ 90 has_lines "$fresh/out.txt" $((2 * lines))
seq -f 'line %g' $((2 * lines + 1)) $((3 * lines)) >>"$fresh/in.txt"
sleep 0.3
"$xtask" node stop "$fresh/node" KILL
node || fail "the node starts again"
worker a
check "all goes on when the node was killed" until_ 120 has_lines "$fresh/out.txt" $((3 * lines))
check "the worker that came back answers" until_ 90 answers a
check "its connectors are known to it" eval '[[ $(ask a GET connectors | tr -d "[]\"" | tr , "\n" | sort | xargs) == "in out" ]]'
tool kafka-console-consumer --topic lines --from-beginning --isolation-level read_committed --max-messages $((3 * lines)) --timeout-ms 20000 >"$fresh/read.txt"
check "the source wrote each line once, in order" cmp "$fresh/in.txt" "$fresh/read.txt"
check "the sink missed no line" cmp <(sort -u "$fresh/in.txt") <(sort -u "$fresh/out.txt")
headers() { tool kafka-console-consumer --topic lines --from-beginning --max-messages 1 --timeout-ms 10000 --formatter-property print.headers=true; }
check "the transform's header is there" eval '[[ $(headers) == $'"'"'from:file\tline 1'"'"' ]]'

{ seq -f '{"n":%g}' 5; echo 'not json'; echo '{"half":'; seq -f '{"n":%g}' 6 10; } | tool kafka-console-producer --topic numbers
ask b PUT connectors/numbers/config '{"connector.class":"org.apache.kafka.connect.file.FileStreamSinkConnector","tasks.max":"1","file":"'"$fresh"'/numbers.txt","topics":"numbers","value.converter":"org.apache.kafka.connect.json.JsonConverter","value.converter.schemas.enable":"false","errors.tolerance":"all","errors.deadletterqueue.topic.name":"numbers-dead","errors.deadletterqueue.topic.replication.factor":"1","errors.deadletterqueue.context.headers.enable":"true"}' >>"$fresh/rest.log"
check "a sink passes over what it cannot read" until_ 60 has_lines "$fresh/numbers.txt" 10
tool kafka-console-consumer --topic numbers-dead --from-beginning --max-messages 2 --timeout-ms 20000 --formatter-property print.headers=true >"$fresh/dead.txt"
check "the dead-letter queue has it, with the reason" eval '[[ $(grep -c "__connect.errors.topic:numbers.*__connect.errors.exception.class.name:" "$fresh/dead.txt") == 2 ]]'
check "a connector's offsets can be read" eval 'ask b GET connectors/in/offsets | grep -q "\"position\""'
ask b PUT connectors/in/stop >>"$fresh/rest.log"
stopped() { ask b GET connectors/in/status | grep -q '"state":"STOPPED"'; }
check "a connector can be stopped" until_ 30 stopped
check "its offsets can be taken back" eval 'until_ 30 eval "ask b DELETE connectors/in/offsets | grep -q successfully"'
for name in in out numbers; do ask a DELETE "connectors/$name" >>"$fresh/rest.log"; done
check "connectors are gone when they are deleted" until_ 30 eval '[[ $(ask b GET connectors) == "[]" ]]'
policy() { tool kafka-configs --describe --entity-type topics --entity-name "$1" | grep -q cleanup.policy=compact; }
check "the workers' topics are compacted" eval 'policy connect-configs && policy connect-offsets && policy connect-status'
end a TERM && end b TERM
"$xtask" node stop "$fresh/node" || fail "the node stops"
echo "$passed passed, $failed failed"
((failed == 0))
