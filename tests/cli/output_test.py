"""Output that cannot be written: no line stops a program, and no lost result goes unnoticed."""
import json
import os
import pathlib
import pty
import signal
import subprocess
import time
import unittest

from harness import GODWIT, LAB, PATIENCE, Case, Server, random_file

OUTPUT_LOST = 4


class LostResults(Case):
    def commands(self):
        """Every command that prints results, with arguments under which it succeeds."""
        listener = self.listen()
        server = Server(self, "perf", "server")
        scenario = ["sim", "replay", "1"]
        self.run_godwit("keygen", "--out", "key")
        random_file(self.folder / "data.bin", 100)
        perf = server.client("perf", "client")
        return [["keygen", "--show", "--out", "key"], ["keygen", "--show", "--out", "key", "--json"], ["version"],
                ["version", "--json"], ["--version"], ["--help"], ["perf", "client", "--help"],
                [*listener.client("ping"), "-c", "1"], [*listener.client("ping"), "-c", "1", "--json"],
                [*listener.client("send"), "data.bin"], [*listener.client("send"), "data.bin", "--json"],
                [*perf, "-t", "0.2", "--rate", "10M"], [*perf, "-t", "0.2", "--rate", "10M", "--json"],
                [*perf, "-t", "0.2", "--rate", "10M", "--json-stream"], scenario,
                ["sim", "run", "--seeds", "2"],
                ["sim", "table", "--subset", "ci", "--only", "zzzz", "--json"],
                *([["bench", "--list"]] if LAB and (pathlib.Path(GODWIT).parent / "transport_perf").exists() else [])]

    def test_a_full_disk_is_an_error_of_every_command(self):
        for command in self.commands():
            with self.subTest(command=command), open("/dev/full", "w") as full:
                result = subprocess.run([GODWIT, *command], stdout=full, stderr=subprocess.PIPE, text=True,
                                        env=self.environment, cwd=self.folder, timeout=PATIENCE)
                # The error of the command itself counts first.
                self.assertEqual(result.returncode, 2 if "zzzz" in command else OUTPUT_LOST, result)
                self.assertIn("cannot write to standard output: No space left on device", result.stderr)

    @unittest.skipUnless(LAB, "no laboratory")
    def test_doctor_on_a_full_disk(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([GODWIT, "doctor"], stdout=full, stderr=subprocess.PIPE, text=True,
                                    env=self.environment, timeout=PATIENCE)
        self.assertIn(result.returncode, (OUTPUT_LOST, 10, 11))
        self.assertIn("cannot write to standard output", result.stderr)

    def test_a_closed_descriptor_is_an_error_too(self):
        self.run_godwit("keygen", "--out", "key")
        for command in (["keygen", "--show", "--out", "key"], ["version", "--json"]):
            with self.subTest(command=command):
                result = subprocess.run(["bash", "-c", '"$0" "$@" >&-', GODWIT, *command], stderr=subprocess.PIPE,
                                        text=True, env=self.environment, cwd=self.folder, timeout=PATIENCE)
                self.assertEqual(result.returncode, OUTPUT_LOST, result)
                self.assertIn("it was closed when the program started", result.stderr)

    def test_a_reader_that_has_gone_is_a_quiet_error(self):
        command = '(sleep 0.3; exec "$0" version) | true; echo ${PIPESTATUS[0]}'
        result = subprocess.run(["bash", "-c", command, GODWIT], capture_output=True, text=True, env=self.environment,
                                timeout=PATIENCE)
        self.assertEqual((result.stdout, result.stderr), (f"{OUTPUT_LOST}\n", ""))

    def test_an_endless_command_ends_when_nobody_reads_it(self):
        server = self.listen()
        ping = self.start(*server.client("ping"), "-i", "20ms")
        ping.stdout.readline()
        ping.stdout.close()
        self.assertEqual(ping.wait(PATIENCE), OUTPUT_LOST)

    def test_a_json_file_in_no_folder_is_an_error_before_the_work(self):
        result = self.run_godwit("keygen", "--out", "key", "--json-file", "no/such/folder.json")
        self.assert_one_error(result, 2, "cannot write no/such/folder.json")
        self.assertFalse((self.folder / "key").exists())

    def test_a_trace_that_cannot_be_written_names_its_cause(self):
        result = self.run_godwit("sim", "replay", "1", "--qlog", "no/such/folder/trace")
        self.assertEqual(result.returncode, 2, result)
        self.assertIn("cannot write no/such/folder/trace.host0.qlog: No such file or directory", result.stderr)


class LostLines(Case):
    """A listener whose log or results cannot be written serves on."""

    def check_it_serves(self, server, result_lines=True):
        huge, small = self.folder / "huge", random_file(self.folder / "small", 1000)
        with open(huge, "wb") as file:
            file.truncate(50 << 20)
        for _ in range(3):
            self.assertEqual(self.send(server, huge).returncode, 1)
        self.assertEqual(self.send(server, small).returncode, 0)
        self.assertIsNone(server.process.poll())

    def test_a_log_on_a_full_disk(self):
        server = self.listen("--max-file", "40M", stderr="/dev/full")
        self.check_it_serves(server)
        self.assertEqual(server.finish(signal.SIGTERM), 0)

    def test_a_log_whose_reader_has_gone(self):
        server = self.listen("--max-file", "40M")
        server.process.stderr.close()
        self.check_it_serves(server)
        server.process.stderr = open(os.devnull)
        self.assertEqual(server.finish(signal.SIGTERM), 0)

    def test_results_whose_reader_has_gone(self):
        server = self.listen("--max-file", "40M")
        server.process.stdout.close()
        self.check_it_serves(server)
        server.process.stdout = open(os.devnull)
        self.assertEqual(server.finish(signal.SIGTERM), OUTPUT_LOST)

    def test_results_that_nobody_reads_hold_up_no_transfer(self):
        server = self.listen("--max-file", "40M")
        # A pipe holds 64 KiB, and each message has a line of 400 bytes: from then on every line has to wait.
        messages = ["--message", "x" * 1000] * 150
        for _ in range(2):
            self.assertEqual(self.send(server, *messages, timeout=60).returncode, 0)
        self.check_it_serves(server)
        self.assertEqual(server.finish(signal.SIGTERM), 0)
        self.assertEqual(server.output.count("message from"), 300)

    def test_a_terminal_that_was_closed_with_the_hang_up_ignored(self):
        self.run_godwit("keygen", "--out", "key")
        key = self.run_godwit("keygen", "--show", "--out", "key").stdout.strip()
        process, terminal = pty.fork()
        if process == 0:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            os.chdir(self.folder)
            os.execve(GODWIT, [GODWIT, "listen", "--bind", "127.0.0.1:0", "--key", "key", "--output", str(self.output),
                               "--max-file", "40M"], self.environment)
        self.addCleanup(lambda: os.waitpid(process, 0))
        self.addCleanup(os.kill, process, signal.SIGKILL)
        text = b""
        while b"public key" not in text:
            text += os.read(terminal, 4096)
        address = text.split(b"listening on ")[1].split()[0].decode()
        os.close(terminal)
        small = random_file(self.folder / "small", 1000)
        for _ in range(3):
            sent = self.run_godwit("send", "--to", address, "--peer-key", key, small)
            self.assertEqual(sent.returncode, 0, sent)
        self.assertEqual(os.waitpid(process, os.WNOHANG), (0, 0))

    def test_closed_descriptors_are_no_sockets(self):
        self.run_godwit("keygen", "--out", "key")
        key = self.run_godwit("keygen", "--show", "--out", "key").stdout.strip()
        log = self.folder / "log"
        with Server.free_port() as free:
            port = free.getsockname()[1]
        listener = subprocess.Popen(
            ["bash", "-c", 'exec "$0" "$@" <&- >&- 2>&-', GODWIT, "listen", "--bind", f"127.0.0.1:{port}", "--key", "key",
             "--max-file", "40M", "--output", str(self.output)], env=self.environment, cwd=self.folder)
        self.addCleanup(listener.wait)
        self.addCleanup(listener.kill)
        small = random_file(self.folder / "small", 1000)
        for _ in range(2):
            sent = self.run_godwit("send", "--to", f"127.0.0.1:{port}", "--peer-key", key, small)
            self.assertEqual(sent.returncode, 0, sent)
        for number in range(3):
            self.assertEqual(os.readlink(f"/proc/{listener.pid}/fd/{number}"), "/dev/null")
        self.assertFalse(log.exists())
        self.assertEqual(len(self.received_names()), 2)


class Limited(Case):
    def test_a_stranger_does_not_fill_the_log_and_is_told_of(self):
        server = self.listen("--max-file", "1")
        files = [random_file(self.folder / ("n" * 80 + str(i)), 10) for i in range(1000)]
        self.assertEqual(self.send(server, *files).returncode, 1)
        server.finish(signal.SIGTERM)
        lines = server.errors.splitlines()
        self.assertLess(len(lines), 200)
        refused = sum("refused" in line for line in lines)
        left_out = [int(line.split()[1]) for line in lines if "left out" in line]
        self.assertEqual(refused + sum(left_out), 1000, server.errors[-500:])
        self.assertIn("127.0.0.1", [line for line in lines if "left out" in line][-1])

    def test_a_flood_of_messages_does_not_fill_the_log(self):
        for options in ([], ["--json"]):
            server = self.listen(*options, json_lines=bool(options))
            before = time.monotonic()
            for _ in range(5):
                messages = ["--message", "\x01" * 1106] * 400
                self.assertEqual(self.send(server, *messages, timeout=120).returncode, 0)
            server.finish(signal.SIGTERM)
            # 512 bytes a line, 400 of them at once and ten a second.
            self.assertLess(len(server.output) + len(server.errors), 512 * (440 + 10 * (time.monotonic() - before)))
            lines = [line for line in server.output.splitlines() if "message from" in line or '"event":"message"' in line]
            left_out = [int(line.split()[1]) for line in server.errors.splitlines() if "left out" in line]
            self.assertEqual(len(lines) + sum(left_out), 2000, server.errors[-500:])
            self.assertGreater(len(lines), 20)
            if not options:
                self.assertIn(" bytes more", lines[0])

    def test_messages_of_peers_that_may_not_send_are_dropped_and_counted(self):
        server = self.listen("--allow", "ab" * 32, "--json", json_lines=True)
        self.assertEqual(self.send(server, *["--message", "q" * 100] * 200).returncode, 0)
        server.finish(signal.SIGTERM)
        self.assertNotIn("qqq", server.output + server.errors)
        events = [json.loads(line) for line in server.output.splitlines()]
        self.assertLess(len(events), 100)
        self.assertEqual((events[-1]["messages"], events[-1]["dropped"]), (0, 200))
        self.assertIn("dropped a message of 100 bytes from 127.0.0.1", server.errors)

    def test_messages_print_their_text_escaped(self):
        server = self.listen()
        text = 'Привет\n"quoted" \\ \x1b[31mred'
        self.assertEqual(self.send(server, "--message", text).returncode, 0)
        server.finish(signal.SIGTERM)
        self.assertIn('text "Привет\\n"quoted" \\\\ \\x1b[31mred"', server.output)

    def test_listen_prints_json_as_it_happens(self):
        server = self.listen("--json", "--max-file", "1M", json_lines=True)
        listening = json.loads(server.process.stdout.readline())
        self.assertEqual((listening["event"], listening["address"]), ("listening", server.address))
        self.assertEqual(self.send(server, "--message", "hello").returncode, 0)
        message = json.loads(server.process.stdout.readline())
        self.assertEqual((message["event"], message["text"], message["bytes"]), ("message", "hello", 5))
        small, large = random_file(self.folder / "small", 100), random_file(self.folder / "large", 2 << 20)
        self.send(server, small)
        self.assertEqual(json.loads(server.process.stdout.readline())["event"], "received")
        self.send(server, large)
        self.assertEqual(json.loads(server.process.stdout.readline())["event"], "refused")
        self.assertEqual(server.finish(signal.SIGTERM), 0)
        end = json.loads(server.output)
        self.assertEqual((end["event"], end["received"], end["refused"], end["messages"]), ("end", 1, 1, 1))
        self.assertIsNone(end["error"])


class Signals(Case):
    def test_each_signal_removes_the_partial_file_and_tells_the_sender(self):
        source = random_file(self.folder / "data.bin", 64 << 20)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                server = self.listen()
                sender = self.start(*server.client("send"), source, "--rate", "40M")
                self.wait_for_partial_file("data.bin")
                began = time.monotonic()
                self.assertEqual(server.finish(number), 130)
                _, errors = sender.communicate(timeout=PATIENCE)
                self.assertLess(time.monotonic() - began, 20)
                self.assertEqual(sender.returncode, 1, errors)
                self.assertIn("the receiver ends", errors)
                self.assertEqual(self.received_names(), [])

    def test_a_second_hang_up_does_not_cut_the_clean_up_short(self):
        source = random_file(self.folder / "data.bin", 64 << 20)
        server = self.listen()
        sender = self.start(*server.client("send"), source, "--rate", "40M")
        self.wait_for_partial_file("data.bin")
        server.process.send_signal(signal.SIGHUP)
        self.assertEqual(server.finish(signal.SIGHUP), 130)
        self.assertEqual(self.received_names(), [])
        sender.communicate(timeout=PATIENCE)
