#!/usr/bin/env bash
# The transactional checker: run.sh. RUNS (20) of MILLIS (2500) each, from SEED on.
#
# It first proves on itself that it finds what is planted, and gives the verdicts on the histories that are kept here again
# (histories.jsonl.zst and histories.verdicts.txt; `VERIFY=only run.sh` does no more than that); then it runs. Histories and verdicts
# stay in $WORK/kept.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
export XTASK=${XTASK:-$root/target/debug/xtask} PRODUCT=${PRODUCT:-monedula}
work=${WORK:-$root/target/compat/transactions}
fresh=${FRESH:-$work/fresh}
seed=${SEED:-$((RANDOM * 1000))}
kept=$work/kept/$seed
mkdir -p "$kept" "$fresh"
passed=0 failed=0
count() { # FILE
  local p f
  read -r p _ f _ < <(tail -n 1 "$1" | grep -E '^[0-9]+ passed, [0-9]+ failed$' || echo 0 x 1)
  passed=$((passed + p)) failed=$((failed + f))
}
cargo test --quiet --manifest-path "$here/Cargo.toml" --target-dir "$work/target" >"$fresh/tests" 2>&1 || { cat "$fresh/tests"; failed=1; }
cargo build --quiet --manifest-path "$here/Cargo.toml" --target-dir "$work/target"
checker=$work/target/debug/compat-transactions
"$checker" verify "$here/histories.jsonl.zst" >"$fresh/out" || true
if diff "$here/histories.verdicts.txt" "$fresh/out"; then
  echo "the kept histories, judged again: $(tail -n 1 "$fresh/out")"
  count "$fresh/out"
else
  failed=$((failed + 1)) && echo "FAIL: the kept histories have other verdicts"
fi
[[ ${VERIFY:-} == only ]] && echo "$passed passed, $failed failed" && exit $((failed > 0))
for plant in read-uncommitted offsets-first no-transaction; do
  echo "planted: $plant"
  "$checker" "$kept/$plant" --runs 1 --seed "$seed" --plant "$plant" | tee "$fresh/out" || true
  count "$fresh/out"
done
"$checker" "$kept" --runs "${RUNS:-20}" --seed "$seed" --millis "${MILLIS:-2500}" | tee "$fresh/out" || true
count "$fresh/out"
echo "$passed passed, $failed failed"
((failed == 0))
