#!/usr/bin/env bash
# Builds the fuzz targets and runs them, one after another or several at a time. What they find and how much they ran
# is kept under the user's cache folder, and a later run goes on from there. Exits 1 when a target fails.
#   scripts/run_fuzz.sh                     each target for 60 s, with the sanitizers
#   scripts/run_fuzz.sh --smoke             the same, two at a time: for continuous integration
#   scripts/run_fuzz.sh --seconds N --target NAME... --jobs N
#   scripts/run_fuzz.sh --list              names the targets
#   scripts/run_fuzz.sh --fast ...          without AddressSanitizer: several times the executions, for long campaigns
#   scripts/run_fuzz.sh --minimise          replaces fuzz/corpus by the smallest set with the same coverage
#   scripts/run_fuzz.sh --report [--record] [--missed]
#       executions and edges of all runs so far, and the coverage of decoder and state machines by the corpora;
#       --record writes docs/results/fuzz.json, --missed lists the branches that were not reached
# --state DIR keeps the state elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."

verb=run preset=fuzz jobs=1
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --list) sed -n 's/^godwit_fuzzer(\([a-z]*\) .*/\1/p' fuzz/CMakeLists.txt; exit 0 ;;
    --smoke) jobs=2; shift ;;
    --fast) preset=fuzz-fast; shift ;;
    --minimise) verb=minimise; shift ;;
    --report) verb=report; shift ;;
    --record | --missed) options+=("$1"); shift ;;
    --jobs) jobs=$2; shift 2 ;;
    --seconds | --target | --state) options+=("$1" "$2"); shift 2 ;;
    *) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done

[ "$verb" != report ] || preset=fuzz-coverage
if [ -z "${GODWIT_FUZZ_NO_BUILD:-}" ]; then
  cmake --preset "$preset" >/dev/null
  cmake --build "build/$preset" --target fuzzers -j "$(nproc)" | tail -1
fi
case $verb in
  report) options+=(--coverage-build "build/$preset") ;;
  *) options+=(--build "build/$preset" --configuration "$preset" --jobs "$jobs") ;;
esac
exec python3 tools/fuzz_campaign.py "$verb" "${options[@]}"
