#!/usr/bin/env bash
# A real hour (or SECONDS): a listener and a performance server on loopback serve files, pings, performance runs and clients
# that die half-way, again and again, while resident memory, descriptors, threads and socket queues are sampled from /proc.
# Fails when anything grows or a client is not served. Needs a Release build of `godwit` (GODWIT, or build/release/godwit).
#
#   scripts/run_soak.sh [SECONDS [--json FILE]]      3600 unless told otherwise
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export GODWIT=${GODWIT:-$root/build/release/godwit}
[ -x "$GODWIT" ] || { echo "run_soak.sh: no program at $GODWIT; set GODWIT" >&2; exit 2; }
exec python3 -B "$root/tools/soak.py" "$@"
