#!/usr/bin/env bash
# The Rust client rdkafka: run.sh BOOTSTRAP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/../../target/compat/rdkafka}
cargo build --quiet --manifest-path "$here/Cargo.toml" --target-dir "$work/target"
exec "$work/target/debug/compat-rdkafka" "$1"
