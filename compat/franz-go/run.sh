#!/usr/bin/env bash
# The Go client franz-go: run.sh BOOTSTRAP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/../../target/compat/franz-go}
mkdir -p "$work"
(cd "$here" && go build -o "$work/client-plan" .)
exec "$work/client-plan" "$1"
