#!/usr/bin/env bash
# Embeds the source tree into another project, by add_subdirectory (built and run) and by FetchContent (configured).
#   run.sh SOURCE_DIR CXX
set -euo pipefail
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
export CCACHE_NOHASHDIR=1  # what scripts/check_abi.sh compiled comes from ccache
configure() {
  cmake -G Ninja -S "$1/tests/embed" -B "$scratch/$3" -DGODWIT_TREE="$1" -DUSE_FETCH_CONTENT="$3" -DCMAKE_CXX_COMPILER="$2" \
    -DCMAKE_BUILD_TYPE=Debug >/dev/null
}
configure "$1" "$2" OFF
# What the compiler said is what a failure has to show: few other builds of the tests compile each file alone.
cmake --build "$scratch/OFF" --target embed >"$scratch/build.log" || { cat "$scratch/build.log"; exit 1; }
"$scratch/OFF/embed"
# The library and the one program: no test, benchmark, example or installation of ours comes along.
targets="$(cmake --build "$scratch/OFF" --target help)"
if grep -Eq '_test:|transport_perf:|echo_peer:|godwit_measure:' <<<"$targets"; then
  echo "the embedding project has targets of ours that it did not ask for" >&2
  exit 1
fi
configure "$1" "$2" ON
