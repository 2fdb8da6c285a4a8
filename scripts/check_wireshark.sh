#!/usr/bin/env bash
# Lets tshark decode a capture with the dissector of contrib/wireshark (tests/wireshark_test.py). Installs tshark where it
# is missing and may be installed; exits with 77 and the reason where it cannot.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v tshark >/dev/null && ! scripts/setup.sh --with-wireshark; then
  echo "check_wireshark: SKIPPED: tshark cannot be installed here"
  exit 77
fi
exec python3 -B tests/wireshark_test.py .
