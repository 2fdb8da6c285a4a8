#!/usr/bin/env bash
# The public headers are documented: doxygen finds nothing to warn of. Without doxygen the test is skipped.
#   reference.sh SOURCE_DIR BUILD_DIR
set -euo pipefail
if ! command -v doxygen >/dev/null; then
  echo "skipped: doxygen is not installed (scripts/setup.sh installs it)"
  exit 77
fi
cd "$1"
warnings="$({ cat docs/Doxyfile; echo "OUTPUT_DIRECTORY=$2/reference"; } | doxygen - 2>&1)"
if [ -n "$warnings" ]; then
  echo "$warnings"
  exit 1
fi
pages="$(find "$2/reference/html" -name 'classgodwit_1_1v1_1_1*.html' | wc -l)"
if [ "$pages" -lt 4 ]; then
  echo "the reference has only $pages pages of classes"
  exit 1
fi
echo "doxygen: no warnings, $pages pages of classes"
