#!/usr/bin/env bash
# Lets tshark decode a capture with the dissector of contrib/wireshark (tests/wireshark_test.py), and one of two processes
# with the keys that --keylog writes (tests/wireshark_capture_test.py). Installs tshark where it is missing and may be
# installed; exits with 77 and the reason where it cannot.
#   scripts/check_wireshark.sh [GODWIT]     GODWIT: the program; default: that of the debug build, else of the release build
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v tshark >/dev/null && ! scripts/setup.sh --with-wireshark; then
  echo "check_wireshark: SKIPPED: tshark cannot be installed here"
  exit 77
fi
godwit="${1:-build/dev/godwit}"
[ -x "$godwit" ] || godwit=build/release/godwit
python3 -B tests/wireshark_test.py .
if [ ! -x "$godwit" ]; then
  echo "check_wireshark: SKIPPED the capture of two processes: godwit is not built (cmake --preset dev && cmake --build --preset dev)"
  exit 77
fi
exec python3 -B tests/wireshark_capture_test.py "$(realpath "$godwit")" .
