# shellcheck shell=bash
# Sourced by the scripts that try things in a fresh Debian 12, as a user has it who has just installed one.
#   skip REASON          says that and why the script was skipped, and ends it with 77
#   make_fresh_debian    unpacks one into $debian, a temporary folder that is gone at the exit; skips where it cannot be
#   inside COMMANDS      runs them there, as root
# The archive of packages that it is made from is fetched once and kept for a week in ~/.cache/godwit.
script_name="$(basename "$0" .sh)"
debian=""

skip() {
  echo "$script_name: SKIPPED: $1"
  exit 77
}

remove_fresh_debian() {
  umount "$debian/dev/shm" "$debian/dev/pts" "$debian/sys" "$debian/proc" 2>/dev/null || true
  # What is mounted there still is the system's own.
  rm -rf --one-file-system "$(dirname "$debian")"
}

make_fresh_debian() {
  [ "$(id -u)" -eq 0 ] || skip "a fresh Debian is made by root"
  command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed (scripts/setup.sh --with-packages)"
  local cache="${XDG_CACHE_HOME:-$HOME/.cache}/godwit" archive scratch
  archive="$cache/debian-bookworm-$(dpkg --print-architecture).tar"
  mkdir -p "$cache"
  scratch="$(mktemp -d)"
  debian="$scratch/debian"
  trap remove_fresh_debian EXIT
  if [ -z "$(find "$archive" -mtime -7 2>/dev/null)" ]; then
    mmdebstrap --quiet --variant=apt bookworm "$archive.part" >"$scratch/log" 2>&1 ||
      { tail -3 "$scratch/log" >&2; rm -f "$archive.part"; skip "mmdebstrap cannot make a fresh Debian here"; }
    mv "$archive.part" "$archive"
  fi
  mkdir "$debian"
  tar -xf "$archive" -C "$debian" --numeric-owner
  # What resolves names here resolves them there.
  cp -L /etc/resolv.conf "$debian/etc/resolv.conf" 2>/dev/null || true
  mount -t proc proc "$debian/proc" 2>/dev/null || skip "/proc cannot be mounted in the fresh Debian"
  # Tests that need terminals, shared memory or the machine's description skip themselves without them.
  mount -t sysfs -o ro sysfs "$debian/sys" 2>/dev/null || true
  mkdir -p "$debian/dev/pts" "$debian/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$debian/dev/pts" 2>/dev/null || true
  mount -t tmpfs tmpfs "$debian/dev/shm" 2>/dev/null || true
}

inside() {
  chroot "$debian" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive ${CMAKE_BUILD_PARALLEL_LEVEL:+CMAKE_BUILD_PARALLEL_LEVEL=$CMAKE_BUILD_PARALLEL_LEVEL} \
    bash -euo pipefail -c "$1"
}
