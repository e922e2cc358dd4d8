#!/usr/bin/env bash
# The Python client aiokafka: run.sh BOOTSTRAP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/../../target/compat/aiokafka}
cmp -s "$here/requirements.txt" "$work/venv/requirements.txt" || {
  rm -rf "$work/venv"
  mkdir -p "$work"
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install -q -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$work/venv/"
}
exec "$work/venv/bin/python" "$here/client_plan.py" "$1"
