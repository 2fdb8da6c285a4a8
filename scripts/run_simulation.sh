#!/bin/sh
# What is too long for the tests. Needs a Release build of `godwit` (GODWIT, or build/release/godwit). JOBS is the number of
# threads; one a processor unless set.
#
#   scripts/run_simulation.sh seeds [COUNT [FIRST]]   random scenarios, a million unless told otherwise
#   scripts/run_simulation.sh attack [COUNT [FIRST]]  the same with an attacker; GODWIT is godwit-counted, which also
#                                                     checks memory, unless set
#   scripts/run_simulation.sh table [OPTION...]       the cells that docs/results/simulation_table.json lacks, and the
#                                                     tables in the documents; remove the file to begin anew.
#                                                     --full: fairness, coexistence and black-outs besides
#   scripts/run_simulation.sh nat [COUNT [FIRST]]     pairs of hosts behind address translations through a rendezvous, a
#                                                     hundred thousand; GODWIT is godwit_cli_test, of build/dev unless set
#   scripts/run_simulation.sh ci                      the subset that runs with the tests
#   scripts/run_simulation.sh record                  writes testdata/simulation_table.json anew
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
case ${1:-} in attack) program=release/godwit-counted ;; nat) program=dev/src/cli/godwit_cli_test ;; *) program=release/godwit ;; esac
godwit=${GODWIT:-$root/build/$program}
[ -x "$godwit" ] || { echo "run_simulation.sh: no program at $godwit; set GODWIT" >&2; exit 2; }
case ${1:-} in
  seeds) exec "$godwit" sim run --seeds "${2:-1000000}" --first "${3:-1}" ${JOBS:+--jobs "$JOBS"} ;;
  attack) exec "$godwit" sim run --attack --seeds "${2:-1000000}" --first "${3:-1}" ${JOBS:+--jobs "$JOBS"} ;;
  table)
    shift
    mkdir -p "$root/docs/results"
    # Exits with 1 where a cell is out of its bounds: it is stored all the same.
    "$godwit" sim table --store "$root/docs/results/simulation_table.json" "$@" || true
    exec python3 "$root/tools/render_simulation_table.py" "$root"
    ;;
  nat)
    GODWIT_NAT_SEEDS=${2:-100000} GODWIT_NAT_FIRST=${3:-1} exec "$godwit" --gtest_filter='NatMatrix.*'
    ;;
  ci) exec "$godwit" sim table --subset ci ;;
  record)
    "$godwit" sim table --subset ci --json > "$root/testdata/simulation_table.json.new" || true
    mv "$root/testdata/simulation_table.json.new" "$root/testdata/simulation_table.json"
    ;;
  *) sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
