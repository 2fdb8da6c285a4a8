#!/usr/bin/env python3
"""Every pair of hosts through a rendezvous: does it connect, over which path at first and in the end, after how long, and with how many
packets. Prints a table in Markdown and exits 1 when a pair does not connect, or one that could go directly does not. With --record the
results are stored for docs/connectivity.md.

    GODWIT=build/release/godwit tests/cli/nat_matrix.py [--runs N] [--record FILE]      called by scripts/run_nat_matrix.sh
"""
import json
import os
import statistics
import sys
import tempfile

from nat_network import DOUBLE, FIREWALL, KINDS, SHARED, Cell, Unavailable

# Beside all ordered pairs of KINDS.
MORE = [(DOUBLE, "open"), ("open", DOUBLE), (DOUBLE, "full-cone"), (DOUBLE, "port-restricted"), (DOUBLE, DOUBLE), (DOUBLE, "symmetric"),
        (SHARED, SHARED), (FIREWALL, FIREWALL)]
# A search for ports begins two seconds after the session, and asks for ten.
SEARCH_PATIENCE = 16.0


def direct_is_possible(one, other):
    """All pairs but those of a symmetric translation with one that filters by port."""
    pair = {one, other}
    return "symmetric" not in pair or bool(pair & {"open", "full-cone"})


def is_searched(one, other):
    """A symmetric translation whose ports are random, and one that filters by port: a search finds a way most times."""
    pair = {one, other}
    return "symmetric" in pair and bool(pair & {"port-restricted", DOUBLE})


def median(values):
    return round(statistics.median(values), 3) if values else None


def measure(godwit, listener, asker, answers, runs):
    results, packets = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="godwit-nat-") as folder:
            cell = Cell(godwit, folder, listener, asker, answers)
            try:
                results.append(cell.ping(patience=SEARCH_PATIENCE if is_searched(listener, asker) else 4.0))
                packets.append(cell.packets_sent())
            finally:
                cell.close()
        if results[-1].first is None:
            print(f"{listener} and {asker}: {results[-1].why}", file=sys.stderr)
    paths = [result.path for result in results]
    direct, relayed = paths.count("direct"), paths.count("relay")
    wrong = direct + relayed < runs or (direct_is_possible(listener, asker) and direct < runs)
    # One search in sixty misses by chance; two of two do not.
    wrong = wrong or ({listener, asker} == {"port-restricted", "symmetric"} and runs > 1 and direct == 0)
    return {"listener": listener, "asker": asker, "answers": answers, "runs": runs, "direct": direct, "relayed": relayed,
            "at_once": [result.first for result in results].count("direct"),
            "seconds": median([result.seconds for result in results if result.seconds is not None]),
            "direct_seconds": median([result.direct_seconds for result in results if result.direct_seconds is not None]),
            "searched": is_searched(listener, asker), "packets": round(statistics.median(packets)), "wrong": wrong}


def main():
    runs = int(sys.argv[sys.argv.index("--runs") + 1]) if "--runs" in sys.argv else 1
    godwit = os.path.abspath(os.environ.get("GODWIT", "build/release/godwit"))
    record = sys.argv[sys.argv.index("--record") + 1] if "--record" in sys.argv else None
    pairs = [(listener, asker) for listener in KINDS for asker in KINDS] + MORE
    rows = []
    for answers in (False, True):
        for listener, asker in pairs:
            try:
                row = measure(godwit, listener, asker, answers, runs)
            except Unavailable as why:
                print(f"nat_matrix.py: SKIPPED: {why}", file=sys.stderr)
                return 77
            rows.append(row)
            print(f"{listener} | {asker} | {'answered' if answers else 'dropped'} | {row['direct'] + row['relayed']} of {runs} | "
                  f"direct {row['direct']}, at once {row['at_once']} | {row['seconds']} | {row['direct_seconds']} | {row['packets']}"
                  f"{' | wrong' if row['wrong'] else ''}", flush=True)
    if record:
        with open(record, "w") as file:
            json.dump({"schema": "godwit-nat-matrix", "schema_version": 3, "cells": rows}, file, indent=1)
            file.write("\n")
    return 1 if any(row["wrong"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
