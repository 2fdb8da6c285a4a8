"""--port-mapping and netcheck with a real router, miniupnpd, in network namespaces: PCP, NAT-PMP and UPnP. The mapped port is one that
reaches the listener from outside, and it is gone at the end."""
import pathlib
import shutil
import signal
import subprocess
import unittest

from harness import GODWIT, PATIENCE
from namespaces import NamespaceCase, run

ROUTER = shutil.which("miniupnpd") or ("/usr/sbin/miniupnpd" if pathlib.Path("/usr/sbin/miniupnpd").exists() else None)
# miniupnpd maps no ports of addresses that are reserved, as those for documents are; these stay in the namespaces.
OUTSIDE, FURTHER = "11.0.0.7", "11.0.0.9"
TABLES = """
table inet filter {
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
  chain forward {
    type filter hook forward priority 0; policy accept;
    jump miniupnpd
  }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    jump prerouting_miniupnpd
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    jump postrouting_miniupnpd
    oifname "outside" masquerade
  }
}
"""
SETTINGS = """
ext_ifname=outside
listening_ip={cable}
port=5000
enable_natpmp={pmp}
enable_upnp={upnp}
secure_mode=no
system_uptime=yes
uuid=2a0b9b05-7b7b-4a3c-8f1b-4c2f5a6d9e01
allow 1024-65535 10.9.0.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


class Router(NamespaceCase):
    def setUp(self):
        super().setUp()
        if ROUTER is None or shutil.which("nft") is None:
            self.skipTest("a real router needs miniupnpd (Debian: miniupnpd-nftables) and nft(8)")
        # self.a is the listener, self.b its router, and self.c a host outside.
        self.c = f"{self.b}c"
        try:
            run("ip", "netns", "add", self.c)
        except subprocess.CalledProcessError as error:
            self.skipTest(f"no network namespaces here: {error.stderr}")
        self.addCleanup(subprocess.run, ["ip", "netns", "del", self.c], capture_output=True)
        run("ip", "link", "add", "outside", "netns", self.b, "type", "veth", "peer", "name", "eth0", "netns", self.c)
        for host, link, address in ((self.b, "outside", f"{OUTSIDE}/24"), (self.c, "eth0", f"{FURTHER}/24")):
            run("ip", "-n", host, "addr", "add", address, "dev", link)
            run("ip", "-n", host, "link", "set", link, "up")
        run("ip", "-n", self.c, "link", "set", "lo", "up")
        run("ip", "-n", self.a, "route", "add", "default", "via", "10.9.0.2")
        run("ip", "netns", "exec", self.b, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        subprocess.run(self.on(self.b, "nft", "-f", "-"), input=TABLES, text=True, check=True)

    def router(self, pmp=True, upnp=True):
        settings = pathlib.Path(self.folder) / "router.conf"
        settings.write_text(SETTINGS.format(cable=self.cable, pmp="yes" if pmp else "no", upnp="yes" if upnp else "no"))
        process = subprocess.Popen(self.on(self.b, ROUTER, "-d", "-f", str(settings), "-P", f"{self.folder}/router.pid"),
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        for line in process.stdout:
            if ("NAT-PMP/PCP traffic" if pmp else "HTTP listening") in line:
                return process
        self.skipTest(f"miniupnpd does not start here (exit code {process.wait()})")

    def mapped_by(self, way, words):
        listener = subprocess.Popen(self.on(self.a, GODWIT, "listen", "--anyone", "--bind", "0.0.0.0:4000", "--output",
                                            str(self.output), "--port-mapping", way), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True, env=self.environment, cwd=self.folder)
        self.addCleanup(listener.communicate)
        self.addCleanup(listener.kill)
        said = next((line for line in listener.stderr if "router" in line or "mapped" in line), "")
        self.assertIn(f"on to here, by {words}", said)
        self.assertIn(f"{OUTSIDE}:", said)
        port = said.split(f"{OUTSIDE}:")[1].split()[0]
        key = next(line.split()[-1] for line in listener.stdout if "key" in line)
        # From a host outside, which the listener has never sent to.
        ping = subprocess.run(self.on(self.c, GODWIT, "ping", "--to", f"{OUTSIDE}:{port}", "--peer-key", key, "-c", "1"),
                              capture_output=True, text=True, env=self.environment, cwd=self.folder, timeout=PATIENCE)
        self.assertEqual(ping.returncode, 0, ping.stderr)
        listener.send_signal(signal.SIGINT)
        listener.communicate(timeout=PATIENCE)
        self.assertEqual(listener.returncode, 0)
        rules = subprocess.run(self.on(self.b, "nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd"), capture_output=True,
                               text=True, check=True).stdout
        self.assertNotIn("dnat", rules, "the port has been given back")

    def test_pcp(self):
        self.router()
        self.mapped_by("auto", "PCP")

    def test_nat_pmp(self):
        self.router()
        self.mapped_by("nat-pmp", "NAT-PMP")

    def test_upnp(self):
        self.router(pmp=False)
        self.mapped_by("upnp", "UPnP")


if __name__ == "__main__":
    unittest.main()
