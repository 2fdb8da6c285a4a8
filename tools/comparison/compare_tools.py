#!/usr/bin/env python3
"""Godwit beside the tools that people use for the same: a forwarded TCP port beside `socat` and `ssh -L`, files beside rsync. All
over loopback, one after the other, round by round, so that what disturbs the machine disturbs all of them. Called by
scripts/compare_tools.sh.

    GODWIT=build/release/godwit tools/comparison/compare_tools.py [--rounds 9] [--seconds 3] [--files 10000] [--file-size 4096]
                                                                  [--large 4G] [--folder DIR] [--record FILE]

DIR (a temporary one unless named) takes three times the size of the large file. A tool that is missing has a row that says so.
"""
import argparse
import contextlib
import getpass
import json
import os
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PATIENCE = 600  # seconds, for one transfer


class Missing(Exception):
    """Why a tool is not measured."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port):
    """Until somebody listens there. Not found out by connecting, which iperf3 takes for a client."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in pathlib.Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    return
        time.sleep(0.05)
    raise Missing(f"nothing listens at port {port}")


def need(program):
    found = shutil.which(program) or (os.path.exists(f"/usr/sbin/{program}") and f"/usr/sbin/{program}")
    if not found:
        raise Missing(f"{program} is not installed")
    return found


class Setting:
    """The processes of one comparison, and a folder."""

    def __init__(self, godwit, folder):
        self.godwit, self.folder, self.processes = godwit, folder, []
        self.environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
        for name in ("server.key", "client.key"):
            if not (folder / name).exists():
                self.run(godwit, "keygen", "--out", folder / name)

    def start(self, *command, **options):
        process = subprocess.Popen([str(part) for part in command], env=self.environment, cwd=self.folder, text=True,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        self.processes.append(process)
        return process

    def run(self, *command):
        subprocess.run([str(part) for part in command], env=self.environment, cwd=self.folder, check=True, timeout=PATIENCE,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self, process):
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()
        self.processes.remove(process)

    def close(self):
        for process in list(self.processes):
            self.stop(process)

    def listening_godwit(self, *arguments):
        """Its process, address and key."""
        process = self.start(self.godwit, *arguments, "--bind", "127.0.0.1:0", "--key", self.folder / "server.key",
                             stdout=subprocess.PIPE)
        address = process.stdout.readline().split()[2]
        return process, address, process.stdout.readline().split()[2]

    def sshd(self):
        """A server of its own on a port of its own; what a client needs to say."""
        sshd, keygen = need("sshd"), need("ssh-keygen")
        need("ssh")
        for name in ("host_key", "user_key"):
            if not (self.folder / name).exists():
                self.run(keygen, "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name)
        port = free_port()
        config = self.folder / "sshd_config"
        config.write_text(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host_key\nUsePAM no\nStrictModes no\n"
                          f"AuthorizedKeysFile {self.folder}/user_key.pub\nPidFile none\nPermitRootLogin prohibit-password\n"
                          "PasswordAuthentication no\n")
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(exist_ok=True)  # where it gives its rights up
        self.start(sshd, "-D", "-f", config)
        wait_for_port(port)
        return ["ssh", "-F", "none", "-i", str(self.folder / "user_key"), "-p", str(port), "-o", "StrictHostKeyChecking=no", "-o",
                f"UserKnownHostsFile={self.folder}/known_hosts", "-o", "BatchMode=yes"]


# --- A forwarded port: each starts what is needed and returns the port that leads to the target ---

def direct(setting, target):
    return target


def socat(setting, target):
    port = free_port()
    setting.start(need("socat"), "-b", "131072", f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr", f"TCP:127.0.0.1:{target}")
    return port


def ssh(setting, target):
    port = free_port()
    command = setting.sshd()
    setting.start(*command, "-N", "-L", f"127.0.0.1:{port}:127.0.0.1:{target}", f"{getpass.getuser()}@127.0.0.1")
    return port


def forward(setting, target):
    _, address, key = setting.listening_godwit("forward", "--listen", "--anyone", "--allow-target", f"127.0.0.1:{target}")
    client = setting.start(setting.godwit, "forward", "--to", address, "--peer-key", key, "--key", setting.folder / "client.key", "-L",
                           f"0:127.0.0.1:{target}", stdout=subprocess.PIPE)
    return int(client.stdout.readline().split()[1].rsplit(":", 1)[1])


FORWARDS = [("no forwarding", "none", direct), ("socat", "none", socat), ("ssh -L", "yes", ssh), ("godwit forward", "yes", forward)]


def measure_forward(setting, open_port, seconds, target):
    iperf = need("iperf3")
    port = open_port(setting, target)
    wait_for_port(port)
    result = subprocess.run([iperf, "-c", "127.0.0.1", "-p", str(port), "-t", str(seconds), "-J"], capture_output=True, text=True,
                            timeout=PATIENCE)
    end = json.loads(result.stdout)["end"]
    return end["sum_received"]["bits_per_second"] / 1e9


# --- Files: each copies `source`, a folder or a file, into `goal`; what is waited for is the whole command ---

def rsync_daemon(setting, source, goal):
    need("rsync")
    port = free_port()
    config = setting.folder / "rsyncd.conf"
    user = f"uid = {os.getuid()}\ngid = {os.getgid()}\n" if os.geteuid() == 0 else ""
    config.write_text(f"use chroot = no\n{user}[goal]\npath = {goal}\nread only = no\n")
    setting.start("rsync", "--daemon", "--no-detach", f"--config={config}", f"--port={port}", "--address=127.0.0.1")
    wait_for_port(port)
    return ["rsync", "-a", source, f"rsync://127.0.0.1:{port}/goal/"]


def rsync_ssh(setting, source, goal):
    need("rsync")
    shell = " ".join(setting.sshd())
    return ["rsync", "-a", "-e", shell, source, f"{getpass.getuser()}@127.0.0.1:{goal}/"]


def send(setting, source, goal):
    if source.is_dir():
        described = subprocess.run([setting.godwit, "send", "--help"], capture_output=True, text=True).stdout
        if "folders" not in described:
            raise Missing("this build of godwit sends no folders")
    _, address, key = setting.listening_godwit("listen", "--anyone", "--output", goal, "--max-files", "1000000")
    return [setting.godwit, "send", "--to", address, "--peer-key", key, "--key", setting.folder / "client.key", source]


COPIES = [("rsync, daemon", "none", rsync_daemon), ("rsync over ssh", "yes", rsync_ssh), ("godwit send", "yes", send)]


def measure_copy(setting, prepare, source, goal, count):
    shutil.rmtree(goal, ignore_errors=True)
    goal.mkdir()
    command = prepare(setting, source, goal)
    begun = time.monotonic()
    setting.run(*command)
    seconds = time.monotonic() - begun
    copied = [path for path in goal.rglob("*") if path.is_file()]
    if len(copied) != count or sum(path.stat().st_size for path in copied) != size_of(source):
        raise RuntimeError(f"{command[0]}: {len(copied)} of {count} files have arrived")
    return seconds


def size_of(source):
    files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files)


# --- Rounds and results ---

def interleave(tools, rounds, once):
    """`rounds` of all tools in turn, each turn beginning with another one."""
    rows = {name: {"tool": name, "encrypted": encrypted, "values": [], "skipped": None} for name, encrypted, _ in tools}
    for index in range(rounds):
        shift = index % len(tools)
        for name, _, function in tools[shift:] + tools[:shift]:
            if rows[name]["skipped"]:
                continue
            try:
                rows[name]["values"].append(round(once(function), 4))
            except Missing as why:
                rows[name]["skipped"] = str(why)
        print(f"round {index + 1} of {rounds}: " + ", ".join(f"{row['tool']} {row['values'][-1] if row['values'] else '-'}"
                                                              for row in rows.values()), file=sys.stderr, flush=True)
    return list(rows.values())


def summarize(rows):
    """Median, and the interval between the second smallest and the second largest value; ratios to Godwit round by round."""
    own = next(row for row in rows if row["tool"].startswith("godwit"))["values"]
    for row in rows:
        if row["values"]:
            row.update(summary(row["values"], "value"))
        if row["values"] and own:
            row.update(summary([ours / theirs for ours, theirs in zip(own, row["values"])], "godwit_to_it"))
    return rows


def summary(values, name):
    ordered = sorted(values)
    edge = 1 if len(ordered) >= 5 else 0
    return {name: round(statistics.median(ordered), 4), f"{name}_low": round(ordered[edge], 4),
            f"{name}_high": round(ordered[-1 - edge], 4)}


def machine():
    model = "unknown processor"
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} processors, {platform.system()} {platform.release()}"


def version(*command):
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        shown = subprocess.run(command, capture_output=True, text=True)
        for line in (shown.stdout + shown.stderr).splitlines():
            if "version" in line or line.startswith(("OpenSSH", "iperf")):
                return line.strip()
    return "absent"


def parse_size(text):
    return int(float(text[:-1]) * {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[text[-1]]) if text[-1] in "KMG" else int(text)


def make_sources(folder, options):
    small, large = folder / "small", folder / "large.bin"
    for index in range(options.files):
        part = small / f"{index // 1000:03}"
        part.mkdir(parents=True, exist_ok=True)
        (part / f"{index:05}.bin").write_bytes(os.urandom(options.file_size))
    with open(large, "wb") as file:
        for _ in range(parse_size(options.large) >> 20):
            file.write(os.urandom(1 << 20))
    return small, large


def measure(options, godwit, folder):
    iperf_port = free_port()
    server = subprocess.Popen([need("iperf3"), "-s", "-p", str(iperf_port), "-B", "127.0.0.1"], stdout=subprocess.DEVNULL)

    def with_setting(function):
        def once(tool):
            setting = Setting(godwit, folder)
            try:
                return function(setting, tool)
            finally:
                setting.close()
        return once

    try:
        wait_for_port(iperf_port)
        forwards = interleave(FORWARDS, options.rounds,
                              with_setting(lambda setting, tool: measure_forward(setting, tool, options.seconds, iperf_port)))
    finally:
        server.terminate()
        server.wait()
    small, large = make_sources(folder, options)
    goal = folder / "goal"
    copies = {}
    for name, source, count in (("small", small, options.files), ("large", large, 1)):
        copies[name] = interleave(
            COPIES, options.rounds,
            with_setting(lambda setting, tool, source=source, count=count: measure_copy(setting, tool, source, goal, count)))
    return {"forward": summarize(forwards), "small_files": summarize(copies["small"]), "large_file": summarize(copies["large"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--file-size", type=int, default=4096)
    parser.add_argument("--large", default="4G")
    parser.add_argument("--folder")
    parser.add_argument("--record")
    options = parser.parse_args()
    godwit = os.path.abspath(os.environ.get("GODWIT", "build/release/godwit"))
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="godwit-compare-", dir=options.folder) as folder:
        tables = measure(options, godwit, pathlib.Path(folder))
    build = json.loads(subprocess.run([godwit, "version", "--json"], capture_output=True, text=True, check=True).stdout)
    result = {"schema": "godwit-tools", "schema_version": 1, "date": time.strftime("%Y-%m-%d", time.gmtime()), "commit": build["commit"],
              "build_type": build["build_type"], "machine": machine(), "load_before": round(load, 1), "rounds": options.rounds,
              "seconds": options.seconds, "files": options.files, "file_size": options.file_size,
              "large_bytes": parse_size(options.large),
              "versions": {"iperf3": version("iperf3", "--version"), "socat": version("socat", "-V"), "ssh": version("ssh", "-V"),
                           "rsync": version("rsync", "--version")}, **tables}
    text = json.dumps(result, indent=1) + "\n"
    if options.record:
        pathlib.Path(options.record).write_text(text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
