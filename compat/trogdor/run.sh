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
port=$("$xtask" node port)
cat >"$fresh/trogdor.json" <<P
{"platform": "org.apache.kafka.trogdor.basic.BasicPlatform",
 "nodes": {"here": {"hostname": "127.0.0.1", "trogdor.agent.port": $port}}}
P
passed=0 failed=0
# workload NAME CLASS FIELDS WANTED: runs it; WANTED is a pattern that its last status must have
workload() {
  local where=clientNode here='"here"'
  [[ $2 == ProduceBenchSpec ]] && where=producerNode
  [[ $2 == *ConsumeBenchSpec ]] && where=consumerNode
  [[ $2 == ConnectionStressSpec ]] && here='["here"]'
  cat >"$fresh/$1.json" <<P
{"class": "org.apache.kafka.trogdor.workload.$2", "startMs": 0, "durationMs": ${lasts:-90000}, "$where": $here, "bootstrapServers": "$boot", $3}
P
  if timeout 150 java -Xmx300m -XX:+UseSerialGC -cp "$libs/*" -Dlog4j2.configurationFile="$root/compat/reference/log4j2.properties" \
    org.apache.kafka.trogdor.agent.Agent -n here -c "$fresh/trogdor.json" --exec "$fresh/$1.json" >"$fresh/$1.log" 2>&1 &&
    tr -d ' \n' <"$fresh/$1.log" | grep -qE "$4"; then
    passed=$((passed + 1)) && echo "ok trogdor: $1"
  else
    failed=$((failed + 1)) && echo "FAIL trogdor: $1" && grep -vE "^\s+at " "$fresh/$1.log" | tail -n 8
  fi
}
topics() { echo "{\"$1\": {\"numPartitions\": $2, \"replicationFactor\": 1}}"; }
produce='"targetMessagesPerSec": 20000, "maxMessages": 50000, "inactiveTopics": {}'
workload "produce" ProduceBenchSpec "$produce, \"activeTopics\": $(topics 'produced[0-2]' 3)" '"totalSent":50000'
workload "produce, compressed and idempotent" ProduceBenchSpec "$produce, \"activeTopics\": $(topics 'packed[0-1]' 2),
  \"producerConf\": {\"compression.type\": \"zstd\", \"enable.idempotence\": \"true\", \"acks\": \"all\"}" '"totalSent":50000'
workload "produce in transactions" ProduceBenchSpec "$produce, \"activeTopics\": $(topics 'transacted[0-1]' 3),
  \"transactionGenerator\": {\"type\": \"uniform\", \"messagesPerTransaction\": 500}" '"totalSent":50000.*"transactionsCommitted":100'
consume='"targetMessagesPerSec": 1000000'
from_start='"auto.offset.reset": "earliest"'
workload "consume, assigned" ConsumeBenchSpec "$consume, \"maxMessages\": 50000, \"activeTopics\": [\"produced[0-2]:[0-2]\"],
  \"consumerConf\": {$from_start}" '"totalMessagesReceived":50000'
workload "consume what transactions committed, in a group" ConsumeBenchSpec "$consume, \"maxMessages\": 50000, \"activeTopics\": [\"transacted[0-1]\"],
  \"consumerGroup\": \"readers\", \"consumerConf\": {$from_start, \"isolation.level\": \"read_committed\"}" '"totalMessagesReceived":50000'
workload "consume in a group of the consumer protocol" ConsumeBenchSpec "$consume, \"maxMessages\": 50000, \"activeTopics\": [\"packed[0-1]\"],
  \"consumerGroup\": \"new-readers\", \"consumerConf\": {$from_start, \"group.protocol\": \"consumer\"}" '"totalMessagesReceived":50000'
workload "round trip" RoundTripWorkloadSpec "\"targetMessagesPerSec\": 10000, \"maxMessages\": 50000,
  \"activeTopics\": $(topics 'round[0-2]' 3)" '"totalUniqueSent":50000,"totalReceived":50000'
"$xtask" kafka kafka-configs --bootstrap-server "$boot" --alter --entity-type groups --entity-name sharers --add-config share.auto.offset.reset=earliest >/dev/null
workload "consume in a share group" ShareConsumeBenchSpec "$consume, \"maxMessages\": 50000, \"activeTopics\": [\"produced[0-2]\"],
  \"shareGroup\": \"sharers\"" '"totalMessagesReceived":[5-9][0-9]{4}'
# Its round trip through a share group cannot start with any broker: it gives its consumer a setting that share consumers refuse.
lasts=20000
workload "connections, each for one question" ConnectionStressSpec '"targetConnectionsPerSec": 100, "numThreads": 4, "action": "FETCH_METADATA"' \
  '"totalConnections":[1-9][0-9]*,"totalFailedConnections":0'
workload "connections that stay" SustainedConnectionSpec '"producerConnectionCount": 5, "consumerConnectionCount": 5, "metadataConnectionCount": 5,
  "topicName": "produced0", "keyGenerator": {"type": "sequential", "size": 8, "startOffset": 0}, "valueGenerator": {"type": "sequential", "size": 64, "startOffset": 0},
  "numThreads": 4, "refreshRateMs": 2000' '"totalProducerConnections":[1-9][0-9]*,"totalProducerFailedConnections":0,"totalConsumerConnections":[1-9][0-9]*,"totalConsumerFailedConnections":0,"totalMetadataConnections":[1-9][0-9]*,"totalMetadataFailedConnections":0'
echo "$passed passed, $failed failed"
((failed == 0))
