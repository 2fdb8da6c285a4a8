"""The command line as its users meet it: real processes over loopback.

    cli_test.py GODWIT [GODWIT_MARKED] [--only NAME...]

Every test gets a folder of its own, with its own configuration folder, so that no key of this machine is touched.
"""
import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest

GODWIT = ""
MARKED = ""
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

    def __init__(self, case, *arguments, bind="127.0.0.1:0", preexec=None, json_lines=False):
        command = [GODWIT, *arguments, "--bind", bind]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=case.environment, preexec_fn=preexec, cwd=case.folder)
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

    def received_names(self):
        return sorted(path.name for path in self.output.iterdir()) if self.output.exists() else []


class Keys(Case):
    def test_keygen_writes_a_file_of_mode_0600_and_prints_the_public_key(self):
        result = self.run_godwit("keygen", "--out", "key")
        self.assertEqual(result.returncode, 0, result)
        self.assertRegex(result.stdout, r"^[0-9a-f]{64}\n$")
        self.assertEqual(stat.S_IMODE((self.folder / "key").stat().st_mode), 0o600)
        shown = self.run_godwit("keygen", "--out", "key", "--show")
        self.assertEqual(shown.stdout, result.stdout)

    def test_keygen_does_not_replace_a_key(self):
        self.run_godwit("keygen", "--out", "key")
        before = (self.folder / "key").read_text()
        self.assert_one_error(self.run_godwit("keygen", "--out", "key"), 2, "exists")
        self.assertEqual((self.folder / "key").read_text(), before)
        self.assertEqual(self.run_godwit("keygen", "--out", "key", "--force").returncode, 0)
        self.assertNotEqual((self.folder / "key").read_text(), before)

    def test_keygen_prints_json(self):
        result = json.loads(self.run_godwit("keygen", "--out", "key", "--json").stdout)
        self.assertEqual((result["schema"], result["schema_version"]), ("godwit-key", 1))
        self.assertEqual(len(result["public_key"]), 64)

    def test_the_default_key_is_made_on_first_use_and_kept(self):
        first = self.listen()
        key = self.folder / "config" / "godwit" / "key"
        self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
        self.assertEqual(self.listen().key, first.key)

    def test_loose_permissions_warn(self):
        self.run_godwit("keygen", "--out", "key")
        (self.folder / "key").chmod(0o644)
        server = self.listen("--key", "key")
        server.finish(signal.SIGINT)
        self.assertIn("warning: others may read the key file", server.errors)

    def test_bad_key_files_are_one_clear_line(self):
        (self.folder / "text").write_text("not a key\n")
        (self.folder / "short").write_text("ab" * 31 + "\n")
        (self.folder / "folder").mkdir()
        for name, words in {"missing": "No such file", "text": "64 hexadecimal", "short": "64 hexadecimal",
                            "folder": "not a regular file"}.items():
            with self.subTest(name):
                result = self.run_godwit("listen", "--key", name, "--bind", "127.0.0.1:0")
                self.assert_one_error(result, 2, name, words)

    def test_an_unreadable_key_is_one_clear_line(self):
        self.run_godwit("keygen", "--out", "key")
        (self.folder / "key").chmod(0)
        self.folder.chmod(0o755)

        def drop_privileges():
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)

        result = self.run_godwit("listen", "--key", "key", "--bind", "127.0.0.1:0", preexec_fn=drop_privileges)
        self.assert_one_error(result, 2, "key", "Permission denied")


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

    def test_json_of_both_sides(self):
        source = random_file(self.folder / "data.bin", 1 << 20)
        server = self.listen("--once", "--json", json_lines=True)
        result = self.send(server, source, "--json", "--json-file", "sent.json")
        self.assertEqual(result.returncode, 0, result)
        sent = json.loads(result.stdout)
        self.assertEqual(sent, json.loads((self.folder / "sent.json").read_text()))
        self.assertEqual((sent["schema"], sent["schema_version"]), ("godwit-send", 1))
        file = sent["files"][0]
        self.assertTrue(file["confirmed"])
        self.assertEqual((file["bytes"], file["sha256"]), (1 << 20, sha256(source)))
        self.assertGreater(file["goodput_bits_per_second"], 0)
        server.finish()
        received = json.loads(server.output)
        self.assertEqual(received["schema"], "godwit-listen")
        self.assertEqual(received["files"][0]["sha256"], sha256(source))

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

    def test_ctrl_c_ends_a_listener_cleanly(self):
        server = self.listen()
        self.assertEqual(server.finish(signal.SIGINT), 0)
        self.assertEqual(server.errors, "godwit: made a new key in " + str(self.folder / "config/godwit/key") + "\n")


class BadInput(Case):
    def test_missing_files_directories_and_nothing_at_all(self):
        server = self.listen()
        (self.folder / "folder").mkdir()
        os.mkfifo(self.folder / "pipe")
        for arguments, words in ((["missing"], "No such file"), (["folder"], "is a directory"),
                                 (["pipe"], "not a regular file"), ([], "nothing to send")):
            with self.subTest(arguments=arguments):
                self.assert_one_error(self.send(server, *arguments), 2, words)

    def test_wrong_arguments(self):
        good = ["--to", "127.0.0.1:9", "--peer-key", "ab" * 32, "cli_test.py"]
        for wrong in (["--peer-key", "ab" * 31], ["--peer-key", "zz" * 32], ["--to", "127.0.0.1:99999"],
                      ["--rate", "fast"], ["--drop", "2"], ["--delay", "soon"], ["--backend", "carrier-pigeon"],
                      ["--no-such-option"]):
            with self.subTest(wrong=wrong):
                arguments = [word for word in good]
                if wrong[0] in arguments:
                    arguments[arguments.index(wrong[0]) + 1] = wrong[1]
                else:
                    arguments += wrong
                result = self.run_godwit("send", *arguments)
                self.assert_one_error(result, 2)
        self.assertEqual(self.run_godwit().returncode, 2)
        self.assertEqual(self.run_godwit("no-such-command").returncode, 2)

    def test_a_port_in_use(self):
        server = self.listen()
        result = self.run_godwit("listen", "--bind", server.address)
        self.assert_one_error(result, 2, "cannot bind", server.address, "Address already in use")

    def test_an_unreachable_host_is_a_time_out(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            source = random_file(self.folder / "data.bin", 10)
            to = ["--to", "127.0.0.1:%d" % silent.getsockname()[1], "--peer-key", "ab" * 32, "--connect-timeout", "1"]
            for command in (["send", *to, source], ["ping", *to, "-c", "1"], ["perf", "client", *to, "-t", "1"]):
                with self.subTest(command[0]):
                    self.assert_one_error(self.run_godwit(*command), 3, "cannot connect to 127.0.0.1")

    def test_the_wrong_peer_key_is_not_talked_to(self):
        server = self.listen()
        source = random_file(self.folder / "data.bin", 10)
        result = self.run_godwit("send", "--to", server.address, "--peer-key", "12" * 32, "--connect-timeout", "1", source)
        self.assert_one_error(result, 3, "cannot connect")
        self.assertEqual(self.received_names(), [])

    def test_an_output_folder_that_cannot_be_written(self):
        (self.folder / "file").write_text("")
        result = self.run_godwit("listen", "--bind", "127.0.0.1:0", "--output", "file/inside")
        self.assert_one_error(result, 2, "cannot write into the folder")

    def test_a_full_disk_leaves_nothing_behind(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))

        source = random_file(self.folder / "data.bin", 20 << 20)
        server = self.listen("--once", preexec=limit)
        result = self.send(server, source)
        self.assert_one_error(result, 1, "gave 'data.bin' up", "cannot be written")
        self.assertEqual(server.finish(), 1)
        self.assertIn("cannot be written", server.errors)
        self.assertEqual(self.received_names(), [])

    def test_a_file_larger_than_the_space_left_is_refused_at_once(self):
        server = self.listen("--max-file", "1M")
        source = random_file(self.folder / "data.bin", (1 << 20) + 1)
        self.assert_one_error(self.send(server, source), 1, "refuses", "larger than this receiver takes")
        self.assertEqual(self.received_names(), [])

    def test_a_file_that_shrinks_fails_the_transfer_and_not_the_process(self):
        source = random_file(self.folder / "data.bin", 64 << 20)
        server = self.listen("--once", "--window", "64k")
        sender = subprocess.Popen([GODWIT, *server.client("send"), str(source), "--rate", "40M"], stderr=subprocess.PIPE,
                                  text=True, env=self.environment)
        time.sleep(1.5)
        os.truncate(source, 0)
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 1, errors)
        self.assertIn("shrank", errors)
        self.assertEqual(server.finish(), 1)
        self.assertIn("shrank", server.errors)
        self.assertEqual(self.received_names(), [])

    def test_a_sender_killed_in_mid_file_leaves_no_file(self):
        source = random_file(self.folder / "data.bin", 64 << 20)
        server = self.listen("--once", "--idle-timeout", "3")
        sender = subprocess.Popen([GODWIT, *server.client("send"), str(source), "--rate", "50M"], env=self.environment)
        deadline = time.monotonic() + PATIENCE
        while not self.received_names() and time.monotonic() < deadline:
            time.sleep(0.05)
        names = self.received_names()
        self.assertTrue(names and names[0].startswith(".data.bin.") and names[0].endswith(".part"), names)
        sender.kill()
        sender.wait()
        self.assertEqual(server.finish(), 1)
        errors = [line for line in server.errors.splitlines() if "error:" in line]
        self.assertEqual(len(errors), 1, server.errors)
        self.assertIn("'data.bin'", errors[0])
        self.assertEqual(self.received_names(), [])

    def test_a_listener_interrupted_in_mid_file_leaves_no_file_and_tells_the_sender(self):
        source = random_file(self.folder / "data.bin", 64 << 20)
        server = self.listen()
        sender = subprocess.Popen([GODWIT, *server.client("send"), str(source), "--rate", "50M"], env=self.environment,
                                  stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + PATIENCE
        while not self.received_names() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(server.finish(signal.SIGINT), 0)
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 1, errors)
        self.assertIn("the receiver", errors)
        self.assertEqual(self.received_names(), [])

    def test_an_interrupted_sender_says_so(self):
        source = random_file(self.folder / "data.bin", 64 << 20)
        server = self.listen("--once")
        sender = subprocess.Popen([GODWIT, *server.client("send"), str(source), "--rate", "50M"], env=self.environment,
                                  stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + PATIENCE
        while not self.received_names() and time.monotonic() < deadline:
            time.sleep(0.05)
        sender.send_signal(signal.SIGINT)
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 130, errors)
        self.assertEqual(server.finish(), 1)
        self.assertIn("interrupted", server.errors)
        self.assertEqual(self.received_names(), [])

    def test_files_of_peers_that_are_not_allowed_are_refused(self):
        source = random_file(self.folder / "data.bin", 10)
        server = self.listen("--allow", "ab" * 32)
        self.assert_one_error(self.send(server, source), 1, "not among those")
        self.assertEqual(self.received_names(), [])

    def test_no_colour_where_it_is_not_wanted(self):
        result = self.run_godwit("send", "--to", "x", "--peer-key", "y")
        self.assertNotIn("\033", result.stderr)


class Perf(Case):
    def run_perf(self, *arguments, server_options=(), expect=0):
        server = Server(self, "perf", "server", "--once", *server_options)
        result = self.run_godwit(*server.client("perf", "client"), *arguments, "--json")
        self.assertEqual(result.returncode, expect, result)
        code = server.finish()
        return (json.loads(result.stdout) if expect == 0 else result), code, server

    def check_entry(self, entry, sender_renewed=False):
        self.assertGreater(entry["goodput_bits_per_second"], 1e6)
        self.assertGreater(entry["delivered_bytes"], 0)
        self.assertIs(entry["digest_match"], True)
        self.assertGreaterEqual(entry["retransmitted_packets"], 0)
        self.assertGreater(entry["datagrams_per_send_call"], 0)
        self.assertGreater(entry["cpu_seconds"]["sender"], 0)
        self.assertGreater(entry["cpu_seconds"]["receiver"], 0)
        self.assertGreater(entry["seconds"], 0)
        self.assertEqual(set(entry["kernel_drops"]), {"sender", "receiver"})
        self.assertGreater(entry["bytes_per_packet"], 1000)

    def test_a_run_has_one_result_with_all_its_figures(self):
        result, code, server = self.run_perf("-t", "1", "-i", "0.25")
        self.assertEqual(code, 0)
        self.assertEqual((result["schema"], result["schema_version"]), ("godwit-perf", 1))
        self.assertIn(result["backend"], ["sendto", "mmsg", "gso"])
        self.assertEqual(result["congestion"], "cubic")
        self.assertIn("type", result["build"])
        self.assertTrue(result["cipher"])
        self.assertEqual(len(result["results"]), 1)
        self.check_entry(result["results"][0])
        self.assertGreaterEqual(len(result["intervals"]), 3)

    def test_reverse_and_both_directions_and_several_streams(self):
        for arguments, directions in ((["-R"], ["server_to_client"]),
                                      (["--bidir"], ["client_to_server", "server_to_client"]),
                                      (["-P", "4"], ["client_to_server"])):
            with self.subTest(arguments=arguments):
                result, code, _ = self.run_perf("-t", "0.7", *arguments)
                self.assertEqual(code, 0)
                self.assertEqual([entry["direction"] for entry in result["results"]], directions)
                for entry in result["results"]:
                    self.check_entry(entry)

    def test_a_number_of_bytes_is_kept_exactly(self):
        result, _, _ = self.run_perf("-n", "50M", "-P", "3")
        self.assertEqual(result["results"][0]["delivered_bytes"], 50 << 20)

    def test_the_text_report_goes_to_standard_output(self):
        server = Server(self, "perf", "server", "--once")
        result = self.run_godwit(*server.client("perf", "client"), "-t", "0.5")
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("goodput", result.stdout)
        self.assertIn("on both ends", result.stdout)
        self.assertEqual(result.stderr, "")

    def test_a_rate_is_held_within_two_percent(self):
        for reverse in ([], ["-R"]):
            with self.subTest(reverse=reverse):
                result, _, _ = self.run_perf("-t", "3", "--rate", "100M", *reverse)
                self.assertAlmostEqual(result["results"][0]["goodput_bits_per_second"] / 100e6, 1, delta=0.02)

    def test_loss_is_repaired_and_reported(self):
        result, _, _ = self.run_perf("-t", "1", "--drop", "0.01", "--reorder", "0.01", server_options=["--drop", "0.01"])
        entry = result["results"][0]
        self.check_entry(entry)
        self.assertGreater(entry["retransmitted_packets"], 0)
        self.assertGreater(entry["injected_faults"]["sender"]["dropped"], 0)

    def test_without_a_digest_the_result_is_marked(self):
        result, _, _ = self.run_perf("-t", "0.3", "--no-digest")
        self.assertIsNone(result["digest"])
        self.assertIsNone(result["results"][0]["digest_match"])

    def test_keys_are_renewed_in_every_direction(self):
        for arguments in ([], ["-R"], ["--bidir"]):
            with self.subTest(arguments=arguments):
                limit = ["--soft-packet-limit", "20000"]
                result, code, server = self.run_perf("-n", "120M", *arguments, *limit, server_options=limit)
                self.assertEqual(code, 0, server.errors)
                for entry in result["results"]:
                    self.assertEqual(entry["delivered_bytes"], 120 << 20)
                    self.assertIs(entry["digest_match"], True)
                    self.assertGreater(entry["renewals"], 0)

    def test_ping_pong_alone_on_a_schedule_and_beside_bulk(self):
        for arguments, entries in ((["--size", "64"], 0), (["--interval", "1ms"], 0), (["-P", "1"], 1)):
            with self.subTest(arguments=arguments):
                result, code, _ = self.run_perf("-t", "1", "--ping-pong", *arguments)
                self.assertEqual(code, 0)
                self.assertEqual(len(result["results"]), entries)
                echo = result["ping_pong"]
                self.assertGreater(echo["answered"], 10)
                latency = echo["latency_seconds"]
                self.assertTrue(0 < latency["p50"] <= latency["p99"] <= latency["p99.9"] <= latency["p99.99"])

    def test_a_second_client_is_told_that_the_server_is_busy(self):
        server = Server(self, "perf", "server")
        first = subprocess.Popen([GODWIT, *server.client("perf", "client"), "-t", "3"], stdout=subprocess.DEVNULL,
                                 env=self.environment)
        self.addCleanup(first.wait)
        time.sleep(1)
        second = self.run_godwit(*server.client("perf", "client"), "-t", "1")
        self.assert_one_error(second, 1, "another run is going on")
        self.assertEqual(first.wait(PATIENCE), 0)

    def test_a_server_that_dies_is_an_error_and_no_figure(self):
        server = Server(self, "perf", "server")
        client = subprocess.Popen([GODWIT, *server.client("perf", "client"), "-t", "60", "--idle-timeout", "3", "--json"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)
        time.sleep(1)
        server.process.kill()
        output, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 1)
        self.assertEqual(output, "")
        self.assertIn("error: the connection has ended", errors)

    def test_listen_is_no_perf_server(self):
        server = self.listen()
        result = self.run_godwit(*server.client("perf", "client"), "-t", "1")
        self.assert_one_error(result, 1, "not `godwit perf server`")

    def test_an_idle_server_sleeps(self):
        server = Server(self, "perf", "server")
        result = self.run_godwit(*server.client("perf", "client"), "-t", "0.3")
        self.assertEqual(result.returncode, 0, result)
        time.sleep(1)
        status = pathlib.Path(f"/proc/{server.process.pid}/status")

        def switches():
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if "ctxt" in line)
            return int(lines["voluntary_ctxt_switches"])

        before = switches()
        time.sleep(2)
        self.assertLess(switches() - before, 10)

    def test_marks_are_live_in_the_marked_program_only(self):
        if not MARKED:
            self.skipTest("no marked program")
        for program, live in ((GODWIT, False), (MARKED, True)):
            server = subprocess.Popen([program, "perf", "server", "--once", "--cost", "--bind", "127.0.0.1:0"],
                                      stdout=subprocess.PIPE, text=True, env=self.environment)
            self.addCleanup(server.stdout.close)
            address = server.stdout.readline().split()[2]
            key = server.stdout.readline().split()[2]
            result = subprocess.run([program, "perf", "client", "--to", address, "--peer-key", key, "-t", "0.5", "--cost",
                                     "--json"], capture_output=True, text=True, env=self.environment, timeout=PATIENCE)
            self.assertEqual(result.returncode, 0, result)
            server.wait(PATIENCE)
            report = json.loads(result.stdout)
            for side in ("client", "server"):
                marks = (report[side]["cost"] or {"marks": 0})["marks"]
                self.assertEqual(marks > 0, live, (program, side, marks))
            if live:
                steps = {step["step"] for step in report["client"]["cost"]["steps"]}
                self.assertLessEqual({"seal", "send_call", "digest", "encode"}, steps)
                steps = {step["step"] for step in report["server"]["cost"]["steps"]}
                self.assertLessEqual({"open", "receive_call", "digest", "acknowledge"}, steps)


class Ping(Case):
    def test_round_trips_are_measured(self):
        server = self.listen()
        result = self.run_godwit(*server.client("ping"), "-c", "5", "-i", "50ms")
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("5 pings, 5 answered, 0.0 % lost", result.stdout)
        self.assertEqual(result.stdout.count("answer from "), 5)

    def test_json(self):
        server = self.listen()
        result = self.run_godwit(*server.client("ping"), "-c", "3", "-i", "10ms", "--json")
        report = json.loads(result.stdout)
        self.assertEqual((report["schema"], report["sent"], report["answered"]), ("godwit-ping", 3, 3))
        self.assertTrue(report["peer_authenticated"])
        self.assertGreater(report["round_trip_seconds"]["minimum"], 0)

    def test_ctrl_c_prints_the_summary(self):
        server = self.listen()
        ping = subprocess.Popen([GODWIT, *server.client("ping"), "-i", "50ms"], stdout=subprocess.PIPE, text=True,
                                env=self.environment)
        for _ in range(3):
            ping.stdout.readline()
        ping.send_signal(signal.SIGINT)
        output, _ = ping.communicate(timeout=PATIENCE)
        self.assertEqual(ping.returncode, 0)
        self.assertIn("answered", output)

    def test_a_delayed_path_shows(self):
        server = self.listen("--delay", "20ms")
        result = self.run_godwit(*server.client("ping"), "-c", "3", "-i", "10ms", "--json")
        self.assertGreater(json.loads(result.stdout)["round_trip_seconds"]["minimum"], 0.02)


class Help(Case):
    def test_every_command_has_help(self):
        for command in (["keygen"], ["listen"], ["send"], ["ping"], ["perf"], ["perf", "server"], ["perf", "client"],
                        ["version"], []):
            with self.subTest(command=command):
                result = self.run_godwit(*command, "--help")
                self.assertEqual(result.returncode, 0)
                self.assertIn("--help", result.stdout)

    def test_version(self):
        self.assertEqual(self.run_godwit("version").returncode, 0)
        self.assertEqual(json.loads(self.run_godwit("version", "--json").stdout)["schema"], "godwit-version")


def main():
    global GODWIT, MARKED
    parser = argparse.ArgumentParser()
    parser.add_argument("godwit")
    parser.add_argument("marked", nargs="?", default="")
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    GODWIT = os.path.abspath(arguments.godwit)
    MARKED = os.path.abspath(arguments.marked) if arguments.marked else ""
    unittest.main(argv=[sys.argv[0], *arguments.only], verbosity=2)


if __name__ == "__main__":
    main()
