"""What the tests of the command line share: real processes over loopback, each test in a folder of its own.

GODWIT names the program, GODWIT_LAB is not empty where it has the laboratory's commands, GODWIT_PROBED_PROGRAM names the program
with cost probes where it is built. No key of this machine is touched.
"""
import contextlib
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

GODWIT = os.environ["GODWIT"]
LAB = bool(os.environ.get("GODWIT_LAB"))
PROBED = os.environ.get("GODWIT_PROBED_PROGRAM", "")
SANITIZED = os.environ.get("GODWIT_SANITIZE", "")
PATIENCE = 120  # seconds; for machines that are busy, not for Godwit


def random_file(path, size):
    path.write_bytes(os.urandom(size))
    return path


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


class Server:
    """A listening godwit, with its address and key read from its first two lines."""

    def __init__(self, case, *arguments, bind="127.0.0.1:0", preexec=None, json_lines=False, stderr=None, prefix=()):
        """`stderr`: a file for the log; without one it is read."""
        log = open(stderr, "w") if stderr else subprocess.PIPE
        command = [*prefix, GODWIT, *arguments, "--bind", bind]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True,
                                        env=case.environment, preexec_fn=preexec, cwd=case.folder)
        if stderr:
            log.close()
        case.addCleanup(self.stop)
        source = self.process.stderr if json_lines else self.process.stdout
        lines = []
        while len(lines) < 2:
            line = source.readline()
            if not line:
                break
            if line.startswith(("listening on ", "public key ")):
                lines.append(line.split()[2])
        if len(lines) != 2:
            raise AssertionError(f"{command} said {lines}: {self.process.communicate()}")
        self.address, self.key = lines
        self.output = self.errors = ""

    @staticmethod
    def free_port():
        """A socket on a port that is free once it is closed."""
        free = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        free.bind(("127.0.0.1", 0))
        return free

    def client(self, *command):
        return [*command, "--to", self.address, "--peer-key", self.key]

    def finish(self, signal_number=None):
        """Waits for the end (after a signal, if one is given) and returns the exit code."""
        if signal_number is not None:
            self.process.send_signal(signal_number)
        self.output, self.errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        with contextlib.suppress(ValueError):
            self.process.communicate()


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="godwit-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(self.folder / "config"), "HOME": str(self.folder)}
        self.output = self.folder / "received"

    def run_godwit(self, *arguments, environment=None, timeout=PATIENCE, **options):
        return subprocess.run([GODWIT, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                              env=environment or self.environment, cwd=self.folder, **options)

    def listen(self, *arguments, **options):
        return Server(self, "listen", "--output", str(self.output), *arguments, **options)

    def send(self, server, *arguments, **options):
        return self.run_godwit(*server.client("send"), *arguments, **options)

    def assert_one_error(self, result, code, *words):
        """One clear line on standard error, the expected exit code, nothing on standard output."""
        self.assertEqual(result.returncode, code, result)
        errors = [line for line in result.stderr.splitlines() if "error:" in line]
        self.assertEqual(len(errors), 1, result.stderr)
        for word in words:
            self.assertIn(word, errors[0])

    def start(self, *command, **options):
        """A process that is waited for, or killed, when the test ends."""
        process = subprocess.Popen([GODWIT, *map(str, command)], env=self.environment, cwd=self.folder, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

        def end():
            process.kill()
            with contextlib.suppress(ValueError):
                process.communicate()

        self.addCleanup(end)
        return process

    def wait_for(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not (result := condition()):
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)
        return result

    def wait_for_partial_file(self, name):
        """The file is being received: its temporary name is there, its own is not."""
        names = self.wait_for(self.received_names, "nothing is being received")
        self.assertEqual(len(names), 1)
        self.assertRegex(names[0], r"^\." + name + r"\.[a-z2-7]{6}\.part$")

    def received_names(self):
        return sorted(path.name for path in self.output.iterdir()) if self.output.exists() else []
