#!/usr/bin/env bash
# Sets up, builds and tests. With no preset named: the debug build.
#   scripts/run_tests.sh [dev|release|asan|tsan]... [-- ctest options]
set -euo pipefail
cd "$(dirname "$0")/.."

presets=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  case "$1" in
    dev|release|asan|tsan) presets+=("$1") ;;
    -h|--help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run_tests: unknown preset $1 (known: dev release asan tsan)" >&2; exit 2 ;;
  esac
  shift
done
[ $# -gt 0 ] && shift
[ "${#presets[@]}" -gt 0 ] || presets=(dev)

scripts/setup.sh

# The deployed peer takes long to build: it is used where scripts/run_interop.sh has built it.
peer="${XDG_CACHE_HOME:-$HOME/.cache}/godwit/interop-target/release/fnpeer"
if [ -x "${GODWIT_INTEROP_PEER:=$peer}" ]; then
  export GODWIT_INTEROP_PEER
else
  unset GODWIT_INTEROP_PEER
  echo "** SKIPPING the tests against the deployed peer: it is not built here (scripts/run_interop.sh builds it) **"
fi

# Objects are shared between checkouts and build folders of this user: paths inside the checkout are hashed relative.
export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$PWD}" CCACHE_NOHASHDIR=1

for preset in "${presets[@]}"; do
  echo "== $preset: configure and build"
  cmake --preset "$preset" >"/tmp/godwit-configure.$$" 2>&1 || { cat "/tmp/godwit-configure.$$"; rm -f "/tmp/godwit-configure.$$"; exit 1; }
  rm -f "/tmp/godwit-configure.$$"
  cmake --build --preset "$preset" -j "$(nproc)"
  echo "== $preset: test"
  ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)" "$@"
done
