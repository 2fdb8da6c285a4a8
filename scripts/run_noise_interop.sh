#!/usr/bin/env bash
# Handshakes between Godwit's Noise IK (src/crypto/noise_ik.h) and two independent implementations, the Rust crate snow and the
# Python package noiseprotocol, in both roles. Exits 0 when all succeed, 1 otherwise, 77 when neither of the two can be had here
# (it says why). What is built is kept under the user's cache folder.
#   scripts/run_noise_interop.sh [--build DIR]       default: build/dev; the program in it is built if it can be
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/dev
case "${1:-}" in
  --build) build=$2 ;;
  "") ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
cache="${XDG_CACHE_HOME:-$HOME/.cache}/godwit/noise-peers"
mkdir -p "$cache"
ours="$build/tests/godwit_noise_peer"
[ -x "$ours" ] || cmake --build "$build" --target godwit_noise_peer >/dev/null

others=() missing=()
manifest=tools/noise_peers/Cargo.toml
if ! command -v cargo >/dev/null; then
  missing+=("snow: cargo is not installed")
elif CARGO_TARGET_DIR="$cache/target" cargo build --release --quiet --manifest-path "$manifest" 2>"$cache/cargo.log"; then
  others+=("$cache/target/release/noise_peer")
else
  missing+=("snow: the crate cannot be fetched or built")
fi
if [ ! -x "$cache/venv/bin/python" ]; then python3 -m venv "$cache/venv" >/dev/null 2>&1 || true; fi
if "$cache/venv/bin/python" -c "import noise" 2>/dev/null ||
   { "$cache/venv/bin/pip" install --quiet noiseprotocol==0.3.1 >"$cache/pip.log" 2>&1 && "$cache/venv/bin/python" -c "import noise"; }; then
  others+=("$cache/venv/bin/python tools/noise_peers/peer.py")
else
  missing+=("noiseprotocol: the package cannot be installed")
fi
for reason in "${missing[@]}"; do echo "left out: $reason"; done
[ "${#others[@]}" -gt 0 ] || { echo "skipped: no other implementation can be had here"; exit 77; }
python3 tests/noise_peers_test.py "$ours" "${others[@]}"
echo "handshakes in both roles with ${#others[@]} other implementations"
