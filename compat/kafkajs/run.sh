#!/usr/bin/env bash
# The Node client kafkajs: run.sh BOOTSTRAP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/../../target/compat/kafkajs}
mkdir -p "$work"
cp "$here"/package*.json "$work/"
cmp -s "$here/package.json" "$work/node_modules/installed.json" || {
  (cd "$work" && npm install --silent --no-audit --no-fund)
  cp "$here/package.json" "$work/node_modules/installed.json"
}
NODE_PATH=$work/node_modules KAFKAJS_NO_PARTITIONER_WARNING=1 exec node --no-warnings "$here/client_plan.js" "$1"
