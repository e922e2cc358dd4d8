#!/usr/bin/env bash
# Runs the tests of a Go package, unmodified, as a dependency of ours: run-tests.sh FOLDER PACKAGE WORK [TEST ARGUMENT…]
#
# FOLDER holds go.mod, go.sum and tests.allow: lines "TestName fails|skip reason". A test that `fails` may; one to `skip`
# is not started (it may be a part: TestName/part). A test named there that passes is pointed out. Last line: N passed, N failed.
set -euo pipefail
folder=$1 package=$2 work=$3
shift 3
mkdir -p "$work"
work=$(cd "$work" && pwd)
binary=$work/suite.test
(cd "$folder" && go test -c -o "$binary" "$package") # quick when nothing changed
allow=$folder/tests.allow
skip=$(awk '$2 == "skip" {gsub("/", "$/^", $1); printf "%s^%s$", sep, $1; sep = "|"}' "$allow")
home=$(cd "$folder" && go list -f '{{.Dir}}' "$package") # tests find their fixtures beside them
(cd "$home" && "$binary" -test.v "$@" ${skip:+-test.skip "$skip"}) >"$work/out.txt" 2>&1 </dev/null || true
passed=0 failed=0
while read -r _ verdict name _; do
  reason=$(awk -v name="$name" '$1 == name && $2 == "fails" {$1 = $2 = ""; print; exit}' "$allow")
  case $verdict$reason in
    PASS:) passed=$((passed + 1)) ;;
    PASS:*) passed=$((passed + 1)) && echo "passes, though tests.allow lets it fail: $name" ;;
    FAIL:) failed=$((failed + 1)) && echo "FAIL $name" ;;
    FAIL:*) echo "may fail: $name:$reason" ;;
  esac
done < <(grep -E '^--- (PASS|FAIL): ' "$work/out.txt")
awk '$2 == "skip" {name = $1; $1 = $2 = ""; print "not started: " name ":" $0}' "$allow"
if grep -qE '^(panic: |fatal error: )' "$work/out.txt" || ((passed == 0)); then
  failed=$((failed + 1))
  echo "the suite did not come to its end:"
  grep -nE -A 3 '^(panic: |fatal error: )' "$work/out.txt" | head -20 || tail -n 20 "$work/out.txt"
fi
((failed == 0)) || echo "the whole output: $work/out.txt"
echo "$passed passed, $failed failed"
((failed == 0))
