#!/usr/bin/env python3
"""Runs Godwit beside quinn, s2n-quic and the raw ceiling: interleaved, in random order, one stream each on loopback
or over a veth pair, and prints ratios with bootstrap intervals. Called by scripts/run_peers.sh, which builds all of
them. See docs/peers.md."""

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

DIFFERENCES = """\
What differs, besides the stack. QUIC seals 1200-byte datagrams with about 30 bytes of header, frame and tag; Godwit's
carry 1130 bytes of payload and 70 of the rest, so QUIC sends 3 % fewer packets for the same bytes. QUIC protects
packet headers with a second AES block, Godwit has no header protection. QUIC acknowledges ranges, Godwit single ids.
Godwit takes its AES-128-GCM from IPsec-MB where the processor has AVX2 and AES-NI, quinn and s2n-quic from AWS-LC.
Godwit sends streams of 16 MiB back to back under credit of the application, the others one long stream under windows
of 64 MiB. Congestion control is each one's default: BBR for Godwit, CUBIC for the others; over loopback it makes no
difference that could be measured. All of them: receive buffers of 16 MiB, segmentation and receive offload, one
thread a side (Godwit polls through pauses below 50 us, the others sleep in epoll), sender and receiver on a core each,
bytes from 64 MiB of memory, XXH3 and the byte count compared at both ends, goodput between the receiver's first and
last byte.
"""
STACKS = ("godwit", "ceiling", "tcp", "tls", "quinn", "s2n-quic")


class RunFailed(Exception):
    """A participant did not finish, or its ends disagree."""


def pinned(core, command):
    words = ["taskset", "-c", str(core)] if shutil.which("taskset") and os.cpu_count() > 1 else []
    if os.geteuid() == 0 and shutil.which("chrt"):
        words += ["chrt", "-f", "5"]
    return words + command


def wait_for(process, pattern):
    """The first line of the process's output that matches; everything before it is dropped."""
    for line in process.stdout:
        found = re.match(pattern, line)
        if found:
            return found.group(1)
    raise RunFailed("the server did not start")


class Path:
    """Where the receivers are: on loopback, or behind a veth pair in a network namespace."""

    def __init__(self, address, namespace):
        self.address, self.namespace = address, namespace
        self.prefix = ["ip", "netns", "exec", namespace] if namespace else []


def run_pair(path, server_command, client_command, folder, seconds):
    """Starts the server, asks `client_command` for the client's words given the server, returns the JSON."""
    environment = dict(os.environ, XDG_CONFIG_HOME=folder)
    with subprocess.Popen(path.prefix + pinned(0, server_command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, env=environment) as server:
        try:
            client = subprocess.run(pinned(1, client_command(server)), capture_output=True, text=True, env=environment,
                                    timeout=seconds + 20, check=False)
            if client.returncode != 0:
                raise RunFailed(client.stderr.strip() or f"exit code {client.returncode}")
            return json.loads(client.stdout)
        except subprocess.TimeoutExpired as error:
            raise RunFailed("no end in sight") from error
        finally:
            server.kill()


class Godwit:
    def __init__(self, name, folder, path, options):
        self.name, self.program, self.path, self.options = name, os.path.join(folder, "godwit"), path, options

    def run(self, folder, seconds):
        def client(server):
            address = wait_for(server, r"listening on (\S+)")
            key = wait_for(server, r"public key (\S+)")
            return [self.program, "perf", "client", "--to", address, "--peer-key", key, "--json", "-t", str(seconds),
                    "--max-datagram", "1200", *self.options]

        server_command = [self.program, "perf", "server", "--once", "--bind", f"{self.path.address}:0"]
        result = run_pair(self.path, server_command, client, folder, seconds)
        row = result["results"][0]
        if not row["digest_match"]:
            raise RunFailed("the digests differ")
        return {
            "goodput_bits_per_second": row["goodput_bits_per_second"],
            "delivered_bytes": row["delivered_bytes"],
            "seconds": row["seconds"],
            "cpu_seconds": row["cpu_seconds"],
            "settings": f"{result['client']['backend']}, {result['cipher']}, {result['congestion']}",
        }


class Raw:
    def __init__(self, name, folder, path):
        self.name, self.path = name, path
        paths = (os.path.join(folder, "lab", "benches", "godwit-raw"), os.path.join(folder, "godwit-raw"))
        self.program = next((path for path in paths if os.path.exists(path)), paths[0])

    def run(self, folder, seconds):
        command = [self.program, self.name, "--json", "-t", str(seconds)]
        if self.path.namespace:
            command += ["--receiver", f"{self.path.address}:0", "--receiver-namespace", self.path.namespace]
        if os.geteuid() == 0 and shutil.which("chrt"):
            command = ["chrt", "-f", "5"] + command
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=seconds + 20, check=False)
        if done.returncode != 0:
            raise RunFailed(done.stderr.strip())
        row = json.loads(done.stdout)["results"][0]
        if row["failures"]:
            raise RunFailed(f"{row['failures']} packets did not verify")
        return {key: row[key] for key in ("goodput_bits_per_second", "delivered_bytes", "seconds", "cpu_seconds")} | {
            "settings": "no protocol" if self.name == "ceiling" else "kernel, 1200-byte segments, cubic"}


class Quic:
    def __init__(self, name, folder, path, options):
        self.name, self.path, self.options = name, path, options
        self.program = os.path.join(folder, name.replace("-", "_") + "_perf")

    def run(self, folder, seconds):
        certificate = ["--certificate", os.path.join(folder, "certificate.pem")]

        def client(server):
            address = wait_for(server, r"listening on (\S+)")
            return [self.program, "client", "--to", address, "--time", str(seconds), *certificate, *self.options]

        server_command = [self.program, "server", "--bind", f"{self.path.address}:0", *certificate, *self.options]
        return run_pair(self.path, server_command, client, folder, seconds)


def interval(samples, confidence=0.95, resamples=4000):
    """Median and its percentile bootstrap interval, as lab/measure/statistics.h computes them."""
    generator = random.Random(1)
    medians = sorted(statistics.median(generator.choices(samples, k=len(samples))) for _ in range(resamples))
    tail = (1 - confidence) / 2
    return {
        "estimate": statistics.median(samples),
        "low": medians[int(tail * (resamples - 1))],
        "high": medians[round((1 - tail) * (resamples - 1))],
        "confidence": confidence,
    }


def measure(stacks, pairs, seconds, seed):
    order = random.Random(seed)
    samples = {stack.name: [] for stack in stacks}
    failures = []
    for index in range(pairs):
        turn = list(stacks)
        order.shuffle(turn)
        results = {}
        for stack in turn:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    results[stack.name] = stack.run(folder, seconds)
                except (RunFailed, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
                    failures.append({"round": index, "stack": stack.name, "what": str(error)[:500]})
                    print(f"run_peers: {stack.name} failed: {error}", file=sys.stderr)
        if len(results) < len(stacks):
            continue  # ratios are of whole rounds only
        for name, result in results.items():
            samples[name].append(result)
        line = "  ".join(f"{name} {results[name]['goodput_bits_per_second'] / 1e9:.2f}" for name in samples)
        print(f"run_peers: round {index + 1} of {pairs}: {line} Gbit/s", file=sys.stderr)
    return samples, failures


def summarize(samples, reference):
    def goodputs(name):
        return [sample["goodput_bits_per_second"] for sample in samples[name]]

    rows = []
    for name, runs in samples.items():
        gigabytes = sum(run["delivered_bytes"] for run in runs) / 1e9
        row = {
            "name": name,
            "settings": runs[0]["settings"],
            "goodput_bits_per_second": interval(goodputs(name)),
            "nanoseconds_per_1130_bytes": 1130 * 8e9 / statistics.median(goodputs(name)),
            "cpu_seconds_per_gigabyte": sum(sum(run["cpu_seconds"].values()) for run in runs) / gigabytes,
            "samples": goodputs(name),
        }
        if name != reference:
            pairs = zip(goodputs(reference), goodputs(name))
            row["reference_over_this"] = interval([ours / theirs for ours, theirs in pairs])
        rows.append(row)
    return rows


def fingerprint(build):
    """The machine and the build, as `godwit doctor` tells them; its exit code is about fitness."""
    run = subprocess.run([os.path.join(build, "godwit"), "doctor", "--json"], capture_output=True, text=True, check=False)
    return json.loads(run.stdout)["fingerprint"]


def print_table(rows, reference, pairs):
    print(f"\n{'':10} {'Gbit/s':>22} {'ns/packet':>10} {'CPU s/GB':>9}  {reference + ' is … times it':>26}")
    for row in rows:
        goodput, ratio = row["goodput_bits_per_second"], row.get("reference_over_this")
        shown = f"{goodput['estimate'] / 1e9:6.2f} [{goodput['low'] / 1e9:.2f}, {goodput['high'] / 1e9:.2f}]"
        times = f"{ratio['estimate']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}]" if ratio else ""
        print(f"{row['name']:10} {shown:>22} {row['nanoseconds_per_1130_bytes']:10.0f}"
              f" {row['cpu_seconds_per_gigabyte']:9.2f}  {times:>26}")
    print(f"\n{pairs} interleaved rounds in random order; medians with 95 % bootstrap intervals; ratios are medians of"
          " the rounds' ratios.\n")
    for row in rows:
        print(f"  {row['name']}: {row['settings']}")
    print("\n" + DIFFERENCES)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--godwit-build", required=True, help="folder with godwit and godwit-raw")
    parser.add_argument("--peers", required=True, help="folder with quinn_perf and s2n_quic_perf")
    parser.add_argument("--pairs", type=int, default=10, help="rounds; each runs every stack once")
    parser.add_argument("--time", type=float, default=2.0, help="seconds of a run")
    parser.add_argument("--only", default="godwit,ceiling,quinn,s2n-quic", help=f"of {', '.join(STACKS)}")
    parser.add_argument("--against", help="folder of a second build of Godwit, measured as godwit-2")
    parser.add_argument("--threads", type=int, default=1, help="worker threads of the QUIC stacks, a side")
    parser.add_argument("--set", action="append", default=[], help="a QUIC program's own setting, NAME=NUMBER")
    parser.add_argument("--receiver", default="127.0.0.1", help="address that receivers bind")
    parser.add_argument("--receiver-namespace", default="", help="network namespace of the receivers")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--json-file", help="write the result here")
    options = parser.parse_args()
    for name in ("godwit_build", "peers", "against"):
        if getattr(options, name):
            setattr(options, name, os.path.abspath(getattr(options, name)))
    names = options.only.split(",")
    if unknown := set(names) - set(STACKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))} (known: {', '.join(STACKS)})")
    quic = ["--threads", str(options.threads)] + [word for setting in options.set for word in ("--set", setting)]
    path = Path(options.receiver, options.receiver_namespace)
    stacks = []
    for name in names:
        if name == "godwit":
            stacks.append(Godwit(name, options.godwit_build, path, []))
        elif name in ("quinn", "s2n-quic"):
            stacks.append(Quic(name, options.peers, path, quic))
        else:
            stacks.append(Raw(name, options.godwit_build, path))
    if options.against:
        stacks.append(Godwit("godwit-2", options.against, path, []))
    for stack in stacks:
        if not os.access(stack.program, os.X_OK):
            parser.error(f"{stack.program} is missing: scripts/run_peers.sh builds it")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    samples, failures = measure(stacks, options.pairs, options.time, seed)
    rounds = len(samples[names[0]])
    if rounds == 0:
        print("run_peers: no round was complete", file=sys.stderr)
        return 1
    rows = summarize(samples, names[0])
    print_table(rows, names[0], rounds)
    if options.json_file:
        result = {
            "schema": "godwit-peers",
            "schema_version": 1,
            "path": "veth" if options.receiver_namespace else "loopback",
            "seconds": options.time,
            "rounds": rounds,
            "seed": seed,
            "reference": names[0],
            "fingerprint": fingerprint(options.godwit_build),
            "rows": rows,
            "failures": failures,
            "differences": " ".join(DIFFERENCES.split()),
        }
        with open(options.json_file, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=2)
            file.write("\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
