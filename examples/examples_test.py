"""The programs of examples/ talk to one another: each as the one that listens and as the one that dials."""
import subprocess
import sys
import unittest

FOLDER = sys.argv.pop(1)
PROGRAMS = ("echo_peer", "poll_loop")


class Examples(unittest.TestCase):
    def exchange(self, listener, dialler):
        with subprocess.Popen([f"{FOLDER}/{listener}"], stdout=subprocess.PIPE, text=True) as server:
            try:
                address = server.stdout.readline().split()[-1]
                key = server.stdout.readline().split()[-1]
                for text in ("hello", "x" * 1106, "long " * 20_000):
                    result = subprocess.run([f"{FOLDER}/{dialler}", address, key, text], capture_output=True, text=True,
                                            timeout=60, check=False)
                    self.assertEqual(result.returncode, 0, result)
                    self.assertEqual(result.stdout, text + "\n")
            finally:
                server.kill()

    def test_every_pair_exchanges_messages(self):
        for listener in PROGRAMS:
            for dialler in PROGRAMS:
                with self.subTest(listener=listener, dialler=dialler):
                    self.exchange(listener, dialler)

    def test_a_peer_with_another_key_is_an_error(self):
        with subprocess.Popen([f"{FOLDER}/poll_loop"], stdout=subprocess.PIPE, text=True) as server:
            try:
                address = server.stdout.readline().split()[-1]
                result = subprocess.run([f"{FOLDER}/echo_peer", address, "ab" * 32, "hello"], capture_output=True,
                                        text=True, timeout=60, check=False)
                self.assertEqual((result.returncode, result.stdout), (1, ""))
            finally:
                server.kill()


if __name__ == "__main__":
    unittest.main()
