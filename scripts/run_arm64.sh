#!/usr/bin/env bash
# Cross-builds for 64-bit ARM Linux and runs the tests of the core under qemu-user.
#   scripts/run_arm64.sh [--build-only] [-- ctest options]
# OpenSSL of that architecture is unpacked into build/arm64-root; the system's packages stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

build_only=no
case "${1:-}" in
  -h|--help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
  --build-only) build_only=yes; shift ;;
esac
[ "${1:-}" != -- ] || shift

scripts/setup.sh --with-arm64
root="$PWD/build/arm64-root"
if [ ! -e "$root/usr/lib/aarch64-linux-gnu/libcrypto.a" ]; then
  # A package list of its own for that architecture.
  state="$(mktemp -d)"
  trap 'rm -rf "$state"' EXIT
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$root"
  touch "$state/status"
  options=(-o "APT::Architecture=arm64" -o "APT::Architectures::=arm64" -o "Dir::State=$state" -o "Dir::State::status=$state/status"
    -o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state/cache" -o "APT::Sandbox::User=root")
  apt-get "${options[@]}" update -qq
  (cd "$state" && apt-get "${options[@]}" download -qq libssl-dev:arm64)
  dpkg -x "$state"/libssl-dev_*.deb "$root"
fi

export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$PWD}" CCACHE_NOHASHDIR=1
cmake --preset arm64 >"/tmp/godwit-configure.$$" 2>&1 || { cat "/tmp/godwit-configure.$$"; rm -f "/tmp/godwit-configure.$$"; exit 1; }
rm -f "/tmp/godwit-configure.$$"
targets=(godwit_udp godwit_runtime)
for folder in base crypto wire trace recovery congestion stream transport; do targets+=("godwit_${folder}_test"); done
cmake --build build/arm64 -j "$(nproc)" --target "${targets[@]}"
[ "$build_only" = no ] || exit 0
ctest --test-dir build/arm64 --output-on-failure -j "$(nproc)" -L '^core$' "$@"
