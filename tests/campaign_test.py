#!/usr/bin/env python3
"""A tiny campaign on this machine is interrupted and resumed: every job ends exactly once, and the sums are those of the whole.

    campaign_test.py ROOT    (GODWIT names the program)

Exits with 77, which ctest takes for skipped, where GNU parallel is not installed.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

JOBS = 12
BATCH = 10


def main():
    root = pathlib.Path(sys.argv[1])
    if shutil.which("parallel") is None:
        print("skipped: GNU parallel is not installed (scripts/setup.sh installs it)")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="godwit-campaign-") as folder:
        state = pathlib.Path(folder) / "state"
        command = [str(root / "scripts/run_campaign.sh"), "--attack", str(JOBS // 2 * BATCH), "--seeds",
                   str(JOBS // 2 * BATCH), "--first", "201", "--batch", str(BATCH), "--jobs", "1", "--state", str(state)]
        environment = {**os.environ, "HOME": folder}

        def joblog():
            log = state / "joblog"
            return [line.split("\t") for line in log.read_text().splitlines()[1:]] if log.exists() else []

        # A session of its own, so that the signal reaches all of the campaign and nothing else.
        running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
        deadline = time.monotonic() + 90
        while len(joblog()) < 2 and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        before = joblog()
        assert 2 <= len(before) < JOBS, f"interrupted too late: {len(before)} of {JOBS} jobs"

        resumed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        print(resumed.stdout, resumed.stderr)
        assert resumed.returncode == 0, resumed
        after = joblog()
        assert sorted(int(fields[0]) for fields in after) == list(range(1, JOBS + 1)), after
        assert after[:len(before)] == before, "what had ended ran again"
        summary = json.loads((state / "summary.json").read_text())
        assert summary["attack"] == summary["seeds"] == JOBS // 2 * BATCH, summary
        assert summary["ended"] == JOBS and not summary["broken_jobs"] and not summary["failing"], summary
        assert summary["connects"] > 0 and summary["connected"] == summary["connects"], summary

        # A third time there is nothing left to do, and another campaign does not take the place of this one.
        again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert again.returncode == 0 and joblog() == after, again
        other = subprocess.run([*command, "--batch", "7"], env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert other.returncode == 2 and "another campaign" in other.stderr, other
        # A job that did not do its work is no success.
        results = state / "results" / "3" / "stdout"
        results.write_text("")
        broken = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert broken.returncode == 2 and "could not do their work" in broken.stdout, broken
    print("interrupted after", len(before), "of", JOBS, "jobs, and resumed")


if __name__ == "__main__":
    main()
