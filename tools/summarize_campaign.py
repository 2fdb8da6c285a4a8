#!/usr/bin/env python3
"""Adds up what the jobs of scripts/run_campaign.sh found.

    tools/summarize_campaign.py FOLDER

Reads FOLDER/jobs, FOLDER/joblog and the jobs' output in FOLDER/results, prints a summary, writes FOLDER/summary.json.
Exits 0 when every job ended and found nothing, 1 when something was found, 2 when a job is missing or could not run.
"""
import json
import pathlib
import re
import sys

SCENARIOS = re.compile(r"^(\d+) scenarios, (\d+) failing")
VIOLATION = re.compile(r"^seed (\d+): ([a-z-]+): (.*)")
CONNECTS = re.compile(r"(\d+) of (\d+) legitimate attempts to connect succeeded")
ATTACKER = re.compile(r"^attacker: (\d+) datagrams, (\d+) connections")
EXECUTIONS = re.compile(r"(\d+) executions")


def read_joblog(path):
    """Exit code by job number."""
    ended = {}
    if path.exists():
        for line in path.read_text().splitlines()[1:]:
            fields = line.split("\t")
            ended[int(fields[0])] = int(fields[6]) if fields[7] == "0" else 128 + int(fields[7])
    return ended


def summarize(state):
    jobs = (state / "jobs").read_text().splitlines()
    ended = read_joblog(state / "joblog")
    summary = {"jobs": len(jobs), "ended": len(ended), "broken_jobs": [], "attack": 0, "seeds": 0, "failing": [],
               "attack_datagrams": 0, "attack_connections": 0, "connects": 0, "connected": 0, "fuzz_jobs": 0,
               "fuzz_executions": 0, "fuzz_findings": []}
    for number, job in enumerate(jobs, 1):
        if number not in ended:
            continue
        kind = job.split()[0]
        if ended[number] not in (0, 1):
            summary["broken_jobs"].append(job)
            continue
        output = state / "results" / str(number) / "stdout"
        text = output.read_text(errors="replace") if output.exists() else ""
        if kind == "fuzz":
            summary["fuzz_jobs"] += 1
            summary["fuzz_executions"] += sum(int(count) for count in EXECUTIONS.findall(text))
            if ended[number] == 1:
                summary["fuzz_findings"].append(job)
            continue
        counted = 0
        for line in text.splitlines():
            if match := SCENARIOS.match(line):
                counted = int(match[1])
                summary[kind] += counted
            elif match := VIOLATION.match(line):
                summary["failing"].append({"kind": kind, "seed": int(match[1]), "rule": match[2], "text": match[3]})
            elif match := ATTACKER.match(line):
                summary["attack_datagrams"] += int(match[1])
                summary["attack_connections"] += int(match[2])
            if match := CONNECTS.search(line):
                summary["connected"] += int(match[1])
                summary["connects"] += int(match[2])
        if counted != int(job.split()[2]):
            summary["broken_jobs"].append(job)
    return summary


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    state = pathlib.Path(sys.argv[1])
    summary = summarize(state)
    (state / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(f"{summary['ended']} of {summary['jobs']} jobs ended, {len(summary['broken_jobs'])} of them could not do their work")
    print(f"scenarios: {summary['attack']} with an attacker, {summary['seeds']} without; {len(summary['failing'])} failing")
    if summary["connects"]:
        print(f"attacker: {summary['attack_datagrams']} datagrams, {summary['attack_connections']} connections; "
              f"{summary['connected']} of {summary['connects']} legitimate attempts to connect succeeded")
    if summary["fuzz_jobs"]:
        print(f"fuzzing: {summary['fuzz_executions']} executions in {summary['fuzz_jobs']} jobs, "
              f"{len(summary['fuzz_findings'])} of them found something")
    for failing in summary["failing"]:
        option = " --attack" if failing["kind"] == "attack" else ""
        print(f"godwit sim replay {failing['seed']}{option} --trace  # {failing['rule']}: {failing['text']}")
    for job in summary["fuzz_findings"] + summary["broken_jobs"]:
        print(f"job: {job}")
    if summary["broken_jobs"] or summary["ended"] < summary["jobs"]:
        sys.exit(2)
    if summary["failing"] or summary["fuzz_findings"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
