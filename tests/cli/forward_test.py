"""`godwit forward` between real processes: TCP connections in both directions, half-close, resets, peers that do not read, many
connections at once, and what may not be reached."""
import contextlib
import hashlib
import json
import os
import pathlib
import signal
import socket
import struct
import threading
import unittest

from harness import PATIENCE, SANITIZED, Case, Server


class TcpServer:
    """A TCP server on loopback; `serve` is called with each connection, in a thread of its own."""

    def __init__(self, case, serve):
        self.serve = serve
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        threading.Thread(target=self.run, daemon=True).start()
        case.addCleanup(self.listener.close)

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.accepted += 1
                threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(PATIENCE)
            self.serve(connection)


def read_to_end(connection):
    data = bytearray()
    while chunk := connection.recv(1 << 16):
        data += chunk
    return bytes(data)


def echo_at_the_end(connection):
    """Answers only when the other direction has ended: what needs half-close."""
    connection.sendall(b"answer to " + hashlib.sha256(read_to_end(connection)).hexdigest().encode())


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class ForwardCase(Case):
    def listener(self, *options):
        options = options if "--allow" in options else [*options, "--anyone"]
        return Server(self, "forward", "--listen", *map(str, options))

    def forwarder(self, server, *options, count=1):
        """A client, and the ports that it listens at."""
        client = self.start("forward", "--to", server.address, "--peer-key", server.key, *options)
        ports = []
        for _ in range(count):
            line = client.stdout.readline()
            self.assertRegex(line, r"^forwarding ", client.poll() is not None and client.stderr.read())
            ports.append(int(line.split(" to ")[0].rsplit(":", 1)[1]))
        client.ports = ports
        return client

    def local(self, target_port, *options):
        """A forward of a free port to a port of this machine."""
        server = self.listener("--allow-target", f"127.0.0.1:{target_port}", *options)
        client = self.forwarder(server, "-L", f"0:127.0.0.1:{target_port}", *options)
        return server, client

    def connect(self, port):
        connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def resident_peak(self, process):
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    def assert_resets(self, connection):
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            while connection.recv(1 << 16):
                pass
            connection.sendall(b"x" * (1 << 20))


class Forward(ForwardCase):
    def test_both_directions_and_the_end_of_one(self):
        target = TcpServer(self, echo_at_the_end)
        _, client = self.local(target.port)
        data = os.urandom(3_000_001)
        connection = self.connect(client.ports[0])
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(read_to_end(connection), b"answer to " + hashlib.sha256(data).hexdigest().encode())

    def test_a_target_that_speaks_first_and_ends_first(self):
        data = os.urandom(2_000_000)
        heard = []

        def serve(connection):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            heard.append(read_to_end(connection))

        target = TcpServer(self, serve)
        _, client = self.local(target.port)
        connection = self.connect(client.ports[0])
        self.assertEqual(read_to_end(connection), data)
        connection.sendall(b"still open")
        connection.close()
        self.wait_for(lambda: heard, "the other direction is cut off")
        self.assertEqual(heard, [b"still open"])

    def test_a_port_over_there_leads_here(self):
        target = TcpServer(self, echo_at_the_end)
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        server = self.listener("--allow-listen", port)
        self.forwarder(server, "-R", f"{port}:127.0.0.1:{target.port}")
        connection = self.connect(port)
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(read_to_end(connection), b"answer to " + hashlib.sha256(b"hello").hexdigest().encode())

    def test_two_hundred_connections_at_once_on_a_bad_path(self):
        target = TcpServer(self, echo_at_the_end)
        _, client = self.local(target.port, "--drop", "0.01")
        failures = []

        def one(number):
            try:
                data = os.urandom(1000 + 531 * number)
                connection = self.connect(client.ports[0])
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                expected = b"answer to " + hashlib.sha256(data).hexdigest().encode()
                if read_to_end(connection) != expected:
                    failures.append(number)
            except OSError as error:
                failures.append((number, error))

        threads = [threading.Thread(target=one, args=(number,)) for number in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(failures, [])
        self.assertEqual(target.accepted, 200)

    def test_more_connections_than_there_may_be_wait_their_turn(self):
        target = TcpServer(self, echo_at_the_end)
        server = self.listener("--allow-target", f"127.0.0.1:{target.port}")
        client = self.forwarder(server, "-L", f"0:127.0.0.1:{target.port}", "--max-connections", "2")
        waiting = [self.connect(client.ports[0]) for _ in range(5)]
        for number, connection in enumerate(waiting):
            connection.sendall(b"%d" % number)
            connection.shutdown(socket.SHUT_WR)
        for number, connection in enumerate(waiting):
            self.assertEqual(read_to_end(connection), b"answer to " + hashlib.sha256(b"%d" % number).hexdigest().encode())

    def test_the_client_connects_again_when_the_connection_is_lost(self):
        target = TcpServer(self, echo_at_the_end)
        options = ["--allow-target", f"127.0.0.1:{target.port}", "--idle-timeout", "1s"]
        server = self.listener(*options)
        client = self.forwarder(server, "-L", f"0:127.0.0.1:{target.port}", "--idle-timeout", "1s")
        before = self.connect(client.ports[0])
        before.sendall(b"x")
        self.wait_for(lambda: target.accepted == 1, "no connection")
        server.process.kill()
        server.process.wait()
        self.assert_resets(before)
        Server(self, "forward", "--listen", "--anyone", *options, bind=server.address)
        after = self.connect(client.ports[0])
        after.sendall(b"again")
        after.shutdown(socket.SHUT_WR)
        self.assertEqual(read_to_end(after), b"answer to " + hashlib.sha256(b"again").hexdigest().encode())

    def test_json_says_what_happened(self):
        target = TcpServer(self, echo_at_the_end)
        server = Server(self, "forward", "--listen", "--anyone", "--allow-target", f"127.0.0.1:{target.port}", "--json",
                        json_lines=True)
        client = self.forwarder(server, "-L", f"0:127.0.0.1:{target.port}")
        connection = self.connect(client.ports[0])
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        answer = read_to_end(connection)
        listening = json.loads(server.process.stdout.readline())
        self.assertEqual((listening["event"], listening["public_key"]), ("listening", server.key))
        ended = json.loads(server.process.stdout.readline())
        self.assertEqual((ended["schema"], ended["event"], ended["complete"], ended["from_peer_bytes"], ended["to_peer_bytes"]),
                         ("godwit-forward-event", "ended", True, 5, len(answer)))


class ForwardEnds(ForwardCase):
    def test_a_reset_of_the_target_is_a_reset_here(self):
        target = TcpServer(self, lambda connection: (connection.recv(1), reset(connection)))
        _, client = self.local(target.port)
        connection = self.connect(client.ports[0])
        connection.sendall(b"x")
        self.assert_resets(connection)
        # And nothing else has suffered.
        again = self.connect(client.ports[0])
        again.sendall(b"x")
        self.assert_resets(again)

    def test_a_reset_here_is_a_reset_at_the_target(self):
        outcome = []

        def serve(connection):
            try:
                while connection.recv(1 << 16):
                    pass
                outcome.append("end")
            except ConnectionResetError:
                outcome.append("reset")

        target = TcpServer(self, serve)
        _, client = self.local(target.port)
        connection = self.connect(client.ports[0])
        connection.sendall(b"x" * 100_000)
        self.wait_for(lambda: target.accepted == 1, "no connection")
        reset(connection)
        self.wait_for(lambda: outcome, "the target is told nothing")
        self.assertEqual(outcome, ["reset"])

    def test_targets_that_never_read_take_bounded_memory_and_hold_nobody_up(self):
        hold = threading.Event()
        self.addCleanup(hold.set)
        stuck = TcpServer(self, lambda connection: hold.wait(PATIENCE))
        fine = TcpServer(self, echo_at_the_end)
        targets = ["--allow-target", f"127.0.0.1:{stuck.port}", "--allow-target", f"127.0.0.1:{fine.port}"]
        server = self.listener(*targets)
        client = self.forwarder(server, "-L", f"0:127.0.0.1:{stuck.port}", "-L", f"0:127.0.0.1:{fine.port}", count=2)
        block = b"x" * (1 << 16)
        for _ in range(24):
            connection = self.connect(client.ports[0])
            connection.settimeout(1)
            with contextlib.suppress(TimeoutError):
                for _ in range(1000):
                    connection.sendall(block)
                self.fail("64 MiB went to a target that reads nothing")
        data = os.urandom(2_000_000)
        connection = self.connect(client.ports[1])
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(read_to_end(connection), b"answer to " + hashlib.sha256(data).hexdigest().encode())
        if not SANITIZED:
            # A window of 1 MiB for each of them on either side, and the rest of the program.
            self.assertLess(self.resident_peak(server.process), 120 << 20)
            self.assertLess(self.resident_peak(client), 120 << 20)

    def test_a_target_that_refuses_and_one_that_is_not_allowed(self):
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
            closed = free.getsockname()[1]
        forbidden = TcpServer(self, lambda connection: connection.sendall(b"secret"))
        server = self.listener("--allow-target", f"127.0.0.1:{closed}")
        client = self.forwarder(server, "-L", f"0:127.0.0.1:{closed}", "-L", f"0:127.0.0.1:{forbidden.port}", count=2)
        for port, words in zip(client.ports, ("Connection refused", "not allowed")):
            self.assert_resets(self.connect(port))
            self.assertIn(words, client.stderr.readline())
        self.assertEqual(forbidden.accepted, 0)

    def test_a_port_that_may_not_be_listened_at(self):
        server = self.listener("--allow-target", "127.0.0.1:1")
        result = self.run_godwit("forward", "--to", server.address, "--peer-key", server.key, "-R", "0:127.0.0.1:1")
        self.assert_one_error(result, 1, "not allowed")

    def test_only_peers_that_are_allowed_get_in(self):
        mine = self.run_godwit("keygen", "--out", "mine.key").stdout.strip()
        self.run_godwit("keygen", "--out", "other.key")
        server = self.listener("--allow-target", "127.0.0.1:1", "--allow", mine)
        result = self.run_godwit("forward", "--to", server.address, "--peer-key", server.key, "-L", "0:127.0.0.1:1", "--key",
                                 "other.key")
        self.assertEqual(result.returncode, 1, result)
        self.assertIn("not among those that may connect", result.stderr)
        self.forwarder(server, "-L", "0:127.0.0.1:1", "--key", "mine.key")

    def test_signals_end_it(self):
        target = TcpServer(self, echo_at_the_end)
        server, client = self.local(target.port)
        connection = self.connect(client.ports[0])
        connection.sendall(b"x")
        self.wait_for(lambda: target.accepted == 1, "no connection")
        client.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(PATIENCE), 130, "a connection was cut off")
        self.assert_resets(connection)
        self.assertEqual(server.finish(signal.SIGINT), 0)

    def test_nobody_there(self):
        free = Server.free_port()
        port = free.getsockname()[1]
        free.close()
        key = self.run_godwit("keygen", "--out", "k").stdout.strip()
        result = self.run_godwit("forward", "--to", f"127.0.0.1:{port}", "--peer-key", key, "-L", "0:127.0.0.1:1",
                                 "--connect-timeout", "1s")
        self.assertEqual(result.returncode, 3, result)

    def test_wrong_arguments(self):
        key = "0" * 62 + "09"
        to = ["--to", "127.0.0.1:1", "--peer-key", key]
        for arguments, words in (
                ([], "--listen"), (to, "-L"), (["--listen", "--anyone"], "--allow-target"),
                (["--listen", "--allow-target", "a:1"], "--anyone"), ([*to, "-L", "1:2"], "[BIND:]PORT:HOST:PORT"),
                ([*to, "-L", "0:a:1", "--anyone"], "--listen"), ([*to, "--listen", "--anyone", "--allow-target", "a:1"], "--to"),
                (["--listen", "--anyone", "--allow-target", "host"], "HOST:PORT")):
            with self.subTest(arguments=arguments):
                self.assert_one_error(self.run_godwit("forward", *arguments), 2, words)

    def test_a_port_that_is_taken_is_said_at_once(self):
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
            port = taken.getsockname()[1]
            result = self.run_godwit("forward", "--to", "127.0.0.1:1", "--peer-key", "0" * 62 + "09", "-L",
                                     f"{port}:127.0.0.1:1")
        self.assert_one_error(result, 2, "cannot listen at")


if __name__ == "__main__":
    unittest.main()
