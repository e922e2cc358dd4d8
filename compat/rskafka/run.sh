#!/usr/bin/env bash
# The pure Rust client rskafka: run.sh BOOTSTRAP
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/../../target/compat/rskafka}
cargo build --quiet --manifest-path "$here/Cargo.toml" --target-dir "$work/target"
exec "$work/target/debug/compat-rskafka" "$1"
