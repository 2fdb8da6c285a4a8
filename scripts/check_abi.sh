#!/usr/bin/env bash
# Compares the shared library of this tree with that of the last release by abidiff (docs/packages.md, SONAME and versions);
# where there is no release yet, with the description in testdata/abi (tools/check_abi_description.py). Exits with 77 and the
# reason where it can do neither.
#   scripts/check_abi.sh [--library FILE] [TAG]
#     FILE: this tree's library with debug information, if it is built already; it serves the description
#     TAG:  another release than the last one, which is the newest tag vX.Y.Z of this history
set -euo pipefail
cd "$(dirname "$0")/.."
skip() {
  echo "check_abi: SKIPPED: $1"
  exit 77
}
built=
if [ "${1:-}" = --library ]; then
  built="$2"
  shift 2
fi
tag="${1:-$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)}"
if [ -n "$tag" ]; then
  command -v abidiff >/dev/null || skip "abidiff is not installed (scripts/setup.sh --with-packages)"
  git rev-parse --verify --quiet "$tag^{commit}" >/dev/null || { echo "check_abi: there is no $tag" >&2; exit 2; }
fi

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
export CCACHE_BASEDIR="$scratch" CCACHE_NOHASHDIR=1
library() {  # SOURCES BUILD: the library alone, with what abidiff reads
  cmake -S "$1" -B "$2" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DGODWIT_PROGRAM=OFF -DGODWIT_LAB=OFF -DGODWIT_TESTS=OFF \
    -DGODWIT_EXAMPLES=OFF -DGODWIT_STATIC=OFF -DCMAKE_UNITY_BUILD=ON >/dev/null
  cmake --build "$2" -j "$(nproc)" --target godwit_shared >"$scratch/build.log" || { cat "$scratch/build.log"; return 1; }
}
if [ -z "$tag" ]; then
  echo "check_abi: there is no release yet: against the description"
  if [ -z "$built" ]; then
    library "$PWD" "$scratch/after"
    built="$scratch/after/libgodwit.so"
  fi
  code=0
  python3 -B tools/check_abi_description.py . "$built" || code=$?
  exit "$code"
fi
mkdir "$scratch/release"
git archive "$tag" | tar -x -C "$scratch/release"
library "$scratch/release" "$scratch/before"
library "$PWD" "$scratch/after"
before="$(ls "$scratch"/before/libgodwit.so.*.*.*)" after="$(ls "$scratch"/after/libgodwit.so.*.*.*)"
soname() { readelf -d "$1" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p'; }
code=0
abidiff --headers-dir1 "$scratch/release/include/godwit" --headers-dir2 include/godwit "$before" "$after" >"$scratch/report" || code=$?
cat "$scratch/report"
# Of abidiff's answer: 1 and 2 are its own errors, 4 a change, 8 a change that breaks programs.
if [ $((code & 3)) -ne 0 ]; then
  echo "check_abi: abidiff failed" >&2
  exit 1
fi
if [ $((code & 8)) -ne 0 ] && [ "$(soname "$before")" = "$(soname "$after")" ]; then
  echo "check_abi: programs linked against $tag break, and the SONAME is the same" >&2
  exit 1
fi
echo "check_abi: $(soname "$after") against $tag: $([ "$code" -eq 0 ] && echo "no change" || echo "what was added breaks nobody")"
