#!/usr/bin/env bash
# The same questions of a user of few rights to Apache Kafka 4.3.1 and to this node, both with SASL and StandardAuthorizer, and
# then the same command lines for each one's kafka-acls: run.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
xtask=${XTASK:-$root/target/debug/xtask}
work=${WORK:-$root/target/compat/acls}
fresh=${FRESH:-$work/fresh}
libs=$("$xtask" kafka libs)
mkdir -p "$work/classes" "$fresh"
javac -nowarn -d "$work/classes" -cp "$libs/*" "$here"/Acl*.java 2>"$fresh/javac.err" || { cat "$fresh/javac.err"; exit 1; }
module=org.apache.kafka.common.security.plain.PlainLoginModule
properties=(
  listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_PLAINTEXT
  inter.broker.listener.name=PLAINTEXT
  sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
  "listener.name.plaintext.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
  delegation.token.secret.key=secret
  sasl.mechanism.inter.broker.protocol=PLAIN
  "listener.name.plaintext.plain.sasl.jaas.config=$module required username=\"root\" password=\"root\" user_root=\"root\" user_alice=\"alice\";"
  authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
  'super.users=User:root;User:ANONYMOUS'
  offsets.topic.num.partitions=2
  transaction.state.log.num.partitions=2
  share.coordinator.state.topic.num.partitions=2
)
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null || echo $((20000 + RANDOM % 10000)); }
printf '%s\n' security.protocol=SASL_PLAINTEXT sasl.mechanism=PLAIN \
  "sasl.jaas.config=$module required username=\"root\" password=\"root\";" >"$fresh/root.properties"
tool() { # PRODUCT PORT: a line for each command line: its exit code, what it prints, and the reason if it fails
  local at=(--bootstrap-server "127.0.0.1:$2" --command-config "$fresh/root.properties") line word words out reason code
  if [[ $1 == kafka ]]; then
    java -Xmx300m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$root/compat/reference/log4j2.properties" \
      -cp "$work/classes:$libs/*" AclTool "127.0.0.1:$2" "127.0.0.1:$(($2 + 1))" "$fresh/root.properties" "$here/tool.txt"
    return
  fi
  set -f
  while IFS= read -r line; do
    case $line in '' | '#'*) continue ;; esac
    words=()
    for word in $line; do
      case $word in
        @) words+=("${at[@]}") ;;
        @controller) words+=(--bootstrap-controller "127.0.0.1:$(($2 + 1))") ;;
        *) words+=("$word") ;;
      esac
    done
    code=0 reason=
    out=$("${MONEDULA:-$root/target/release/monedula}" kafka-acls "${words[@]}" 2>"$fresh/tool.err" </dev/null) || code=$?
    ((code == 0)) || reason=$(grep -v '^$' "$fresh/tool.err" | head -n 1) || true
    out=$(sed -E 's/^[[:space:]]+|[[:space:]]+$//g' <<<"$out" | grep -v '^$' | LC_ALL=C sort | paste -sd '|') || true
    printf 'kafka-acls %s -> %s %s %s\n' "$line" "$code" "$out" "$reason"
  done <"$here/tool.txt"
  set +f
}
answers() { # PRODUCT
  local folder=$fresh/$1 port
  rm -rf "$folder"
  port=$(free_port)
  "$xtask" node start "$1" "$folder" "$port" "${properties[@]}" >/dev/null
  java -Xmx300m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$root/compat/reference/log4j2.properties" \
    -cp "$work/classes:$libs/*" AclAnswers "127.0.0.1:$port" "$here/questions.txt" >"$fresh/$1.out" 2>"$fresh/$1.err" || tail -n 5 "$fresh/$1.err"
  # The last state's entries go first. Which operations a resource knows is a set, which Kafka prints in any order.
  tool "$1" "$port" 2>>"$fresh/$1.err" | sed -E 's/(only supports operations) .*/\1/' >>"$fresh/$1.out"
  "$xtask" node stop "$folder" TERM
}
answers kafka
answers "${PRODUCT:-monedula}"
awk -F ' -> ' '
  NR == FNR { wanted[++n] = $0; next }
  { i++; if (wanted[i] == $0) passed++; else { failed++; print "FAIL " $0; print "  instead of " wanted[i] } }
  END { if (i != n) failed++; print passed + 0 " passed, " failed + 0 " failed"; exit failed > 0 }
' "$fresh/kafka.out" "$fresh/${PRODUCT:-monedula}.out"
