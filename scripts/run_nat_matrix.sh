#!/bin/sh
# Two peers and a rendezvous in network namespaces, for every pair of open hosts and kinds of address translation that
# netfilter makes, with routers that drop datagrams nobody asked for and routers that answer them. Prints the table of
# docs/connectivity.md and exits 1 when a pair does not connect, or one that could go directly does not. Needs root.
#
#   scripts/run_nat_matrix.sh [--runs N] [--record]    runs of each pair; 1 unless told otherwise. --record puts the results into
#                                                      docs/results/nat_matrix.json and the table into the document
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
GODWIT=${GODWIT:-$root/build/release/godwit}
[ -x "$GODWIT" ] || { echo "run_nat_matrix.sh: no program at $GODWIT; set GODWIT" >&2; exit 2; }
export GODWIT
store=$root/docs/results/nat_matrix.json
record=
for argument in "$@"; do
    shift
    if [ "$argument" = --record ]; then record=yes; else set -- "$@" "$argument"; fi
done
[ -n "$record" ] || exec python3 -B "$root/tests/cli/nat_matrix.py" "$@"
python3 -B "$root/tests/cli/nat_matrix.py" "$@" --record "$store" || code=$?
python3 -B "$root/tools/render_nat_matrix.py" "$root"
exit "${code:-0}"
