#!/usr/bin/env bash
# Sets up, builds and tests. With no preset named: the debug build.
#   scripts/run_tests.sh [dev|release|plain|posix|asan|asan-core|tsan|clang|clang-core|libcxx]... [-- ctest options]
#     dev      everything, debug                     release  everything, optimised
#     plain    without the laboratory: what a distribution would ship, and the tests that differ there
#     posix    without what only Linux has: the back end of other systems, and the event loop over it
#     asan     AddressSanitizer and UBSan            tsan     ThreadSanitizer: the tests of what has threads
#     clang    clang 19: everything compiles; the tests of the core
#     asan-core, clang-core   the same, of the core and of what has threads alone
#     libcxx   clang 19 with libc++: the library and the tests of the core
set -euo pipefail
cd "$(dirname "$0")/.."

presets=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  case "$1" in
    dev|release|plain|posix|asan|asan-core|tsan|clang|clang-core|libcxx) presets+=("$1") ;;
    -h|--help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run_tests: unknown preset $1 (known: dev release plain posix asan asan-core tsan clang clang-core libcxx)" >&2; exit 2 ;;
  esac
  shift
done
[ $# -gt 0 ] && shift
[ "${#presets[@]}" -gt 0 ] || presets=(dev)

case " ${presets[*]} " in
  *clang*|*libcxx*) scripts/setup.sh --with-clang ;;
  *) scripts/setup.sh ;;
esac

# The deployed peer takes long to build: it is used where scripts/run_interop.sh has built it.
peer="${XDG_CACHE_HOME:-$HOME/.cache}/godwit/interop-target/release/fnpeer"
if [ -x "${GODWIT_INTEROP_PEER:=$peer}" ]; then
  export GODWIT_INTEROP_PEER
else
  unset GODWIT_INTEROP_PEER
  echo "** SKIPPING the tests against the deployed peer: it is not built here (scripts/run_interop.sh builds it) **"
fi

# Objects are shared between checkouts and build folders of this user: paths inside the checkout are hashed relative.
export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$PWD}" CCACHE_NOHASHDIR=1

# Where only a part is tested: the targets to build, and which tests run. The core is every folder without threads, sockets
# and clocks (cmake/layers.json), where a compiler or a sanitizer sees the same code as in a program.
mapfile -t core < <(sed -n 's/.*"name": "\([a-z]*\)", "kind": "core".*/\1/p' cmake/layers.json)
core_tests=("${core[@]/%/_test}")
core_tests=("${core_tests[@]/#/godwit_}")
threads_tests=(godwit_api_test godwit_runtime_test godwit_transfer_test godwit_udp_test)
targets=() selection=()
select_part() {
  targets=() selection=()
  case "$1" in
    plain)
      targets=(godwit godwit-counted godwit_cli_test godwit_shared)
      selection=(-R '^(cli\.(help|json|schema|output|perf_options)|package\.consumer)$') ;;
    posix)
      targets=(godwit_udp_test godwit_runtime_test)
      selection=(-R '/posix|^(Node|NodeTime|EachIdleStrategy|ConnectorTest|ForkGuard)[./]') ;;
    tsan)
      targets=("${threads_tests[@]}")
      selection=(-L '^threads$') ;;
    asan)
      # The programs' own tests run unsanitized, and days of virtual time with them.
      selection=(-LE '^slow$' -E '^house\.') ;;
    clang)
      selection=(-L '^core$') ;;
    asan-core)
      targets=("${core_tests[@]}" "${threads_tests[@]}")
      selection=(-L '^(core|threads)$' -LE '^slow$') ;;
    clang-core)
      targets=(godwit_shared godwit "${core_tests[@]}")
      selection=(-L '^core$' -LE '^slow$') ;;
    libcxx)
      targets=(godwit_shared "${core_tests[@]}" godwit_udp_test godwit_runtime_test godwit_api_test)
      selection=(-L '^(core|threads)$') ;;
  esac
}

for part in "${presets[@]}"; do
  select_part "$part"
  preset=${part%-core}
  echo "== $preset: configure and build"
  cmake --preset "$preset" >"/tmp/godwit-configure.$$" 2>&1 || { cat "/tmp/godwit-configure.$$"; rm -f "/tmp/godwit-configure.$$"; exit 1; }
  rm -f "/tmp/godwit-configure.$$"
  began=$SECONDS
  cmake --build "build/$preset" -j "$(nproc)" ${targets[@]+--target "${targets[@]}"}
  echo "== $preset: built in $((SECONDS - began)) s; test"
  began=$SECONDS
  ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)" ${selection[@]+"${selection[@]}"} "$@"
  echo "== $preset: tested in $((SECONDS - began)) s"
done
