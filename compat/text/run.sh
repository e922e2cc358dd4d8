#!/usr/bin/env bash
# A text of over 100 MB, a line a record, in through one product's console producer and out through the other's console consumer,
# byte for byte, with kill -9 of the node halfway: run.sh
#
# The text is real: the sources of this project's dependencies as cargo unpacked them, in the order of their names.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
work=${WORK:-$root/target/compat/text}
fresh=${FRESH:-$work/fresh}
product=${PRODUCT:-monedula}
megabytes=${MEGABYTES:-105}
mkdir -p "$fresh"
export LC_ALL=C.UTF-8
text=$work/text
[[ -s $text ]] || {
  sources=${CARGO_HOME:-$HOME/.cargo}/registry/src
  # NUL and carriage returns are no text, and console producers end a line at either kind of line end
  while [[ ! -e $text.raw ]] || (($(stat -c %s "$text.raw") < megabytes << 20)); do
    find "$sources" \( -name '*.rs' -o -name '*.md' -o -name '*.c' -o -name '*.h' \) -print0 | sort -z | xargs -0 cat >>"$text.raw"
  done
  head -c "$((megabytes << 20))" "$text.raw" | iconv -c -f UTF-8 -t UTF-8 | tr -d '\r\000' | sed -e '$a\' >"$text"
  rm "$text.raw"
}
size=$(stat -c %s "$text")
echo "text: $size bytes, $(wc -l <"$text") lines"
theirs() { "$xtask" kafka "kafka-$1" "${@:2}"; }
ours() { if [[ $product == kafka ]]; then theirs "$@"; else "${MONEDULA:-$root/target/release/monedula}" "$@"; fi; }
passed=0 failed=0
round() { # NAME PRODUCER CONSUMER
  local name=$1 producer=$2 consumer=$3 folder=$fresh/$1 port code=0 writer
  port=$("$xtask" node port)
  local boot=127.0.0.1:$port
  "$xtask" node start "$product" "$folder" "$port" >/dev/null
  theirs topics --bootstrap-server "$boot" --create --topic text --partitions 1
  # the producer must outlast a node that is away for a while
  $producer console-producer --bootstrap-server "$boot" --topic text --message-send-max-retries 100000 --retry-backoff-ms 200 \
    --request-timeout-ms 5000 --command-property delivery.timeout.ms=120000 --command-property enable.idempotence=true \
    <"$text" >"$folder/producer.out" 2>&1 &
  writer=$!
  while kill -0 $writer 2>/dev/null && (($(cat "$folder"/data/text-0/*.log 2>/dev/null | wc -c) < size / 2)); do sleep 0.05; done
  if kill -0 $writer 2>/dev/null; then
    "$xtask" node stop "$folder" KILL
    echo "$name: killed with $(cat "$folder"/data/text-0/*.log | wc -c) bytes in the log"
    "$xtask" node start "$product" "$folder" "$port" >/dev/null
  else
    echo "$name: the producer ended before the node could be killed"
    code=1
  fi
  wait $writer || { echo "$name: the producer failed" && code=1; }
  if grep -E 'ERROR|Exception' "$folder/producer.out" | grep -v -E 'Disconnect|NotLeader' | head -n 5 | grep .; then
    echo "$name: the producer gave up on records"
    code=1
  fi
  $consumer console-consumer --bootstrap-server "$boot" --topic text --from-beginning --max-messages "$(wc -l <"$text")" \
    --timeout-ms 30000 >"$folder/out" 2>"$folder/consumer.out" || code=1
  cmp "$text" "$folder/out" || code=1
  "$xtask" node stop "$folder"
  if ((code == 0)); then passed=$((passed + 1)) && echo "ok text: $name" && rm -rf "$folder"; else failed=$((failed + 1)) && echo "FAIL text: $name"; fi
}
round their-producer-our-consumer theirs ours
[[ $product == kafka ]] || round our-producer-their-consumer ours theirs
echo "$passed passed, $failed failed"
((failed == 0))
