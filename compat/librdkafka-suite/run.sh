#!/usr/bin/env bash
# librdkafka's own tests, unmodified, by its test-runner: run.sh
#
# Its source is the one that compat/rdkafka's client is built of. The node has four partitions for a new topic, as
# librdkafka's own clusters do; the tests' calls of Kafka's tools go to this project's. A test that fails among others runs
# once more, alone: they are made for more than two cores. tests.allow: lines "test fails reason". Last line: N passed, N failed.
set -euo pipefail
trap "" PIPE # the runner expects to find out from its sockets
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
work=${WORK:-$root/target/compat/librdkafka-suite}
fresh=${FRESH:-$work/fresh}
product=${PRODUCT:-monedula}
allow=$here/tests.allow
mkdir -p "$work" "$fresh"
work=$(cd "$work" && pwd) fresh=$(cd "$fresh" && pwd)

manifest=$(cargo metadata --quiet --format-version 1 --manifest-path "$root/compat/rdkafka/Cargo.toml" |
  grep -o '"manifest_path":"[^"]*/rdkafka-sys-[^"]*/Cargo.toml"' | cut -d '"' -f 4)
source=$work/$(basename "$(dirname "$manifest")")
tests=$source/tests
[[ -x $tests/test-runner ]] || {
  rm -rf "$source"
  cp -r "$(dirname "$manifest")/librdkafka" "$source"
  (cd "$source" && ./configure --disable-ssl --disable-gssapi --disable-curl && make -j2 libs && make -j2 -C tests build) \
    >"$work/build.txt" 2>&1 || { tail -n 20 "$work/build.txt"; exit 1; }
}

port=$("$xtask" node port)
"$xtask" node start "$product" "$fresh/node" "$port" num.partitions=4 >/dev/null
trap '"$xtask" node stop "$fresh/node" KILL >/dev/null 2>&1 || true' EXIT
"${MONEDULA:-$root/target/release/monedula}" install-links "$fresh/kafka/bin" >/dev/null
echo "bootstrap.servers=127.0.0.1:$port" >"$fresh/test.conf"
export RDKAFKA_TEST_CONF=$fresh/test.conf TEST_KAFKA_VERSION=4.3.1 LD_LIBRARY_PATH=$source/src:$source/src-cpp
export BROKERS=127.0.0.1:$port KAFKA_PATH=$fresh/kafka
# Quick tests that need a broker, those against librdkafka's mock broker left out. Each has a process of its own, since 0076
# closes descriptors by their number, whosever they are by then.
run() {
  (cd "$tests" && TESTS=$1 timeout -k 5 400 stdbuf -oL ./test-runner -L -K -Q -p1) >"$fresh/$1.txt" 2>&1 </dev/null || true
}
# "test verdict", as a number's run told them.
verdicts() {
  sed 's/\x1b\[[0-9;]*m//g' "$fresh/$1.txt" | awk -F '|' -v number="$1" '
    /^\| [0-9x]/ {gsub(" ", "", $2); gsub(" ", "", $3); print $2, $3; told = 1}
    END {if (!told) print number, "FAILED"}'
}
# The words with which a test failed.
words() { sed 's/\x1b\[[0-9;]*m//g' "$fresh/${1%%_*}.txt" | grep -a '^| .* FAILED |' | cut -d '|' -f 5- | cut -c 1-200; }
export -f run && export tests fresh
numbers=$(cd "$tests" && ls | grep -oE '^0[0-9]{3}' | sort -u)
xargs -P 4 -I '{}' bash -c 'run {}' <<<"$numbers" 2>/dev/null # who fails, aborts

passed=0 failed=0
while read -r name verdict; do
  reason=$(awk -v name="$name" '$1 == name && $2 == "fails" {$1 = $2 = ""; print; exit}' "$allow")
  if [[ $verdict == FAILED && -z $reason ]]; then
    run "${name%%_*}"
    verdict=$(verdicts "${name%%_*}" | awk -v name="$name" '$1 == name {print $2}')
    [[ $verdict != PASSED ]] || echo "passes alone: $name"
  fi
  case $verdict:$reason in
    PASSED:) passed=$((passed + 1)) ;;
    PASSED:*) passed=$((passed + 1)) && echo "passes, though tests.allow lets it fail: $name" ;;
    SKIPPED:*) ;;
    *:) failed=$((failed + 1)) && echo "FAIL $name: $(words "$name")" ;;
    *) echo "may fail: $name:$reason" ;;
  esac
done < <(for number in $numbers; do verdicts "$number"; done)
((passed > 0)) || { failed=$((failed + 1)) && echo "no test ran: $fresh"; }
"$xtask" node stop "$fresh/node" >/dev/null || { failed=$((failed + 1)) && echo "the node does not stop"; }
echo "$passed passed, $failed failed"
((failed == 0))
