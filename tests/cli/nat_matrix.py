#!/usr/bin/env python3
"""Every pair of KINDS of hosts through a rendezvous: does it connect, on which path, after how long, with how many packets. Prints a
table in Markdown and exits 1 when a pair does not connect, or one that could go directly does not. With --record the results are
stored for docs/connectivity.md.

    GODWIT=build/release/godwit tests/cli/nat_matrix.py [--runs N] [--record FILE]      called by scripts/run_nat_matrix.sh
"""
import json
import os
import statistics
import sys
import tempfile

from nat_network import KINDS, Cell, Unavailable


def direct_is_possible(one, other):
    """All pairs but those of a symmetric translation with one that filters by port."""
    pair = {one, other}
    return "symmetric" not in pair or bool(pair & {"open", "full-cone"})


def main():
    runs = int(sys.argv[sys.argv.index("--runs") + 1]) if "--runs" in sys.argv else 1
    godwit = os.path.abspath(os.environ.get("GODWIT", "build/release/godwit"))
    record = sys.argv[sys.argv.index("--record") + 1] if "--record" in sys.argv else None
    failures = 0
    rows = []
    print("| listener | asker | unasked datagrams | connected | direct | relayed | seconds, median | packets, median |")
    print("|---|---|---|---|---|---|---|---|")
    for answers in (False, True):
        for listener in KINDS:
            for asker in KINDS:
                paths, times, packets = [], [], []
                for _ in range(runs):
                    with tempfile.TemporaryDirectory(prefix="godwit-nat-") as folder:
                        try:
                            cell = Cell(godwit, folder, listener, asker, answers)
                        except Unavailable as why:
                            print(f"nat_matrix.py: SKIPPED: {why}", file=sys.stderr)
                            return 77
                        try:
                            path, seconds = cell.ping()
                            packets.append(cell.packets_sent())
                        finally:
                            cell.close()
                    paths.append(path)
                    if path:
                        times.append(seconds)
                    else:
                        print(f"{listener} and {asker}: {seconds}", file=sys.stderr)
                direct, relayed = paths.count("direct"), paths.count("relay")
                wrong = direct + relayed < runs or (direct_is_possible(listener, asker) and not answers and direct < runs)
                failures += wrong
                median = statistics.median(times) if times else None
                shown = f"{median:.2f}" if times else "-"
                spent = round(statistics.median(packets))
                rows.append({"listener": listener, "asker": asker, "answers": answers, "runs": runs, "direct": direct, "relayed": relayed,
                             "seconds": None if median is None else round(median, 3), "packets": spent, "wrong": wrong})
                print(f"| {listener} | {asker} | {'answered' if answers else 'dropped'} | {direct + relayed} of {runs} | {direct} | "
                      f"{relayed} | {shown} | {spent} |{' **wrong**' if wrong else ''}", flush=True)
    if record:
        with open(record, "w") as file:
            json.dump({"schema": "godwit-nat-matrix", "schema_version": 1, "cells": rows}, file, indent=1)
            file.write("\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
