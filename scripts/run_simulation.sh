#!/bin/sh
# What is too long for the tests. Needs a Release build of `godwit` (GODWIT, or build/release/godwit).
#
#   scripts/run_simulation.sh seeds [COUNT [FIRST]]   random scenarios, a million unless told otherwise
#   scripts/run_simulation.sh table                   the whole table with fairness, coexistence and black-outs
#   scripts/run_simulation.sh ci                      the subset that runs with the tests
#   scripts/run_simulation.sh record                  writes testdata/simulation_table.json anew
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
godwit=${GODWIT:-$root/build/release/godwit}
[ -x "$godwit" ] || { echo "run_simulation.sh: no program at $godwit; set GODWIT" >&2; exit 2; }
case ${1:-} in
  seeds) exec "$godwit" sim run --seeds "${2:-1000000}" --first "${3:-1}" ;;
  table) exec "$godwit" sim table --full ;;
  ci) exec "$godwit" sim table --subset ci ;;
  record)
    "$godwit" sim table --subset ci --json > "$root/testdata/simulation_table.json.new" || true
    mv "$root/testdata/simulation_table.json.new" "$root/testdata/simulation_table.json"
    ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
