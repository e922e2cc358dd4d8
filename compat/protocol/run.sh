#!/usr/bin/env bash
# The codec against Kafka's own message classes, both ways, and our table of errors against Kafka's: run.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
work=${WORK:-$here/../../target/compat/protocol}
mkdir -p "$work"
seed=${SEED:-$RANDOM}
echo "seed $seed"
passed=0 failed=0
count() { # FILE: adds up its last line and shows the rest
  local p f
  grep -v -E '^[0-9]+ passed, ' "$1" | cut -c 1-400 | head -n 60 || true
  read -r p _ f _ < <(tail -n 1 "$1" | grep -E '^[0-9]+ passed, [0-9]+ failed$' || echo 0 x 1)
  passed=$((passed + p)) failed=$((failed + f))
}
cargo build --quiet --release --manifest-path "$here/Cargo.toml" --target-dir "$work/target"
for version in 4.3.1 4.4.0; do
  libs=$work/$version
  fetch_jars "$here/pom.xml" "$libs" -Dkafka.version="$version"
  mkdir -p "$libs/classes"
  javac -nowarn -d "$libs/classes" -cp "$libs/*" "$here"/*.java
  jars=("$libs"/kafka-{clients,metadata,raft,group-coordinator,transaction-coordinator,share-coordinator,storage}-"$version".jar)
  java=(java -Xmx600m -XX:+UseSerialGC -cp "$libs/classes:$libs/*" Messages)
  echo "$version: Kafka writes"
  "${java[@]}" write "$work/kafka-$version" "$seed" 40 "${jars[@]}" >"$work/out" 2>/dev/null || true
  count "$work/out"
  echo "$version: read and written back here"
  "$work/target/release/compat-protocol" "$work/kafka-$version" "$work/ours-$version" "$seed" >"$work/out" 2>&1 || true
  count "$work/out"
  echo "$version: ours read and written back by Kafka"
  "${java[@]}" read "$work/ours-$version" "${jars[@]}" >"$work/out" 2>/dev/null || true
  count "$work/out"
  java -cp "$libs/classes:$libs/*" ErrorTable >"$work/errors-$version.tsv" 2>/dev/null
done
echo "the table of errors, each as the older of the two releases that know it has it"
awk -F '\t' '!seen[$1]++' "$work"/errors-4.3.1.tsv "$work"/errors-4.4.0.tsv |
  diff - "$here/../../crates/protocol/schemas/errors.tsv" && passed=$((passed + 1)) || failed=$((failed + 1))
echo "$passed passed, $failed failed"
((failed == 0))
