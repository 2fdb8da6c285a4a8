"""A small internet of network namespaces: a network 203.0.113.0/24 with a rendezvous at .1 and a router for each site, and behind each
router a host that is open or behind one or two address translations made of netfilter rules. So there are two routers between two
translations, as there are more on the real internet: what is to open only the sender's translation can expire on the way. Needs root,
ip(8) and nft(8)."""
import os
import re
import shutil
import subprocess
import time

KINDS = ("open", "full-cone", "port-restricted", "symmetric")
# Further sites, which the matrix pairs with some of these: a translation behind a translation, both restricted by port, two hosts
# behind the same translation, and a firewall without any translation.
DOUBLE, SHARED, FIREWALL = "double", "one router", "IPv6 firewall"
RENDEZVOUS = "203.0.113.1"
RENDEZVOUS_IPV6 = "2001:db8::1"


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


def firewall_rules(answers):
    """What nobody asked for is dropped, or refused with an answer."""
    return f"""
table ip6 filter {{
  chain through {{
    type filter hook forward priority 0;
    iifname "eth0" ct state new {'reject' if answers else 'drop'}
  }}
}}
"""


class Network:
    def __init__(self, prefix="gwn"):
        if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"):
            raise Unavailable("network namespaces need root, ip(8) and nft(8)")
        self.prefix = f"{prefix}{os.getpid()}"
        self.names = []
        self.sites = 0
        self.links = 0
        self.core = []  # namespaces on the network, each with the routes to all sites
        self.routes = []
        self.translators = []
        try:
            self.wire = self.namespace("w")
        except RuntimeError as error:
            raise Unavailable(str(error)) from error
        run("ip", "-n", self.wire, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", self.wire, "link", "set", "bridge", "up")
        self.rendezvous = self.namespace("r")
        self.attach(self.rendezvous, RENDEZVOUS, RENDEZVOUS_IPV6)

    def namespace(self, name):
        full = f"{self.prefix}{name}"
        run("ip", "netns", "add", full)
        self.names.append(full)
        run("ip", "-n", full, "link", "set", "lo", "up")
        self.inside(full, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        return full

    @staticmethod
    def inside(name, *command, text=None):
        run("ip", "netns", "exec", name, *command, text=text)

    def routes_for(self, name):
        self.inside(name, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    @staticmethod
    def add_addresses(name, link, *addresses):
        for address in addresses:
            run("ip", "-n", name, "addr", "add", address, "dev", link)
        run("ip", "-n", name, "link", "set", link, "up")

    def attach(self, name, address, address6):
        """eth0 of the namespace is on the network."""
        self.links += 1
        port = f"p{self.links}"
        run("ip", "link", "add", port, "netns", self.wire, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "-n", self.wire, "link", "set", port, "master", "bridge", "up")
        self.add_addresses(name, "eth0", f"{address}/24", f"{address6}/64")
        for route in self.routes:
            run("ip", "-n", name, "route", "add", *route)
        self.core.append(name)

    @staticmethod
    def join(outer, link, outer_addresses, inner, inner_addresses, gateways):
        """`link` of the outer one to eth0 of the inner one, whose default routes go there."""
        run("ip", "link", "add", link, "netns", outer, "type", "veth", "peer", "name", "eth0", "netns", inner)
        Network.add_addresses(outer, link, *outer_addresses)
        Network.add_addresses(inner, "eth0", *inner_addresses)
        for gateway in gateways:
            run("ip", "-n", inner, "route", "add", "default", "via", gateway)

    def site(self):
        """The router of a new site, its namespace, and the IPv4 and IPv6 networks behind it, without their last digits."""
        self.sites += 1
        n = self.sites
        router = self.namespace(f"e{n}")
        self.attach(router, f"203.0.113.{10 + n}", f"2001:db8::{10 + n}")
        self.routes_for(router)
        routes = [(f"198.51.100.{16 * n}/28", "via", f"203.0.113.{10 + n}"), (f"2001:db8:{n}::/48", "via", f"2001:db8::{10 + n}")]
        for name in self.core:
            if name != router:
                for route in routes:
                    run("ip", "-n", name, "route", "add", *route)
        self.routes += routes
        return router, n

    def host(self, kind, answers=False):
        """A host of one of KINDS, or DOUBLE, SHARED or FIREWALL; its namespace and the address that others see."""
        if kind == SHARED and self.translators:
            return self.second_host()
        router, n = self.site()
        first = 16 * n + 1
        address, gateway = f"198.51.100.{first + 1}", f"198.51.100.{first}"
        if kind == "open":
            name = self.namespace(f"h{n}")
            self.join(router, "eth1", [f"{gateway}/28"], name, [f"{address}/28"], [gateway])
            return name, address
        if kind == FIREWALL:
            return self.behind_firewall(router, n, answers)
        translator = self.namespace(f"n{n}")
        self.join(router, "eth1", [f"{gateway}/28"], translator, [f"{address}/28"], [gateway])
        self.translate(translator, "port-restricted" if kind in (DOUBLE, SHARED) else kind, answers)
        if kind == DOUBLE:
            own = self.namespace(f"m{n}")
            self.join(translator, "eth1", ["100.64.0.1/24"], own, ["100.64.0.2/24"], ["100.64.0.1"])
            self.translate(own, "port-restricted", answers)
            translator = own
        name = self.namespace(f"h{n}")
        if kind == SHARED:
            run("ip", "-n", translator, "link", "add", "eth1", "type", "bridge")
            self.add_addresses(translator, "eth1", "10.0.0.1/24")
            self.translators.append((translator, address))
            self.join_bridge(translator, "port1", name, "10.0.0.2")
        else:
            self.join(translator, "eth1", ["10.0.0.1/24"], name, ["10.0.0.2/24"], ["10.0.0.1"])
        return name, address

    def move(self, name, port):
        """The host behind a translation gets the next public address, and another port. Entries of the former address are dropped with
        it."""
        translator = self.names[self.names.index(name) - 1]
        shown = subprocess.run(["ip", "-n", translator, "-o", "-4", "addr", "show", "dev", "eth0"], capture_output=True, text=True,
                               check=True).stdout
        former, bits = shown.split("inet ")[1].split()[0].split("/")
        network, last = former.rsplit(".", 1)
        self.inside(translator, "nft", "flush", "chain", "ip", "nat", "out")
        self.inside(translator, "nft", "add", "rule", "ip", "nat", "out", "oifname", "eth0", "meta", "l4proto", "udp", "masquerade", "to",
                    f":{port}")
        run("ip", "-n", translator, "addr", "del", f"{former}/{bits}", "dev", "eth0")
        run("ip", "-n", translator, "addr", "add", f"{network}.{int(last) + 1}/{bits}", "dev", "eth0")
        # The default route went with the address: the router has the first address of the network.
        run("ip", "-n", translator, "route", "replace", "default", "via", f"{network}.{int(last) // 16 * 16 + 1}")

    def join_bridge(self, translator, port, name, address):
        run("ip", "link", "add", port, "netns", translator, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "-n", translator, "link", "set", port, "master", "eth1", "up")
        self.add_addresses(name, "eth0", f"{address}/24")
        run("ip", "-n", name, "route", "add", "default", "via", "10.0.0.1")

    def second_host(self):
        translator, address = self.translators[0]
        name = self.namespace("h0")
        self.join_bridge(translator, "port2", name, "10.0.0.3")
        return name, address

    def behind_firewall(self, router, n, answers):
        firewall, name = self.namespace(f"n{n}"), self.namespace(f"h{n}")
        self.join(router, "eth1", [f"2001:db8:{n}::1/64"], firewall, [f"2001:db8:{n}::2/64"], [f"2001:db8:{n}::1"])
        run("ip", "-n", router, "route", "add", f"2001:db8:{n}:1::/64", "via", f"2001:db8:{n}::2")
        self.routes_for(firewall)
        self.join(firewall, "eth1", [f"2001:db8:{n}:1::1/64"], name, [f"2001:db8:{n}:1::2/64"], [f"2001:db8:{n}:1::1"])
        self.inside(firewall, "nft", "-f", "-", text=firewall_rules(answers))
        return name, f"2001:db8:{n}:1::2"

    def translate(self, name, kind, answers):
        self.routes_for(name)
        self.inside(name, "nft", "-f", "-", text=rules(kind, answers))

    def close(self):
        for name in reversed(self.names):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


class Ping:
    """What a `ping` through the rendezvous has seen: the path of its first answer ("direct", "relay" or None) and when it came, when
    the first direct answer came (None: not within the time that it was given), and why there was none at all."""

    def __init__(self):
        self.first = self.seconds = self.direct_seconds = None
        self.why = ""

    @property
    def path(self):
        return "direct" if self.direct_seconds is not None else self.first


class Cell:
    """Two hosts and a rendezvous: one listens, the other one pings it by its key."""

    def __init__(self, godwit, folder, listener, asker, answers=False, relay=True):
        self.godwit, self.folder = godwit, folder
        self.network = Network()
        self.processes = []
        self.rendezvous = f"[{RENDEZVOUS_IPV6}]" if listener == FIREWALL else RENDEZVOUS
        self.pairs = "8" if relay else "0"
        try:
            self.listener, self.listener_address = self.network.host(listener, answers)
            self.asker, self.asker_address = self.network.host(asker, answers)
            self.via = self.start_rendezvous()
        except BaseException:
            self.close()
            raise

    def start_rendezvous(self):
        return self.start(self.network.rendezvous, "rendezvous", "--anyone", "--relay-pairs", self.pairs, "--bind",
                          f"{self.rendezvous}:7000", "--key", self.key("rendezvous"))

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

    def ping(self, *arguments, patience=4.0):
        """Pings until an answer has come directly, or for `patience` seconds."""
        key = self.listen()
        begun = time.monotonic()
        process = subprocess.Popen(self.command(self.asker, "ping", "--via", self.via, "--to", key, "-c", str(int(patience / 0.1)),
                                                "-i", "100ms", "--key", self.key("asker"), "--connect-timeout", "10s", *arguments),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder)
        self.processes.append(process)
        result = Ping()
        for line in process.stdout:
            answer = re.search(r"answer from (\S+):\d+:", line)
            if not answer:
                continue
            direct = answer.group(1) != self.rendezvous
            if result.first is None:
                result.first, result.seconds = "direct" if direct else "relay", time.monotonic() - begun
            if direct:
                result.direct_seconds = time.monotonic() - begun
                break
        process.kill()
        _, errors = process.communicate()
        if result.first is None:
            result.why = errors.strip().splitlines()[-1] if errors.strip() else "no answer"
        return result

    def cut_direct_way(self):
        """The router of the listener's site passes on nothing between the two hosts any more."""
        site = next(name for name in self.network.names if name.endswith("e1"))
        self.network.inside(site, "nft", "-f", "-", text=f"""
table ip cut {{
  chain forward {{
    type filter hook forward priority 0;
    ip saddr {self.asker_address} drop
    ip daddr {self.asker_address} drop
  }}
}}
""")

    def packets_sent(self):
        """By both hosts, to each other and to the rendezvous."""
        return sum(int(subprocess.run(["ip", "netns", "exec", where, "cat", "/sys/class/net/eth0/statistics/tx_packets"], check=True,
                                      capture_output=True, text=True).stdout) for where in (self.listener, self.asker))

    def close(self):
        for process in self.processes:
            process.kill()
            process.communicate()
        self.network.close()
