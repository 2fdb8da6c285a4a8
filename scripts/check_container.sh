#!/usr/bin/env bash
# Builds contrib/docker/Dockerfile and runs in it what the README promises: the two commands, and the program of the small
# image. Without a container engine the same commands of the Dockerfile run in a fresh Debian made by mmdebstrap; exits
# with 77 and the reason where neither is possible.
#   scripts/check_container.sh [--quick]     --quick: of the tests those of one folder, and a benchmark run in quick mode
set -euo pipefail
cd "$(dirname "$0")/.."
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
  echo "check_container: both commands ran in a container of $engine"
  exit 0
fi
skip() {
  echo "check_container: SKIPPED: no container engine answers, and $1"
  exit 77
}
[ "$(id -u)" -eq 0 ] || skip "a fresh Debian is made by root"
command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed (scripts/setup.sh --with-packages)"
root="$(mktemp -d)"
trap 'umount "$root/debian/proc" 2>/dev/null || true; rm -rf "$root"' EXIT
mmdebstrap --quiet --variant=apt bookworm "$root/debian" >"$root/log" 2>&1 || { tail -3 "$root/log"; skip "mmdebstrap failed"; }
mkdir -p "$root/debian/godwit"
git ls-files -z | xargs -0 cp --parents -t "$root/debian/godwit"
mount -t proc proc "$root/debian/proc" 2>/dev/null || skip "/proc cannot be mounted in the fresh Debian"
for command in "apt-get update -qq" "scripts/setup.sh" "$tests" "$benchmarks"; do
  echo "check_container: $command"
  chroot "$root/debian" /usr/bin/env HOME=/root LC_ALL=C.UTF-8 bash -euc "cd /godwit && $command"
done
echo "check_container: both commands ran in a fresh Debian, without a container engine"
