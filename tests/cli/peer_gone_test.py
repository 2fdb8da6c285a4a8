"""A peer that goes away, comes back, or moves: noticed within seconds, not at the idle time-out of two minutes."""
import json
import os
import select
import signal
import socket
import subprocess
import threading
import time

from harness import GODWIT, PATIENCE, Case, Server, random_file, sha256

SECONDS = 45  # far below the idle time-out, and generous to a busy machine


class Rebinding:
    """A NAT on loopback in front of a server, which gives the client another port when told to."""

    def __init__(self, server):
        self.target = tuple((server.rsplit(":", 1)[0], int(server.rsplit(":", 1)[1])))
        self.inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inside.bind(("127.0.0.1", 0))
        self.outside = self.new_outside()
        self.rebind = threading.Event()
        self.stopping = threading.Event()
        self.passed = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @staticmethod
    def new_outside():
        outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        outside.bind(("127.0.0.1", 0))
        return outside

    @property
    def address(self):
        return "127.0.0.1:%d" % self.inside.getsockname()[1]

    def run(self):
        client = None
        while not self.stopping.is_set():
            for ready in select.select([self.inside, self.outside], [], [], 0.1)[0]:
                try:
                    datagram, sender = ready.recvfrom(65536)
                    if ready is self.inside:
                        client = sender
                        self.passed += 1
                        self.outside.sendto(datagram, self.target)
                    elif client:
                        self.inside.sendto(datagram, client)
                except OSError:
                    pass  # a port unreachable on its way
            if self.rebind.is_set():
                self.rebind.clear()
                self.outside.close()
                self.outside = self.new_outside()

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.inside.close()
        self.outside.close()


class PeerGone(Case):
    def test_a_listener_that_restarts_gets_the_file(self):
        source = random_file(self.folder / "data.bin", 20_000_000)
        server = self.listen()
        sender = self.start(*server.client("send"), source, "--rate", "20M", "--json")
        self.wait_for_partial_file("data.bin")
        server.process.kill()
        server.process.wait()
        self.listen(bind=server.address)
        output, errors = sender.communicate(timeout=SECONDS)
        self.assertEqual(sender.returncode, 0, errors)
        self.assertIn("has restarted", errors)
        self.assertEqual(json.loads(output)["reconnections"], 1)
        self.assertEqual(sha256(self.output / "data.bin"), sha256(source))

    def test_a_file_outlives_a_new_port_at_the_nat(self):
        source = random_file(self.folder / "data.bin", 5_000_000)
        server = self.listen()
        nat = Rebinding(server.address)
        self.addCleanup(nat.stop)
        sender = self.start("send", "--to", nat.address, "--peer-key", server.key, source, "--rate", "10M")
        self.wait_for_partial_file("data.bin")
        nat.rebind.set()
        _, errors = sender.communicate(timeout=SECONDS)
        self.assertEqual(sender.returncode, 0, errors)
        self.assertEqual(self.received_names(), ["data.bin"])
        self.assertEqual(sha256(self.output / "data.bin"), sha256(source))

    def test_a_receiver_that_is_gone_for_good_ends_the_send_within_seconds(self):
        source = random_file(self.folder / "data.bin", 20_000_000)
        server = self.listen()
        sender = self.start(*server.client("send"), source, "--rate", "20M")
        self.wait_for_partial_file("data.bin")
        server.process.kill()
        _, errors = sender.communicate(timeout=SECONDS)
        self.assertEqual(sender.returncode, 1, errors)
        self.assertIn("the peer has gone: port unreachable", errors)
        self.assertNotIn("answers again", errors)

    def test_an_outage_is_waited_out_and_nothing_is_sent_twice(self):
        source = random_file(self.folder / "data.bin", 5_000_000)
        server = self.listen()
        sender = self.start(*server.client("send"), source, "--rate", "10M", "--json")
        self.wait_for_partial_file("data.bin")
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)  # shorter than what is suspect
        server.process.send_signal(signal.SIGCONT)
        output, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 0, errors)
        self.assertEqual(json.loads(output)["reconnections"], 0)

    def test_a_killed_perf_client_leaves_the_server_to_the_next_one(self):
        server = Server(self, "perf", "server")
        client = self.start(*server.client("perf", "client"), "-t", "60", "--rate", "20M")
        line = server.process.stdout.readline()
        self.assertIn("begins", line)
        client.kill()
        client.wait()
        self.assert_served_within(server, SECONDS)

    def test_a_perf_client_whose_server_is_killed_ends_within_seconds(self):
        server = Server(self, "perf", "server")
        client = self.start(*server.client("perf", "client"), "-t", "60", "--rate", "20M")
        self.assertIn("begins", server.process.stdout.readline())
        server.process.kill()
        _, errors = client.communicate(timeout=SECONDS)
        self.assertEqual(client.returncode, 1, errors)
        self.assertIn("the peer has gone", errors)

    def test_a_client_that_holds_its_last_datagrams_back_still_says_goodbye(self):
        server = Server(self, "perf", "server")
        result = self.run_godwit(*server.client("perf", "client"), "-t", "0.3", "--rate", "10M", "--delay", "20ms")
        self.assertEqual(result.returncode, 0, result)
        self.assert_served_within(server, 20)

    def assert_served_within(self, server, seconds):
        deadline = time.monotonic() + seconds
        while True:
            result = self.run_godwit(*server.client("perf", "client"), "-t", "0.1", "--rate", "1M")
            if result.returncode == 0:
                return
            self.assertLess(time.monotonic(), deadline, result)
            time.sleep(0.5)

    def test_a_ping_whose_peer_ends_reports_the_loss(self):
        server = self.listen()
        ping = subprocess.Popen([GODWIT, *server.client("ping"), "-i", "20ms", "-c", "100000"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=self.environment)
        self.addCleanup(ping.kill)
        for _ in range(3):
            ping.stdout.readline()
        server.finish(signal.SIGINT)
        output, errors = ping.communicate(timeout=SECONDS)
        self.assertEqual(ping.returncode, 1, output + errors)
        self.assertIn("the connection has ended", errors)

    def test_a_ping_whose_peer_is_killed_counts_what_is_lost(self):
        server = self.listen()
        ping = subprocess.Popen([GODWIT, *server.client("ping"), "-i", "50ms", "-c", "12", "-W", "200ms", "--json"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)
        self.addCleanup(ping.kill)
        server_gone = threading.Timer(0.3, lambda: os.kill(server.process.pid, signal.SIGKILL))
        server_gone.start()
        output, _ = ping.communicate(timeout=SECONDS)
        report = json.loads(output)
        self.assertLess(report["answered"], report["sent"])
        self.assertGreater(report["lost_share"], 0)

    def test_an_idle_timeout_below_the_ping_interval_keeps_a_healthy_connection(self):
        short = ["--idle-timeout", "1s"]
        for ours, theirs in ((short, short), (short, []), ([], short)):
            with self.subTest(server=ours, client=theirs):
                server = self.listen(*ours)
                result = self.run_godwit(*server.client("ping"), "-c", "2", "-i", "4s", *theirs)
                self.assertEqual(result.returncode, 0, result)
                self.assertIn("2 answered", result.stdout)
                server.stop()
