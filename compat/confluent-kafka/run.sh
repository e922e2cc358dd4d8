#!/usr/bin/env bash
# The Python client confluent-kafka: run.sh BOOTSTRAP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../dependencies.sh"
work=${WORK:-$here/../../target/compat/confluent-kafka}
fetch_venv "$here/requirements.txt" "$work/venv"
exec "$work/venv/bin/python" "$here/client_plan.py" "$1"
