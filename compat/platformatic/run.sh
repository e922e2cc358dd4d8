#!/usr/bin/env bash
# The Node client @platformatic/kafka: run.sh BOOTSTRAP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
work=${WORK:-$here/../../target/compat/platformatic}
fetch_node_modules "$here" "$work"
cp "$here/client_plan.mjs" "$work/" # a module finds its packages beside itself
exec node --no-warnings "$work/client_plan.mjs" "$1"
