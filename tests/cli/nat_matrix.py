#!/usr/bin/env python3
"""Every pair of KINDS of hosts through a rendezvous: does it connect, on which path, after how long. Prints a table in Markdown and
exits 1 when a pair does not connect, or one that could go directly does not.

    GODWIT=build/release/godwit tests/cli/nat_matrix.py [--runs N]      called by scripts/run_nat_matrix.sh
"""
import os
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
    failures = 0
    print("| listener | asker | unasked datagrams | connected | direct | relayed | seconds, median |")
    print("|---|---|---|---|---|---|---|")
    for answers in (False, True):
        for listener in KINDS:
            for asker in KINDS:
                paths, times = [], []
                for _ in range(runs):
                    with tempfile.TemporaryDirectory(prefix="godwit-nat-") as folder:
                        try:
                            cell = Cell(godwit, folder, listener, asker, answers)
                        except Unavailable as why:
                            print(f"nat_matrix.py: SKIPPED: {why}", file=sys.stderr)
                            return 77
                        try:
                            path, seconds = cell.ping()
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
                median = f"{sorted(times)[len(times) // 2]:.2f}" if times else "-"
                print(f"| {listener} | {asker} | {'answered' if answers else 'dropped'} | {direct + relayed} of {runs} | {direct} | "
                      f"{relayed} | {median} |{' **wrong**' if wrong else ''}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
