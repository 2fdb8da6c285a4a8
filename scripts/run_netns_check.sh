#!/bin/sh
# A few cells of the simulated table, repeated on this machine: `godwit perf` in two network namespaces, the kernel's
# tbf for rate and queue, nft's random drop for loss, and for the delay netem where the kernel has it or a relay between
# two tun devices (netns_relay.py). Compares each with the simulator and exits 1 when one differs by more than the
# margin (docs/simulation.md). Needs root; everything it makes is gone when it ends.
#
#   scripts/run_netns_check.sh [SECONDS]      a cell; 15 unless told otherwise
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
godwit=${GODWIT:-$root/build/release/godwit}
seconds=${1:-15}
margin=${MARGIN:-0.10}
[ -x "$godwit" ] || { echo "run_netns_check.sh: no program at $godwit; set GODWIT" >&2; exit 2; }
skip() { echo "run_netns_check.sh: SKIPPED, nothing was compared: $*" >&2; exit 0; }
[ "$(id -u)" = 0 ] || skip "network namespaces need root"
for tool in ip tc nft python3; do command -v "$tool" > /dev/null || skip "$tool is not installed"; done
[ -c /dev/net/tun ] || skip "/dev/net/tun is absent"

a=gwa$$ b=gwb$$
work=$(mktemp -d)
relay= server=
clean() {
  [ -z "$server" ] || kill "$server" 2> /dev/null || true
  [ -z "$relay" ] || kill "$relay" 2> /dev/null || true
  ip netns del "$a" 2> /dev/null || true
  ip netns del "$b" 2> /dev/null || true
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM
ip netns add "$a" 2> /dev/null || skip "namespaces are not allowed here"
ip netns add "$b"
"$godwit" keygen --out "$work/server.key" > /dev/null
"$godwit" keygen --out "$work/client.key" > /dev/null

# Round trip in ms, loss in percent, queue in products, rate in Mbit/s.
path() {
  rm -f "$work/relay"
  python3 -u "$root/scripts/netns_relay.py" "$a" "$b" "$(echo "$1" | awk '{print $1 / 2}')" > "$work/relay" &
  relay=$!
  until grep -q ready "$work/relay" 2> /dev/null; do sleep 0.1; kill -0 "$relay" || skip "no tun devices here"; done
  for side in "$a 10.77.0.1" "$b 10.77.0.2"; do
    name=${side% *}
    ip link set "$name" netns "$name"
    ip -n "$name" address add "${side#* }/24" dev "$name"
    ip -n "$name" link set "$name" mtu 1500 txqueuelen 10000 up
    ip -n "$name" link set lo up
  done
  bytes=$(awk -v t="$1" -v q="$3" -v r="$4" 'BEGIN { n = t * r * 125 * q; print int(n < 2456 ? 2456 : n) }')
  ip netns exec "$a" tc qdisc add dev "$a" root tbf rate "$4mbit" burst 2500 limit "$bytes"
  if [ "$2" != 0 ]; then
    per_million=$(awk -v l="$2" 'BEGIN { print int(l * 10000) }')
    ip netns exec "$b" nft "add table ip loss"
    ip netns exec "$b" nft "add chain ip loss input { type filter hook input priority 0 ; }"
    ip netns exec "$b" nft "add rule ip loss input udp length > 500 numgen random mod 1000000 < $per_million drop"
  fi
}
unpath() {
  kill "$relay" 2> /dev/null || true
  wait "$relay" 2> /dev/null || true
  relay=
  ip netns exec "$b" nft flush ruleset
}

measure() {  # controller
  ip netns exec "$b" "$godwit" perf server --bind 10.77.0.2:31337 --key "$work/server.key" > "$work/server" 2>&1 &
  server=$!
  key=
  for _ in $(seq 100); do
    key=$(grep -oE '[0-9a-f]{64}' "$work/server" | head -n 1) || true
    [ -n "$key" ] && break
    sleep 0.1
  done
  ip netns exec "$a" "$godwit" perf client --to 10.77.0.2:31337 --peer-key "$key" --key "$work/client.key" \
    --max-datagram 1200 --congestion "$1" --time "$seconds" --stream-bytes 1M --json > "$work/real" 2> "$work/errors" || cat "$work/errors" >&2
  kill "$server" 2> /dev/null || true
  wait "$server" 2> /dev/null || true
  server=
}

printf '%-28s %10s %10s %11s\n' cell simulated real difference
failed=0
while read -r controller trip loss queue rate; do
  path "$trip" "$loss" "$queue" "$rate"
  measure "$controller"
  unpath
  cell="$controller ${trip}ms ${loss}% ${queue}bdp ${rate}M"
  "$godwit" sim table --only "$cell" --json > "$work/simulated" || true
  python3 - "$cell" "$rate" "$loss" "$margin" "$work" << 'PYTHON' || failed=1
import json, pathlib, sys
cell, rate, loss, margin, work = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
simulated = next(c for c in json.loads(pathlib.Path(work, "simulated").read_text()) if c["cell"] == cell)
text = pathlib.Path(work, "real").read_text().strip()
if not text:
    print(f"{cell:28} the run failed")
    sys.exit(1)
goodput = json.loads(text)["results"][0]["goodput_bits_per_second"]
share = goodput / (rate * 1e6 * 1130 / 1228 * (1 - loss / 100))
difference = share - simulated["share_of_limit"]
verdict = "" if abs(difference) <= margin else "  BEYOND THE MARGIN"
print(f"{cell:28} {simulated['share_of_limit']:10.3f} {share:10.3f} {difference:+11.3f}{verdict}", flush=True)
sys.exit(1 if verdict else 0)
PYTHON
done << CELLS
${CELLS:-cubic 50 0 1 10
bbr 50 0 1 10
newreno 50 0 1 10
ledbat 50 0 4 10
cubic 50 1 1 10
bbr 50 1 1 10
bbr 50 5 1 10
bbr 150 1 1 10}
CELLS
exit "$failed"
