#!/usr/bin/env bash
# Runs godwit_constant_time under valgrind: constant_time.sh PROGRAM [--expect-findings]
# Exits with 0 when memcheck reports no branch and no address that depends on a secret; with --expect-findings, when it
# reports those that are there on purpose. 77: skipped, with the reason.
set -euo pipefail
program="$1"
if [ -z "$program" ]; then
  echo "constant_time: skipped: the headers of valgrind are not installed"
  exit 77
fi
if ! command -v valgrind >/dev/null; then
  echo "constant_time: skipped: valgrind is not installed"
  exit 77
fi
check() {
  valgrind -q --tool=memcheck --leak-check=no --undef-value-errors=yes --error-exitcode=99 "$@"
}
if [ "${2:-}" = --expect-findings ]; then
  code=0
  output="$(check "$program" --leak 2>&1)" || code=$?
  echo "$output"
  [ "$code" != 77 ] || exit 77
  [ "$code" = 99 ] || exit 1
  [ "$(grep -c "Conditional jump" <<<"$output")" -ge 2 ] || exit 1
  grep -q "Use of uninitialised value" <<<"$output"
  exit
fi
check "$program"
