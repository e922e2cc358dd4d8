#!/usr/bin/env bash
# The Java clients, of this release and of an old one: run.sh BOOTSTRAP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/../../target/compat/kafka-java}
passed=0 failed=0
for version in 4.3.1 2.8.2; do
  libs=$work/$version
  [[ -e $libs/whole ]] || {
    mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -Dkafka.version="$version" -DoutputDirectory="$libs" >&2
    touch "$libs/whole"
  }
  mkdir -p "$work/classes-$version"
  javac -nowarn -d "$work/classes-$version" -cp "$libs/*" "$here/ClientPlan.java"
  java -Xmx300m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$work/classes-$version:$libs/*" ClientPlan "$1" "java-$version" |
    tee "$work/$version.out" || true
  read -r p _ f _ < <(tail -n 1 "$work/$version.out" | grep -E '^[0-9]+ passed, [0-9]+ failed$' || echo 0 x 1)
  passed=$((passed + p)) failed=$((failed + f))
done >"$work/out"
grep -v ' passed, ' "$work/out"
echo "$passed passed, $failed failed"
((failed == 0))
