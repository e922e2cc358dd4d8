#!/usr/bin/env bash
# Ten million updates of 100,000 keys, compacted: exactly the last value of each key stays, and how long that took: run.sh
#
# ROUNDS="monedula kafka monedula kafka …" compares the two in one run; UPDATES makes it smaller.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
work=${WORK:-$root/target/compat/compaction}
fresh=${FRESH:-$work/fresh}
ours=${MONEDULA:-$root/target/release/monedula}
updates=${UPDATES:-10000000} keys=100000
mkdir -p "$fresh"
export LC_ALL=C
passed=0 failed=0
input=$work/updates-$updates
# 7919 is prime to the number of keys, so that each run of 100,000 updates touches each key once, in an order of its own
[[ -s $input ]] || {
  seq "$updates" | awk -v keys=$keys '{printf "key-%06d\tvalue %d, with something after it so that it has a usual length\n", ($1 * 7919) % keys, $1}' >"$input.new"
  mv "$input.new" "$input"
}
tail -n $keys "$input" | sort >"$fresh/expected"
number=0
round() { # PRODUCT
  local product=$1 folder port boot size before calm began seconds cpu code=0
  number=$((number + 1)) folder=$fresh/$number-$product port=$("$xtask" node port)
  boot=127.0.0.1:$port
  "$xtask" node start "$product" "$folder" "$port" log.cleaner.backoff.ms=100 log.retention.check.interval.ms=1000 >/dev/null || return 1
  local pid logs=$folder/data/updates-0
  pid=$(<"$folder/pid")
  "$ours" topics --bootstrap-server "$boot" --create --topic updates --partitions 1 --config cleanup.policy=delete --config segment.bytes=104857600
  "$ours" console-producer --bootstrap-server "$boot" --topic updates --reader-property parse.key=true --command-property linger.ms=20 \
    --command-property batch.size=200000 <"$input" || code=1
  # one more record rolls the segment, so that all the updates may be compacted
  "$ours" configs --bootstrap-server "$boot" --alter --entity-type topics --entity-name updates --add-config segment.ms=1000 >/dev/null
  sleep 1.5
  echo $'end\tof the updates' | "$ours" console-producer --bootstrap-server "$boot" --topic updates --reader-property parse.key=true || code=1
  written() { stat -c %s "$logs"/*.log 2>/dev/null | awk '{n += $1} END {print n + 0}'; }
  ticks() { awk '{print $14 + $15}' "/proc/$pid/stat"; }
  size=$(written) cpu=$(ticks)
  began=$EPOCHREALTIME
  "$ours" configs --bootstrap-server "$boot" --alter --entity-type topics --entity-name updates --add-config cleanup.policy=compact,min.cleanable.dirty.ratio=0.01,file.delete.delay.ms=1 >/dev/null
  before=$size calm=0 seconds=0
  while ((calm < 60)); do
    sleep 0.05
    local now
    now=$(written)
    # while it writes, both the old and the new are there
    if ((now != before)) || ((now > size / 2)); then
      calm=0 before=$now
      seconds=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.2f", b - a}')
      cpu_end=$(ticks)
      awk -v s="$seconds" 'BEGIN {exit s < 300}' && { echo "not compacted after $seconds s" && code=1 && break; }
    else
      calm=$((calm + 1))
    fi
  done
  "$ours" console-consumer --bootstrap-server "$boot" --topic updates --from-beginning --timeout-ms 5000 --formatter-property print.key=true 2>/dev/null | grep -v $'^end\t' | sort >"$folder/found"
  cmp "$fresh/expected" "$folder/found" || code=1
  awk -v p="$product" -v s="$seconds" -v n="$size" -v c=$((cpu_end - cpu)) 'BEGIN {printf "%s: %.0f MiB compacted in %.2f s: %.0f MiB/s, %.2f CPU s/GiB\n", p, n / 1048576, s, n / 1048576 / s, c / 100 / (n / 1073741824)}'
  "$xtask" node stop "$folder"
  if ((code == 0)); then passed=$((passed + 1)) && echo "ok compaction: $product keeps exactly the last value of each key" && rm -rf "$folder/data"; else failed=$((failed + 1)) && echo "FAIL compaction: $product"; fi
}
for product in ${ROUNDS:-${PRODUCT:-monedula}}; do round "$product" || failed=$((failed + 1)); done
echo "$passed passed, $failed failed"
((failed == 0))
