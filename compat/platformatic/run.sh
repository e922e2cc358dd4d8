#!/usr/bin/env bash
# The Node client @platformatic/kafka: run.sh BOOTSTRAP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/../../target/compat/platformatic}
mkdir -p "$work"
cp "$here"/package*.json "$work/"
cmp -s "$here/package.json" "$work/node_modules/installed.json" || {
  (cd "$work" && npm install --silent --no-audit --no-fund)
  cp "$here/package.json" "$work/node_modules/installed.json"
}
cp "$here/client_plan.mjs" "$work/" # a module finds its packages beside itself
exec node --no-warnings "$work/client_plan.mjs" "$1"
