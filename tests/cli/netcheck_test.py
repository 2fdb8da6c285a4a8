"""`godwit netcheck` on loopback, and behind address translations in network namespaces."""
import json
import os
import socket
import subprocess
import unittest

from harness import GODWIT, PATIENCE, Case, Server
from nat_network import RENDEZVOUS, Cell, Unavailable


class Netcheck(Case):
    def rendezvous(self):
        server = Server(self, "rendezvous", "--anyone")
        return f"{server.key}@{server.address}"

    def test_on_loopback_nothing_is_translated(self):
        result = self.run_godwit("netcheck", "--via", self.rendezvous(), "--bind", "127.0.0.1:0", "--json")
        self.assertEqual(result.returncode, 0, result)
        found = json.loads(result.stdout)
        self.assertEqual(found["schema"], "godwit-netcheck")
        self.assertEqual((found["translated"], found["mapping_depends_on_destination"], found["filters_by_port"], found["hairpin"]),
                         (False, False, False, None), found)
        self.assertEqual(found["relay"]["works"], True)
        place, = found["rendezvous"]
        self.assertEqual((place["observed"], place["full_datagrams"], place["reason"]), (found["own_addresses"][0], True, None))
        self.assertGreater(place["round_trip_seconds"], 0)

    def test_one_that_does_not_answer_is_said_beside_one_that_does(self):
        good = self.rendezvous()
        nobody = f"{good.split('@')[0]}@127.0.0.1:9"
        result = self.run_godwit("netcheck", "--via", nobody, "--via", good)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("rendezvous        127.0.0.1:9: cannot connect", result.stdout)
        self.assertIn("translated        no", result.stdout)
        result = self.run_godwit("netcheck", "--via", nobody)
        self.assertEqual(result.returncode, 3, result)
        self.assertIn("no rendezvous has answered", result.stderr)
        self.assertIn("translated        not known", result.stdout)
        # The system has said that nobody listens there.
        self.assertIn("UDP               not known", result.stdout)

    def test_where_nothing_comes_in_udp_is_called_blocked(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            place = f"{'ab' * 32}@127.0.0.1:{silent.getsockname()[1]}"
            result = self.run_godwit("netcheck", "--via", place, "--json")
            self.assertEqual(result.returncode, 3, result)
            self.assertIs(json.loads(result.stdout)["udp"], False)
            nobody = self.run_godwit("keygen", "--out", "nobody.key").stdout.strip()
            result = self.run_godwit("ping", "--via", place, "--to", nobody, "-c", "1", "--connect-timeout", "4s")
            self.assert_one_error(result, 3, "a firewall drops UDP")

    def test_wrong_arguments(self):
        self.assert_one_error(self.run_godwit("netcheck"), 2, "--via")
        self.assertIn(self.run_godwit("netcheck", "--via", "nonsense").returncode, (2, 3))


class Translated(Case):
    def check(self, kind, answers=False, two=False):
        try:
            cell = Cell(os.path.abspath(GODWIT), str(self.folder), "open", kind, answers)
        except Unavailable as why:
            self.skipTest(str(why))
        self.addCleanup(cell.close)
        more = []
        if two:
            more = ["--via", cell.start(cell.network.rendezvous, "rendezvous", "--anyone", "--relay-pairs", "0", "--bind", f"{RENDEZVOUS}:7001",
                                        "--key", cell.key("second"))]
        result = subprocess.run(cell.command(cell.asker, "netcheck", "--via", cell.via, *more, "--json", "--key", cell.key("asker")),
                                capture_output=True, text=True, timeout=PATIENCE, cwd=self.folder)
        self.assertEqual(result.returncode, 0, result)
        found = json.loads(result.stdout)
        self.assertEqual(found["relay"]["works"], True, found)
        return (found["translated"], found["mapping_depends_on_destination"], found["filters_by_port"], found["hairpin"],
                found["unasked_datagrams_answered"])

    def test_a_port_restricted_translation(self):
        self.assertEqual(self.check("port-restricted"), (True, False, True, False, False))

    def test_a_router_that_answers_unasked_datagrams(self):
        self.assertEqual(self.check("port-restricted", answers=True), (True, False, True, False, True))

    def test_a_symmetric_translation(self):
        self.assertEqual(self.check("symmetric"), (True, True, True, False, None))

    def test_a_symmetric_translation_as_two_rendezvous_see_it(self):
        self.assertEqual(self.check("symmetric", two=True), (True, True, True, False, None))

    def test_a_full_cone(self):
        # The one host behind it gets whatever comes, to whichever port.
        self.assertEqual(self.check("full-cone"), (True, False, False, False, False))

    def test_an_open_host(self):
        self.assertEqual(self.check("open"), (False, False, False, None, False))


if __name__ == "__main__":
    unittest.main()
