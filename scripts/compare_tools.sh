#!/bin/sh
# Godwit beside socat, ssh and rsync over loopback: a forwarded port, 10,000 small files and one large one. Installs what is
# missing of them from Debian's packages where it may. Takes some ten minutes. The tables are in docs/tools.md.
#
#   scripts/compare_tools.sh [--record] [--rounds N] [--large 4G] [...]      options of tools/comparison/compare_tools.py; --record
#                                                puts the results into docs/results/tools.json and the tables into the document
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
GODWIT=${GODWIT:-$root/build/release/godwit}
[ -x "$GODWIT" ] || { echo "compare_tools.sh: no program at $GODWIT; set GODWIT" >&2; exit 2; }
export GODWIT
missing=
for pair in socat:socat sshd:openssh-server ssh:openssh-client iperf3:iperf3 rsync:rsync; do
    PATH=$PATH:/usr/sbin command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
if [ -n "$missing" ]; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    # shellcheck disable=SC2086
    $sudo apt-get install -y --no-install-recommends $missing >&2 || echo "compare_tools.sh: without$missing" >&2
fi
record=
for argument in "$@"; do
    shift
    if [ "$argument" = --record ]; then record=yes; else set -- "$@" "$argument"; fi
done
[ -n "$record" ] || exec python3 -B "$root/tools/comparison/compare_tools.py" "$@"
python3 -B "$root/tools/comparison/compare_tools.py" "$@" --record "$root/docs/results/tools.json"
python3 -B "$root/tools/comparison/render_tools.py" "$root"
