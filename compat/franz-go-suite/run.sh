#!/usr/bin/env bash
# franz-go's own integration tests: run.sh BOOTSTRAP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/../../target/compat/franz-go-suite}
export KGO_SEEDS=$1 KGO_TEST_RF=1 KGO_TEST_RECORDS=${KGO_TEST_RECORDS:-50000}
exec bash "$here/../go-suites/run-tests.sh" "$here" github.com/twmb/franz-go/pkg/kgo "$work" -test.timeout 1400s
