#!/usr/bin/env bash
# Builds the Debian packages (libgodwitN, libgodwit-dev, godwit) in build/package/packages, and lets lintian judge them.
#   scripts/build_packages.sh [--no-lintian] [--library-only] [-DNAME=VALUE...]
#     --library-only: without the program (libgodwitN and libgodwit-dev), in build/package-library
#     -DNAME=VALUE: an option of CMake more, such as -DGODWIT_MAINTAINER='NAME <ADDRESS>'
# CMAKE_BUILD_PARALLEL_LEVEL in the environment says how many compilers run at once; otherwise one for each processor.
set -euo pipefail
cd "$(dirname "$0")/.."

lintian=1 folder=build/package options=()
for option in "$@"; do
  case "$option" in
    --no-lintian) lintian=0 ;;
    --library-only)
      folder=build/package-library
      options+=(-DGODWIT_PROGRAM=OFF -DGODWIT_LAB=OFF) ;;
    -D?*=*) options+=("$option") ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done
if [ "$lintian" = 1 ]; then scripts/setup.sh --with-packages; else scripts/setup.sh; fi

# What Debian compiles its packages with, beyond what the project asks for itself.
export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$PWD}" CCACHE_NOHASHDIR=1
hardening="-Wformat -Werror=format-security -D_FORTIFY_SOURCE=2"
[ "$(dpkg --print-architecture)" != amd64 ] || hardening+=" -fcf-protection"
link="-Wl,-z,relro -Wl,-z,now"
cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DGODWIT_DEBIAN=ON -DGODWIT_TESTS=OFF \
  -DGODWIT_EXAMPLES=OFF -DGODWIT_BENCHES=OFF "-DCMAKE_CXX_FLAGS=$hardening" "-DCMAKE_SHARED_LINKER_FLAGS=$link" \
  "-DCMAKE_EXE_LINKER_FLAGS=$link" ${options[@]+"${options[@]}"} >/dev/null
cmake --build "$folder" -j "${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}"
rm -rf "$folder/packages"
(cd "$folder" && cpack -G DEB >/dev/null)
# CPack writes scripts that call ldconfig; the library's trigger does that.
for package in "$folder"/packages/libgodwit[0-9]*.deb; do
  rm -rf "$folder/unpacked"
  dpkg-deb -R "$package" "$folder/unpacked"
  rm -f "$folder/unpacked/DEBIAN/postinst" "$folder/unpacked/DEBIAN/postrm"
  dpkg-deb --root-owner-group -b "$folder/unpacked" "$package" >/dev/null
done
ls "$folder"/packages/*.deb

if [ "$lintian" = 1 ]; then
  # The address of a maintainer is the distributor's to give (-DGODWIT_MAINTAINER).
  lintian --tag-display-limit 0 --fail-on error,warning --suppress-tags bogus-mail-host,initial-upload-closes-no-bugs \
    "$folder"/packages/*.deb
  echo "build_packages: lintian found nothing"
fi
