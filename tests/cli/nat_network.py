"""A small internet of network namespaces: a network 203.0.113.0/24 with a rendezvous at .1, and hosts on it, each open or behind an
address translation made of netfilter rules. Needs root, ip(8) and nft(8)."""
import os
import re
import shutil
import subprocess
import time

KINDS = ("open", "full-cone", "port-restricted", "symmetric")
RENDEZVOUS = "203.0.113.1"


class Unavailable(Exception):
    """Why there are no namespaces here."""


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")


def rules(kind, answers):
    """Of the translating host: eth0 is the network, eth1 the host behind it. `answers`: what nobody asked for is answered, which makes
    an entry that stands in the way of the host's own datagrams; otherwise it is dropped unseen."""
    source = {"full-cone": "masquerade persistent", "port-restricted": "masquerade persistent",
              "symmetric": "masquerade fully-random"}[kind]
    forward = 'iifname "eth0" meta l4proto udp dnat to 10.0.0.2' if kind == "full-cone" else ""
    drop = "" if answers else 'iifname "eth0" meta l4proto udp drop'
    return f"""
table ip nat {{
  chain in {{
    type nat hook prerouting priority -100;
    {forward}
  }}
  chain out {{
    type nat hook postrouting priority 100;
    oifname "eth0" {source}
  }}
}}
table ip filter {{
  chain unasked {{
    type filter hook input priority 0;
    {drop}
  }}
  chain through {{
    type filter hook forward priority 0;
    iifname "eth0" ct state new ct status & dnat == 0 drop
  }}
}}
"""


class Network:
    def __init__(self, prefix="gwn"):
        if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"):
            raise Unavailable("network namespaces need root, ip(8) and nft(8)")
        self.prefix = f"{prefix}{os.getpid()}"
        self.names = []
        self.hosts = 0
        try:
            self.wire = self.namespace("w")
        except RuntimeError as error:
            raise Unavailable(str(error)) from error
        run("ip", "-n", self.wire, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", self.wire, "link", "set", "bridge", "up")
        self.rendezvous = self.namespace("r")
        self.attach(self.rendezvous, RENDEZVOUS)

    def namespace(self, name):
        full = f"{self.prefix}{name}"
        run("ip", "netns", "add", full)
        self.names.append(full)
        run("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def attach(self, name, address):
        """eth0 of the namespace is on the network."""
        port = f"p{len(self.names)}"
        run("ip", "link", "add", port, "netns", self.wire, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "-n", self.wire, "link", "set", port, "master", "bridge", "up")
        run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")

    def host(self, kind, answers=False):
        """A host of one of KINDS; its namespace and the address that others see."""
        self.hosts += 1
        address = f"203.0.113.{10 + self.hosts}"
        if kind == "open":
            name = self.namespace(f"h{self.hosts}")
            self.attach(name, address)
            return name, address
        translator = self.namespace(f"n{self.hosts}")
        self.attach(translator, address)
        name = self.namespace(f"h{self.hosts}")
        run("ip", "link", "add", "eth1", "netns", translator, "type", "veth", "peer", "name", "eth0", "netns", name)
        for where, link, inside in ((translator, "eth1", "10.0.0.1"), (name, "eth0", "10.0.0.2")):
            run("ip", "-n", where, "addr", "add", f"{inside}/24", "dev", link)
            run("ip", "-n", where, "link", "set", link, "up")
        run("ip", "-n", name, "route", "add", "default", "via", "10.0.0.1")
        run("ip", "netns", "exec", translator, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        run("ip", "netns", "exec", translator, "nft", "-f", "-", text=rules(kind, answers))
        return name, address

    def move(self, name, address, port):
        """The host behind a translation gets another public address and port. Entries of the former address are dropped with it."""
        translator = self.names[self.names.index(name) - 1]
        shown = subprocess.run(["ip", "-n", translator, "-o", "-4", "addr", "show", "dev", "eth0"], capture_output=True, text=True,
                               check=True).stdout
        former = shown.split("inet ")[1].split()[0]
        run("ip", "netns", "exec", translator, "nft", "flush", "chain", "ip", "nat", "out")
        run("ip", "netns", "exec", translator, "nft", "add", "rule", "ip", "nat", "out", "oifname", "eth0", "meta", "l4proto", "udp",
            "masquerade", "to", f":{port}")
        run("ip", "-n", translator, "addr", "del", former, "dev", "eth0")
        run("ip", "-n", translator, "addr", "add", f"{address}/24", "dev", "eth0")

    def close(self):
        for name in reversed(self.names):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


class Cell:
    """Two hosts and a rendezvous: one listens, the other one pings it by its key."""

    def __init__(self, godwit, folder, listener, asker, answers=False, relay=True):
        self.godwit, self.folder = godwit, folder
        self.network = Network()
        self.processes = []
        try:
            self.listener, self.listener_address = self.network.host(listener, answers)
            self.asker, self.asker_address = self.network.host(asker, answers)
            pairs = "8" if relay else "0"
            self.via = self.start(self.network.rendezvous, "rendezvous", "--anyone", "--relay-pairs", pairs, "--bind",
                                  f"{RENDEZVOUS}:7000", "--key", self.key("rendezvous"))
        except BaseException:
            self.close()
            raise

    def key(self, name):
        path = os.path.join(self.folder, f"{name}.key")
        if not os.path.exists(path):
            subprocess.run([self.godwit, "keygen", "--out", path], check=True, capture_output=True)
        return path

    def command(self, where, *arguments):
        return ["ip", "netns", "exec", where, self.godwit, *map(str, arguments)]

    def start(self, where, *arguments):
        """A listening command; its key, at its address."""
        process = subprocess.Popen(self.command(where, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   cwd=self.folder)
        self.processes.append(process)
        address = process.stdout.readline().split()[-1]
        key = process.stdout.readline().split()[-1]
        process.public_key = key
        return f"{key}@{address}"

    def listen(self, *arguments):
        """Returns once the listener is registered."""
        self.start(self.listener, "listen", "--anyone", "--output", os.path.join(self.folder, "received"), "--via", self.via,
                   "--key", self.key("listener"), *arguments)
        process = self.processes[-1]
        deadline = time.monotonic() + 30
        while "registered at the rendezvous" not in (line := process.stderr.readline()):
            if not line or time.monotonic() > deadline:
                raise RuntimeError("the listener does not register")
        return process.public_key

    def ping(self, *arguments, timeout=60):
        """(path, seconds): direct, relay or None."""
        key = self.listen()
        begun = time.monotonic()
        done = subprocess.run(self.command(self.asker, "ping", "--via", self.via, "--to", key, "-c", "1", "--key", self.key("asker"),
                                           "--connect-timeout", "10s", *arguments),
                              capture_output=True, text=True, timeout=timeout, cwd=self.folder)
        seconds = time.monotonic() - begun
        answer = re.search(r"answer from ([0-9.]+):", done.stdout)
        if not answer:
            return None, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no answer"
        return ("relay" if answer.group(1) == RENDEZVOUS else "direct"), seconds

    def packets_sent(self):
        """By both hosts, to each other and to the rendezvous."""
        return sum(int(subprocess.run(["ip", "netns", "exec", where, "cat", "/sys/class/net/eth0/statistics/tx_packets"], check=True,
                                      capture_output=True, text=True).stdout) for where in (self.listener, self.asker))

    def close(self):
        for process in self.processes:
            process.kill()
            process.communicate()
        self.network.close()
