#!/usr/bin/env bash
# A job of Apache Flink: events of Kafka are counted by key and by window, and written in transactions of two phases, while the job fails
# on purpose, the node is killed, and the program ends between a checkpoint and its commit, and after one; the counts are exact: run.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
work=${WORK:-$root/target/compat/flink}
fresh=${FRESH:-$work/fresh}
product=${PRODUCT:-monedula}
each=${EVENTS_PER_KEY:-800}
libs=$work/libs
mkdir -p "$fresh" "$work/classes"
fresh=$(cd "$fresh" && pwd)
fetch_jars "$here/pom.xml" "$libs"
javac -nowarn -d "$work/classes" -cp "$libs/*" "$here"/*.java
port=${PORT:-$("$xtask" node port)}
boot=127.0.0.1:$port
java=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$work/classes:$libs/*")
for package in java.lang java.util java.time; do java+=(--add-opens "java.base/$package=ALL-UNNAMED"); done
cat >"$fresh/crash.sh" <<C
"$xtask" node stop "$fresh/node" KILL
for try in 1 2 3; do "$xtask" node start $product "$fresh/node" $port && exit 0; done
exit 1
C
producer=
end_all() { kill $producer 2>/dev/null || true; "$xtask" node stop "$fresh/node" KILL 2>/dev/null || true; }
trap end_all EXIT
passed=0 failed=0
check() { # NAME COMMAND...
  if "${@:2}" 2>"$fresh/why"; then passed=$((passed + 1)) && echo "ok flink: $1"; else
    failed=$((failed + 1)) && echo "FAIL flink: $1" && grep -v "^\s*at " "$fresh/why" | tail -n 3 || true
  fi
}
drive() { "${java[@]}" -Xmx200m Driver "$boot" "$@"; }
newest() { find "$fresh/checkpoints" -name _metadata -printf '%T@ %h\n' 2>/dev/null | sort -n | tail -n 1 | cut -d' ' -f2; }
ends=()
run_job() { # starts it from its newest checkpoint until it ends well
  local from code
  for _ in 1 2 3 4 5; do
    from=$(newest)
    code=0
    timeout 200 "${java[@]}" -Xmx700m Job "$boot" "$fresh" $((each * 20)) $from >>"$fresh/job.log" 2>&1 || code=$?
    ends+=("$code")
    ((code == 137)) || return "$code"
  done
  return 1
}

"$xtask" node start "$product" "$fresh/node" "$port" transaction.state.log.num.partitions=4 >/dev/null
drive create
drive produce "$each" 2>"$fresh/producer.log" &
producer=$!
check "the job comes to its end" run_job
check "it ended between a checkpoint and its commit, and after a commit, and came back" test "${ends[*]}" = "137 137 0"
check "it failed on purpose" test -e "$fresh/failed-on-purpose"
check "the node was killed before a commit, and after one" test -e "$fresh/node-killed-before-a-commit" -a -e "$fresh/node-killed-after-a-commit"
check "all events were produced" wait $producer
check "every event is counted once, in order" drive counts "$each"
check "every window has its count, once" drive windows "$each"
check "no transaction is left open" drive settled
check "the source's group knows how far it came" drive group $((each * 5))
"$xtask" node stop "$fresh/node" TERM
echo "$passed passed, $failed failed"
((failed == 0))
