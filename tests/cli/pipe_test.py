"""`godwit pipe` between real processes: exact bytes in both directions, half-close, a reader that does not read, and ends."""
import contextlib
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import unittest

from harness import GODWIT, PATIENCE, SANITIZED, Case

WINDOW = 16 << 20


class Side:
    """One godwit pipe, with its input and output as pipes of bytes."""

    def __init__(self, case, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE):
        self.process = subprocess.Popen([GODWIT, "pipe", *map(str, arguments)], stdin=stdin, stdout=stdout,
                                        stderr=subprocess.PIPE, env=case.environment, cwd=case.folder)
        case.addCleanup(self.stop)
        self.output = b""
        self.errors = ""

    def write(self, data, close=True):
        """In a thread, as nobody may be reading."""
        def run():
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(data)
                self.process.stdin.flush()
                if close:
                    self.process.stdin.close()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def read_all(self):
        def run():
            self.output = self.process.stdout.read()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def finish(self):
        code = self.process.wait(PATIENCE)
        self.errors += self.process.stderr.read().decode()
        return code

    def resident_peak(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                with contextlib.suppress(OSError, ValueError):
                    stream.close()
        self.process.wait()


class PipeCase(Case):
    def listener(self, *options, **streams):
        side = Side(self, "--listen", "--bind", "127.0.0.1:0", *(options or ["--anyone"]), **streams)
        lines = []
        while len(lines) < 2:
            line = side.process.stderr.readline().decode()
            self.assertTrue(line, "the listener has ended")
            if line.startswith(("listening on ", "public key ")):
                lines.append(line.split()[2])
        side.address, side.key = lines
        return side

    def initiator(self, listener, *options, **streams):
        return Side(self, "--to", listener.address, "--peer-key", listener.key, *options, **streams)

    def pair(self, *options, **streams):
        listener = self.listener(*options, "--anyone", **streams)
        return listener, self.initiator(listener, *options, **streams)

    def assert_all_arrives(self, up, down, *options):
        listener, initiator = self.pair(*options)
        readers = [listener.read_all(), initiator.read_all()]
        initiator.write(up)
        listener.write(down)
        self.assertEqual((initiator.finish(), listener.finish()), (0, 0), initiator.errors + listener.errors)
        for reader in readers:
            reader.join(PATIENCE)
        self.assertEqual(hashlib.sha256(listener.output).digest(), hashlib.sha256(up).digest())
        self.assertEqual(hashlib.sha256(initiator.output).digest(), hashlib.sha256(down).digest())
        self.assertEqual(initiator.errors, "", "nothing is said when nothing has gone wrong")


class Pipe(PipeCase):
    def test_bytes_of_both_directions_arrive_exactly(self):
        self.assert_all_arrives(os.urandom(5_000_017), os.urandom(3_000_001))

    def test_a_bad_path_changes_no_byte(self):
        self.assert_all_arrives(os.urandom(1_500_000), os.urandom(700_000), "--drop", "0.03", "--reorder", "0.02",
                                "--duplicate", "0.02")

    def test_nothing_at_all_is_a_pipe_too(self):
        self.assert_all_arrives(b"", b"")
        self.assert_all_arrives(b"x", b"")

    def test_one_side_ends_its_input_and_still_gets_the_answer(self):
        listener, initiator = self.pair()
        initiator.write(b"question")
        self.assertEqual(listener.process.stdout.read(), b"question", "the end of the input has arrived")
        self.assertIsNone(initiator.process.poll())
        answer = os.urandom(2_000_000)
        reader = initiator.read_all()
        listener.write(answer)
        self.assertEqual((initiator.finish(), listener.finish()), (0, 0), initiator.errors + listener.errors)
        reader.join(PATIENCE)
        self.assertEqual(initiator.output, answer)

    def test_what_is_written_arrives_without_waiting_for_more(self):
        listener, initiator = self.pair()
        for text in (b"first\n", b"second\n"):
            initiator.write(text, close=False).join()
            self.assertEqual(os.read(listener.process.stdout.fileno(), 100), text)
            listener.write(text.upper(), close=False).join()
            self.assertEqual(os.read(initiator.process.stdout.fileno(), 100), text.upper())

    def test_files_are_read_and_written(self):
        source = self.folder / "source"
        source.write_bytes(os.urandom(3_000_000))
        with open(source, "rb") as data, open(os.devnull, "rb") as nothing, open(self.folder / "copy", "wb") as copy:
            listener = self.listener("--anyone", stdin=nothing, stdout=copy)
            initiator = self.initiator(listener, "--json-file", "report.json", stdin=data)
            self.assertEqual((initiator.finish(), listener.finish()), (0, 0), initiator.errors + listener.errors)
        self.assertEqual((self.folder / "copy").read_bytes(), source.read_bytes())
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual((report["schema"], report["complete"], report["sent_bytes"], report["received_bytes"]),
                         ("godwit-pipe", True, 3_000_000, 0))

    def test_a_socket_as_standard_input_and_output(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            listener = self.listener("--anyone", stdin=theirs, stdout=theirs)
            theirs.close()
            initiator = self.initiator(listener)
            initiator.write(b"to the socket")
            self.assertEqual(ours.recv(100), b"to the socket")
            self.assertEqual(ours.recv(100), b"", "its end")
            ours.sendall(b"back")
            ours.shutdown(socket.SHUT_WR)
            self.assertEqual(initiator.process.stdout.read(), b"back")
            self.assertEqual((initiator.finish(), listener.finish()), (0, 0), initiator.errors + listener.errors)

    def test_a_reader_that_does_not_read_holds_the_writer_up_in_flat_memory(self):
        data = os.urandom(1 << 20) * 160
        listener, initiator = self.pair()
        reader = initiator.read_all()
        initiator.write(data)
        taken = self.wait_for(lambda: self.stands_still(initiator), "the writer is not held up")
        # What may wait: a window on either side, and what the pipes of the system hold.
        self.assertLess(taken, 3 * WINDOW)
        self.assertGreater(taken, WINDOW)
        if not SANITIZED:
            for side in (listener, initiator):
                self.assertLess(side.resident_peak(), 150 << 20)
        digest = hashlib.sha256()
        while chunk := listener.process.stdout.read(1 << 20):
            digest.update(chunk)
        listener.process.stdin.close()
        self.assertEqual((initiator.finish(), listener.finish()), (0, 0), initiator.errors + listener.errors)
        reader.join(PATIENCE)
        self.assertEqual(digest.digest(), hashlib.sha256(data).digest())

    def stands_still(self, side):
        """Bytes that the process has read, once that does not change any more; else nothing."""
        def read_bytes():
            text = pathlib.Path(f"/proc/{side.process.pid}/io").read_text()
            return int(text.split()[1])
        before = read_bytes()
        threading.Event().wait(1)
        return before if before > 1 << 20 and read_bytes() == before else 0


class PipeEnds(PipeCase):
    def test_a_reader_that_has_gone_ends_both_sides(self):
        listener, initiator = self.pair()
        initiator.write(os.urandom(50_000_000))
        os.read(listener.process.stdout.fileno(), 10)
        listener.process.stdout.close()
        self.assertEqual((listener.finish(), initiator.finish()), (4, 1))
        self.assertNotIn("error", listener.errors)
        self.assertIn("nobody reads any more", initiator.errors)

    def test_a_reader_that_leaves_while_nothing_moves_is_noticed(self):
        listener, initiator = self.pair()
        initiator.write(b"x", close=False)
        os.read(listener.process.stdout.fileno(), 10)
        listener.process.stdout.close()
        self.assertEqual((listener.finish(), initiator.finish()), (4, 1))

    def test_a_full_disk_is_said(self):
        with open("/dev/full", "wb") as full:
            listener = self.listener("--anyone", stdout=full)
            initiator = self.initiator(listener)
            initiator.write(b"x" * 1000)
            self.assertEqual((listener.finish(), initiator.finish()), (4, 1))
        self.assertIn("cannot write to standard output", listener.errors)

    def test_an_interrupt_is_told_to_the_other_side(self):
        listener, initiator = self.pair()
        initiator.write(b"x", close=False)
        os.read(listener.process.stdout.fileno(), 10)
        initiator.process.send_signal(signal.SIGINT)
        self.assertEqual((initiator.finish(), listener.finish()), (130, 1))
        self.assertIn("interrupted", listener.errors)

    def test_a_dead_peer_is_found(self):
        listener, initiator = self.pair("--idle-timeout", "1s")
        initiator.write(b"x", close=False)
        os.read(listener.process.stdout.fileno(), 10)
        listener.process.kill()
        self.assertEqual(initiator.finish(), 1)
        self.assertEqual(initiator.errors.count("error"), 1, initiator.errors)
        self.assertIn("connection has ended", initiator.errors)

    def test_only_peers_that_are_allowed_get_in(self):
        mine = self.run_godwit("keygen", "--out", "mine.key").stdout.strip()
        self.run_godwit("keygen", "--out", "other.key")
        listener = self.listener("--allow", mine)
        other = self.initiator(listener, "--key", "other.key")
        self.assertEqual(other.finish(), 1)
        self.assertIn("not among those that may connect", other.errors)
        initiator = self.initiator(listener, "--key", "mine.key")
        initiator.write(b"hello")
        listener.process.stdin.close()
        self.assertEqual(listener.process.stdout.read(), b"hello")
        self.assertEqual((initiator.finish(), listener.finish()), (0, 0))

    def test_a_third_one_is_told_that_the_pipe_is_taken(self):
        listener, initiator = self.pair()
        initiator.write(b"x", close=False)
        os.read(listener.process.stdout.fileno(), 10)
        third = self.initiator(listener)
        self.assertEqual(third.finish(), 1)
        self.assertIn("this pipe has its other side", third.errors)
        initiator.process.stdin.close()
        listener.process.stdin.close()
        self.assertEqual((initiator.finish(), listener.finish()), (0, 0))

    def test_nobody_there_and_no_extended_sessions_are_unreachable(self):
        listener = self.listener()
        wrong = "0" * 62 + "09"
        side = Side(self, "--to", listener.address, "--peer-key", wrong, "--connect-timeout", "1s")
        self.assertEqual(side.finish(), 3)
        server = self.listen("--anyone", "--extended", "off")
        side = Side(self, "--to", server.address, "--peer-key", server.key)
        self.assertEqual(side.finish(), 3)
        self.assertIn("extended", side.errors)

    def test_a_listener_for_files_says_that_it_has_no_pipes(self):
        server = self.listen("--anyone", "--extended", "auto")
        side = Side(self, "--to", server.address, "--peer-key", server.key)
        side.write(b"hello")
        self.assertEqual(side.finish(), 1)
        self.assertEqual(side.errors.count("error"), 1, side.errors)

    def test_a_file_for_a_pipe_is_refused_with_a_reason(self):
        listener = self.listener()
        (self.folder / "file").write_bytes(b"x" * 1000)
        result = self.run_godwit("send", "--to", listener.address, "--peer-key", listener.key, "--extended", "auto",
                                 "file")
        self.assertEqual(result.returncode, 1, result)
        self.assertIn("godwit pipe", result.stderr)

    def test_wrong_arguments(self):
        key = "0" * 62 + "09"
        for arguments, words in (
                ([], "--listen"), (["--listen"], "--anyone"), (["--to", "127.0.0.1:1"], "--peer-key"),
                (["--listen", "--anyone", "--to", "127.0.0.1:1"], "--listen"),
                (["--to", "127.0.0.1:1", "--peer-key", key, "--anyone"], "--listen"),
                (["--listen", "--anyone", "--allow", key], "--a")):
            with self.subTest(arguments=arguments):
                self.assert_one_error(self.run_godwit("pipe", *arguments, stdin=subprocess.DEVNULL), 2, words)


if __name__ == "__main__":
    unittest.main()
