#!/bin/sh
# Two peers and a rendezvous in network namespaces, for every pair of open hosts and kinds of address translation that
# netfilter makes, with routers that drop datagrams nobody asked for and routers that answer them. Prints the table of
# docs/rendezvous.md and exits 1 when a pair does not connect, or one that could go directly does not. Needs root.
#
#   scripts/run_nat_matrix.sh [--runs N]      runs of each pair; 1 unless told otherwise
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
GODWIT=${GODWIT:-$root/build/release/godwit}
[ -x "$GODWIT" ] || { echo "run_nat_matrix.sh: no program at $GODWIT; set GODWIT" >&2; exit 2; }
export GODWIT
exec python3 -B "$root/tests/cli/nat_matrix.py" "$@"
