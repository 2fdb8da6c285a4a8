#!/usr/bin/env bash
# Installs what building, testing and measuring Godwit needs, from Debian's packages. Safe to run again: it installs only
# what is missing, and says so. Works as root or with sudo.
#   scripts/setup.sh [--with-clang] [--with-fuzz] [--with-arm64] [--with-peers] [--with-browser]
#                    [--with-packages] [--with-wireshark]
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache mold pkg-config git ca-certificates
  libssl-dev libfmt-dev libcli11-dev nlohmann-json3-dev libtomlplusplus-dev libxxhash-dev libmnl-dev liburing-dev
  libqrencode-dev libcpp-httplib-dev systemtap-sdt-dev python3-markdown
  libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev libsodium-dev
  libnatpmp-dev libminiupnpc-dev miniupnpd-nftables libasio-dev
  iproute2 ethtool nftables valgrind gdb doxygen python3 python3-cffi parallel
)
case "$(uname -m)" in
  x86_64) packages+=(libipsec-mb-dev) ;;  # the vector cipher; elsewhere OpenSSL alone does the work
esac
for option in "$@"; do
  case "$option" in
    --with-clang) packages+=(clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev libc++-19-dev libc++abi-19-dev) ;;
    --with-fuzz) packages+=(clang-19 libclang-rt-19-dev llvm-19) ;;  # libFuzzer, its sanitizers, coverage reports
    --with-arm64) packages+=(g++-aarch64-linux-gnu qemu-user-static) ;;
    --with-peers) command -v cargo >/dev/null || packages+=(cargo-web rustc-web) ;;
    --with-browser) packages+=(chromium) ;;
    --with-packages) packages+=(lintian dpkg-dev file mmdebstrap mandoc zsh fish systemd abigail-tools) ;;
    --with-wireshark) packages+=(tshark) ;;
    *)
      echo "setup: unknown option $option (known: --with-clang --with-fuzz --with-arm64 --with-peers --with-browser --with-packages --with-wireshark)" >&2
      exit 2 ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -eq 0 ]; then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null; then
  as_root=(sudo)
else
  echo "setup: these packages are missing and there is no sudo to install them: ${missing[*]}" >&2
  exit 1
fi
echo "setup: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "setup: done"
