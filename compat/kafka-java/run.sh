#!/usr/bin/env bash
# The Java clients, of this release and of an old one: run.sh BOOTSTRAP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
work=${WORK:-$here/../../target/compat/kafka-java}
passed=0 failed=0
for version in 4.3.1 2.8.2; do
  libs=$work/$version
  fetch_jars "$here/pom.xml" "$libs" -Dkafka.version="$version"
  mkdir -p "$work/classes-$version"
  javac -nowarn -d "$work/classes-$version" -cp "$libs/*" "$here/ClientPlan.java"
  java -Xmx300m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$work/classes-$version:$libs/*" ClientPlan "$1" "java-$version" |
    tee "$work/$version.out" || true
  read -r p _ f _ < <(tail -n 1 "$work/$version.out" | grep -E '^[0-9]+ passed, [0-9]+ failed$' || echo 0 x 1)
  passed=$((passed + p)) failed=$((failed + f))
done >"$work/out"
# What Java's Admin is told, compared with what Apache Kafka 4.3.1 told it (answers.txt, recorded by the same program).
# Values of the broker's keys that either node's own properties file sets are not compared.
libs=$work/4.3.1
javac -nowarn -d "$work/classes-4.3.1" -cp "$libs/*" "$here/AdminAnswers.java"
java -Xmx200m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$work/classes-4.3.1:$libs/*" AdminAnswers "$1" >"$work/answers" || true
read -r p f < <(awk '
  function shown(line, f) { split(line, f, " "); return f[2] " " f[3] " " f[4] " " f[5] }
  function is_set(line) { return line ~ / set$/ }
  NR == FNR { if ($1 == "key") keys[$2] = $0; else wanted[++n] = $0; next }
  $1 == "key" {
    told = keys[$2]; delete keys[$2]
    same = told == $0 || ((is_set(told) || is_set($0)) && shown(told) == shown($0))
    if (same) { passed++ } else { failed++; print "FAIL " $0 " instead of " told >"/dev/stderr" }
    next
  }
  { i++; if (wanted[i] == $0) passed++; else { failed++; print "FAIL " $0 " instead of " wanted[i] >"/dev/stderr" } }
  END {
    for (key in keys) { failed++; print "FAIL there is no " keys[key] >"/dev/stderr" }
    if (i != n) failed++
    print passed + 0, failed + 0
  }' "$here/answers.txt" "$work/answers")
echo "ok $p answers to the admin client are those of Apache Kafka" >>"$work/out"
passed=$((passed + p)) failed=$((failed + f))
grep -v ' passed, ' "$work/out"
echo "$passed passed, $failed failed"
((failed == 0))
