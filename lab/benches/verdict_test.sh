#!/usr/bin/env bash
# The gate on the gate: cases whose work is repeated every tenth time must be found slower by the interleaved comparison. The
# slow-down is twice what the methodology promises to find, so that this test does not fail on a busy machine.
set -euo pipefail
program="$1"
cases=(level0/seal/openssl/1171 level0/open/openssl/1171 level0/intro/x25519)
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
code=0
"$program" "${cases[@]}" --against "$program" --inject-slowdown 10 --repetitions 20 --seconds 0.01 --json-file "$folder/r.json" >"$folder/out" || code=$?
cat "$folder/out"
# Exit code 1: something is slower. 2: nothing could be decided.
[ "$code" -eq 1 ] || { echo "the injected slow-down was not found" >&2; exit 1; }
