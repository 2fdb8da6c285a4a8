#!/usr/bin/env bash
# Compares Godwit's wire decoder with bincode 1.3.3 itself on generated and mutated packets: the same verdict, the same
# values, the same number of bytes left over. Exits 0 when every input agrees, 1 at a difference, 77 when the comparison
# cannot run here (it says why).
#   scripts/run_bincode_diff.sh [--inputs N] [--seed S] [--build DIR]
# Defaults: 1000000 inputs, seed 1, build/dev. The build folder must hold godwit_bincode_inputs; it is built if it can be.
set -euo pipefail
cd "$(dirname "$0")/.."

inputs=1000000 seed=1 build=build/dev
while [ $# -gt 0 ]; do
  case $1 in
    --inputs) inputs=$2; shift 2 ;;
    --seed) seed=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done

skip() { echo "skipped: $1"; exit 77; }
command -v cargo >/dev/null || skip "cargo is not installed"
ours="$build/tests/godwit_bincode_inputs"
[ -x "$ours" ] || cmake --build "$build" --target godwit_bincode_inputs >/dev/null
cache="${XDG_CACHE_HOME:-$HOME/.cache}/godwit/bincode-target"
mkdir -p "$cache"
manifest=tools/bincode_diff/Cargo.toml
CARGO_TARGET_DIR="$cache" cargo fetch --quiet --manifest-path "$manifest" 2>/dev/null ||
  CARGO_TARGET_DIR="$cache" cargo fetch --quiet --offline --manifest-path "$manifest" 2>/dev/null ||
  skip "the crate bincode cannot be fetched"
CARGO_TARGET_DIR="$cache" cargo build --release --quiet --manifest-path "$manifest"
theirs="$cache/release/bincode_diff"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
done=0 decoded=0
while [ "$done" -lt "$inputs" ]; do
  count=$((inputs - done < 100000 ? inputs - done : 100000))
  "$ours" generate "$count" "$seed" >"$folder/inputs"
  "$ours" decode <"$folder/inputs" >"$folder/ours"
  "$theirs" <"$folder/inputs" >"$folder/theirs"
  if ! cmp -s "$folder/ours" "$folder/theirs"; then
    echo "different: seed $seed, of $count inputs (< Godwit, > bincode; the line is the number of the input):"
    diff "$folder/ours" "$folder/theirs" | head -20
    exit 1
  fi
  # A comparison in which nothing decodes, or everything does, shows little.
  decoded=$((decoded + $(grep -vc '^refused$' "$folder/ours" || true)))
  done=$((done + count)) seed=$((seed + 1))
done
[ "$decoded" -gt $((inputs / 10)) ] && [ "$decoded" -lt $((inputs * 9 / 10)) ] || { echo "odd inputs: $decoded of $inputs decode"; exit 1; }
echo "the same verdict, values and bytes left over for $inputs inputs, of which $decoded decode"
