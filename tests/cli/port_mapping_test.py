"""--port-mapping with a router that answers NAT-PMP, and with one that answers nothing, in network namespaces."""
import json
import pathlib
import signal
import subprocess
import sys
import unittest

from harness import GODWIT, PATIENCE
from namespaces import NamespaceCase, run

RESPONDER = pathlib.Path(__file__).with_name("natpmp_responder.py")


class PortMapping(NamespaceCase):
    def setUp(self):
        super().setUp()
        version = json.loads(self.run_godwit("version", "--json").stdout)
        if "NAT-PMP" not in (version["port_mapping"] or ""):
            self.skipTest("built without libnatpmp")
        run("ip", "-n", self.a, "route", "add", "default", "via", "10.9.0.2")

    def spawn(self, host, *command):
        process = subprocess.Popen(self.on(host, *map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment, cwd=self.folder)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def line(self, process, words):
        """The next line of its errors that has the words."""
        return next(line for line in process.stderr if words in line)

    def router(self, lifetime):
        process = self.spawn(self.b, sys.executable, RESPONDER, "203.0.113.7", lifetime)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def listen(self, *options):
        return self.spawn(self.a, GODWIT, "listen", "--anyone", "--bind", "0.0.0.0:4000", "--output", self.output, "--port-mapping", "auto",
                          *options)

    def test_the_mapped_port_is_in_the_ticket_renewed_and_given_back(self):
        router = self.router(4)
        listener = self.listen("--ticket")
        ticket = next(line.split()[1] for line in listener.stdout if line.startswith("ticket "))
        self.assertEqual(self.run_godwit("peers", "add", "mapped", ticket).returncode, 0)
        addresses = json.loads(self.run_godwit("peers", "list", "--json").stdout)["peers"][0]["addresses"]
        self.assertEqual(addresses[0], "203.0.113.7:4001")
        self.assertIn("10.9.0.1:4000", addresses)
        self.assertIn("203.0.113.7:4001 on to here, by NAT-PMP", self.line(listener, "router"))
        # The first request, and two renewals: the router gives a port for four seconds.
        for _ in range(3):
            self.assertEqual([router.stdout.readline() for _ in range(2)], ["address\n", "map 4000\n"])
        listener.send_signal(signal.SIGINT)
        listener.communicate(timeout=PATIENCE)
        self.assertEqual(listener.returncode, 0)
        lines = iter(router.stdout.readline, "")
        self.assertIn("unmap 4000\n", (line for line in lines if line.startswith("unmap")))

    def test_a_router_that_does_not_answer_is_said_and_changes_nothing_else(self):
        listener = self.listen("--ticket")
        self.assertTrue(self.line(listener, "no port is mapped"))
        self.assertTrue(any(line.startswith("ticket ") for line in listener.stdout))
        listener.send_signal(signal.SIGINT)
        listener.communicate(timeout=PATIENCE)
        self.assertEqual(listener.returncode, 0)

    def test_nothing_is_asked_of_the_router_unless_it_is_said(self):
        router = self.router(3600)
        listener = self.spawn(self.a, GODWIT, "listen", "--anyone", "--bind", "0.0.0.0:4000", "--output", self.output, "--ticket")
        self.assertTrue(any(line.startswith("ticket ") for line in listener.stdout))
        listener.send_signal(signal.SIGINT)
        listener.communicate(timeout=PATIENCE)
        router.kill()
        self.assertEqual(router.stdout.read(), "")


if __name__ == "__main__":
    unittest.main()
