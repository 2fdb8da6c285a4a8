#!/usr/bin/env bash
# Installs the Debian packages of scripts/build_packages.sh in a fresh Debian 12, made for this in a temporary folder, and
# tries them as their users would: the program and its manual pages, programs in C++ and C by pkg-config and CMake, shared
# and static, and the removal without a trace. Exits with 77 and the reason where no fresh Debian can be made.
#   scripts/check_packages.sh [FOLDER with the packages]
set -euo pipefail
cd "$(dirname "$0")/.."
packages="${1:-build/package/packages}"
ls "$packages"/*.deb >/dev/null
skip() {
  echo "check_packages: SKIPPED: $1"
  exit 77
}
[ "$(id -u)" -eq 0 ] || skip "a fresh Debian is made by root"
command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed (scripts/setup.sh --with-packages)"
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
mmdebstrap --quiet --variant=apt bookworm "$root/debian" >"$root/log" 2>&1 || { tail -3 "$root/log"; skip "mmdebstrap failed"; }
mkdir -p "$root/debian/work"
cp "$packages"/*.deb examples/echo_c.c tests/consumer/main.cc "$root/debian/work/"
cp -r tests/consumer "$root/debian/work/consumer"
cp -r examples "$root/debian/work/examples"
inside() { chroot "$root/debian" /usr/bin/env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 bash -euc "$1"; }

inside 'find / -xdev -not -path "/work/*" -not -path "/var/*" -not -path "/proc/*" -not -path "/tmp/*" | sort >/work/before
  apt-get update -qq && apt-get install -y -qq --no-install-recommends /work/godwit_*.deb /work/libgodwit0_*.deb >/work/log 2>&1 || { tail /work/log; exit 1; }
  godwit --version
  cd /work && godwit keygen --out key >/dev/null && test -s key
  test -e /usr/share/doc/godwit/copyright && test -e /usr/share/doc/godwit/examples/godwit-listen.service
  apt-get purge -y -qq godwit libgodwit0 >/work/log 2>&1
  if find / -xdev -not -path "/work/*" -not -path "/proc/*" -path "*godwit*" | grep .; then echo "left behind" >&2; exit 1; fi'
inside 'cd /work
  apt-get install -y -qq --no-install-recommends g++ cmake make pkg-config ./libgodwit0_*.deb ./libgodwit-dev_*.deb >log 2>&1 || { tail log; exit 1; }
  g++ -o by_pkg_config main.cc $(pkg-config --cflags --libs godwit) && ./by_pkg_config
  gcc -o c_by_pkg_config echo_c.c $(pkg-config --libs godwit)
  # The archive by its own name: beside it stands the shared library, which the linker would prefer.
  g++ -o static main.cc $(pkg-config --cflags godwit) $(pkg-config --static --libs godwit | sed "s/-lgodwit\b/-l:libgodwit.a/")
  ./static && ! ldd static | grep -q libgodwit
  cmake -S consumer -B build >/dev/null && cmake --build build >/dev/null && build/consumer && build/consumer_static'
echo "check_packages: the packages install, work and leave nothing"
