#!/usr/bin/env bash
# Builds the deployed peer (about 18 minutes on two cores the first time; kept under the user's cache folder) and tests
# Godwit against it over real UDP on loopback.
#   scripts/run_interop.sh [--build-only] [gtest options]
set -euo pipefail
cd "$(dirname "$0")/.."

cache="${XDG_CACHE_HOME:-$HOME/.cache}/godwit"
scripts/setup.sh --with-peers
mkdir -p "$cache"
echo "== the deployed peer: building in $cache/interop-target"
CARGO_TARGET_DIR="$cache/interop-target" cargo build --release --manifest-path tools/interop/Cargo.toml
export GODWIT_INTEROP_PEER="$cache/interop-target/release/fnpeer"
[ "${1:-}" != --build-only ] || exit 0

echo "== Godwit: building"
cmake --preset release >/dev/null
cmake --build --preset release -j "$(nproc)" --target godwit_interop_test
build/release/tests/godwit_interop_test "$@"
echo "== the same with offers of extended sessions in the intros"
GODWIT_TEST_EXTENDED=auto build/release/tests/godwit_interop_test "$@"
