#!/usr/bin/env bash
# The Node client kafkajs: run.sh BOOTSTRAP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
work=${WORK:-$here/../../target/compat/kafkajs}
fetch_node_modules "$here" "$work"
NODE_PATH=$work/node_modules KAFKAJS_NO_PARTITIONER_WARNING=1 exec node --no-warnings "$here/client_plan.js" "$1"
