#!/usr/bin/env bash
# Installs the build into a scratch prefix and builds the consumer against it, by CMake and by pkg-config, shared and static,
# in C++ and in C; tries what was installed; removes it, and finds nothing left.
#   run.sh BUILD_DIR SOURCE_DIR CXX
set -euo pipefail
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
fail() {
  echo "$1" >&2
  exit 1
}
# The library's components alone bring no program, and what they bring is enough for programs.
cmake --install "$1" --prefix "$scratch/library" --component library >/dev/null
[ -z "$(find "$scratch/library" -type f -not -name 'libgodwit.so.*' -not -name LICENSE)" ] || fail "the component library has more than a library"
cmake --install "$1" --prefix "$scratch/prefix" >/dev/null
prefix="$scratch/prefix"
cmake -S "$2/tests/consumer" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$3" >/dev/null
cmake --build "$scratch/build" >/dev/null
"$scratch/build/consumer"
archive="$(find "$prefix" -name libgodwit.a)"
if [ -n "$archive" ]; then "$scratch/build/consumer_static" >/dev/null; fi

# By pkg-config, from wherever the installation has been moved to.
mv "$prefix" "$scratch/moved"
prefix="$scratch/moved"
PKG_CONFIG_PATH="$(dirname "$(find "$prefix" -name godwit.pc)")"
export PKG_CONFIG_PATH
libraries="$(pkg-config --variable=libdir godwit)"
[ "$(realpath "$(pkg-config --variable=prefix godwit)")" = "$(realpath "$prefix")" ] || fail "godwit.pc names another prefix"
read -ra flags <<<"$(pkg-config --cflags --libs godwit)"
warnings=(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
"$3" "${warnings[@]}" -o "$scratch/by_pkg_config" "$2/tests/consumer/main.cc" "${flags[@]}"
LD_LIBRARY_PATH="$libraries" "$scratch/by_pkg_config" >/dev/null
read -ra flags <<<"$(pkg-config --cflags --libs godwit | sed 's/-std=c++23//')"
cc "${warnings[@]}" -o "$scratch/c_by_pkg_config" "$2/examples/echo_c.c" "${flags[@]}"
if [ -n "$archive" ]; then
  # The archive by its own name: beside it stands the shared library, which the linker would prefer.
  read -ra flags <<<"$(pkg-config --static --cflags --libs godwit | sed 's/-lgodwit\b/-l:libgodwit.a/')"
  "$3" -o "$scratch/static" "$2/tests/consumer/main.cc" "${flags[@]}"
  if ldd "$scratch/static" | grep -q libgodwit; then fail "the static program needs the shared library"; fi
  "$scratch/static" >/dev/null
fi
[ -s "$prefix/share/doc/godwit/LICENSE" ] || fail "the licence is not installed"

# Everything installed works where it stands: each command of the program, also those that start other programs.
godwit="$prefix/bin/godwit"
if [ -x "$godwit" ]; then
  "$godwit" version >/dev/null
  for file in man/man1/godwit.1.gz man/man1/godwit-perf-client.1.gz bash-completion/completions/godwit zsh/vendor-completions/_godwit \
    fish/vendor_completions.d/godwit.fish; do
    [ -s "$prefix/share/$file" ] || fail "share/$file is not installed"
  done
  if [ "${GODWIT_LAB:-}" = 1 ]; then
    "$godwit" doctor >/dev/null || [ $? -lt 12 ]
    "$godwit" report --text "$2/docs/results/analysis.json" >/dev/null
  fi
  if [ -x "$prefix/libexec/godwit/transport_perf" ]; then
    "$godwit" bench level0/decode --check >/dev/null
  fi
  if [ -x "$prefix/libexec/godwit/godwit-probed" ]; then
    (cd "$scratch" && "$godwit" analyze --quick -t 0.05 --backend auto >/dev/null)
  fi
fi
if [ -n "$(find "$prefix" -name '*.h' -not -path '*/include/godwit/*')" ]; then
  fail "headers outside include/godwit are installed"
fi
# A debug build names its sources for the debugger; no other one names the folders that it was built in.
if ! grep -q '^CMAKE_BUILD_TYPE:[A-Z]*=Debug' "$1/CMakeCache.txt"; then
  found="$(grep -rlaF -e "$2" -e "$(realpath "$1")" "$prefix" || true)"
  [ -z "$found" ] || fail "these name the folder of the sources: $found"
fi

mv "$prefix" "$scratch/prefix"
cmake -P "$1/uninstall.cmake"
left="$(find "$scratch/prefix" -not -type d -o -type d -name godwit)"
[ -z "$left" ] || fail "not removed: $left"
