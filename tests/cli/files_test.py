"""Files and messages between `godwit send` and `godwit listen`."""
import contextlib
import hashlib
import os
import pathlib
import signal
import socket
import subprocess
import time

from harness import GODWIT, PATIENCE, SANITIZED, Case, Server, random_file, sha256


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
        for backend in ["sendto", "connected", "mmsg", "gso", "uring", "posix"]:
            with self.subTest(backend):
                source = random_file(self.folder / f"{backend}.bin", 3 << 20)
                server = self.listen("--backend", "auto" if backend == "connected" else backend)
                result = self.send(server, source, "--backend", backend)
                if backend == "uring" and result.returncode == 2:
                    continue  # io_uring is often forbidden
                self.assertEqual(result.returncode, 0, result)
                self.assertEqual(sha256(self.output / source.name), sha256(source))
                server.stop()

    def test_several_threads_on_both_sides(self):
        faults = ["--drop", "0.01", "--reorder", "0.01"]
        for number, options in enumerate((["--threads", "2"], ["--threads", "4", "--max-datagram", "1200"],
                                          ["--threads", "3", "--max-datagram", "1200", *faults])):
            with self.subTest(options):
                source = random_file(self.folder / f"threads{number}.bin", 20 << 20)
                server = self.listen("--once", *options)
                result = self.send(server, source, *options)
                self.assertEqual(result.returncode, 0, result)
                self.assertEqual(server.finish(), 0, server.errors)
                self.assertEqual(sha256(self.output / source.name), sha256(source))

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

    def test_an_authenticated_peer_is_connected_to_and_may_send(self):
        # Both know each other: the listener connects to the sender's port, which proves the sender's key.
        source = random_file(self.folder / "data.bin", 1000)
        key = self.run_godwit("keygen", "--out", "sender.key").stdout.strip()
        port = free_port()
        server = self.listen("--once", "--allow", key, "--connect", f"{key}@127.0.0.1:{port}")
        result = self.send(server, "--key", "sender.key", "--bind", f"127.0.0.1:{port}", source)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(server.finish(), 0, server.errors)
        self.assertEqual(self.received_names(), ["data.bin"])

    def test_an_authenticated_peer_may_have_connected_first(self):
        source = random_file(self.folder / "data.bin", 1000)
        sender_key = self.run_godwit("keygen", "--out", "sender.key").stdout.strip()
        listener_key = self.run_godwit("keygen", "--out", "listener.key").stdout.strip()
        sender_port, listener_port = free_port(), free_port()
        sender = self.start("send", "--to", f"127.0.0.1:{listener_port}", "--peer-key", listener_key,
                            "--key", "sender.key", "--bind", f"127.0.0.1:{sender_port}", source)
        time.sleep(0.3)
        server = self.listen("--once", "--key", "listener.key", "--allow", sender_key, "--connect",
                             f"{sender_key}@127.0.0.1:{sender_port}", bind=f"127.0.0.1:{listener_port}")
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 0, errors)
        self.assertEqual(server.finish(), 0, server.errors)
        self.assertEqual(self.received_names(), ["data.bin"])

    def test_an_allowed_peer_is_taken_every_time(self):
        # Less than a second apart: the listener has not always connected to the sender when the sender connects.
        source = random_file(self.folder / "data.bin", 1000)
        key = self.run_godwit("keygen", "--out", "sender.key").stdout.strip()
        port = free_port()
        server = self.listen("--allow", key, "--connect", f"{key}@127.0.0.1:{port}")
        for pause in (0, 0, 0.3, 0.3, 0.8, 0.8):
            time.sleep(pause)
            result = self.send(server, "--key", "sender.key", "--bind", f"127.0.0.1:{port}", source)
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(self.received_names()), 6)
        server.finish(signal.SIGINT)
        self.assertNotIn("refused", server.errors)

    def test_another_key_at_an_allowed_address_sends_nothing(self):
        source = random_file(self.folder / "data.bin", 1000)
        allowed = self.run_godwit("keygen", "--out", "allowed.key").stdout.strip()
        self.run_godwit("keygen", "--out", "other.key")
        port = free_port()
        server = self.listen("--allow", allowed, "--connect", f"{allowed}@127.0.0.1:{port}")
        result = self.send(server, "--key", "other.key", "--bind", f"127.0.0.1:{port}", "--idle-timeout", "10", source)
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(self.received_names(), [])

    def test_the_default_folder_is_one_of_its_own(self):
        source = random_file(self.folder / ".bash_login", 10)
        chosen = self.folder / "chosen"
        settings = self.folder / "config"
        settings.mkdir()
        cases = [({}, self.folder / "Downloads" / "godwit")]
        cases.append(({"user-dirs": 'XDG_DOWNLOAD_DIR="$HOME/Got it"\n'}, self.folder / "Got it" / "godwit"))
        cases.append(({"XDG_DOWNLOAD_DIR": str(chosen)}, chosen / "godwit"))
        for environment, folder in cases:
            with self.subTest(str(folder)):
                if text := environment.pop("user-dirs", None):
                    (settings / "user-dirs.dirs").write_text("# a comment\nXDG_DESKTOP_DIR=\"$HOME/Desktop\"\n" + text)
                self.environment.update(environment)
                server = Server(self, "listen", "--anyone")
                self.assertEqual(self.send(server, source).returncode, 0)
                self.assertEqual([path.name for path in folder.iterdir()], ["%2Ebash_login"])
                server.finish(signal.SIGINT)

    def test_who_may_send_is_said_at_the_start(self):
        outbound = "ab" * 32 + "@127.0.0.1:9"
        for options, said, warned in (([], True, True), (["--connect", outbound], True, True), (["--anyone"], True, False),
                                      (["--allow", "ab" * 32, "--connect", outbound], False, False)):
            with self.subTest(options=options):
                server = self.listen(*options)
                server.finish(signal.SIGINT)
                self.assertEqual("anyone who knows this address and key can send" in server.errors, said, server.errors)
                self.assertEqual("warning" in server.errors, warned, server.errors)
        # A key that nothing connects to can prove nothing, and the others can.
        server = self.listen("--extended", "off", "--allow", "ab" * 32, "--allow", "cd" * 32, "--connect", "ab" * 32 + "@127.0.0.1:9")
        server.finish(signal.SIGINT)
        self.assertIn(f"every file of --allow {'cd' * 32} is refused", server.errors)
        self.assertNotIn(f"every file of --allow {'ab' * 32}", server.errors)
        both = self.run_godwit("listen", "--anyone", "--allow", "ab" * 32)
        self.assert_one_error(both, 2, "--anyone")

    def test_totals_of_nothing_take_nothing(self):
        empty = random_file(self.folder / "empty", 0)
        for options, words in ((["--max-total", "0"], "no more bytes"), (["--max-files", "0"], "no more files")):
            server = self.listen(*options)
            self.assert_one_error(self.send(server, empty), 1, words)
        server = self.listen("--max-files", "2")
        result = self.send(server, empty, empty, empty)
        self.assertEqual(result.returncode, 1, result)
        self.assertEqual(self.received_names(), ["empty", "empty.1"])

    def test_standard_input_pipes_and_files_of_the_kernel_are_sent_to_their_end(self):
        server = self.listen()
        data = os.urandom(3_000_000)
        for arguments, name in ((["-"], "stdin"), (["-", "--name", "data.bin"], "data.bin"), (["/dev/stdin"], "stdin.1")):
            result = subprocess.run([GODWIT, *server.client("send"), *arguments], input=data, capture_output=True,
                                    env=self.environment, timeout=PATIENCE, check=False)
            self.assertEqual(result.returncode, 0, result)
            self.assertEqual((self.output / name).read_bytes(), data)
        result = self.send(server, "/proc/cpuinfo", "/sys/kernel/mm/transparent_hugepage/enabled")
        self.assertEqual(result.returncode, 0, result)
        self.assertGreater((self.output / "cpuinfo").stat().st_size, 0)

    def listen_to_standard_output(self, *options, **more):
        return Server(self, "listen", "--output", "-", "--anyone", *options, json_lines=True, **more)

    def test_one_file_goes_to_standard_output_and_nothing_else_does(self):
        # Text, as the harness reads it, with loss that brings later pieces first.
        source = self.folder / "words"
        source.write_text("".join(f"line {number}\n" for number in range(800_000)))
        server = self.listen_to_standard_output("--drop", "0.01")
        sender = self.start(*server.client("send"), "--drop", "0.01", source)
        self.assertEqual(server.finish(), 0, server.errors)
        self.assertEqual(sender.wait(timeout=PATIENCE), 0)
        self.assertEqual(hashlib.sha256(server.output.encode()).hexdigest(), sha256(source))
        self.assertIn("received words", server.errors)

    def test_a_second_file_is_refused_where_one_goes_to_standard_output(self):
        one, other = self.folder / "one", self.folder / "other"
        for file in (one, other):
            file.write_text(file.name)
        server = self.listen_to_standard_output()
        result = self.send(server, one, other)
        self.assertEqual(result.returncode, 1, result)
        self.assertIn("takes one file", result.stderr)
        self.assertEqual(server.finish(), 0, server.errors)
        self.assertIn(server.output, ("one", "other"))
        wrong = self.run_godwit("listen", "--output", "-", "--json")
        self.assert_one_error(wrong, 2, "--json")

    def test_a_reader_of_standard_output_that_leaves_fails_both_sides(self):
        source = random_file(self.folder / "data.bin", 5_000_000)
        server = self.listen_to_standard_output()
        server.process.stdout.close()
        result = self.send(server, source)
        self.assertEqual(result.returncode, 1, result)
        self.assertIn("standard output cannot be written: Broken pipe", result.stderr)
        server.process.stdout = None
        self.assertEqual(server.finish(), 1, server.errors)

    def test_a_slow_reader_of_standard_output_ends_with_the_listener(self):
        source = random_file(self.folder / "data.bin", 30_000_000)
        server = self.listen_to_standard_output()
        sender = self.start(*server.client("send"), source)
        self.assertTrue(server.process.stdout.buffer.read(100))
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(timeout=PATIENCE), 130)
        self.assertEqual(sender.wait(timeout=PATIENCE), 1)

    def test_a_file_that_grows_is_an_error(self):
        source = random_file(self.folder / "grows", 2_000_000)
        server = self.listen()
        sender = self.start(*server.client("send"), "--rate", "10M", source)
        self.wait_for_partial_file("grows")
        with open(source, "ab") as file:
            file.write(b"more")
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 1, errors)
        self.assertIn("'grows' grew while it was being sent", errors)

    def test_one_bad_file_stops_no_other(self):
        strange = os.fsencode(self.folder) + b"/caf\xe9.txt"
        with open(strange, "wb") as file:
            file.write(b"x")
        good = random_file(self.folder / "good", 10)
        server = self.listen()
        result = self.run_godwit(*server.client("send"), "/dev/full", os.fsdecode(strange), self.folder / "missing", good)
        self.assertEqual(result.returncode, 1, result)
        self.assertIn("is a device", result.stderr)
        self.assertIn("No such file", result.stderr)
        self.assertIn("was sent as 'caf%E9.txt'", result.stderr)
        self.assertEqual(self.received_names(), ["caf%E9.txt", "good"])

    def test_mode_and_time_travel(self):
        source = random_file(self.folder / "tool", 10)
        source.chmod(0o4755)
        os.utime(source, ns=(1_577_836_800_000_000_001, 1_577_836_800_000_000_001))
        server = self.listen(preexec=lambda: os.umask(0o027))
        self.assertEqual(self.send(server, source).returncode, 0)
        status = (self.output / "tool").stat()
        self.assertEqual((status.st_mode & 0o7777, status.st_mtime_ns), (0o750, 1_577_836_800_000_000_001))

    def test_many_small_files_over_a_long_path(self):
        files = [random_file(self.folder / f"{i:03}.bin", 1000) for i in range(400)]
        server = self.listen("--delay", "20ms")
        began = time.monotonic()
        result = self.send(server, "--delay", "20ms", *files)
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(len(self.received_names()), 400)
        # Four at a time would take 12 s at the least; a busy machine may need a few.
        self.assertLess(time.monotonic() - began, 10)
