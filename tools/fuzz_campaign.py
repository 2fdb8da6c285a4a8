#!/usr/bin/env python3
"""Runs libFuzzer targets and keeps what they found and how much they ran. scripts/run_fuzz.sh builds and calls it.

State folder (default: $XDG_CACHE_HOME/godwit/fuzz):
  totals.json      per target: executions and seconds of all runs, edges, crashes
  recorded.json    what of it docs/results/fuzz.json holds already
  corpus/NAME/     inputs found so far; regression and seed inputs are in fuzz/corpus/NAME of the repository
  crashes/NAME/    inputs that ended a run
"""

import argparse
import concurrent.futures
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEEDS = ROOT / "fuzz/corpus"
RESULTS = ROOT / "docs/results/fuzz.json"
UNREACHABLE = ROOT / "fuzz/unreachable.tsv"

# Shortest inputs first is of no use to targets whose inputs are sequences of decisions.
ARGUMENTS = ["-len_control=0", "-rss_limit_mb=2048", "-timeout=30", "-print_final_stats=1", "-use_value_profile=0",
             "-print_funcs=0"]  # naming new functions starts a symbolizer each time
# Two whole endpoints reach thousands of edges in an execution: what libFuzzer's weights of rare ones cost each time is
# a third of such a run and more.
UNWEIGHTED = {"connection", "session", "extended", "transfer", "api"}
# Inputs that are longer than a target reads are refused by it.
MAX_LENGTH = {"decode": 1500, "intro": 256, "rings": 512, "reassembly": 1200, "streams": 1024, "handshake": 300, "connection": 1024,
              "session": 2048, "extended": 2048, "transfer": 1024, "text": 6000, "trace": 600, "api": 512, "intake": 512, "control": 1200,
              "ticket": 1100, "frames": 620, "channel": 1200, "rendezvous": 400}

# Whose coverage the report adds up: the parts of which nine in ten reachable branches must be reached.
GROUPS = {
    "decoder": [r"src/wire/(message_codec|fragment|intro|version|utf8|datagram)\.cc",
                r"src/wire/(bincode|fragment)\.h"],
    "handshakes and connections": [r"src/(handshake|transport)/.*\.(cc|h)"],
    "streams": [r"src/stream/.*\.(cc|h)"],
    "recovery": [r"src/recovery/.*\.(cc|h)"],
    "files and performance runs": [r"src/transfer/(?!file_reader|partial_file|file_store|folder_names).*\.(cc|h)"],
    # What the operating system answers is not in a stranger's hand: reported, and not among the nine in ten.
    "files on disk": [r"src/transfer/(file_reader|partial_file|file_store|folder_names)\.(cc|h)"],
    "receive intake": [r"src/udp/intake\.cc"],
}
TEST_SUPPORT = re.compile(r"test_support|test_path|_test\.|counted_allocations")


class State:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def corpus(self, target):
        return self.made("corpus", target)

    def crashes(self, target):
        return self.made("crashes", target)

    def made(self, kind, target):
        path = self.folder / kind / target
        path.mkdir(parents=True, exist_ok=True)
        return path

    def totals(self):
        path = self.folder / "totals.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def recorded(self):
        path = self.folder / "recorded.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def mark_recorded(self, totals):
        (self.folder / "recorded.json").write_text(json.dumps(totals, indent=2, sort_keys=True) + "\n")

    def update(self, change):
        """Applies `change` to the totals; several campaigns may share a state folder."""
        with open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            totals = self.totals()
            change(totals)
            temporary = self.folder / "totals.json.new"
            temporary.write_text(json.dumps(totals, indent=2, sort_keys=True) + "\n")
            temporary.replace(self.folder / "totals.json")


def new_entry():
    return {"executions": 0, "cases": 0, "seconds": 0, "crashes": 0, "edges": {}, "configurations": {}}


def add(totals, more, sign=1):
    """Adds the numbers of `more` to `totals`; its edges replace those that are known."""
    for target, entry in more.items():
        sum_ = totals.setdefault(target, new_entry())
        for key in ("executions", "crashes", "cases"):  # a record of before has no cases
            sum_[key] = sum_.get(key, 0) + sign * entry.get(key, 0)
        sum_["seconds"] = round(sum_["seconds"] + sign * entry["seconds"], 1)
        for configuration, share_ in entry["configurations"].items():
            part = sum_["configurations"].setdefault(configuration, {"executions": 0, "seconds": 0})
            part["executions"] += sign * share_["executions"]
            part["seconds"] = round(part["seconds"] + sign * share_["seconds"], 1)
        if sign > 0:
            sum_["edges"].update(entry["edges"])
    return totals


def targets_of(build):
    return (build / "fuzz/targets.txt").read_text().split()


def program(build, target):
    return build / "fuzz" / f"fuzz_{target}"


def number(pattern, text, default=0):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else default


def run_target(state, target, arguments):
    """One run. Counts what libFuzzer itself says it executed, also when the run ends in a crash."""
    seeds = [str(SEEDS / target)] if (SEEDS / target).is_dir() else []
    configuration = arguments.configuration
    command = [str(program(arguments.build, target)), *ARGUMENTS, f"-max_len={MAX_LENGTH.get(target, 4096)}",
               f"-max_total_time={arguments.seconds}", f"-seed={arguments.seed}",
               f"-artifact_prefix={state.crashes(target)}/", str(state.corpus(target)), *seeds]
    if target in UNWEIGHTED:
        command.insert(1, "-entropic=0")
    started = time.monotonic()
    process = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
                             check=False)
    log = process.stderr
    elapsed = time.monotonic() - started
    executed = number(r"stat::number_of_executed_units:\s*(\d+)", log)
    cases = number(r"stat::number_of_cases:\s*(\d+)", log)  # of targets that compare many in an execution
    edges = number(r"cov: (\d+)", log)
    counters = number(r"\((\d+) inline 8-bit counters\)", log)
    interrupted = 72  # libFuzzer's own exit code then
    crashed = process.returncode not in (0, interrupted, -signal.SIGINT, -signal.SIGTERM)

    def change(totals):
        entry = totals.setdefault(target, new_entry())
        entry["executions"] += executed
        entry["cases"] = entry.get("cases", 0) + cases
        entry["seconds"] = round(entry["seconds"] + elapsed, 1)
        entry["crashes"] += int(crashed)
        share = entry["configurations"].setdefault(configuration, {"executions": 0, "seconds": 0})
        share["executions"] += executed
        share["seconds"] = round(share["seconds"] + elapsed, 1)
        if edges:
            entry["edges"][configuration] = {"reached": edges, "instrumented": counters}

    state.update(change)
    rate = executed / elapsed if elapsed > 0 else 0
    verdict = "CRASH" if crashed else "ok"
    print(f"{target:12} {configuration:9} {executed:>12} executions  {rate:>10.0f}/s  {edges:>6} edges  {verdict}",
          flush=True)
    if crashed:
        print("\n".join(log.splitlines()[-60:]), flush=True)
    return not crashed


def run(arguments, state):
    targets = arguments.target or targets_of(arguments.build)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        runs = [pool.submit(run_target, state, target, arguments) for target in targets]
        for each in runs:
            failed += not each.result()
    print(f"{len(targets) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def minimise(arguments, state):
    """Replaces fuzz/corpus/NAME by the smallest set of inputs found that reaches the same edges. Files whose names
    begin with "regression-" (they reproduce a fault of the past) or "seed-" stay."""
    for target in arguments.target or targets_of(arguments.build):
        seeds = SEEDS / target
        seeds.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as merged:
            command = [str(program(arguments.build, target)), "-set_cover_merge=1", "-use_counters=0", "-timeout=30",
                       f"-max_len={MAX_LENGTH.get(target, 4096)}", merged, str(seeds), str(state.corpus(target))]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  errors="replace", check=False)
            if done.returncode != 0:
                sys.exit(f"{target}: the merge failed\n{done.stderr[-2000:]}")
            for path in seeds.iterdir():
                if not path.name.startswith(("regression-", "seed-")):
                    path.unlink()
            for path in pathlib.Path(merged).iterdir():
                shutil.copyfile(path, seeds / path.name)
        size = sum(path.stat().st_size for path in seeds.iterdir())
        print(f"{target:12} {len(list(seeds.iterdir())):5} inputs, {size / 1024:.0f} KiB", flush=True)


# --- Coverage ---

def tool(name):
    for candidate in (f"{name}-19", name):
        if shutil.which(candidate):
            return candidate
    sys.exit(f"{name} is not installed (Debian package llvm-19)")


def exclusions():
    """fuzz/unreachable.tsv: file, function (a part of its demangled name), reason."""
    rows = []
    for line in UNREACHABLE.read_text().splitlines() if UNREACHABLE.exists() else []:
        if line and not line.startswith("#"):
            rows.append(tuple(line.split("\t")))
    return rows


def measure_coverage(arguments, state):
    build = arguments.coverage_build
    targets = targets_of(build)
    with tempfile.TemporaryDirectory() as folder:
        profiles = []
        for target in targets:
            profile = f"{folder}/{target}.profraw"
            inputs = [str(path) for path in (SEEDS / target, state.corpus(target)) if path.is_dir()]
            subprocess.run([str(program(build, target)), "-runs=0", *inputs], check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, env=os.environ | {"LLVM_PROFILE_FILE": profile})
            if pathlib.Path(profile).exists():
                profiles.append(profile)
            else:
                print(f"{target}: no profile (a crash in its corpus)", file=sys.stderr)
        merged = f"{folder}/merged.profdata"
        subprocess.run([tool("llvm-profdata"), "merge", "-sparse", "-o", merged, *profiles], check=True)
        objects = [str(program(build, targets[0]))]
        for target in targets[1:]:
            objects += ["-object", str(program(build, target))]
        exported = subprocess.run([tool("llvm-cov"), "export", "-instr-profile", merged, *objects], check=True,
                                  capture_output=True, text=True).stdout
    return json.loads(exported)["data"][0]


def summarise_coverage(data):
    """Branches and regions of each group, each counted once whatever was instantiated from it, without what the list of
    unreachable functions names."""
    excluded = exclusions()
    used = set()
    regions, branches = {}, {}
    # Functions of no external linkage have their file before their name.
    names = [function["name"].rpartition(":")[2] for function in data["functions"]]
    demangled = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True,
                               check=True).stdout.split("\n")
    for function, name in zip(data["functions"], demangled):
        file = function["filenames"][0]
        if not file.startswith(str(ROOT)):
            continue
        file = os.path.relpath(file, ROOT)
        out = False
        for row in excluded:
            if row[0] == file and row[1] in name:
                used.add(row)
                out = True
        if out or TEST_SUPPORT.search(file):
            continue
        for region in function["regions"]:
            if region[5] == 0 and region[7] == 0:  # of this file, and code
                key = (file, *region[0:4])
                regions[key] = max(regions.get(key, 0), region[4])
        for branch in function.get("branches", []):
            if branch[6] == 0:
                for way, count in (("true", branch[4]), ("false", branch[5])):
                    key = (file, *branch[0:4], way)
                    branches[key] = max(branches.get(key, 0), count)
    summary = {}
    for group, patterns in GROUPS.items():
        compiled = [re.compile(pattern + "$") for pattern in patterns]

        def of_group(counts):
            chosen = [count for key, count in counts.items() if any(p.match(key[0]) for p in compiled)]
            return {"reached": sum(1 for count in chosen if count), "of": len(chosen)}

        summary[group] = {"regions": of_group(regions), "branches": of_group(branches)}
    missed = {}
    for key, count in branches.items():
        if not count:
            missed.setdefault(key[0], []).append(key[1:])
    for row in excluded:
        if row not in used:
            print(f"fuzz/unreachable.tsv: no function of {row[0]} is called {row[1]}", file=sys.stderr)
    return summary, missed


def share(part):
    percent = 100 * part["reached"] / part["of"] if part["of"] else 0
    return f"{part['reached']:>6,} of {part['of']:>6,} ({percent:5.1f} %)"


def print_coverage(summary):
    print(f"\n{'part (reachable code)':28} {'regions':>26} {'branches':>26}")
    for group, numbers in summary.items():
        print(f"{group:28} {share(numbers['regions'])} {share(numbers['branches'])}")


def report(arguments, state):
    """What the repository has on record and what has been run here since."""
    recorded = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    here = state.totals()
    totals = add(add(dict(recorded.get("targets", {})), here), state.recorded(), -1)
    print(f"{'target':12} {'executions':>16} {'hours':>7} {'per second':>11} {'crashes':>8}   edges")
    for target, entry in sorted(totals.items()):
        rate = entry["executions"] / entry["seconds"] if entry["seconds"] else 0
        edges = ", ".join(f"{name} {e['reached']} of {e['instrumented']} ({100 * e['reached'] / e['instrumented']:.0f} %)"
                          for name, e in sorted(entry["edges"].items()) if e["instrumented"])
        print(f"{target:12} {entry['executions']:>16,} {entry['seconds'] / 3600:>7.2f} {rate:>11,.0f}"
              f" {entry['crashes']:>8}   {edges}" + (f", {entry['cases']:,} cases" if entry.get("cases") else ""))
    executions = sum(entry["executions"] for entry in totals.values())
    print(f"{'total':12} {executions:>16,} {sum(entry['seconds'] for entry in totals.values()) / 3600:>7.2f}")
    summary = recorded.get("coverage")
    if arguments.coverage_build:
        summary, missed = summarise_coverage(measure_coverage(arguments, state))
    if summary:
        print_coverage(summary)
    if arguments.coverage_build and arguments.missed:
        for file in sorted(missed):
            places = sorted({(key[0], key[1], key[4]) for key in missed[file]})
            print(f"{file}: " + ", ".join(f"{line}:{column} {way}" for line, column, way in places))
    if arguments.record:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        record = {"schema": "godwit-fuzz-1", "executions": executions, "targets": totals}
        if summary:
            record["coverage"] = summary
        RESULTS.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
        state.mark_recorded(here)
        print(f"\nrecorded in {RESULTS.relative_to(ROOT)}")
    return 0


def main():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["run", "minimise", "report"])
    parser.add_argument("--state", type=pathlib.Path, default=cache / "godwit/fuzz")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/fuzz")
    parser.add_argument("--configuration", default="fuzz")
    parser.add_argument("--coverage-build", type=pathlib.Path)
    parser.add_argument("--target", action="append")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of libFuzzer's mutations; 0: another one each time")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--missed", action="store_true")
    arguments = parser.parse_args()
    state = State(arguments.state)
    return {"run": run, "minimise": minimise, "report": report}[arguments.verb](arguments, state) or 0


if __name__ == "__main__":
    sys.exit(main())
