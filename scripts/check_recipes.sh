#!/usr/bin/env bash
# Builds the library by the recipe of Conan (contrib/conan), shared and static, with a program that links it. OpenSSL and fmt
# are those of this system: recipes of theirs need a server that this machine may not reach. Installs Conan 2 into a folder
# of its own under ~/.cache/godwit where it is missing; exits with 77 and the reason where it cannot. The port of vcpkg
# (contrib/vcpkg) is read by tests/contrib_test.py alone: vcpkg is in no registry.
#   scripts/check_recipes.sh
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
cache="${XDG_CACHE_HOME:-$HOME/.cache}/godwit"
conan="$(command -v conan || echo "$cache/conan/bin/conan")"
if [ ! -x "$conan" ]; then
  if ! { python3 -m venv "$cache/conan" && "$cache/conan/bin/pip" install --quiet 'conan>=2,<3'; }; then
    rm -rf "$cache/conan"
    echo "check_recipes: SKIPPED: Conan is not installed, and pip cannot install it here"
    exit 77
  fi
  conan="$cache/conan/bin/conan"
fi

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
export CONAN_HOME="$scratch/home" CCACHE_BASEDIR="$scratch" CCACHE_NOHASHDIR=1
"$conan" profile detect >/dev/null 2>&1
cat >"$scratch/profile" <<EOF
include(default)
[settings]
build_type=Release
compiler.cppstd=23
[platform_requires]
openssl/$(pkg-config --modversion libcrypto)
fmt/$(pkg-config --modversion fmt)
[conf]
tools.build:jobs=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
tools.cmake.cmaketoolchain:generator=Ninja
tools.cmake.cmake_layout:test_folder=$scratch/test
tools.cmake.cmaketoolchain:user_presets=
EOF
# The system's libraries bring nothing along for whoever links the archive.
echo 'tools.build:exelinkflags=["-lcrypto", "-lfmt"]' >>"$scratch/profile"
for shared in True False; do
  "$conan" create contrib/conan --profile "$scratch/profile" --options "godwit/*:shared=$shared" >"$scratch/log" 2>&1 ||
    { tail -40 "$scratch/log"; exit 1; }
  echo "check_recipes: conan create, shared=$shared: built, and a program links it and runs"
done
