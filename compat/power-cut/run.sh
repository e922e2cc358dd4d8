#!/usr/bin/env bash
# Power cuts: nothing that was acknowledged with acks=all may be missing after all un-synced data is lost: run.sh
#
# The node's directory lies on an ext4 file system in a loop device. A cut is ext4's shutdown ioctl, which drops whatever
# was not synced (the journal is not flushed either), and kill -9. ROUNDS says how many (20), PARTITIONS of how many (16). Needs root.
# Apache Kafka (PRODUCT=kafka) acknowledges before it syncs, so it is expected to fail here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
work=${WORK:-$root/target/compat/power-cut}
fresh=${FRESH:-$work/fresh}
product=${PRODUCT:-monedula}
mkdir -p "$fresh/mnt"
disk=$fresh/disk mnt=$fresh/mnt acked=$fresh/acked
: >"$acked"
truncate -s 3G "$disk"
mkfs.ext4 -q "$disk"
mount -o loop "$disk" "$mnt"
writer=
clean_up() {
  [[ -z $writer ]] || kill -9 -- "-$writer" 2>/dev/null || true
  [[ -e $mnt/node/pid ]] && kill -9 "$(cat "$mnt/node/pid")" 2>/dev/null || true
  sleep 0.5
  umount "$mnt" 2>/dev/null || true
  rm -f "$disk"
}
trap clean_up EXIT
cut_power() {
  python3 - "$mnt" <<'P'
import fcntl, os, struct, sys
SHUTDOWN, WITHOUT_FLUSHING_THE_JOURNAL = 0x8004587D, 2
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING_THE_JOURNAL))
P
}
port=$("$xtask" node port) boot=127.0.0.1:$port
passed=0 failed=0
start() { "$xtask" node start "$product" "$mnt/node" "$port" >"$fresh/pid"; }
start
"$xtask" kafka kafka-topics --bootstrap-server "$boot" --create --topic cut --partitions "${PARTITIONS:-16}"
sync
for round in $(seq "${ROUNDS:-20}"); do
  setsid "$xtask" kafka kafka-verifiable-producer --bootstrap-server "$boot" --topic cut --acks -1 --max-messages -1 --throughput 20000 \
    --value-prefix "$round" >"$fresh/producer-$round" 2>"$fresh/producer.err" &
  writer=$!
  until (($(grep -c producer_send_success "$fresh/producer-$round" || true) > 0)); do sleep 0.1; done
  sleep "$((RANDOM % 3)).$((RANDOM % 10))"
  # What counts is what was told before the cut. Where power is gone nobody hears an answer any more, but here the node lives a
  # moment longer than its disk, and a sync under way may end without an error: disk-alone.py shows it without a broker.
  told=$(stat -c %s "$fresh/producer-$round")
  cut_power
  kill -9 "$(cat "$fresh/pid")"
  kill -9 -- "-$writer" 2>/dev/null || true
  wait $writer 2>/dev/null || true
  writer=
  while kill -0 "$(cat "$fresh/pid")" 2>/dev/null; do sleep 0.05; done
  head -c "$told" "$fresh/producer-$round" | grep '"name":"producer_send_success"' | grep '}$' |
    sed -E 's/.*"value":"([^"]*)".*"offset":([0-9]+).*"partition":([0-9]+).*/\3 \2 \1/; s/.*"offset":([0-9]+).*"partition":([0-9]+).*"value":"([^"]*)".*/\2 \1 \3/' >>"$acked"
  rm "$fresh/producer-$round"
  until umount "$mnt"; do sleep 0.2; done
  mount -o loop "$disk" "$mnt"
  code=0
  start || code=1
  if ((code == 0)); then
    total=$("$xtask" kafka kafka-get-offsets --bootstrap-server "$boot" --topic cut | awk -F: '{n += $3} END {print n}')
    "$xtask" kafka kafka-console-consumer --bootstrap-server "$boot" --topic cut --from-beginning --max-messages "$total" --timeout-ms 15000 \
      --formatter-property print.partition=true --formatter-property print.offset=true 2>"$fresh/consumer.err" |
      sed -E 's/Partition:([0-9]+)\tOffset:([0-9]+)\t/\1 \2 /' | sort >"$fresh/found"
    missing=$(sort "$acked" | comm -23 - "$fresh/found" | tee "$fresh/missing" | wc -l)
    ((missing == 0)) || code=1
  fi
  if ((code == 0)); then
    passed=$((passed + 1)) && echo "ok power cut $round: $(wc -l <"$acked") acknowledged so far, all there"
  else
    failed=$((failed + 1)) && echo "FAIL power cut $round: ${missing:-no start;} of $(wc -l <"$acked") acknowledged are missing"
    head -n 3 "$fresh/missing" 2>/dev/null || tail -n 5 "$mnt/node/node.log"
    : >"$acked" # each loss is told once
    ((${missing:-0} > 0)) || break
  fi
done
echo "$passed passed, $failed failed"
((failed == 0))
