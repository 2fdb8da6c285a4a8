"""With --json there is valid JSON on standard output, whatever happens: one object, with the reason in `error`."""
import json
import signal
import socket
import subprocess
import time

from harness import GODWIT, LAB, PATIENCE, Case, Server, random_file

KEY = "ab" * 32


class AlwaysJson(Case):
    def check(self, result, code, schema, *words):
        self.assertEqual(result.returncode, code, result)
        parsed = json.loads(result.stdout)
        self.assertIsInstance(parsed, dict)
        self.assertEqual(parsed["schema"], schema)
        self.assertIn("schema_version", parsed)
        if code == 0:
            self.assertIsNone(parsed["error"])
        else:
            self.assertIsInstance(parsed["error"], str)
            for word in words:
                self.assertIn(word, parsed["error"])
                self.assertIn(word, result.stderr)
        return parsed

    def clients(self, to, patience="1"):
        source = random_file(self.folder / "data.bin", 1000)
        where = ["--to", to, "--peer-key", KEY, "--connect-timeout", patience]
        return [("godwit-send", ["send", *where, source]), ("godwit-ping", ["ping", *where, "-c", "1"]),
                ("godwit-perf", ["perf", "client", *where, "-t", "0.2"])]

    def test_bad_options_of_every_command(self):
        for schema, command in (("godwit-key", ["keygen"]), ("godwit-listen-event", ["listen"]),
                                ("godwit-send", ["send"]), ("godwit-ping", ["ping"]), ("godwit-netcheck", ["netcheck"]),
                                ("godwit-perf", ["perf", "client"]), ("godwit-perf-server", ["perf", "server"]),
                                ("godwit-version", ["version"]), ("godwit-error", ["no-such-command"]),
                                ("godwit-simulation-table", ["sim", "table"]),
                                *((("godwit-doctor", ["doctor"]), ("godwit-benchmark-results", ["analyze"])) if LAB else ())):
            with self.subTest(command=command):
                self.check(self.run_godwit(*command, "--json", "--no-such-option"), 2, schema)
                self.check(self.run_godwit(*command, "--no-such-option", "--json"), 2, schema)

    def test_the_flag_with_a_value(self):
        for flag in ("--json=true", "--json=1", "--json=nonsense"):
            with self.subTest(flag):
                self.check(self.run_godwit("ping", flag, "--no-such-option"), 2, "godwit-ping")
        for flag in ("--json=false", "--json=0", "--jsonx"):
            with self.subTest(flag):
                self.assertEqual(self.run_godwit("ping", flag, "--no-such-option").stdout, "")

    def test_an_unreachable_peer(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            for schema, command in self.clients("127.0.0.1:%d" % silent.getsockname()[1]):
                with self.subTest(command[0]):
                    self.check(self.run_godwit(*command, "--json"), 3, schema, "cannot connect")

    def test_a_name_that_nobody_knows(self):
        for schema, command in self.clients("no-such-host.invalid:1"):
            with self.subTest(command[0]):
                self.check(self.run_godwit(*command, "--json"), 3, schema, "no-such-host.invalid")

    def test_a_port_that_is_taken(self):
        server = self.listen()
        for schema, command in (("godwit-listen-event", ["listen"]), ("godwit-perf-server", ["perf", "server"])):
            result = self.run_godwit(*command, "--bind", server.address, "--json")
            self.check(result, 2, schema, "Address already in use")

    def test_a_busy_server(self):
        server = Server(self, "perf", "server")
        first = subprocess.Popen([GODWIT, *server.client("perf", "client"), "-t", "60"], stdout=subprocess.DEVNULL,
                                 env=self.environment)
        self.addCleanup(first.wait)
        self.addCleanup(first.kill)
        self.assertIn("begins", server.process.stdout.readline())
        result = self.run_godwit(*server.client("perf", "client"), "-t", "1", "--json")
        parsed = self.check(result, 1, "godwit-perf", "another run is going on")
        self.assertEqual(parsed["results"], [])

    def test_a_peer_that_is_something_else(self):
        server = self.listen()
        self.check(self.run_godwit(*server.client("perf", "client"), "-t", "1", "--json"), 1, "godwit-perf")

    def test_an_interrupted_run_has_its_results_so_far(self):
        for direction in ([], ["-R"], ["--bidir"]):
            with self.subTest(direction=direction):
                server = Server(self, "perf", "server")
                client = self.start(*server.client("perf", "client"), "-t", "60", "-i", "0.2", "--rate", "80M", "--json",
                                    *direction)
                self.assertIn("begins", server.process.stdout.readline())
                time.sleep(1)  # the server's answer is on its way
                client.send_signal(signal.SIGINT)
                output, errors = client.communicate(timeout=PATIENCE)
                result = subprocess.CompletedProcess([], client.returncode, output, errors)
                parsed = self.check(result, 130, "godwit-perf", "interrupted")
                self.assertEqual(len(parsed["results"]), 2 if direction == ["--bidir"] else 1, parsed)
                for entry in parsed["results"]:
                    member = "sent_bytes" if entry["direction"] == "client_to_server" else "received_bytes"
                    self.assertGreater(entry["delivered_bytes"], 0)
                    self.assertEqual(sum(row[member] for row in parsed["intervals"]), entry["delivered_bytes"])
                server.stop()

    def test_interrupted_while_connecting(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            for schema, command in self.clients("127.0.0.1:%d" % silent.getsockname()[1], "60"):
                with self.subTest(command[0]):
                    process = self.start(*command, "--json")
                    silent.settimeout(PATIENCE)
                    silent.recv(2048)  # its first datagram: it watches for signals
                    process.send_signal(signal.SIGINT)
                    output, errors = process.communicate(timeout=PATIENCE)
                    result = subprocess.CompletedProcess([], process.returncode, output, errors)
                    self.check(result, 130, schema, "interrupted")

    def test_a_table_without_cells(self):
        result = self.run_godwit("sim", "table", "--json", "--only", "zzzz")
        self.check(result, 2, "godwit-simulation-table", "zzzz")

    def test_a_stream_of_json_is_json_on_every_line(self):
        server = Server(self, "perf", "server")
        result = self.run_godwit(*server.client("perf", "client"), "-t", "1", "-i", "0.25", "--json-stream")
        self.assertEqual(result.returncode, 0, result)
        events = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([event["event"] for event in events if event["event"] != "interval"], ["start", "end"])
        rows = [event["data"] for event in events if event["event"] == "interval"]
        self.assertGreaterEqual(len(rows), 4)
        self.assertEqual(rows, events[-1]["data"]["intervals"])
        for command in (["--no-such-option"], ["--size", "64"]):
            failed = self.run_godwit(*server.client("perf", "client"), "--json-stream", *command)
            self.assertEqual(failed.returncode, 2)
            self.assertIsInstance(json.loads(failed.stdout)["error"], str)
