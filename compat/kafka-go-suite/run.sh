#!/usr/bin/env bash
# kafka-go's own tests; they look for their broker on localhost:9092: run.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/../../target/compat/kafka-go-suite}
export KAFKA_VERSION=4.3.1
exec bash "$here/../go-suites/run-tests.sh" "$here" github.com/segmentio/kafka-go "$work" -test.timeout 800s
