#!/usr/bin/env bash
# Measures Godwit beside quinn and s2n-quic, and beside the raw ceiling of this machine: one stream, datagrams of 1200
# bytes, every stack once a round in random order; prints ratios with bootstrap intervals (docs/peers.md).
#   scripts/run_peers.sh [--build-only] [--no-setup] [--veth] [--pairs N] [--time SECONDS] [--threads N]
#                        [--only godwit,ceiling,tcp,tls,quinn,s2n-quic] [--set NAME=NUMBER] [--json-file FILE]
#     --veth   (root) over a veth pair between two network namespaces whose segmentation and receive offloads are off,
#              so that the kernel cuts every packet: the stand-in for a network card without offload
# The first time it builds the stacks (minutes); they stay under the user's cache folder. As root it runs everything
# under `chrt -f 5`. Results: build/results/peers.json.
set -euo pipefail
cd "$(dirname "$0")/.."

options=() build_only=no setup=yes veth=no json=build/results/peers.json
while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --build-only) build_only=yes ;;
    --no-setup) setup=no ;;
    --veth) veth=yes ;;
    --json-file) [ $# -ge 2 ] || { echo "run_peers: --json-file needs a value" >&2; exit 2; }
      json="$2"; shift ;;
    *) options+=("$1") ;;
  esac
  shift
done

[ "$setup" = no ] || scripts/setup.sh --with-peers
command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
target="${XDG_CACHE_HOME:-$HOME/.cache}/godwit/peers-target"
mkdir -p "$target" "$(dirname "$json")"
echo "== quinn and s2n-quic: building in $target" >&2
# For this processor, as far as they can use it; their ciphers look for themselves.
RUSTFLAGS="-C target-cpu=native" CARGO_TARGET_DIR="$target" nice -n 10 cargo build --release --quiet -j 2 \
  --manifest-path tools/peers/Cargo.toml

echo "== Godwit: building" >&2
cmake --preset release >/dev/null
nice -n 10 cmake --build --preset release -j "$(nproc)" --target godwit godwit-raw >/dev/null
[ "$build_only" = no ] || exit 0

if [ "$veth" = yes ]; then
  [ "$(id -u)" -eq 0 ] || { echo "run_peers: --veth needs root" >&2; exit 2; }
  space=godwit-peers
  remove() { ip link delete gwpeers0 2>/dev/null || true; ip netns delete "$space" 2>/dev/null || true; }
  remove
  trap remove EXIT
  ip netns add "$space"
  ip link add gwpeers0 type veth peer name gwpeers1 netns "$space"
  ip address add 10.213.7.1/24 dev gwpeers0
  ip link set gwpeers0 up
  ip -n "$space" address add 10.213.7.2/24 dev gwpeers1
  ip -n "$space" link set gwpeers1 up
  for feature in tx-udp-segmentation tso gso gro; do
    ethtool -K gwpeers0 "$feature" off
    ip netns exec "$space" ethtool -K gwpeers1 "$feature" off
  done
  options+=(--receiver 10.213.7.2 --receiver-namespace "$space")
fi
python3 tools/peers/run_peers.py --godwit-build build/release --peers "$target/release" \
  --json-file "$json" "${options[@]}"
