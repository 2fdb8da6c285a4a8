#!/usr/bin/env bash
# Sets up, builds the release preset, runs the levels named and takes a packet apart. Ends with one screen on standard output;
# everything else is on the HTML page. Progress goes to standard error.
#   scripts/run_benchmarks.sh [level0 level1 level2 level3 | beginning of a case's name | ablation | ablation/NAME]... [options]
# An ablation (backends, copy, acks, sessions, frames, handshakes, cipher, serialisation, nonce, capacity, buffer) measures a fix switched off and on.
#     --filter RE          only cases whose name matches
#     --quick              three short repetitions; two rounds of `godwit analyze`
#     --noise              compare the program with itself: the noise threshold of this machine
#     --instructions       count instructions of level 0 through callgrind
#     --save-baseline N    store the result as N        --baseline N   compare with N (--force: of another machine)
#     --compare REV        build another revision beside this one and run both interleaved; cases that time cannot tell
#                          get more pairs for --time-limit seconds (150), then both programs' instructions are counted
#     --strict             refuse to measure on a machine that is not fit for it
#     --no-analyze         leave out `godwit analyze`
#     --no-setup           do not look for missing packages
#     -v, --verbose        every case, step and finding in front of the screen
# Default: level0 level1, then `godwit analyze`. Results: build/results/*.json. Exit code: 0, 1 when a case failed or is slower
# than what it is compared with, 2 for wrong arguments or a baseline that cannot be used.
# On a machine that is busy with other work, root may run the whole under `chrt -f 5`: its processes then are not interrupted.
# Repetitions last well below a second, so that the kernel's real-time limit of 95 % does not show.
set -euo pipefail
cd "$(dirname "$0")/.."

cases=() options=() analyze=() revision="" setup=yes run_analyze=yes verbose=no
while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) sed -n '2,24s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --filter|--save-baseline|--baseline|--repetitions|--seed|--time-limit) [ $# -ge 2 ] || { echo "run_benchmarks: $1 needs a value" >&2; exit 2; }
      options+=("$1" "$2"); shift ;;
    --compare) [ $# -ge 2 ] || { echo "run_benchmarks: --compare needs a revision" >&2; exit 2; }
      revision="$2"; shift ;;
    --quick) options+=(--quick); analyze+=(--quick) ;;
    --strict) options+=(--strict); analyze+=(--strict) ;;
    --noise|--instructions|--force) options+=("$1") ;;
    --no-analyze) run_analyze=no ;;
    --no-setup) setup=no ;;
    -v|--verbose) verbose=yes; analyze+=(--verbose) ;;
    -*) echo "run_benchmarks: unknown option $1 (--help lists them)" >&2; exit 2 ;;
    *) cases+=("$1") ;;
  esac
  shift
done
[ "${#cases[@]}" -gt 0 ] || cases=(level0 level1)

say() { printf '== %s\n' "$*" >&2; }
results=build/results
mkdir -p "$results"
[ "$setup" = no ] || scripts/setup.sh >&2
targets=(godwit godwit-probed godwit-raw transport_perf)
# Ninja's lines as progress: redrawn on a terminal, else a line every ten seconds.
progress() {
  local begin=$SECONDS last=-10 line done all left
  while IFS= read -r line; do
    [[ "$line" =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    done=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
    [ "$done" -gt 0 ] || continue
    left=$(((SECONDS - begin) * (all - done) / done))
    if [ -t 2 ]; then
      printf '\r\033[K[%d/%d] building  %d:%02d left' "$done" "$all" $((left / 60)) $((left % 60)) >&2
    elif [ $((SECONDS - last)) -ge 10 ]; then
      printf '[%d/%d] building  %d:%02d left\n' "$done" "$all" $((left / 60)) $((left % 60)) >&2
      last=$SECONDS
    fi
  done
  [ ! -t 2 ] || printf '\r\033[K' >&2
}
build() {  # source folder, build folder
  cmake -S "$1" -B "$2" -G Ninja -DCMAKE_BUILD_TYPE=Release -DGODWIT_TESTS=ON >"$2.configure.log" 2>&1 || { cat "$2.configure.log" >&2; return 1; }
  cmake --build "$2" -j "$(nproc)" --target "${targets[@]}" 2>&1 | tee "$2.build.log" | progress || { tail -n 40 "$2.build.log" >&2; return 1; }
}
say "building the release preset"
build . build/release

if [ -n "$revision" ]; then
  commit="$(git rev-parse --verify --short=12 "$revision^{commit}")"
  other="build/compare/$commit"
  if [ ! -d "$other/source" ]; then
    mkdir -p "$other"
    git worktree add --detach "$PWD/$other/source" "$commit" >/dev/null
  fi
  say "building $revision ($commit) beside it"
  targets=(godwit transport_perf)
  build "$other/source" "$PWD/$other/build"
  options+=(--against "$PWD/$other/build/transport_perf")
fi

# What a program prints besides the screen: into a file, or in front of the screen.
details() {
  if [ "$verbose" = yes ]; then "$@"; else "$@" >>"$results/details.txt"; fi
}
: >"$results/details.txt"
rm -f "$results/benchmarks.json" "$results/analysis.json" "$results/run.json"
code=0
files=()
say "measuring ${cases[*]}"
details build/release/transport_perf "${cases[@]}" "${options[@]}" --json-file "$results/benchmarks.json" || code=$?
if [ "$run_analyze" = yes ]; then
  say "taking a packet apart"
  details build/release/godwit analyze "${analyze[@]}" --no-screen --json-file "$results/analysis.json" || code=$?
fi
for file in "$results/benchmarks.json" "$results/analysis.json"; do
  [ ! -s "$file" ] || files+=("$file")
done
[ "${#files[@]}" -gt 0 ] || exit "$code"
# One result of both, one page, one screen.
details build/release/transport_perf --merge "${files[@]}" --json-file "$results/run.json"
build/release/godwit report "$results/run.json" --screen --output "$results/report.html"
exit "$code"
