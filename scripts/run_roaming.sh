#!/bin/sh
# A performance run behind an address translation whose public address and port change five times meanwhile, in each
# direction, with 30 key updates or more: what the test cli.roaming does for 48 MiB, with as many GiB as wanted. Every
# byte is verified by digests. Needs root for network namespaces.
#
#   scripts/run_roaming.sh [GIB]      10 unless told otherwise
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
GODWIT=${GODWIT:-$root/build/release/godwit}
[ -x "$GODWIT" ] || { echo "run_roaming.sh: no program at $GODWIT; set GODWIT" >&2; exit 2; }
gib=${1:-10}
export GODWIT GODWIT_ROAMING_BYTES=$((gib << 30)) GODWIT_ROAMING_KEY_PACKETS=$((gib * 25000))
cd "$root/tests/cli"
exec python3 -B -m unittest -v roaming_test.Roaming.test_a_sender_moves roaming_test.Roaming.test_a_receiver_moves
