#!/usr/bin/env bash
# Installs the build into a scratch prefix and builds the consumer against it, by CMake and by pkg-config.
#   run.sh BUILD_DIR SOURCE_DIR CXX
set -euo pipefail
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
cmake --install "$1" --prefix "$scratch/prefix" >/dev/null
cmake -S "$2/tests/consumer" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_CXX_COMPILER="$3" >/dev/null
cmake --build "$scratch/build" >/dev/null
"$scratch/build/consumer"
if [ -n "$(find "$scratch/prefix" -name '*.h' -not -path '*/include/godwit/*')" ]; then
  echo "headers outside include/godwit are installed" >&2
  exit 1
fi
