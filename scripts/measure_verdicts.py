#!/usr/bin/env python3
"""How good the comparison of two programs is: what share of injected slow-downs it finds, and how often it claims a
change where there is none. The program is compared with itself, with work done twice now and then, or as it is.

    scripts/measure_verdicts.py run FOLDER --kind slower --runs 3     # a slow-down of 5 % in every case
    scripts/measure_verdicts.py run FOLDER --kind same --runs 20      # no change
    scripts/measure_verdicts.py report FOLDER

A run whose result is in FOLDER already is not repeated, so that a machine may be measured for a few minutes at a time."""
import argparse
import collections
import json
import pathlib
import subprocess
import sys
import time


def measure(arguments):
    arguments.folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + arguments.minutes * 60
    for seed in range(arguments.first, arguments.first + arguments.runs):
        target = arguments.folder / f"{arguments.kind}-{seed}.json"
        if target.exists():
            continue
        if time.monotonic() > deadline:
            print("out of time; the next call goes on from here")
            return 0
        command = [arguments.program, *arguments.cases, "--against", arguments.program, "--seed", str(seed),
                   "--json-file", str(target.with_suffix(".part"))]
        if arguments.time_limit:
            command += ["--time-limit", str(arguments.time_limit)]
        if arguments.kind == "slower":
            command += ["--inject-slowdown", str(arguments.slowdown)]
        begin = time.monotonic()
        result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if not target.with_suffix(".part").exists():
            print(result.stderr, file=sys.stderr)
            return 1
        target.with_suffix(".part").rename(target)
        print(f"{target.name}: {time.monotonic() - begin:.0f} s, {verdicts(target)}", flush=True)
    return 0


def cases_of(path):
    """Cases of a comparison without those that measure a whole run, whose work is not injected into."""
    results = json.loads(path.read_text())
    return [each for each in results["comparison"]["cases"] if each["unit"] == "ns"], results


def verdicts(path):
    return dict(collections.Counter(each["verdict"] for each in cases_of(path)[0]))


def report(arguments):
    for kind in ("slower", "same"):
        paths = sorted(arguments.folder.glob(f"{kind}-*.json"), key=lambda path: int(path.stem.split("-")[1]))
        if not paths:
            continue
        found, by_instructions, all_cases, alarms, seconds = 0, 0, 0, 0, []
        missed = collections.Counter()
        unfit = 0
        for path in paths:
            cases, results = cases_of(path)
            seconds.append(results["seconds"])
            unfit += any(mark.startswith("environment unfit") for mark in results["marks"])
            changed = [each for each in cases if each["verdict"] in ("slower", "faster")]
            right = [each for each in cases if each["verdict"] == "slower"]
            all_cases += len(cases)
            found += len(right)
            by_instructions += sum("instructions; by time" in each["reason"] for each in right)
            alarms += bool(changed)
            wrong = [each for each in cases if each not in right] if kind == "slower" else changed
            missed.update(f"{each['name']}: {each['verdict']} {(each['ratio']['estimate'] - 1) * 100:+.1f} %, {each['reason']}"
                          for each in wrong)
        longest = max(seconds)
        if kind == "slower":
            print(f"injected: {found} of {all_cases} found slower ({found / all_cases:.1%}), of these {by_instructions} by "
                  f"instructions; {len(paths)} runs of at most {longest:.0f} s, {unfit} on an unfit machine")
        else:
            print(f"unchanged: {alarms} of {len(paths)} runs claim a change, {all_cases} verdicts; runs of at most "
                  f"{longest:.0f} s, {unfit} on an unfit machine")
        for line, count in missed.most_common(arguments.most):
            print(f"  {count} x {line}")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure")
    run.add_argument("folder", type=pathlib.Path)
    run.add_argument("--kind", choices=("slower", "same"), required=True)
    run.add_argument("--runs", type=int, default=1)
    run.add_argument("--first", type=int, default=1, help="seed of the first run")
    run.add_argument("--slowdown", type=float, default=5, help="percent")
    run.add_argument("--time-limit", type=float, help="of each run, as of transport_perf")
    run.add_argument("--minutes", type=float, default=60, help="begin no run after so many")
    run.add_argument("--program", default="build/release/transport_perf")
    run.add_argument("--cases", nargs="*", default=["level0", "level1"])
    run.set_defaults(function=measure)
    show = commands.add_parser("report", help="the shares")
    show.add_argument("folder", type=pathlib.Path)
    show.add_argument("--most", type=int, default=40, help="cases to name")
    show.set_defaults(function=report)
    arguments = parser.parse_args()
    return arguments.function(arguments)


if __name__ == "__main__":
    sys.exit(main())
