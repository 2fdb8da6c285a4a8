#!/usr/bin/env python3
"""What scripts/run_soak.sh runs: real processes over loopback for a long time, and proof that nothing grows.

    tools/soak.py [SECONDS [--json FILE]] | --self-test

The first quarter of the time is for warming up. Of each figure the most that was seen in the last quarter is compared with the
most of the second one; a sample is taken when no client is running.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# By figure: growth that is none, absolute and as a share. Of those who died half-way ten or eleven are there at a time, each with
# a descriptor and a half file.
TOLERATED = {"resident_kib": (4096, 0.10), "descriptors": (2, 0), "threads": (0, 0), "socket_queue": (65536, 0),
             "partial_files": (2, 0)}


class Server:
    def __init__(self, folder, environment, *arguments):
        self.name = arguments[0]
        self.process = subprocess.Popen([os.environ["GODWIT"], *arguments, "--bind", "127.0.0.1:0"], cwd=folder, text=True,
                                        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.address = self.key = None
        while not (self.address and self.key):
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit(f"soak: {arguments} did not start")
            if line.startswith("listening on "):
                self.address = line.split()[2]
            elif line.startswith("public key "):
                self.key = line.split()[2]
        # The rest of what it says is read by nobody else: a full pipe would stop it.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stdout, stdout=subprocess.DEVNULL)
        self.process.stdout.close()

    def to(self, *command):
        return [os.environ["GODWIT"], *command, "--to", self.address, "--peer-key", self.key]

    def sample(self):
        pid = self.process.pid
        status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        descriptors = os.listdir(f"/proc/{pid}/fd")
        cpu = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return {"resident_kib": int(status["VmRSS"].split()[0]), "descriptors": len(descriptors),
                "threads": int(status["Threads"]), "socket_queue": queued(self.address.rsplit(":", 1)[1]),
                "processor_ticks": int(cpu[11]) + int(cpu[12])}

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.drain.wait()
        return self.process.returncode


def queued(port):
    """Bytes that wait in the socket with this local port."""
    total = 0
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rsplit(":", 1)[1], 16) == int(port):
                total += sum(int(part, 16) for part in fields[4].split(":"))
    return total


def growing(samples):
    """What is larger in the last quarter of the samples than in the second one."""
    quarter = len(samples) // 4
    found = []
    if quarter == 0:
        return ["there are fewer than four samples"]
    for server in samples[0]["servers"]:
        for figure, (absolute, share) in TOLERATED.items():
            values = [sample["servers"][server].get(figure, 0) for sample in samples]
            before, after = max(values[quarter:2 * quarter]), max(values[3 * quarter:])
            if after > before * (1 + share) + absolute:
                found.append(f"{server}: {figure} {before} in the second quarter, {after} in the last")
    return found


class Soak:
    def __init__(self, folder):
        self.folder = folder
        self.environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
        self.output = folder / "received"
        self.file = folder / "file.bin"
        self.file.write_bytes(os.urandom(3_000_000))
        self.counts = {"files": 0, "pings": 0, "runs": 0, "killed": 0, "failed": 0}
        self.failures = []
        self.listener = Server(folder, self.environment, "listen", "--output", str(self.output), *self.anyone())
        self.perf = Server(folder, self.environment, "perf", "server")

    def anyone(self):
        """`listen` may ask who may send; this one takes files from everybody."""
        text = subprocess.run([os.environ["GODWIT"], "listen", "--help"], capture_output=True, text=True, check=True).stdout
        return ["--anyone"] if "--anyone" in text else []

    def run(self, kind, command):
        result = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120,
                                check=False)
        self.counts[kind] += 1
        if result.returncode != 0:
            self.counts["failed"] += 1
            self.failures.append(f"{kind}: exit {result.returncode}: {(result.stderr or result.stdout).strip()[-300:]}")

    def round(self):
        self.run("files", [*self.listener.to("send"), str(self.file)])
        for path in self.output.iterdir():
            if not path.name.endswith(".part"):
                path.unlink()
        self.run("pings", [*self.listener.to("ping"), "-c", "3", "-i", "0.2"])
        self.run("runs", [*self.perf.to("perf", "client"), "-t", "1", "--rate", "20M"])
        # One that dies without a word, in the middle of a file.
        victim = subprocess.Popen([*self.listener.to("send"), "--rate", "5M", str(self.file)], cwd=self.folder,
                                  env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.4)
        victim.kill()
        victim.wait()
        self.counts["killed"] += 1

    def sample(self, began):
        servers = {server.name: server.sample() for server in (self.listener, self.perf)}
        # Of those who died the receiver keeps their half files for as long as the idle time-out: a few at a time.
        servers["listen"]["partial_files"] = sum(path.name.endswith(".part") for path in self.output.iterdir())
        return {"at_s": round(time.monotonic() - began, 1), "servers": servers}


def soak(seconds, json_file):
    # Twelve seconds between rounds: a connection whose peer died is kept for 120 s, so that some ten are there at a time.
    interval = min(12.0, seconds / 24)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="godwit-soak-"))
    samples = []
    try:
        run = Soak(folder)
        began = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            run.round()
            samples.append(run.sample(began))
            time.sleep(max(0.0, min(now + interval, began + seconds) - time.monotonic()))
        codes = {server.name: server.stop() for server in (run.listener, run.perf)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = growing(samples)
    print(f"{'server':8} {'at s':>7} {'resident KiB':>13} {'descriptors':>11} {'threads':>8} {'queue':>7} {'partial':>8} {'cpu ticks':>10}")
    for sample in samples[::max(1, len(samples) // 12)] + samples[-1:]:
        for name, figures in sample["servers"].items():
            print(f"{name:8} {sample['at_s']:7} {figures['resident_kib']:13} {figures['descriptors']:11} {figures['threads']:8} "
                  f"{figures['socket_queue']:7} {figures.get('partial_files', 0):8} {figures['processor_ticks']:10}")
    result = {"seconds": seconds, "counts": run.counts, "failures": run.failures, "growing": found, "exit_codes": codes,
              "samples": samples}
    if json_file:
        pathlib.Path(json_file).write_text(json.dumps(result, indent=1) + "\n")
    for line in run.failures[:20] + found:
        print("FAILED:", line)
    print(f"soak of {seconds:.0f} s: {run.counts['files']} files, {run.counts['pings']} pings, {run.counts['runs']} performance "
          f"runs, {run.counts['killed']} clients killed, {run.counts['failed']} failures; "
          f"{'nothing grows' if not found else f'{len(found)} figures grow'} over {len(samples)} samples")
    sys.exit(1 if run.failures or found else 0)


def self_test():
    """A check that cannot fail checks nothing."""
    def samples(figure, values):
        flat = {"resident_kib": 9000, "descriptors": 5, "threads": 1, "socket_queue": 0}
        return [{"servers": {"listen": {**flat, figure: value}}} for value in values]

    assert growing(samples("resident_kib", [9000] * 40)) == []
    assert growing(samples("resident_kib", [5000] * 10 + [9000] * 30)) == []
    for figure, step in (("resident_kib", 400), ("descriptors", 1), ("threads", 1), ("socket_queue", 5000)):
        assert len(growing(samples(figure, [100 + step * i for i in range(40)]))) == 1, figure
    assert growing(samples("threads", [1, 1]))
    print("soak: growth of every figure is noticed")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", nargs="?", type=float, default=3600)
    parser.add_argument("--json")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    if arguments.seconds < 600:
        parser.error("at least 600 s: connections whose peer died are kept for 120 s, and that many have to be there first")
    return soak(arguments.seconds, arguments.json)


if __name__ == "__main__":
    main()
