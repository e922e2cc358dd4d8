# Sourced by run.sh. Every tool without a cluster: its flags, its subcommands, and how it ends when asked for help, for
# nothing, and with a flag that there is none of: Kafka's and ours alike. The metadata shell is not among the jars of the reference. What a help says in its own words is not compared.
flags() { # FILE…: the flags in a help's first column
  sed -nE 's/^(\* | {0,2})(-.*)/\2/p' "$@" | sed 's/  .*//' | grep -oE '(^|[ ,])--?[A-Za-z][A-Za-z0-9.-]*' | tr -d ' ,' | sort -u
}
commands() { sed -nE '/^(positional arguments|commands):/,/^$/ s/^ {2,4}([a-zA-Z][a-zA-Z-]*)( .*)?$/\1/p' "$@" | grep -vE '^([A-Z]+|command)$' | sort -u; }
# refusal FILE: joptsimple says it first, perhaps as an exception that nobody caught; argparse last
refusal() {
  sed -E 's/^Exception in thread "main" [a-zA-Z.]+: //' "$1" | grep -vE '^([0-9-]+ [0-9:,]+ (WARN|ERROR)|\tat |Caused by)' |
    if head -n 1 "$1" | grep -q ^usage:; then tail -n 1; else head -n 1; fi
}
both() { # ARGUMENT…: runs Kafka's tool and ours; leaves what they said in $work/{real,ours}.{out,err}, how they ended in $real, $us
  tool "$@" >"$work/real.out" </dev/null
  real=$?
  cp "$work/stderr" "$work/real.err"
  timeout 30 "${MONEDULA:-$here/../../target/release/monedula}" "$@" >"$work/ours.out" 2>"$work/ours.err" </dev/null
  us=$?
}
spoke() { [[ -s $work/$1.out ]] && echo "on standard output"; }
verdict() { # WHAT COMMAND…: both ended alike, on the same stream, and the command finds no difference
  local what=$1
  shift
  if ((real == us)) && [[ $(spoke real) == "$(spoke ours)" ]] && "$@" >"$work/diff"; then
    passed=$((passed + 1)) && echo "ok flags: $what"
  else
    failed=$((failed + 1)) && echo "FAIL flags: $what: exit codes $real and $us" && head -n 12 "$work/diff" | sed 's/^/    /'
  fi
}
same_flags() { diff <(flags "$work"/real.{out,err}) <(flags "$work"/ours.{out,err}); }
same_help() { same_flags && diff <(commands "$work"/real.out) <(commands "$work"/ours.out); }
same_refusal() { diff <(refusal "$work/real.err") <(refusal "$work/ours.err"); }

for name in acls broker-api-versions client-metrics cluster configs console-consumer console-producer console-share-consumer \
  consumer-groups consumer-perf-test delegation-tokens delete-records dump-log e2e-latency features get-offsets groups \
  leader-election log-dirs metadata-quorum producer-perf-test reassign-partitions replica-verification \
  share-consumer-perf-test share-groups storage streams-application-reset streams-groups topics transactions \
  verifiable-consumer verifiable-producer verifiable-share-consumer; do
  both "kafka-$name" --help
  verdict "$name --help" same_help
  below=$(commands "$work/real.out")
  both "kafka-$name"
  verdict "$name" true
  both "kafka-$name" --no-such-flag
  verdict "$name --no-such-flag" same_refusal
  for command in $below; do
    both "kafka-$name" "$command" --help
    verdict "$name $command --help" same_help
  done
done
