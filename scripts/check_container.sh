#!/usr/bin/env bash
# Builds contrib/docker/Dockerfile and runs in it what the README promises: the two commands, and the program of the small
# image. Without a container engine the same commands of the Dockerfile run in a fresh Debian made by mmdebstrap; exits
# with 77 and the reason where neither is possible.
#   scripts/check_container.sh [--quick | --configure]
#     --quick      of the tests those of one folder, and a benchmark run in quick mode
#     --configure  no build: in a fresh Debian what both commands begin with, set-up and configuration of their presets
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/fresh_debian.sh
. scripts/fresh_debian.sh
tests="scripts/run_tests.sh" benchmarks="scripts/run_benchmarks.sh"
if [ "${1:-}" = --quick ]; then
  tests="scripts/run_tests.sh dev -- -R ^BytesTest" benchmarks="scripts/run_benchmarks.sh --quick"
fi
configure_only=no
[ "${1:-}" != --configure ] || configure_only=yes
engine=""
for each in docker podman; do
  [ "$configure_only" = no ] || break
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
commands=("apt-get update -qq" "scripts/setup.sh --with-packages")
if [ "$configure_only" = yes ]; then
  commands+=("cmake --preset dev" "cmake --preset release")
else
  commands+=("$tests" "$benchmarks")
fi
for command in "${commands[@]}"; do
  echo "$script_name: $command"
  inside "cd /godwit && $command"
done
if [ "$configure_only" = yes ]; then
  echo "$script_name: both commands set up and configure in a fresh Debian; nothing was built"
  exit 0
fi
echo "$script_name: both commands ran in a fresh Debian, without a container engine"
