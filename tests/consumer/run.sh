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
# Everything installed works where it stands: each command of the program, also those that start other programs.
godwit="$scratch/prefix/bin/godwit"
if [ -x "$godwit" ]; then
  "$godwit" version >/dev/null
  if [ "${GODWIT_LAB:-}" = 1 ]; then
    "$godwit" doctor >/dev/null || [ $? -lt 12 ]
    "$godwit" report --text "$2/docs/results/analysis.json" >/dev/null
  fi
  if [ -x "$scratch/prefix/libexec/godwit/transport_perf" ]; then
    "$godwit" bench level0/decode --check >/dev/null
  fi
  if [ -x "$scratch/prefix/libexec/godwit/godwit-marked" ]; then
    (cd "$scratch" && "$godwit" analyze --quick -t 0.05 --backend auto >/dev/null)
  fi
fi
if [ -n "$(find "$scratch/prefix" -name '*.h' -not -path '*/include/godwit/*')" ]; then
  echo "headers outside include/godwit are installed" >&2
  exit 1
fi
