#!/usr/bin/env bash
# Builds the fuzz targets and runs them, one after another or several at a time. What they find and how much they ran
# is kept under the user's cache folder, and a later run goes on from there. Exits 1 when a target fails.
#   scripts/run_fuzz.sh                     each target for 60 s, with the sanitizers
#   scripts/run_fuzz.sh --smoke             the same, two at a time and from one seed: what continuous integration runs
#   scripts/run_fuzz.sh --seconds N --target NAME... --jobs N --seed N
#   scripts/run_fuzz.sh --list              names the targets
#   scripts/run_fuzz.sh --fast ...          without AddressSanitizer: several times the executions, for long campaigns
#   scripts/run_fuzz.sh --minimise          replaces fuzz/corpus by the smallest set with the same coverage
#   scripts/run_fuzz.sh --report [--measure [--missed]] [--record]
#       executions and edges of all runs on record in docs/results/fuzz.json and since, and the coverage of decoder and
#       state machines by the corpora as recorded. --measure builds the targets for coverage and measures it now,
#       --missed lists the branches that are not reached, --record writes the record anew
# --state DIR keeps the state elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."

verb=run preset=fuzz jobs=1 measure=
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --list) sed -n 's/^ *godwit_fuzzer(\([a-z]*\) .*/\1/p' fuzz/CMakeLists.txt; exit 0 ;;
    --smoke) jobs=2; options+=(--seed 1); shift ;;
    --fast) preset=fuzz-fast; shift ;;
    --minimise) verb=minimise; shift ;;
    --report) verb=report; shift ;;
    --measure) measure=yes; shift ;;
    --record | --missed) options+=("$1"); shift ;;
    --jobs) jobs=$2; shift 2 ;;
    --seconds | --target | --state | --seed) options+=("$1" "$2"); shift 2 ;;
    *) sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done

if [ "$verb" = report ]; then
  [ -n "$measure" ] || exec python3 tools/fuzz_campaign.py report "${options[@]}"
  preset=fuzz-coverage
fi
if [ -z "${GODWIT_FUZZ_NO_BUILD:-}" ]; then
  scripts/setup.sh --with-fuzz
  # Objects are shared between checkouts and build folders of this user: paths inside the checkout are hashed relative.
  export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$PWD}" CCACHE_NOHASHDIR=1
  log=$(mktemp)
  if ! { cmake --preset "$preset" && cmake --build "build/$preset" --target fuzzers -j "$(nproc)"; } >"$log" 2>&1; then
    tail -60 "$log"
    rm -f "$log"
    exit 1
  fi
  rm -f "$log"
fi
case $verb in
  report) options+=(--coverage-build "build/$preset") ;;
  *) options+=(--build "build/$preset" --configuration "$preset" --jobs "$jobs") ;;
esac
exec python3 tools/fuzz_campaign.py "$verb" "${options[@]}"
