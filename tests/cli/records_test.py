"""What commands write down of their connections: -v, -vv, --log and --keylog."""
import os
import re
import signal
import stat
import subprocess

from harness import PATIENCE, Case, Server, random_file

LINE = r"127\.0\.0\.1:\d+ "


class ConnectionLog(Case):
    def test_v_says_how_a_connection_came_to_be_and_how_it_ended(self):
        server = self.listen("--anyone", "-v")
        sent = self.send(server, "--message", "hello", "-v")
        self.assertEqual(sent.returncode, 0, sent)
        self.assertEqual(server.finish(signal.SIGTERM), 0)
        self.assertEqual(sent.stdout.count("hello"), 0)
        for errors in (sent.stderr, server.errors):
            self.assertRegex(errors, f"godwit: {LINE}connected, extended form\n")
            self.assertRegex(errors, f"godwit: {LINE}ended, ")
            self.assertNotIn("intro", errors)

    def test_the_form_is_said_and_why_it_is_not_the_other_one(self):
        server = self.listen("--anyone", "--extended", "auto")
        both = self.send(server, "--message", "hello", "-v", "--extended", "auto")
        self.assertRegex(both.stderr, f"{LINE}connected, extended form\n")
        plain = self.listen("--anyone", "--extended", "off")
        one = self.send(plain, "--message", "hello", "-v", "--extended", "auto")
        self.assertRegex(one.stderr, f"{LINE}connected, legacy form: the extended one is not answered by the peer\n")

    def test_vv_shows_handshakes_and_losses_too(self):
        server = self.listen("--anyone", "-vv")
        sent = self.send(server, random_file(self.folder / "data", 3_000_000), "-vv", "--drop", "5%")
        self.assertEqual(sent.returncode, 0, sent)
        self.assertEqual(server.finish(signal.SIGTERM), 0)
        self.assertRegex(sent.stderr, f"{LINE}sent an intro of \\d+ bytes\n")
        self.assertRegex(server.errors, f"{LINE}received an intro of \\d+ bytes\n")
        self.assertRegex(sent.stderr, f"{LINE}received a handshake acknowledgement of \\d+ bytes\n")
        self.assertRegex(sent.stderr, f"{LINE}lost \\d+ packets? of .* within .*, \\d+ by time-out\n")

    def test_who_is_not_there_is_said_with_the_reason(self):
        free = Server.free_port()
        address = "127.0.0.1:%d" % free.getsockname()[1]
        free.close()
        sent = self.run_godwit("send", "--to", address, "--peer-key", "11" * 32, "--message", "x", "-v")
        self.assertEqual(sent.returncode, 3, sent)
        self.assertRegex(sent.stderr, f"{LINE}ended, closed locally: no answer: port unreachable\n")

    def test_a_file_takes_the_lines_and_keeps_those_it_has(self):
        server = self.listen("--anyone")
        path = self.folder / "log"
        for _ in range(2):
            sent = self.send(server, "--message", "hello", "--log", path)
            self.assertEqual(sent.returncode, 0, sent)
            self.assertNotIn("connected", sent.stderr)
        lines = path.read_text().splitlines()
        self.assertEqual(len([line for line in lines if "connected, " in line]), 2)
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z " + LINE)
        refused = self.send(server, "--message", "hello", "--log", self.folder / "none" / "log")
        self.assert_one_error(refused, 2, "cannot write", "No such file")
        shards = self.run_godwit("perf", "server", "--shards", "2", "--bind", "127.0.0.1:0", "-v")
        self.assert_one_error(shards, 2, "--verbose is for one shard")

    def test_every_command_with_a_connection_has_both(self):
        perf = Server(self, "perf", "server", "-v", "--keylog", str(self.folder / "perf.keys"),
                      stderr=self.folder / "perf.errors")
        listen = self.listen("--anyone", "-v", stderr=self.folder / "listen.errors")
        clients = {"ping": [*listen.client("ping"), "-c", "1"],
                   "perf": [*perf.client("perf", "client"), "-n", "1000"],
                   "send": [*listen.client("send"), "--message", "x"]}
        for name, command in clients.items():
            with self.subTest(command=name):
                result = self.run_godwit(*command, "-v", "--keylog", f"{name}.keys")
                self.assertEqual(result.returncode, 0, result)
                self.assertRegex(result.stderr, f"{LINE}connected, ")
                self.assertIn("GODWIT_KEY ", (self.folder / f"{name}.keys").read_text())
        self.assertEqual(perf.finish(signal.SIGTERM), 0)
        self.assertRegex((self.folder / "perf.errors").read_text(), f"{LINE}connected, ")
        self.assertIn("GODWIT_KEY ", (self.folder / "perf.keys").read_text())

    def test_pipe_and_forward_have_both(self):
        records = ["-v", "--keylog", "keys"]
        pipe = Server(self, "pipe", "--listen", "--anyone", *records, json_lines=True)
        other = self.run_godwit(*pipe.client("pipe"), *records, stdin=subprocess.DEVNULL)
        self.assertEqual(other.returncode, 0, other)
        self.assertRegex(other.stderr, f"{LINE}connected, extended form")
        forward = Server(self, "forward", "--listen", "--anyone", "--allow-target", "localhost:9", *records,
                         stderr=self.folder / "forward.errors")
        client = self.start(*forward.client("forward"), "-L", "127.0.0.1:0:localhost:9", *records)
        self.wait_for(lambda: "connected, extended form" in (self.folder / "forward.errors").read_text(), "no connection")
        client.send_signal(signal.SIGTERM)
        self.assertIn("connected, extended form", client.communicate(timeout=PATIENCE)[1])
        self.assertEqual((self.folder / "keys").read_text().count("GODWIT_SECRET "), 8)


class KeyLog(Case):
    def test_the_file_is_for_its_owner_alone_and_there_is_a_warning(self):
        server = self.listen("--anyone")
        path = self.folder / "keys"
        sent = self.send(server, "--message", "hello", "--keylog", path, preexec_fn=lambda: os.umask(0))
        self.assertEqual(sent.returncode, 0, sent)
        self.assertIn("warning: --keylog writes every key", sent.stderr)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        for line in path.read_text().splitlines():
            self.assertRegex(line, r"^GODWIT_(KEY [0-9a-f]{32}|SECRET [0-9a-f]{64})$")
        again = self.send(server, "--message", "hello", "--keylog", path)
        self.assertEqual(again.returncode, 0, again)
        path.chmod(0o640)
        refused = self.send(server, "--message", "hello", "--keylog", path)
        self.assert_one_error(refused, 2, "its owner alone can read")

    def test_no_key_is_written_anywhere_else(self):
        server = self.listen("--anyone", "-vv", "--qlog", "received-trace", "--extended", "auto")
        sent = self.send(server, "--message", "hello", "-vv", "--qlog", "trace", "--log", self.folder / "log", "--extended",
                         "auto", "--keylog", self.folder / "keys")
        self.assertEqual(sent.returncode, 0, sent)
        self.assertEqual(server.finish(signal.SIGTERM), 0)
        written = [sent.stdout, sent.stderr, server.output, server.errors, (self.folder / "log").read_text()]
        written += [file.read_text() for folder in ("trace", "received-trace") for file in (self.folder / folder).iterdir()]
        keys = re.findall(r"^GODWIT_\w+ ([0-9a-f]+)$", (self.folder / "keys").read_text(), re.M)
        self.assertGreaterEqual(len(keys), 3)
        for key in keys:
            self.assertFalse([text for text in written if key in text.lower()])
