"""The programs of examples/ (and the Python one) talk to one another: each as the one that listens and as the one that
connects.

    examples_test.py FOLDER LIBRARY
"""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

LIBRARY = sys.argv.pop()
FOLDER = sys.argv.pop()
ECHOES = ("echo_peer", "poll_loop", "echo_c")


class Examples(unittest.TestCase):
    def start(self, *words, **options):
        process = subprocess.Popen([f"{FOLDER}/{words[0]}", *words[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, **options)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        process.kill()
        process.communicate()

    def listen(self, *words, **options):
        process = self.start(*words, **options)
        address = process.stdout.readline().split()[-1]
        return process, address, process.stdout.readline().split()[-1]

    def run_program(self, *words, **options):
        return subprocess.run([f"{FOLDER}/{words[0]}", *words[1:]], capture_output=True, text=True, timeout=120,
                              check=False, **options)

    def test_every_pair_exchanges_messages(self):
        for listener in ECHOES:
            for initiator in ECHOES:
                with self.subTest(listener=listener, initiator=initiator):
                    _, address, key = self.listen(listener)
                    for text in ("hello", "x" * 1106, "long " * 20_000):
                        result = self.run_program(initiator, address, key, text)
                        self.assertEqual(result.returncode, 0, result)
                        self.assertEqual(result.stdout, text + "\n")

    def test_a_peer_with_another_key_is_an_error(self):
        _, address, _ = self.listen("poll_loop")
        for program in ("echo_peer", "echo_c"):
            result = self.run_program(program, address, "ab" * 32, "hello")
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertNotEqual(result.stderr, "")

    def test_two_people_chat(self):
        one, address, key = self.listen("chat", stdin=subprocess.PIPE)
        two = self.start("chat", address, key, stdin=subprocess.PIPE)
        self.assertIn("* connected with", one.stdout.readline())
        self.assertIn("* connected with", two.stdout.readline())
        two.stdin.write("good morning\nhow are you?\n")
        two.stdin.flush()
        self.assertEqual(one.stdout.readline(), "> good morning\n")
        self.assertEqual(one.stdout.readline(), "> how are you?\n")
        one.stdin.write("fine\n")
        one.stdin.flush()
        self.assertEqual(two.stdout.readline(), "> fine\n")
        two.stdin.write("the last words")  # without an end: not a line
        two.stdin.close()
        two.stdin = None
        self.assertIn("good bye", one.stdout.readline())
        self.assertEqual((two.wait(timeout=60), one.wait(timeout=60)), (0, 0))

    def test_a_thousand_calls_are_in_flight(self):
        _, address, key = self.listen("rpc")
        result = self.run_program("rpc", address, key, "20000")
        self.assertEqual(result.returncode, 0, result)
        self.assertRegex(result.stdout, r"^20000 calls answered, at most 1000 in flight, \d+ times refused\n$")

    def test_a_slow_reader_holds_the_sender_back(self):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder, "source")
            target = pathlib.Path(folder, "target")
            source.write_bytes(os.urandom(1 << 20) * 24)
            reader, address, key = self.listen("stream_file", str(target), "8000000")
            result = self.run_program("stream_file", address, key, str(source))
            self.assertEqual(result.returncode, 0, result)
            output, errors = reader.communicate(timeout=60)
            self.assertEqual(reader.returncode, 0, errors)
            self.assertEqual(hashlib.sha256(target.read_bytes()).digest(),
                             hashlib.sha256(source.read_bytes()).digest())
            # The window that the reader grants, and never more, was in its memory.
            self.assertLessEqual(int(output.split()[-2]), 1 << 20)

    def test_foreign_loops_feed_one_another_at_the_pace_of_the_reader(self):
        loops = [loop for loop in ("epoll_loop", "asio_loop") if pathlib.Path(FOLDER, loop).exists()]
        self.assertTrue(loops)
        for listener in loops:
            for source in loops:
                with self.subTest(listener=listener, source=source):
                    sink, address, key = self.listen(listener)
                    result = self.run_program(source, address, key, "12000000")
                    output, errors = sink.communicate(timeout=60)
                    self.assertEqual((result.returncode, sink.returncode), (0, 0), (result, errors))
                    self.assertRegex(result.stdout, r"^sent 12000000 bytes, refused [1-9]\d* times\n$")
                    received, most = (int(output.split()[place]) for place in (1, -2))
                    self.assertEqual(received, 12000000)
                    self.assertLessEqual(most, 256 << 10)  # the window that the reader grants, and never more

    def test_a_source_whose_reader_is_killed_says_so(self):
        sink, address, key = self.listen("epoll_loop")
        source = self.start("epoll_loop", address, key, "100000000000")
        time.sleep(0.5)
        self.assertIsNone(source.poll())
        sink.kill()
        output, errors = source.communicate(timeout=100)  # below the idle time-out of 120 s
        self.assertEqual((source.returncode, output), (1, ""))
        self.assertEqual(errors, "feed: the reader is silent: port unreachable\n")

    def test_python_exchanges_messages_with_the_others(self):
        try:
            import cffi  # noqa: F401  pylint: disable=import-outside-toplevel,unused-import
        except ImportError:
            self.skipTest("the Python package cffi is not installed")
        root = pathlib.Path(__file__).resolve().parent.parent / "bindings/python"
        environment = {**os.environ, "PYTHONPATH": str(root), "GODWIT_LIBRARY": LIBRARY, "PYTHONDONTWRITEBYTECODE": "1"}
        echo = str(root / "examples/echo.py")
        text = "long " * 20_000
        _, address, key = self.listen("echo_peer")
        result = subprocess.run([sys.executable, echo, address, key, text], capture_output=True, text=True, timeout=60,
                                check=False, env=environment)
        self.assertEqual((result.returncode, result.stdout), (0, text + "\n"), result.stderr)
        with subprocess.Popen([sys.executable, echo], stdout=subprocess.PIPE, text=True, env=environment) as server:
            try:
                address = server.stdout.readline().split()[-1]
                key = server.stdout.readline().split()[-1]
                result = self.run_program("echo_c", address, key, text)
                self.assertEqual((result.returncode, result.stdout), (0, text + "\n"), result.stderr)
            finally:
                server.kill()


if __name__ == "__main__":
    unittest.main()
