#!/usr/bin/env bash
# Warnings are errors for whoever develops Godwit with a preset, and for nobody else: not for a packager, whose compiler
# may know warnings that are none here.
#   warnings.sh SOURCE_DIR CXX
set -euo pipefail
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
cmake -G Ninja -S "$1" -B "$scratch/plain" -DCMAKE_CXX_COMPILER="$2" -DGODWIT_TESTS=OFF -DGODWIT_LAB=OFF >/dev/null
if grep -q -e '-Werror' "$scratch/plain/compile_commands.json"; then
  echo "a build without a preset treats warnings as errors" >&2
  exit 1
fi
cmake --preset dev -S "$1" -B "$scratch/dev" -DCMAKE_CXX_COMPILER="$2" -DGODWIT_TESTS=OFF -DGODWIT_LAB=OFF >/dev/null
if ! grep -q -e '-Werror' "$scratch/dev/compile_commands.json"; then
  echo "the presets do not treat warnings as errors" >&2
  exit 1
fi
