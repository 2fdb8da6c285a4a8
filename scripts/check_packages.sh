#!/usr/bin/env bash
# Installs the Debian packages of scripts/build_packages.sh in a fresh Debian 12, made for this in a temporary folder, and
# tries them as their users would: the program, its manual pages, completions and services; programs in C++ and C by
# pkg-config and CMake, shared and static; and the removal without a trace. Projects that embed the sources are tried by the
# test package.embedded. Exits with 77 and the reason where no fresh Debian can be made.
#   scripts/check_packages.sh [FOLDER with the packages]     the library's alone, too (build_packages.sh --library-only)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/fresh_debian.sh
. scripts/fresh_debian.sh
packages="$(realpath "${1:-build/package/packages}")"
ls "$packages"/*.deb >/dev/null
make_fresh_debian

mkdir -p "$debian/work"
cp "$packages"/*.deb "$debian/work/"
git ls-files -z examples tests/consumer | xargs -0 cp --parents -t "$debian/work"
# All that is in the system, but what Debian's tools keep of their own. Packages leave out manual pages and most documents
# where dpkg is told to, as in images for containers.
cat >"$debian/work/list" <<'END'
find / -xdev -not -path '/work*' -not -path '/proc/*' -not -path '/tmp*' -not -path '/root*' -not -path '/var/cache/*' \
  -not -path '/var/log/*' -not -path '/var/lib/*' | sort
END

try_program() {
  echo "$script_name: the program"
  # shellcheck disable=SC2016  # expanded inside
  inside 'cd /work
    bash list >before
    apt-get install -y -qq --no-install-recommends ./godwit_*.deb >log 2>&1 || { tail log; exit 1; }
    godwit --version
    for each in man/man1/godwit.1.gz man/man1/godwit-perf-client.1.gz bash-completion/completions/godwit \
        zsh/vendor-completions/_godwit fish/vendor_completions.d/godwit.fish doc/godwit/copyright doc/godwit/changelog.Debian.gz \
        doc/godwit/examples/godwit-listen.service doc/godwit/examples/godwit-perf.service; do
      dpkg -L godwit | grep -q "^/usr/share/$each$" || { echo "the package has no /usr/share/$each" >&2; exit 1; }
    done
    # A file between two processes of the installed program.
    head -c 3000000 /dev/urandom >sent
    godwit keygen --out key
    godwit listen --anyone --once --bind 127.0.0.1:0 --key key --output received >said 2>noted &
    for _ in $(seq 300); do if grep -q "^public key" said; then break; fi; sleep 0.1; done
    grep -q "^public key" said || { cat said noted >&2; exit 1; }
    godwit send --to "$(sed -n "s/^listening on //p" said)" --peer-key "$(sed -n "s/^public key //p" said)" sent
    wait $!
    cmp sent received/sent
    apt-get purge -y -qq godwit >log 2>&1 && apt-get autoremove -y --purge -qq >>log 2>&1 || { tail log; exit 1; }
    bash list >after
    if diff before after | grep "^>.*godwit"; then echo "the removal leaves these behind" >&2; exit 1; fi'
}

inside 'apt-get update -qq'
if compgen -G "$packages/godwit_*.deb" >/dev/null; then
  try_program
else
  echo "$script_name: the program has no package there: the library alone is tried"
fi

echo "$script_name: what programs are built with"
# shellcheck disable=SC2016  # expanded inside
inside 'cd /work
  bash list >before
  apt-get install -y -qq --no-install-recommends g++ cmake make pkg-config ./libgodwit[0-9]*_*.deb ./libgodwit-dev_*.deb >log 2>&1 ||
    { tail log; exit 1; }
  dpkg -L libgodwit-dev | grep -q "^/usr/lib/$(gcc -print-multiarch)/pkgconfig/godwit.pc$"
  [ "$(pkg-config --variable=libdir godwit | xargs realpath)" = "/usr/lib/$(gcc -print-multiarch)" ]
  [ "$(pkg-config --variable=includedir godwit | xargs realpath)" = /usr/include ]
  g++ -o by_pkg_config tests/consumer/main.cc $(pkg-config --cflags --libs godwit) && ./by_pkg_config
  gcc -o c_by_pkg_config examples/echo_c.c $(pkg-config --libs godwit)
  # The archive by its own name: beside it stands the shared library, which the linker would prefer.
  g++ -o static tests/consumer/main.cc $(pkg-config --cflags godwit) $(pkg-config --static --libs godwit | sed "s/-lgodwit\b/-l:libgodwit.a/")
  ./static
  if ldd static | grep libgodwit; then echo "the static program needs the shared library" >&2; exit 1; fi
  cmake -S tests/consumer -B consumer >/dev/null && cmake --build consumer >/dev/null
  consumer/consumer && consumer/consumer_static
  apt-get purge -y -qq "libgodwit*" >log 2>&1 || { tail log; exit 1; }
  bash list >after
  if diff before after | grep "^>.*godwit"; then echo "the removal leaves these behind" >&2; exit 1; fi'
echo "$script_name: the packages install, work and leave nothing"
