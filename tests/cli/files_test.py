"""Files and messages between `godwit send` and `godwit listen`."""
import contextlib
import hashlib
import os
import pathlib
import signal
import socket
import time

from harness import PATIENCE, SANITIZED, Case, random_file, sha256


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Files(Case):
    def check_transfer(self, size, *send_options, listen_options=(), bind="127.0.0.1:0", name="data.bin"):
        source = random_file(self.folder / name, size)
        server = self.listen("--once", *listen_options, bind=bind)
        result = self.send(server, source, *send_options)
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(server.finish(), 0, server.errors)
        self.assertEqual(self.received_names(), [name])
        self.assertEqual(sha256(self.output / name), sha256(source))
        self.assertIn(sha256(source), result.stdout)
        self.assertIn(sha256(source), server.output)
        return result, server

    def test_a_file_arrives_with_the_same_hash(self):
        self.check_transfer(40 << 20)

    def test_sizes_around_the_edges_of_fragments_and_streams(self):
        server = self.listen()
        sizes = [0, 1, 1097, 1098, 1099, (16 << 20) - 1, 16 << 20, (16 << 20) + 1]
        files = [random_file(self.folder / f"{size}.bin", size) for size in sizes]
        result = self.send(server, *files)
        self.assertEqual(result.returncode, 0, result)
        for file in files:
            self.assertEqual(sha256(self.output / file.name), sha256(file))

    def test_over_ipv6(self):
        if not socket.has_ipv6:
            self.skipTest("no IPv6")
        self.check_transfer(5 << 20, bind="[::1]:0")

    def test_with_loss_reordering_duplication_and_corruption_on_both_sides(self):
        faults = ["--drop", "0.01", "--reorder", "0.01", "--duplicate", "0.01", "--corrupt", "0.005"]
        result, _ = self.check_transfer(20 << 20, *faults, listen_options=faults)
        self.assertRegex(result.stdout, r"[1-9][0-9]* resent")

    def test_every_back_end(self):
        for backend in ["sendto", "connected", "mmsg", "gso", "uring"]:
            with self.subTest(backend):
                source = random_file(self.folder / f"{backend}.bin", 3 << 20)
                server = self.listen("--backend", "auto" if backend == "connected" else backend)
                result = self.send(server, source, "--backend", backend)
                if backend == "uring" and result.returncode == 2:
                    continue  # io_uring is often forbidden
                self.assertEqual(result.returncode, 0, result)
                self.assertEqual(sha256(self.output / source.name), sha256(source))
                server.stop()

    def test_a_slow_window_and_a_small_buffer(self):
        self.check_transfer(3 << 20, listen_options=["--window", "64k", "--receive-buffer", "200k"])

    def test_names_that_are_taken_get_a_number(self):
        source = random_file(self.folder / "a.tar.gz", 1000)
        server = self.listen()
        for _ in range(3):
            self.assertEqual(self.send(server, source).returncode, 0)
        self.assertEqual(self.received_names(), ["a.tar.1.gz", "a.tar.2.gz", "a.tar.gz"])

    def test_messages_are_told_with_their_hash(self):
        server = self.listen()
        result = self.send(server, "--message", "hello")
        self.assertEqual(result.returncode, 0, result)
        server.finish(signal.SIGINT)
        self.assertIn("5 bytes, sha256 " + hashlib.sha256(b"hello").hexdigest(), server.output)

    def test_the_key_is_renewed_on_the_way(self):
        # 4000 packets are 4.5 MB: a file of 60 MB needs a dozen keys, in steps of whole streams.
        result, _ = self.check_transfer(60 << 20, "--soft-packet-limit", "4000")
        self.assertEqual(result.returncode, 0)

    def test_many_files_and_messages_at_once(self):
        files = [random_file(self.folder / f"{i:03}.bin", 1000 * i) for i in range(150)]
        server = self.listen()
        result = self.send(server, "--message", "one", "--message", "two", *files)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("2 messages confirmed", result.stdout)
        self.assertEqual(self.received_names(), [file.name for file in files])
        for file in files:
            self.assertEqual(sha256(self.output / file.name), sha256(file))

    def test_messages_alone(self):
        server = self.listen()
        result = self.send(server, "--message", "x" * 1106)
        self.assertEqual((result.returncode, result.stdout.splitlines()[0]), (0, "1 message confirmed"), result)
        for wrong in ("", "x" * 1107):
            self.assert_one_error(self.send(server, "--message", wrong), 2, "a message has 1 to 1106 bytes")

    def test_beyond_one_streams_limit_in_flat_memory(self):
        # 165,675,008 bytes are the most that one stream of the wire may carry.
        size = 170_000_000
        source = self.folder / "large.bin"
        block = os.urandom(1 << 20)
        with open(source, "wb") as file:
            for _ in range(size >> 20):
                file.write(block)
            file.write(block[:size & 0xFFFFF])
        server = self.listen()
        sender = self.start(*server.client("send"), source)
        highest = 0
        while sender.poll() is None:
            for process in (sender, server.process):
                with contextlib.suppress(OSError, IndexError):
                    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                    highest = max(highest, int(status.split("VmHWM:")[1].split()[0]))
            time.sleep(0.02)
        self.assertEqual(sender.returncode, 0, sender.communicate())
        self.assertEqual(sha256(self.output / "large.bin"), sha256(source))
        self.assertGreater(highest, 0)
        if not SANITIZED:
            self.assertLess(highest, 80_000, "kilobytes of resident memory")

    def test_an_authenticated_peer_is_dialled_and_may_send(self):
        # Both know each other: the listener dials the sender's port, which proves the sender's key.
        source = random_file(self.folder / "data.bin", 1000)
        key = self.run_godwit("keygen", "--out", "sender.key").stdout.strip()
        port = free_port()
        server = self.listen("--once", "--allow", key, "--dial", f"{key}@127.0.0.1:{port}")
        result = self.send(server, "--key", "sender.key", "--bind", f"127.0.0.1:{port}", source)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(server.finish(), 0, server.errors)
        self.assertEqual(self.received_names(), ["data.bin"])

    def test_an_authenticated_peer_may_have_dialled_first(self):
        source = random_file(self.folder / "data.bin", 1000)
        sender_key = self.run_godwit("keygen", "--out", "sender.key").stdout.strip()
        listener_key = self.run_godwit("keygen", "--out", "listener.key").stdout.strip()
        sender_port, listener_port = free_port(), free_port()
        sender = self.start("send", "--to", f"127.0.0.1:{listener_port}", "--peer-key", listener_key,
                            "--key", "sender.key", "--bind", f"127.0.0.1:{sender_port}", source)
        time.sleep(0.3)
        server = self.listen("--once", "--key", "listener.key", "--allow", sender_key, "--dial",
                             f"{sender_key}@127.0.0.1:{sender_port}", bind=f"127.0.0.1:{listener_port}")
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 0, errors)
        self.assertEqual(server.finish(), 0, server.errors)
        self.assertEqual(self.received_names(), ["data.bin"])
