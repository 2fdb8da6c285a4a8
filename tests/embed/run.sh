#!/usr/bin/env bash
# Embeds the source tree into another project, by add_subdirectory (built and run) and by FetchContent (configured).
#   run.sh SOURCE_DIR CXX
set -euo pipefail
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
export CCACHE_NOHASHDIR=1  # the scratch folder has another name each time
configure() {
  cmake -G Ninja -S "$1/tests/embed" -B "$scratch/$3" -DGODWIT_TREE="$1" -DUSE_FETCH_CONTENT="$3" -DCMAKE_CXX_COMPILER="$2" \
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=12 >/dev/null
}
configure "$1" "$2" OFF
# Several files at once, for time: that each compiles alone shows in the builds by clang and those of a release.
cmake --build "$scratch/OFF" --target embed >"$scratch/build.log" || { cat "$scratch/build.log"; exit 1; }
"$scratch/OFF/embed"
# The library and the one program: no test, benchmark, example or installation of ours comes along.
targets="$(cmake --build "$scratch/OFF" --target help)"
if grep -Eq '_test:|transport_perf:|echo_peer:|godwit_measure:' <<<"$targets"; then
  echo "the embedding project has targets of ours that it did not ask for" >&2
  exit 1
fi
configure "$1" "$2" ON
