"""`godwit forward` of UDP ports, with real sockets."""
import json
import os
import signal
import socket
import threading
import unittest

from harness import Case, Server


class Echo:
    """Answers each datagram with itself, to whoever sent it, and remembers whom."""

    def __init__(self, case):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.seen = set()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        case.addCleanup(self.stop)

    def run(self):
        while True:
            data, address = self.socket.recvfrom(65536)
            if data == b"stop":
                return
            self.seen.add(address)
            self.socket.sendto(data, address)

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as killer:
            killer.sendto(b"stop", ("127.0.0.1", self.port))
        self.thread.join(10)
        self.socket.close()


class UdpForward(Case):
    def setUp(self):
        super().setUp()
        self.echo = Echo(self)

    def server(self, *options):
        return Server(self, "forward", "--listen", "--anyone", *options)

    def client(self, server, *options):
        """Its process, and the address that it says it forwards from."""
        process = self.start("forward", "--to", server.address, "--peer-key", server.key, *options)
        words = process.stdout.readline().split()
        self.assertEqual(words[0], "forwarding", process)
        return process, next(word for word in words if word.endswith("/udp"))

    def socket(self):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.settimeout(1)
        self.addCleanup(client.close)
        return client

    def ask(self, client, place, data):
        """Sends until the answer is there, as programs that use UDP do."""
        host, port = place.removesuffix("/udp").rsplit(":", 1)
        for _ in range(30):
            client.sendto(data, (host, int(port)))
            try:
                while True:
                    answer = client.recv(65536)
                    if answer == data:
                        return
            except TimeoutError:
                continue
        self.fail(f"no answer to {len(data)} bytes")

    def end(self, process):
        process.send_signal(signal.SIGINT)
        return process.communicate(timeout=60)

    def test_datagrams_of_every_size_go_there_and_back(self):
        target = f"127.0.0.1:{self.echo.port}/udp"
        server = self.server("--allow-target", target)
        process, place = self.client(server, "-L", f"0:{target}")
        client = self.socket()
        for size in (1, 0, 512, 513, 1092, 1093, 1472, 9000, 17472):
            self.ask(client, place, os.urandom(size))
        # What is longer is dropped, and what comes after it is not.
        client.sendto(os.urandom(17473), ("127.0.0.1", int(place.removesuffix("/udp").rsplit(":", 1)[1])))
        self.ask(client, place, b"still there")
        self.assertEqual(len(self.echo.seen), 1)
        _, errors = self.end(process)
        self.assertIn("UDP: 1 associations", errors)
        self.assertRegex(errors, "[1-9][0-9]* dropped")

    def test_each_sender_has_an_association_of_its_own(self):
        target = f"127.0.0.1:{self.echo.port}/udp"
        server = self.server("--allow-target", target)
        _, place = self.client(server, "-L", f"0:{target}")
        clients = [self.socket() for _ in range(20)]
        for turn in range(3):
            for number, client in enumerate(clients):
                self.ask(client, place, f"{turn} of {number}".encode())
        self.assertEqual(len(self.echo.seen), 20)

    def test_ports_of_the_other_side_come_here(self):
        server = self.server("--allow-listen", "0/udp")
        _, place = self.client(server, "-R", f"0:127.0.0.1:{self.echo.port}/udp")
        self.ask(self.socket(), place, b"hello")

    def test_tcp_and_udp_are_allowed_apart(self):
        target = f"127.0.0.1:{self.echo.port}"
        server = self.server("--allow-target", target, "--allow-listen", "0")
        process, place = self.client(server, "-L", f"0:{target}/udp")
        client = self.socket()
        # What comes before there is a connection is dropped.
        os.set_blocking(process.stderr.fileno(), False)

        def refused():
            client.sendto(b"hello", ("127.0.0.1", int(place.removesuffix("/udp").rsplit(":", 1)[1])))
            return "not allowed" in (process.stderr.readline() or "")
        self.wait_for(refused, "it is not refused")
        self.assertEqual(self.echo.seen, set())
        result = self.run_godwit("forward", "--to", server.address, "--peer-key", server.key, "-R", f"0:{target}/udp")
        self.assert_one_error(result, 1, "not allowed")

    def test_associations_are_bounded_and_end_with_silence(self):
        target = f"127.0.0.1:{self.echo.port}/udp"
        server = self.server("--allow-target", target)
        process = self.start("forward", "--to", server.address, "--peer-key", server.key, "-L", f"0:{target}", "--max-connections",
                             "2", "--udp-timeout", "1s", "--json")
        place = json.loads(process.stdout.readline())["listen"]
        self.ask(self.socket(), place, b"one")
        self.ask(self.socket(), place, b"two")
        # A third has no place until one of them has been silent for long enough.
        self.ask(self.socket(), place, b"three")
        output, _ = self.end(process)
        events = [json.loads(line) for line in output.splitlines()]
        udp = next(event for event in events if event["event"] == "udp")
        self.assertEqual((udp["associations"], udp["refused"]), (3, 0))
        self.assertGreaterEqual(udp["idle"], 1)
        self.assertGreaterEqual(udp["dropped"], 1, "of the third")
        ended = [event for event in events if event["event"] == "ended"]
        self.assertEqual([event["reason"] for event in ended if not event["complete"]], ["the connection has ended"] * (3 - udp["idle"]), ended)


if __name__ == "__main__":
    unittest.main()
