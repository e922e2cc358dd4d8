#!/usr/bin/env bash
# Apache Kafka's Trogdor: each of its workloads against a node, by its own agent: run.sh BOOTSTRAP
#
# An agent runs one workload, checks what it got back where the workload is a round trip, and ends with 0 if the task ended well.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
boot=$1
fresh=${FRESH:-$root/target/compat/trogdor/fresh}
mkdir -p "$fresh"
libs=${WORK:-$root/target/compat/trogdor}/libs
fetch_jars "$here/pom.xml" "$libs" || exit 1
passed=0 failed=0
# workload NAME CLASS FIELDS WANTED: runs it; WANTED is a pattern that its last status must have
workload() {
  local where=clientNode here='"here"' port
  [[ $2 == ProduceBenchSpec ]] && where=producerNode
  [[ $2 == *ConsumeBenchSpec ]] && where=consumerNode
  [[ $2 == ConnectionStressSpec ]] && here='["here"]'
  port=$("$xtask" node port)
  cat >"$fresh/$1.agent.json" <<P
{"platform": "org.apache.kafka.trogdor.basic.BasicPlatform",
 "nodes": {"here": {"hostname": "127.0.0.1", "trogdor.agent.port": $port}}}
P
  cat >"$fresh/$1.json" <<P
{"class": "org.apache.kafka.trogdor.workload.$2", "startMs": 0, "durationMs": ${lasts:-180000}, "$where": $here, "bootstrapServers": "$boot", $3}
P
  timeout 240 java -Xmx300m -XX:+UseSerialGC -cp "$libs/*" -Dlog4j2.configurationFile="$root/compat/reference/log4j2.properties" \
    org.apache.kafka.trogdor.agent.Agent -n here -c "$fresh/$1.agent.json" --exec "$fresh/$1.json" >"$fresh/$1.log" 2>&1 &&
    tr -d ' \n' <"$fresh/$1.log" | grep -qE "$4"
}
judge() { # NAME CODE
  if (($2 == 0)); then passed=$((passed + 1)) && echo "ok trogdor: $1"; else
    failed=$((failed + 1)) && echo "FAIL trogdor: $1" && grep -vE "^\s+at " "$fresh/$1.log" | tail -n 8
  fi
}
alone() { workload "$@"; judge "$1" $?; }
names=() pids=()
beside() { # others: what consumes looks once in a minute whether it is done, so such workloads run beside each other
  workload "$@" &
  names+=("$1") pids+=($!)
  sleep 1
}
topics() { echo "{\"$1\": {\"numPartitions\": $2, \"replicationFactor\": 1}}"; }
produce='"targetMessagesPerSec": 20000, "maxMessages": 50000, "inactiveTopics": {}'
alone "produce" ProduceBenchSpec "$produce, \"activeTopics\": $(topics 'produced[0-2]' 3)" '"totalSent":50000'
alone "produce, compressed and idempotent" ProduceBenchSpec "$produce, \"activeTopics\": $(topics 'packed[0-1]' 2),
  \"producerConf\": {\"compression.type\": \"zstd\", \"enable.idempotence\": \"true\", \"acks\": \"all\"}" '"totalSent":50000'
alone "produce in transactions" ProduceBenchSpec "$produce, \"activeTopics\": $(topics 'transacted[0-1]' 3),
  \"transactionGenerator\": {\"type\": \"uniform\", \"messagesPerTransaction\": 500}" '"totalSent":50000.*"transactionsCommitted":100'
consume='"targetMessagesPerSec": 1000000'
from_start='"auto.offset.reset": "earliest"'
beside "consume, assigned" ConsumeBenchSpec "$consume, \"maxMessages\": 50000, \"activeTopics\": [\"produced[0-2]:[0-2]\"],
  \"consumerConf\": {$from_start}" '"totalMessagesReceived":50000'
beside "consume what transactions committed, in a group" ConsumeBenchSpec "$consume, \"maxMessages\": 50000, \"activeTopics\": [\"transacted[0-1]\"],
  \"consumerGroup\": \"readers\", \"consumerConf\": {$from_start, \"isolation.level\": \"read_committed\"}" '"totalMessagesReceived":50000'
beside "consume in a group of the consumer protocol" ConsumeBenchSpec "$consume, \"maxMessages\": 50000, \"activeTopics\": [\"packed[0-1]\"],
  \"consumerGroup\": \"new-readers\", \"consumerConf\": {$from_start, \"group.protocol\": \"consumer\"}" '"totalMessagesReceived":50000'
alone "round trip" RoundTripWorkloadSpec "\"targetMessagesPerSec\": 10000, \"maxMessages\": 50000,
  \"activeTopics\": $(topics 'round[0-2]' 3)" '"totalUniqueSent":50000,"totalReceived":50000'
"$xtask" kafka kafka-configs --bootstrap-server "$boot" --alter --entity-type groups --entity-name sharers --add-config share.auto.offset.reset=earliest >/dev/null
beside "consume in a share group" ShareConsumeBenchSpec "$consume, \"maxMessages\": 50000, \"activeTopics\": [\"produced[0-2]\"],
  \"shareGroup\": \"sharers\"" '"totalMessagesReceived":[5-9][0-9]{4}'
# Its round trip through a share group cannot start with any broker: it gives its consumer a setting that share consumers refuse.
lasts=20000
beside "connections, each for one question" ConnectionStressSpec '"targetConnectionsPerSec": 100, "numThreads": 4, "action": "FETCH_METADATA"' \
  '"totalConnections":[1-9][0-9]*,"totalFailedConnections":0'
beside "connections that stay" SustainedConnectionSpec '"producerConnectionCount": 5, "consumerConnectionCount": 5, "metadataConnectionCount": 5,
  "topicName": "round0", "keyGenerator": {"type": "sequential", "size": 8, "startOffset": 0}, "valueGenerator": {"type": "sequential", "size": 64, "startOffset": 0},
  "numThreads": 4, "refreshRateMs": 2000' '"totalProducerConnections":[1-9][0-9]*,"totalProducerFailedConnections":0,"totalConsumerConnections":[1-9][0-9]*,"totalConsumerFailedConnections":0,"totalMetadataConnections":[1-9][0-9]*,"totalMetadataFailedConnections":0'
for n in "${!names[@]}"; do
  wait "${pids[n]}"
  judge "${names[n]}" $?
done
echo "$passed passed, $failed failed"
((failed == 0))
