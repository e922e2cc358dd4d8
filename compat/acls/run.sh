#!/usr/bin/env bash
# The same questions of a user of few rights to Apache Kafka 4.3.1 and to this node, both with SASL and StandardAuthorizer, and
# then the same command lines for each one's kafka-acls, kafka-configs and kafka-delegation-tokens: run.sh
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
login() { # NAME MECHANISM MODULE: as whom the tools log in
  printf '%s\n' security.protocol=SASL_PLAINTEXT "sasl.mechanism=$2" "sasl.jaas.config=$3 required username=\"$1\" password=\"$1\";" >"$fresh/$1.properties"
}
login root PLAIN "$module"
login alice PLAIN "$module"
login bob SCRAM-SHA-256 org.apache.kafka.common.security.scram.ScramLoginModule
run_java() {
  java -Xmx300m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$root/compat/reference/log4j2.properties" \
    -cp "$work/classes:$libs/*" "$@"
}
tools() { # PRODUCT PORT: a line for each command line: its exit code, what it prints, and the reason if it fails
  local program=-
  [[ $1 == kafka ]] || program=${MONEDULA:-$root/target/release/monedula}
  run_java AclTool "127.0.0.1:$2" "127.0.0.1:$(($2 + 1))" "$fresh" "$program" "$here"/kafka-{acls,configs,delegation-tokens}.txt
}
answers() { # PRODUCT
  local folder=$fresh/$1 port
  rm -rf "$folder"
  port=$(free_port)
  "$xtask" node start "$1" "$folder" "$port" "${properties[@]}" >/dev/null
  run_java AclAnswers "127.0.0.1:$port" "$here/questions.txt" >"$fresh/$1.out" 2>"$fresh/$1.err" || tail -n 5 "$fresh/$1.err"
  # The last state's entries go first. Which operations a resource knows is a set, which Kafka prints in any order.
  tools "$1" "$port" 2>>"$fresh/$1.err" | sed -E 's/(only supports operations) .*/\1/' >>"$fresh/$1.out"
  "$xtask" node stop "$folder" TERM
}
answers kafka
answers "${PRODUCT:-monedula}"
awk -F ' -> ' '
  NR == FNR { wanted[++n] = $0; next }
  { i++; if (wanted[i] == $0) passed++; else { failed++; print "FAIL " $0; print "  instead of " wanted[i] } }
  END { if (i != n) failed++; print passed + 0 " passed, " failed + 0 " failed"; exit failed > 0 }
' "$fresh/kafka.out" "$fresh/${PRODUCT:-monedula}.out"
