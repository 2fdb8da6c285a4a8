"""A listener under attack: its memory stays bounded, whoever is honest is served, and it answers afterwards.

FLOOD names the hostile program (tests/flood/flood.cc). Every attack lasts some seconds and sends a bounded number of datagrams
over loopback; nothing here is a measurement of speed.
"""
import json
import os
import resource
import subprocess

from harness import GODWIT, SANITIZED, Case, random_file

FLOOD = os.environ["FLOOD"]
SECONDS = 4
# Resident memory that an attack may cost beyond what the listener had before: its tables at their bounds and what an
# allocator keeps. The faults that these tests hold off cost gigabytes.
MOST_GROWTH = (48 << 20) * (6 if SANITIZED else 1)


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def many_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))


class Flood(Case):
    def attack(self, mode, count, server, attempts=12):
        """Runs the attack, and honest pings meanwhile; returns what the attack says it did, and the growth in bytes."""
        before = resident(server.process.pid)
        flood = subprocess.Popen([FLOOD, mode, server.address, server.key, str(SECONDS), str(count)], text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=many_files)
        self.addCleanup(flood.kill)
        succeeded = attempted = 0
        while flood.poll() is None or attempted < attempts:
            attempted += 1
            result = self.run_godwit(*server.client("ping"), "-c", "1")
            succeeded += result.returncode == 0
            if attempted >= 200:
                break
        output, errors = flood.communicate(timeout=60)
        self.assertEqual(flood.returncode, 0, errors)
        growth = resident(server.process.pid) - before
        self.assertGreaterEqual(succeeded * 100, attempted * 99, f"{mode}: {succeeded} of {attempted} attempts succeeded")
        self.assertLessEqual(growth, MOST_GROWTH, f"{mode}: the listener grew by {growth} bytes")
        self.assertIsNone(server.process.poll(), f"{mode}: the listener has ended")
        return json.loads(output)

    def assert_still_serves(self, server):
        source = random_file(self.folder / "honest.bin", 100_000)
        result = self.send(server, source)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("honest.bin", self.received_names())

    def flood_a_listener(self, mode, count):
        server = self.listen()
        did = self.attack(mode, count, server)
        self.assert_still_serves(server)
        return did

    def test_junk_intros_from_thousands_of_addresses(self):
        did = self.flood_a_listener("junk-intros", 20_000)
        self.assertGreater(did["datagrams"], 2_000)

    def test_junk_packets_from_thousands_of_addresses(self):
        did = self.flood_a_listener("junk-packets", 20_000)
        self.assertGreater(did["datagrams"], 2_000)

    def test_valid_intros_from_thousands_of_addresses(self):
        did = self.flood_a_listener("intros", 6_000)
        self.assertGreater(did["datagrams"], 1_000)

    def test_half_open_handshakes_from_one_address(self):
        did = self.flood_a_listener("half-open", 4_000)
        self.assertGreater(did["datagrams"], 1_000)

    def test_connections_from_one_address(self):
        did = self.flood_a_listener("connections", 1_000)
        self.assertGreater(did["connections"], 50)

    def test_fragments_at_the_far_end_of_longest_streams(self):
        did = self.flood_a_listener("fragments", 2_000)
        self.assertEqual(did["connections"], 1)
        self.assertGreater(did["datagrams"], 1_000)

    def test_streams_that_never_go_on(self):
        did = self.flood_a_listener("streams", 3_000)
        self.assertEqual(did["connections"], 1)
        self.assertGreater(did["datagrams"], 1_000)

    def test_offers_of_files_that_never_come(self):
        did = self.flood_a_listener("offers", 3_000)
        self.assertEqual(did["connections"], 1)

    def test_readers_that_acknowledge_nothing(self):
        server = self.start("perf", "server", "--bind", "127.0.0.1:0")
        lines = [server.stdout.readline() for _ in range(2)]
        address, key = (line.split()[2] for line in lines)
        before = resident(server.pid)
        flood = subprocess.run([FLOOD, "slow-reader", address, key, str(SECONDS), "20"], capture_output=True, text=True,
                               timeout=60, check=True)
        self.assertEqual(json.loads(flood.stdout)["connections"], 1)
        self.assertLessEqual(resident(server.pid) - before, MOST_GROWTH)
        self.assertIsNone(server.poll())
        result = subprocess.run([GODWIT, "ping", "--to", address, "--peer-key", key, "-c", "1"], capture_output=True, text=True,
                                timeout=60, env=self.environment, cwd=self.folder, check=False)
        self.assertEqual(result.returncode, 0, result)
