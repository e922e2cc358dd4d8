#!/usr/bin/env bash
# The real command-line tools of Apache Kafka, and ours beside them against the same node, with the same output and exit
# code: run.sh BOOTSTRAP
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
boot=$1
work=${FRESH:-$here/../../target/compat/kafka-tools/fresh}
xtask=${XTASK:-$here/../../target/debug/xtask}
mkdir -p "$work"
passed=0 failed=0
tool() { "$xtask" kafka "$@" 2>"$work/stderr"; }
at() { tool "$1" --bootstrap-server "$boot" "${@:2}"; }
# check WHAT PATTERN COMMAND…: what the command prints has a line that matches (an extended expression)
check() {
  local what=$1 pattern=$2 out
  shift 2
  out=$("$@")
  local code=$?
  if ((code == 0)) && grep -qE -- "$pattern" <<<"$out"; then
    passed=$((passed + 1)) && echo "ok tools: $what"
  else
    failed=$((failed + 1))
    echo "FAIL tools: $what: exit code $code, no line matches '$pattern':"
    { head -n 15 <<<"$out"; tail -n 5 "$work/stderr"; } | sed 's/^/    /'
  fi
}
refused() { # the command fails and says this
  local out
  out=$("$@" 2>&1 && echo "it did not fail") || true
  printf '%s\n' "$out"
  cat "$work/stderr"
}
seq -f 'line %g' 1000 >"$work/in.txt"

check "create a topic" '^Created topic tools\.$' at kafka-topics --create --topic tools --partitions 3 --config segment.bytes=1048576
check "create it twice" "already exists" refused at kafka-topics --create --topic tools
check "create it if not there" '^$' at kafka-topics --create --if-not-exists --topic tools
check "list topics" '^tools$' at kafka-topics --list
check "describe it" $'^Topic: tools\tTopicId: [A-Za-z0-9_-]{22}\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: .*segment.bytes=1048576' at kafka-topics --describe --topic tools
check "describe its partitions" $'^\tTopic: tools\tPartition: 2\tLeader: 1\tReplicas: 1\tIsr: 1' at kafka-topics --describe --topic tools
check "alter it" '^$' at kafka-topics --alter --topic tools --partitions 4
check "four partitions" 'PartitionCount: 4' at kafka-topics --describe --topic tools
check "set a config" 'Completed updating config for topic tools' at kafka-configs --alter --entity-type topics --entity-name tools --add-config retention.ms=86400000
check "describe configs" 'retention.ms=86400000' at kafka-configs --describe --entity-type topics --entity-name tools
check "describe all configs" 'DYNAMIC_TOPIC_CONFIG:retention.ms=86400000' at kafka-configs --describe --all --entity-type topics --entity-name tools
check "refuse a bad config" 'Invalid value' refused at kafka-configs --alter --entity-type topics --entity-name tools --add-config retention.ms=soon
check "delete a config" 'Completed updating config' at kafka-configs --alter --entity-type topics --entity-name tools --delete-config retention.ms
check "set a broker's config" 'Completed updating config for broker 1' at kafka-configs --alter --entity-type brokers --entity-name 1 --add-config log.cleaner.threads=2
check "describe a broker's config" 'log.cleaner.threads=2' at kafka-configs --describe --entity-type brokers --entity-name 1
produce() { at kafka-console-producer --topic tools --compression-codec "$1" <"$work/in.txt" && echo sent; }
for codec in none gzip snappy lz4 zstd; do check "produce with $codec" '^sent$' produce $codec; done
consume() { at kafka-console-consumer --topic tools --group tools --from-beginning --max-messages 5000 --timeout-ms 30000 | sort -V | uniq -c | awk '$1 != 5 {print "not five times: " $0; exit 1} END {print NR " lines"}'; }
check "consume all in a group" '^1000 lines$' consume
check "describe the group" 'tools +tools +[0-3] +[0-9]+ +[0-9]+ +0 ' at kafka-consumer-groups --describe --group tools
check "list groups" '^tools$' at kafka-consumer-groups --list
check "describe the group's state" 'tools +.*Empty' at kafka-consumer-groups --describe --group tools --state
check "reset offsets" 'tools +tools +[0-3] +0 *$' at kafka-consumer-groups --group tools --reset-offsets --to-earliest --topic tools --execute
check "delete offsets" 'Request succeed' at kafka-consumer-groups --group tools --delete-offsets --topic tools
check "delete the group" 'was successful' at kafka-consumer-groups --group tools --delete
sum() { at kafka-get-offsets --topic tools --time "$1" | awk -F: '{n += $3} END {print n}'; }
check "latest offsets" '^5000$' sum -1
check "earliest offsets" '^0$' sum -2
# Which partitions hold records is up to the producer's partitioner, so all of partition 0, be it none.
printf '{"partitions":[{"topic":"tools","partition":0,"offset":-1}],"version":1}' >"$work/delete.json"
check "delete records" 'partition: tools-0.*low_watermark: [0-9]+' at kafka-delete-records --offset-json-file "$work/delete.json"
check "log dirs" '"logDirs":.*"partition":"tools-0"' at kafka-log-dirs --describe --topic-list tools
check "cluster id" '^Cluster ID: [A-Za-z0-9_-]{22}$' tool kafka-cluster cluster-id --bootstrap-server "$boot"
check "api versions" 'Produce\(0\): [0-9]+ to [0-9]+' at kafka-broker-api-versions
check "quorum status" '^LeaderId: +1$' at kafka-metadata-quorum describe --status
check "quorum replication" '^1[[:space:]].*Leader' at kafka-metadata-quorum describe --replication
check "features" 'Feature: metadata.version' at kafka-features describe
perf() { tool kafka-producer-perf-test --topic tools --num-records 20000 --record-size 100 --throughput -1 --producer-props "bootstrap.servers=$boot" acks=all; }
check "producer perf" '^20000 records sent' perf
check "consumer perf" '^[0-9-]+ [0-9:]+, ' at kafka-consumer-perf-test --topic tools --num-records 20000
check "verifiable producer" '"sent":100.*"acked":100|"acked":100.*"sent":100' at kafka-verifiable-producer --topic tools --max-messages 100

# alike TOOL ARGUMENT…: Kafka's tool and ours end with the same exit code and print the same. Lines are sorted, because Kafka
# prints sets in the order of their hashes; the trace of Java's stack is left out. Where both refuse, the reasons are compared:
# the first line on standard error, or the last of a usage that argparse wraps.
ours() { "${MONEDULA:-$here/../../target/release/monedula}" "$@"; }
plain() { grep -vE $'^(\tat |Caused by: |\t\.\.\. |[a-z.]+\.[A-Za-z.]+Exception)' "$1" | grep -v '^$' | sort; }
reason() { grep -vE '^[0-9-]+ [0-9:,]+ (WARN|ERROR) ' "$1" | head -n 1; }
alike() {
  local real us
  tool "$@" >"$work/real.out"
  real=$?
  cp "$work/stderr" "$work/real.err"
  ours "$@" >"$work/ours.out" 2>"$work/ours.err"
  us=$?
  if ((real == us)) && diff <(plain "$work/real.out") <(plain "$work/ours.out") >"$work/diff" &&
    { ((real == 0)) || [[ $(reason "$work/real.err") == usage:* ]] ||
      diff <(reason "$work/real.err") <(reason "$work/ours.err") >"$work/diff"; }; then
    passed=$((passed + 1)) && echo "ok alike: $*"
  else
    failed=$((failed + 1))
    echo "FAIL alike: $*: exit codes $real and $us"
    head -n 20 "$work/diff" | sed 's/^/    /'
  fi
}
alike_at() { alike "$1" --bootstrap-server "$boot" "${@:2}"; }

alike kafka-features version-mapping
alike kafka-features version-mapping --release-version 3.5
alike kafka-features feature-dependencies --feature eligible.leader.replicas.version=1 --feature metadata.version=20
alike kafka-features feature-dependencies --feature group.version=7
alike kafka-features describe
alike_at kafka-features upgrade
alike_at kafka-features upgrade --feature group.version=7
alike_at kafka-features disable --feature share.version --dry-run
alike_at kafka-groups --list
alike_at kafka-groups --list --consumer
alike_at kafka-groups --list --group-type none
alike_at kafka-transactions list
alike_at kafka-transactions describe --transactional-id none
alike_at kafka-transactions describe-producers --topic tools --partition 3
alike_at kafka-transactions find-hanging --topic tools --max-transaction-timeout 0
alike_at kafka-transactions abort --topic tools --partition 0 --start-offset 5000000
alike_at kafka-transactions abort --topic tools --partition 0
alike_at kafka-consumer-groups --group none --delete-offsets --topic tools:0
alike_at kafka-consumer-groups --group none --delete-offsets --topic gone --topic tools
alike_at kafka-metadata-quorum remove-controller --controller-id 7 --controller-directory-id AAAAAAAAAAAAAAAAAAAAAw
alike_at kafka-metadata-quorum remove-controller --controller-id 7 --controller-directory-id none
alike_at kafka-metadata-quorum remove-controller --controller-id -7 --controller-directory-id AAAAAAAAAAAAAAAAAAAAAw
alike_at kafka-metadata-quorum add-controller
alike_at kafka-leader-election --election-type preferred --topic tools --partition 0
alike_at kafka-leader-election --election-type preferred --topic none --partition 0
alike_at kafka-leader-election --election-type preferred --topic tools
alike_at kafka-client-metrics --alter --name tools --interval 1000 --metrics a.b,c --match client_id=x
alike_at kafka-client-metrics --list
alike_at kafka-client-metrics --describe
alike_at kafka-client-metrics --describe --name none
alike_at kafka-client-metrics --delete --name tools
replicas() { printf '{"topic":"tools","partition":%s,"replicas":[%s],"log_dirs":["any"]}' "$1" "$2"; }
printf '{"version":1,"partitions":[%s,%s]}' "$(replicas 0 1)" "$(replicas 1 1)" >"$work/moves.json"
printf '{"version":1,"partitions":[%s]}' "$(replicas 0 7)" >"$work/far.json"
printf '{"version":1,"partitions":[%s,%s]}' "$(replicas 0 1)" "$(replicas 0 1)" >"$work/twice.json"
printf '{"version":1,"topics":[{"topic":"tools"}]}' >"$work/topics.json"
alike_at kafka-reassign-partitions --generate --topics-to-move-json-file "$work/topics.json" --broker-list 1
alike_at kafka-reassign-partitions --execute --reassignment-json-file "$work/moves.json" --throttle 100000
alike_at kafka-reassign-partitions --verify --reassignment-json-file "$work/moves.json"
alike_at kafka-reassign-partitions --execute --reassignment-json-file "$work/far.json"
alike_at kafka-reassign-partitions --execute --reassignment-json-file "$work/twice.json"
alike_at kafka-reassign-partitions --cancel --reassignment-json-file "$work/moves.json"
alike_at kafka-reassign-partitions --list
alike_at kafka-reassign-partitions --list --throttle 5
alike_at kafka-acls --list --add
alike_at kafka-acls --add --topic tools --resource-pattern-type match --allow-principal User:a
alike_at kafka-acls --add --topic tools
alike_at kafka-share-groups --list
alike_at kafka-share-groups --delete
alike_at kafka-share-groups --reset-offsets --group g --to-earliest --topic tools
alike_at kafka-streams-application-reset --application-id app --dry-run
alike_at kafka-streams-application-reset --application-id app --input-topics tools --to-offset 3 --dry-run
alike_at kafka-streams-application-reset --application-id app --input-topics none
alike kafka-e2e-latency one
events() { # the names of a verifiable client's events
  "$@" | grep -o '"name":"[a-z_]*"' | sort | uniq -c
}
kinds() { "$@" | grep -o '"name":"[a-z_]*"' | sort -u; }
figures() { "$@" | sed -E 's/[0-9]+/N/g'; }
both_say() { # HOW COMMAND…: both tools' output is the same, looked at so
  local how=$1
  shift
  if diff <("$how" tool "$@") <("$how" ours "$@") >"$work/diff"; then
    passed=$((passed + 1)) && echo "ok alike ($how): $*"
  else
    failed=$((failed + 1)) && echo "FAIL alike ($how): $*" && sed 's/^/    /' "$work/diff"
  fi
}
for mode in auto sync async; do
  both_say kinds kafka-verifiable-share-consumer --bootstrap-server "$boot" --topic tools --group-id share --max-messages 20 \
    --offset-reset-strategy earliest --verbose --acknowledgement-mode $mode
done
both_say figures kafka-share-consumer-perf-test --bootstrap-server "$boot" --topic tools --group share --num-records 1000 --threads 2 \
  --show-consumer-stats
both_say figures kafka-share-consumer-perf-test --bootstrap-server "$boot" --topic tools --group share --num-records 10 --hide-header
check "verifiable consumer" '"name":"shutdown_complete"' at kafka-verifiable-consumer --topic tools --group-id verify --max-messages 50
both_events() {
  local what=$1
  shift
  if diff <(events tool "$@") <(events ours "$@") >"$work/diff"; then
    passed=$((passed + 1)) && echo "ok alike: $what"
  else
    failed=$((failed + 1)) && echo "FAIL alike: $what" && sed 's/^/    /' "$work/diff"
  fi
}
both_events "events of the verifiable producer" kafka-verifiable-producer --bootstrap-server "$boot" --topic tools --max-messages 20

. "$here/flags.sh"

check "delete the topic" '^$' at kafka-topics --delete --topic tools
check "it is gone" "does not exist" refused at kafka-topics --describe --topic tools
echo "$passed passed, $failed failed"
((failed == 0))
