"""Situations that users of other transports and file senders have reported: each ends well, or with its cause."""
import os
import resource
import shutil
import signal
import subprocess
import threading
import time

from harness import GODWIT, PATIENCE, Case, Server, random_file, sha256
from namespaces import NamespaceCase, run


class Files(Case):
    def test_names_of_255_bytes_arrive_and_are_numbered(self):
        latin, cyrillic = "a" * 251 + ".txt", "ж" * 127 + "z"
        for name in (latin, cyrillic):
            random_file(self.folder / name, 1000)
        server = self.listen()
        result = self.send(server, latin, cyrillic, latin)
        self.assertEqual(result.returncode, 0, result)
        names = self.received_names()
        self.assertEqual(len(names), 3)
        self.assertIn(latin, names)
        self.assertIn(cyrillic, names)
        self.assertTrue(all(len(name.encode()) <= 255 for name in names), names)

    def test_two_senders_of_one_name_at_once(self):
        server = self.listen()
        sources = []
        for folder in ("one", "two"):
            (self.folder / folder).mkdir()
            sources.append(random_file(self.folder / folder / "data.bin", 2_000_000))
        senders = [self.start(*server.client("send"), source, "--rate", "20M") for source in sources]
        for sender in senders:
            _, errors = sender.communicate(timeout=PATIENCE)
            self.assertEqual(sender.returncode, 0, errors)
        self.assertEqual(self.received_names(), ["data.1.bin", "data.bin"])
        self.assertEqual({sha256(self.output / name) for name in self.received_names()},
                         {sha256(source) for source in sources})

    def test_a_limit_on_the_size_of_files_is_the_senders_error(self):
        source = random_file(self.folder / "data.bin", 3_000_000)
        server = self.listen(preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)))
        self.assert_one_error(self.send(server, source), 1, "File too large")
        small = random_file(self.folder / "small", 1000)
        self.assertEqual(self.send(server, small).returncode, 0)
        self.assertEqual(self.received_names(), ["small"])

    def test_an_output_folder_that_goes_is_the_senders_error(self):
        source = random_file(self.folder / "data.bin", 2_000_000)
        server = self.listen()
        sender = self.start(*server.client("send"), source, "--rate", "10M")
        self.wait_for_partial_file("data.bin")
        shutil.rmtree(self.output)
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 1, errors)
        self.assertIn("No such file or directory", errors)
        self.assert_one_error(self.send(server, source), 1, "No such file or directory")
        self.assertIsNone(server.process.poll())

    def test_few_descriptors_on_either_side_are_enough(self):
        files = [random_file(self.folder / f"f{i}", 400_000 if i % 2 else 1000) for i in range(40)]

        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))

        for side in ("receiver", "sender"):
            with self.subTest(side):
                server = self.listen(preexec=few if side == "receiver" else None)
                result = self.send(server, *files, preexec_fn=few if side == "sender" else None)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(len(self.received_names()), 40)
                server.stop()
                shutil.rmtree(self.output)

    def test_why_an_output_folder_cannot_be_made_is_said(self):
        result = self.run_godwit("listen", "--output", "/sys/godwit/received")
        self.assert_one_error(result, 2, "cannot write into the folder '/sys/godwit/received'")
        self.assertNotIn("No such file", result.stderr)

    def test_both_ends_are_suspended(self):
        source = random_file(self.folder / "data.bin", 5_000_000)
        server = self.listen()
        sender = self.start(*server.client("send"), source, "--rate", "10M")
        self.wait_for_partial_file("data.bin")
        for process in (sender, server.process):
            process.send_signal(signal.SIGSTOP)
        time.sleep(12)  # longer than what is suspect, and than what counts as a suspension
        for process in (sender, server.process):
            process.send_signal(signal.SIGCONT)
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 0, errors)
        self.assertEqual(sha256(self.output / "data.bin"), sha256(source))

    def test_a_pipe_that_nobody_writes_to_is_waited_for_and_given_up(self):
        os.mkfifo(self.folder / "pipe")
        server = self.listen()
        sender = self.start(*server.client("send"), "pipe")
        time.sleep(0.5)
        self.assertIsNone(sender.poll())
        sender.send_signal(signal.SIGINT)
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 130, errors)
        for device in ("/dev/zero", "/dev/full"):
            self.assert_one_error(self.send(server, device), 2, "is a device")


class Paths(NamespaceCase):
    def begin(self):
        """A file on its way from host a to host b, at 10 Mbit/s for four seconds."""
        self.source = random_file(self.folder / "data.bin", 5_000_000)
        server = Server(self, "listen", "--output", str(self.output), bind="0.0.0.0:41001", prefix=self.on(self.b))
        sender = subprocess.Popen(
            self.on(self.a, GODWIT, "send", "--to", "10.9.0.2:41001", "--peer-key", server.key, "--rate", "10M",
                    str(self.source)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment,
            cwd=self.folder)
        self.addCleanup(sender.kill)
        self.wait_for_partial_file("data.bin")
        return sender

    def expect_the_file(self, sender):
        _, errors = sender.communicate(timeout=60)  # far below the idle time-out
        self.assertEqual(sender.returncode, 0, errors)
        self.assertEqual(self.received_names(), ["data.bin"])
        self.assertEqual(sha256(self.output / "data.bin"), sha256(self.source))

    def test_a_senders_address_changes_in_mid_file(self):
        sender = self.begin()
        run("ip", "-n", self.a, "addr", "del", "10.9.0.1/24", "dev", self.cable)
        run("ip", "-n", self.a, "addr", "add", "10.9.0.3/24", "dev", self.cable)
        self.expect_the_file(sender)

    def test_the_path_gets_smaller_in_mid_file(self):
        sender = self.begin()
        self.set_mtu(1100)
        self.expect_the_file(sender)

    def test_nothing_passes_for_a_while(self):
        sender = self.begin()
        run("ip", "-n", self.b, "link", "set", self.cable, "down")
        back = threading.Timer(8, run, ["ip", "-n", self.b, "link", "set", self.cable, "up"])
        back.start()
        self.addCleanup(back.join)
        self.expect_the_file(sender)

    def test_hosts_of_one_family(self):
        small = random_file(self.folder / "small", 1000)
        for family, address in (("IPv4", "10.9.0.2:41001"), ("IPv6", "[fd00:9::2]:41001")):
            with self.subTest(family):
                for number, host in ((1, self.a), (2, self.b)):
                    off = "1" if family == "IPv4" else "0"
                    run(*self.on(host, "sysctl", "-qw", f"net.ipv6.conf.all.disable_ipv6={off}"))
                    if family == "IPv6":
                        run("ip", "-n", host, "addr", "flush", "dev", self.cable)
                        run("ip", "-n", host, "addr", "add", f"fd00:9::{number}/64", "dev", self.cable, "nodad")
                server = Server(self, "listen", "--output", str(self.output), bind="[::]:41001", prefix=self.on(self.b))
                result = subprocess.run(
                    self.on(self.a, GODWIT, "send", "--to", address, "--peer-key", server.key, str(small)),
                    capture_output=True, text=True, timeout=PATIENCE, env=self.environment, cwd=self.folder)
                self.assertEqual(result.returncode, 0, result)
                server.stop()
