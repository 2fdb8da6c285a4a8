"""Marks of congestion between real processes in network namespaces, over both families and every back end that sends in batches: a
router that marks, one that takes marks away, and one that loses what carries them (docs/extended_sessions.md, section 5.3). The router
is a rule of nft(8) where the packets enter the receiver's host; its counters say what really happened."""
import json
import re
import shutil
import subprocess
import unittest

from harness import GODWIT, PATIENCE, Server
from namespaces import NamespaceCase

RULES = """
table inet router {{
  counter marked {{ }}
  chain in {{
    type filter hook prerouting priority 0;
    meta l4proto udp {rule4}
    meta l4proto udp {rule6}
  }}
}}
"""
OBSERVER = """
table inet observer {
  counter capable { }
  chain out {
    type filter hook postrouting priority 0;
    meta l4proto udp ip ecn ect0 counter name capable
    meta l4proto udp ip6 ecn ect0 counter name capable
  }
}
"""


class Marks(NamespaceCase):
    def setUp(self):
        super().setUp()
        if shutil.which("nft") is None:
            raise unittest.SkipTest("the router needs nft(8)")
        self.nft(self.a, OBSERVER)

    def nft(self, host, rules):
        subprocess.run(self.on(host, "nft", "-f", "-"), input=rules, text=True, check=True, capture_output=True)

    def count(self, host, table, name):
        shown = subprocess.run(self.on(host, "nft", "list", "counter", "inet", table, name), check=True, capture_output=True, text=True)
        return int(re.search(r"packets (\d+)", shown.stdout).group(1))

    def router(self, action):
        self.nft(self.b, "table inet router\ndelete table inet router\n" +
                 RULES.format(rule4=action.format(ip="ip"), rule6=action.format(ip="ip6")))

    def perf(self, host, *options):
        """What a client in host a reports of sending 60 MB to a server in host b."""
        server = Server(self, "perf", "server", "--once", bind=f"{host}:7000", prefix=self.on(self.b))
        client = subprocess.run(
            self.on(self.a, GODWIT, "perf", "client", "--to", server.address, "--peer-key", server.key, "-n", "60M", "--json",
             "--max-datagram", "1200", *options), capture_output=True, text=True, env=self.environment, cwd=self.folder, timeout=PATIENCE)
        self.assertEqual(client.returncode, 0, client.stderr)
        self.assertEqual(server.finish(), 0, server.errors)
        report = json.loads(client.stdout)
        self.assertIs(report["results"][0]["digest_match"], True)
        return report["results"][0]

    def test_what_a_router_marks_is_told_over_both_families_and_every_back_end(self):
        for backend, *further in (["sendto"], ["mmsg"], ["gso"], ["uring"], ["gso", "--threads", "3"]):
            for host in ("10.9.0.2", "[fd00:9::2]"):
                with self.subTest(backend=backend, further=further, host=host):
                    self.router("{ip} ecn ect0 numgen random mod 20 0 {ip} ecn set ce counter name marked")
                    result = self.perf(host, "--backend", backend, "--congestion", "cubic", *further)
                    marked = self.count(self.b, "router", "marked")
                    self.assertGreater(marked, 0)
                    self.assertGreater(result["session"]["ecn_marks"], 0)
                    if backend in ("sendto", "mmsg"):  # a batch passes the router as one packet
                        self.assertLessEqual(result["session"]["ecn_marks"], marked)

    def test_a_router_that_takes_marks_away_ends_them(self):
        self.router("{ip} ecn ect0 {ip} ecn set not-ect counter name marked")
        result = self.perf("10.9.0.2", "--backend", "sendto")
        self.assertEqual(result["session"]["ecn_marks"], 0)
        self.assertLess(self.count(self.a, "observer", "capable"), 1000)

    def test_a_router_that_loses_what_is_marked_costs_the_test_alone(self):
        self.router("{ip} ecn ect0 counter name marked drop")
        self.perf("10.9.0.2", "--backend", "sendto")
        self.assertGreater(self.count(self.b, "router", "marked"), 0)
        self.assertLess(self.count(self.a, "observer", "capable"), 1000)

    def test_nothing_is_marked_where_it_is_switched_off(self):
        self.router("{ip} ecn ect0 counter name marked")
        self.perf("10.9.0.2", "--ecn", "off")
        self.assertEqual(self.count(self.a, "observer", "capable"), 0)


if __name__ == "__main__":
    unittest.main()
