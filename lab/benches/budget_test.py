"""The gate on the gate: a budget below what a case needs must be refused, by the name of the case and of the count.

    budget_test.py TRANSPORT_PERF BUDGET
"""

import json
import pathlib
import subprocess
import sys
import tempfile

CASE = "level0/decode/fragment-metadata"


def main() -> int:
    program, path = sys.argv[1:]
    budget = json.loads(pathlib.Path(path).read_text())
    entry = budget["cases"][CASE]
    entry["allocations"] = -1
    entry["instructions"] = {build: count * 0.9 for build, count in entry["instructions"].items()}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as lowered:
        json.dump(budget, lowered)
        lowered.flush()
        run = subprocess.run([program, CASE, "--instructions", "--check-budget", lowered.name],
                             capture_output=True, text=True, check=False)
    print(run.stdout + run.stderr, end="")
    over = [line for line in run.stderr.splitlines() if line.startswith("OVER BUDGET")]
    assert run.returncode == 1, f"exit code {run.returncode}"
    assert any("allocations" in line for line in over), "the allocations were not found"
    if "the budget has no instructions of this build" in run.stdout or "no instructions:" in run.stdout:
        print("instructions: not judged on this machine or build")
    else:
        assert any("instructions" in line for line in over), "the instructions were not found"
    return 0


sys.exit(main())
