#!/usr/bin/env bash
# Runs more simulated scenarios and more fuzzing than one processor has time for: cuts them into jobs and gives these to
# GNU parallel, which spreads them over processors and machines and remembers which have ended. The same command again
# goes on where it was interrupted. Needs a Release build (godwit-counted, and for fuzzing what scripts/run_fuzz.sh needs).
#
#   scripts/run_campaign.sh [option...]
#     --attack COUNT       scenarios with an attacker                         (0)
#     --seeds COUNT        scenarios without one                              (0)
#     --first SEED         the first seed of both                             (1)
#     --batch COUNT        scenarios of one job                               (10000)
#     --fuzz SECONDS       of fuzzing for each target and round               (0)
#     --target NAME        fuzz this target; may be repeated                  (all that scripts/run_fuzz.sh --list names)
#     --rounds COUNT       fuzz jobs of each target                           (1)
#     --state FOLDER       jobs, results, corpora: what a resumed run needs   (build/campaign)
#     --jobs COUNT         at a time on each machine                          (one a processor)
#     --sshlogin LIST      machines as GNU parallel takes them, e.g. 2/host1,4/host2,: (the last is this one); each has
#                          this checkout, built, under the same path
#
# Exits with 0 when no job found anything, with 1 when one did, with 2 when a job could not be run. Prints a summary,
# which also stands in FOLDER/summary.json; merged corpora stand in FOLDER/corpus/TARGET.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
usage() { sed -n '2,23s/^# \{0,1\}//p' "$0" >&2; exit 2; }

# What GNU parallel runs: one job, in its own words.
if [ "${1:-}" = --job ]; then
  shift
  export GODWIT="${GODWIT:-$root/build/release/godwit-counted}" JOBS=1
  case $1 in
    attack | seeds) exec "$root/scripts/run_simulation.sh" "$1" "$3" "$2" ;;  # FIRST COUNT
    fuzz)  # TARGET SECONDS ROUND STATE
      exec "$root/scripts/run_fuzz.sh" --target "$2" --seconds "$3" --jobs 1 --state "$5/fuzz/$2.$4" ;;
  esac
  echo "run_campaign.sh: no job '$1'" >&2
  exit 2
fi

attack=0 seeds=0 first=1 batch=10000 fuzz=0 rounds=1 state=$root/build/campaign jobs=100% sshlogin='' targets=()
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --attack) attack=$2 ;;
    --seeds) seeds=$2 ;;
    --first) first=$2 ;;
    --batch) batch=$2 ;;
    --fuzz) fuzz=$2 ;;
    --target) targets+=("$2") ;;
    --rounds) rounds=$2 ;;
    --state) state=$2 ;;
    --jobs) jobs=$2 ;;
    --sshlogin) sshlogin=$2 ;;
    *) usage ;;
  esac
  shift 2
done
for number in "$attack" "$seeds" "$first" "$batch" "$fuzz" "$rounds"; do
  [[ $number =~ ^[0-9]+$ ]] || usage
done
[ "$batch" -gt 0 ] || usage
command -v parallel >/dev/null || { echo "run_campaign.sh: GNU parallel is missing; scripts/setup.sh installs it" >&2; exit 2; }
mkdir -p "$state"
state=$(cd "$state" && pwd)

list_jobs() {
  local kind count at left
  for kind in attack seeds; do
    count=${!kind}
    for ((at = 0; at < count; at += batch)); do
      left=$((count - at))
      echo "$kind $((first + at)) $((left < batch ? left : batch))"
    done
  done
  if [ "$fuzz" -gt 0 ]; then
    [ "${#targets[@]}" -gt 0 ] || mapfile -t targets < <("$root/scripts/run_fuzz.sh" --list)
    for ((at = 1; at <= rounds; ++at)); do
      for target in "${targets[@]}"; do echo "fuzz $target $fuzz $at $state"; done
    done
  fi
}
list_jobs >"$state/jobs.new"
[ -s "$state/jobs.new" ] || usage
# GNU parallel knows jobs by their number: what was begun is resumed with the same jobs or not at all.
if [ -e "$state/jobs" ] && ! cmp -s "$state/jobs" "$state/jobs.new"; then
  rm "$state/jobs.new"
  echo "run_campaign.sh: $state holds another campaign; give it other options, or another --state" >&2
  exit 2
fi
mv "$state/jobs.new" "$state/jobs"

# A job that was killed, or could not be started, has not ended: it runs again. One that found something (1) has.
if [ -e "$state/joblog" ]; then
  awk -F'\t' 'NR == 1 || ($8 == 0 && ($7 == 0 || $7 == 1))' "$state/joblog" >"$state/joblog.new"
  mv "$state/joblog.new" "$state/joblog"
fi
# GNU parallel takes a job with a result for one that has ended: what a killed job left behind goes.
for result in "$state"/results/*/; do
  number=$(basename "$result")
  if [ -d "$result" ] && ! { [ -e "$state/joblog" ] && cut -f1 "$state/joblog" | grep -qx "$number"; }; then rm -r "$result"; fi
done
options=(--will-cite --colsep ' ' --jobs "$jobs" --joblog "$state/joblog" --resume --results "$state/results/{#}/" --nice 10)
if [ -n "$sshlogin" ]; then
  options+=(--sshlogin "$sshlogin" --env GODWIT)
  # What a machine found while fuzzing comes back.
  [ "$fuzz" -eq 0 ] || options+=(--return "{5}/fuzz/{2}.{4}")
fi
parallel "${options[@]}" "$root/scripts/run_campaign.sh" --job '{1} {2} {3} {4} {5}' :::: "$state/jobs" >/dev/null || true

# Corpora: every input by its name, which is the hash of its bytes.
if [ -d "$state/fuzz" ]; then
  for corpus in "$state"/fuzz/*/corpus/*/; do
    [ -d "$corpus" ] || continue
    mkdir -p "$state/corpus/$(basename "$corpus")"
    cp -n "$corpus"* "$state/corpus/$(basename "$corpus")/" 2>/dev/null || true
  done
fi
exec python3 "$root/tools/summarize_campaign.py" "$state"
