#!/usr/bin/env bash
# Builds contrib/docker/Dockerfile and runs in it what the README promises: the two commands, and the program of the small
# image. Without a container engine the same commands of the Dockerfile run in a fresh Debian made by mmdebstrap; exits
# with 77 and the reason where neither is possible.
#   scripts/check_container.sh [--quick]     --quick: of the tests those of one folder, and a benchmark run in quick mode
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/fresh_debian.sh
. scripts/fresh_debian.sh
tests="scripts/run_tests.sh" benchmarks="scripts/run_benchmarks.sh"
if [ "${1:-}" = --quick ]; then
  tests="scripts/run_tests.sh dev -- -R ^BytesTest" benchmarks="scripts/run_benchmarks.sh --quick"
fi
engine=""
for each in docker podman; do
  if command -v "$each" >/dev/null && timeout 20 "$each" info >/dev/null 2>&1; then engine=$each; break; fi
done
if [ -n "$engine" ]; then
  "$engine" build -f contrib/docker/Dockerfile -t godwit-source --target source .
  # shellcheck disable=SC2086  # the words are the command's
  "$engine" run --rm godwit-source $tests
  # shellcheck disable=SC2086
  "$engine" run --rm --security-opt seccomp=unconfined godwit-source $benchmarks
  "$engine" build -f contrib/docker/Dockerfile -t godwit .
  "$engine" run --rm godwit --version
  echo "$script_name: both commands ran in a container of $engine"
  exit 0
fi
make_fresh_debian
mkdir -p "$debian/godwit"
git ls-files -z | xargs -0 cp --parents -t "$debian/godwit"
for command in "apt-get update -qq" "scripts/setup.sh --with-packages" "$tests" "$benchmarks"; do
  echo "$script_name: $command"
  inside "cd /godwit && $command"
done
echo "$script_name: both commands ran in a fresh Debian, without a container engine"
