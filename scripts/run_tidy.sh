#!/usr/bin/env bash
# Runs clang-tidy 19 with the checks of .clang-tidy on the sources that differ from BASE, and fails on any finding.
#   scripts/run_tidy.sh [--all] [BASE]
# BASE is a commit, by default where this branch left the main one, or the last commit on the main branch itself.
set -euo pipefail
cd "$(dirname "$0")/.."

all=no base=
for argument in "$@"; do
  case "$argument" in
    -h|--help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --all) all=yes ;;
    -*) echo "run_tidy: unknown option $argument (known: --all)" >&2; exit 2 ;;
    *) base=$argument ;;
  esac
done

scripts/setup.sh --with-clang
export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$PWD}" CCACHE_NOHASHDIR=1
# Only its compile commands are needed, one a file, and the sources that a build generates.
cmake --preset clang -B build/tidy -DGODWIT_UNITY_TESTS=OFF >/dev/null
cmake --build build/tidy --target godwit_build_facts >/dev/null

if [ "$all" = yes ]; then
  mapfile -t files < <(git ls-files 'src/*.cc' 'lab/*.cc')
else
  if [ -z "$base" ]; then
    base=$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || true)
    [ "$base" != "$(git rev-parse HEAD)" ] || base=$(git rev-parse --verify -q HEAD~1 || true)
  fi
  if [ -z "$base" ]; then
    echo "run_tidy: nothing to compare with; the history is not here"
    exit 0
  fi
  mapfile -t files < <(git diff --name-only --diff-filter=AMR "$base" -- 'src/*.cc' 'lab/*.cc')
fi
# What is not compiled on this machine has no compile command.
checked=()
for file in ${files[@]+"${files[@]}"}; do
  if grep -qF "$PWD/$file\"" build/tidy/compile_commands.json; then checked+=("$file"); fi
done
if [ "${#checked[@]}" -eq 0 ]; then
  echo "run_tidy: no source differs"
  exit 0
fi
echo "run_tidy: ${#checked[@]} files"
printf '%s\0' "${checked[@]}" |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy-19 -p build/tidy --quiet --warnings-as-errors='*' 2>/dev/null
echo "run_tidy: clean"
