"""`godwit perf` as users of iperf3 expect it: amounts, times, rows and sums, and no option that is ignored."""
import json
import os
import re
import signal
import socket
import subprocess
import time

from harness import GODWIT, LAB, PATIENCE, Case, Server


class Amounts(Case):
    def run_perf(self, server, *arguments):
        result = self.run_godwit(*server.client("perf", "client"), *arguments, "--json")
        self.assertEqual(result.returncode, 0, result)
        report = json.loads(result.stdout)
        self.assertIsNone(report["error"])
        return report

    def check_sums(self, report):
        """The rows of each direction add up to its total, and the rows of its streams to each row."""
        for entry in report["results"]:
            direction = "sent" if entry["direction"] == "client_to_server" else "received"
            counted = [row for row in report["intervals"] if not row["omitted"]]
            omitted = [row for row in report["intervals"] if row["omitted"]]
            self.assertEqual(sum(row[f"{direction}_bytes"] for row in counted), entry["delivered_bytes"])
            self.assertEqual(sum(row[f"{direction}_bytes"] for row in omitted), entry["omitted_bytes"])
            self.assertEqual(sum(entry["stream_bytes"]), entry["delivered_bytes"] + entry["omitted_bytes"])
            if entry["streams"] > 1:
                for stream in range(entry["streams"]):
                    self.assertEqual(sum(row[f"stream_{direction}_bytes"][stream] for row in report["intervals"]),
                                     entry["stream_bytes"][stream])
            self.assertAlmostEqual(entry["goodput_bits_per_second"] * entry["seconds"] / 8, entry["delivered_bytes"],
                                   delta=1)

    def test_the_smallest_amounts_are_measured(self):
        server = Server(self, "perf", "server")
        for amount in ("1", "2", "1000", "100k"):
            for direction in ([], ["-R"], ["--bidir"], ["-P", "3"]):
                with self.subTest(amount=amount, direction=direction):
                    report = self.run_perf(server, "-n", amount, *direction)
                    expected = 102400 if amount == "100k" else int(amount)
                    for entry in report["results"]:
                        self.assertEqual(entry["delivered_bytes"], expected)
                        self.assertGreater(entry["goodput_bits_per_second"], 0)
                        self.assertGreater(entry["seconds"], 0)
                    self.check_sums(report)

    def test_rows_add_up_in_every_direction(self):
        server = Server(self, "perf", "server")
        for arguments in ([], ["-R"], ["--bidir"], ["-P", "4"], ["-P", "3", "--bidir"], ["-i", "0.3"],
                          ["--rate", "50M"], ["-O", "0.5"], ["-O", "0.5", "-R"]):
            with self.subTest(arguments=arguments):
                report = self.run_perf(server, "-t", "1.2", "-i", "0.25", *arguments) if "-i" not in arguments else \
                    self.run_perf(server, "-t", "1.2", *arguments)
                self.assertGreaterEqual(len(report["intervals"]), 4)
                self.check_sums(report)

    def test_a_slow_path_ends_in_time_and_what_was_queued_is_reported(self):
        # A fifth of all datagrams is lost each way, and a round trip takes 0.2 s.
        for direction in ([], ["-R"], ["--bidir"]):
            with self.subTest(direction=direction):
                server = Server(self, "perf", "server", "--once", "--drop", "0.2", "--delay", "100ms")
                began = time.monotonic()
                report = self.run_perf(server, "-t", "2", "-i", "0.5", "--drop", "0.2", "--delay", "100ms",
                                       "--stream-bytes", "16M", *direction)
                self.assertLess(time.monotonic() - began, 30)  # handshake and results go through the same losses
                self.check_sums(report)
                for entry in report["results"]:
                    self.assertLess(entry["seconds"], 4)
                    self.assertGreaterEqual(entry["cancelled_bytes"], 0)
                    self.assertIs(entry["digest_match"], True)

    def test_omitted_seconds_are_not_counted(self):
        server = Server(self, "perf", "server")
        report = self.run_perf(server, "-t", "1", "-O", "1", "--rate", "40M")
        entry = report["results"][0]
        self.assertGreater(entry["omitted_bytes"], 0)
        self.assertAlmostEqual(entry["seconds"], 1, delta=0.7)
        self.assertTrue(report["intervals"][0]["omitted"])
        self.assertFalse(report["intervals"][-1]["omitted"])

    def test_without_an_end_it_runs_until_it_is_interrupted_and_sums_up(self):
        server = Server(self, "perf", "server")
        client = self.start(*server.client("perf", "client"), "-t", "0", "-i", "0.2", "--rate", "50M")
        for _ in range(3):
            self.assertRegex(client.stdout.readline(), r"sent +\d")
        client.send_signal(signal.SIGINT)
        output, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 130, errors)
        self.assertIn("goodput", output)
        self.assertIn("on both ends", output)
        self.assertIn("error: interrupted", errors)

    def test_rows_are_printed_every_second_and_for_each_stream(self):
        server = Server(self, "perf", "server")
        result = self.run_godwit(*server.client("perf", "client"), "-t", "2.2", "--rate", "50M", "-P", "2")
        self.assertEqual(result.returncode, 0, result)
        for pattern in (r"\[  0\] +0\.00-1\.", r"\[  1\] +0\.00-1\.", r"\[SUM\] +0\.00-1\.", r"\[SUM\] +1\.\d\d-2\."):
            self.assertRegex(result.stdout, pattern)
        quiet = self.run_godwit(*server.client("perf", "client"), "-t", "1.2", "--rate", "50M", "--interval", "0")
        self.assertNotRegex(quiet.stdout, r"0\.00-1\.")
        fine = self.run_godwit(*server.client("perf", "client"), "-t", "0.5", "--rate", "10M", "--interval", "50ms",
                               "--ping-pong", "-P", "1", "--json")
        report = json.loads(fine.stdout)
        self.assertGreaterEqual(len(report["intervals"]), 5)
        self.assertGreater(report["ping_pong"]["answered"], 0)


class Refused(Case):
    def test_options_that_would_be_ignored_are_errors(self):
        base = ["perf", "client", "--to", "127.0.0.1:9", "--peer-key", "ab" * 32]
        for arguments, word in ((["--size", "64"], "--ping-pong"), (["--outstanding", "2"], "--ping-pong"),
                                (["--ping-interval", "1ms"], "--ping-pong"),
                                (["--ping-pong", "--no-digest"], "bulk"), (["--ping-pong", "--stream-bytes", "1M"], "bulk"),
                                (["--ping-pong", "-i", "1"], "bulk"), (["-R", "--working-set", "1M"], "a client that sends"),
                                (["--window", "1M"], "a client that receives"), (["--fault-seed", "7"], "--drop"),
                                (["--congestion", "fixed"], "--rate"), (["-n", "1M", "-t", "1"], "--time"),
                                (["-n", "1M", "-O", "1"], "--bytes"), (["-n", "0"], "at least one byte"),
                                (["--stream-bytes", "17M"], "16M at most"), (["--stream-bytes", "0"], "at least one byte"),
                                (["--json", "--json-stream"], "--json"), (["-R", "--bidir"], "--reverse"),
                                (["-i", "0.001"], "0.01"), (["-i", "1ms"], "0.01"), (["-i", "2h"], "not a time"), (["-i", "3601"], "3600"), (["-t", "0.0001"], "0.001"),
                                (["-t", "nan"], "number of seconds"), (["-O", "nan"], "number of seconds"),
                                (["-b", "1M"], "is '--rate'"), (["-u"], "of iperf3"),
                                (["--affinity", "1000"], "processor")):
            with self.subTest(arguments=arguments):
                self.assert_one_error(self.run_godwit(*base, *arguments), 2, word)
        for command, word in ((["perf", "server", "--daemon", "--json"], "--logfile"),
                              (["perf", "server", "--shards", "2", "-A", "0"], "--shards"),
                              (["sim", "run", "--seeds", "1", "--plot", "x"], "one scenario"),
                              (["sim", "run", "nothing.toml", "--first", "2"], "--seeds"),
                              *(((["report", "--check"], "--markdown"),) if LAB else ())):
            with self.subTest(command=command):
                self.assert_one_error(self.run_godwit(*command), 2, word)

    def test_a_near_miss_is_suggested(self):
        for command, meant in ((["lisen"], "listen"), (["perf", "cleint"], "client"), (["send", "--peerkey", "x"], "--peer-key"),
                               (["perf", "server", "--shard", "2"], "--shards"), (["ping", "--intervall", "1"], "--interval")):
            with self.subTest(command=command):
                self.assert_one_error(self.run_godwit(*command), 2, "there is no '", f"did you mean '{meant}'?")
        self.assertNotIn("did you mean", self.run_godwit("carrier-pigeon").stderr)

    def test_what_iperf3_calls_otherwise_is_translated(self):
        for option, meant in (("-M", "'--max-datagram'"), ("-N", "what every run does"), ("--zerocopy", "'--backend'"),
                              ("--blockcount=3", "'--bytes'"), ("-L", "without a counterpart"), ("-w", "'--window'")):
            with self.subTest(option=option):
                result = self.run_godwit("perf", "client", "--to", "127.0.0.1", option)
                self.assert_one_error(result, 2, f"{option.split('=')[0]} of iperf3 is ", meant)


class Families(Case):
    def test_only_addresses_of_a_family_are_tried(self):
        server = Server(self, "perf", "server")
        result = self.run_godwit(*server.client("perf", "client"), "-4", "-n", "1k")
        self.assertEqual(result.returncode, 0, result)
        for command in (["perf", "client"], ["ping"], ["send", "--message", "x"]):
            self.assert_one_error(self.run_godwit(*server.client(*command), "-6"), 3, "has no IPv6 address")
            self.assert_one_error(self.run_godwit(*server.client(*command), "-6", "-4"), 2, "excludes")


class TypeOfService(Case):
    def test_what_is_sent_has_the_type_of_service(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            peer.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
            client = self.start("perf", "client", "--to", "127.0.0.1:%d" % peer.getsockname()[1], "--peer-key", "11" * 32,
                                "-S", "0x28")
            _, control, _, _ = peer.recvmsg(65536, 128)
            client.kill()
        self.assertIn((socket.IPPROTO_IP, socket.IP_TOS, b"\x28"), control)
        server = Server(self, "perf", "server", "-S", "32")
        result = self.run_godwit(*server.client("perf", "client"), "-n", "1k", "--tos", "0")
        self.assertEqual(result.returncode, 0, result)
        self.assert_one_error(self.run_godwit(*server.client("perf", "client"), "-S", "256"), 2, "--tos")


class ServersChoices(Case):
    def test_the_servers_rate_and_controller_count_unless_the_client_says_otherwise(self):
        server = Server(self, "perf", "server", "--rate", "20M", "--congestion", "cubic")
        result = self.run_godwit(*server.client("perf", "client"), "-R", "-t", "1", "--json")
        report = json.loads(result.stdout)
        entry = report["results"][0]
        self.assertLess(entry["goodput_bits_per_second"], 21e6)
        self.assertEqual(entry["congestion"]["controller"], "cubic")
        result = self.run_godwit(*server.client("perf", "client"), "-R", "-t", "0.5", "--congestion", "newreno", "--json")
        self.assertEqual(json.loads(result.stdout)["results"][0]["congestion"]["controller"], "newreno")


class Processes(Case):
    def test_a_log_file_takes_everything_with_time_stamps(self):
        server = Server(self, "perf", "server")
        result = self.run_godwit(*server.client("perf", "client"), "-t", "0.3", "--logfile", "log", "--timestamps")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        lines = (self.folder / "log").read_text().splitlines()
        self.assertTrue(any("goodput" in line for line in lines))
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} ")
        result = self.run_godwit(*server.client("perf", "client"), "-t", "0.3", "--timestamps=%H:%M ")
        self.assertRegex(result.stdout, re.compile(r"^\d\d:\d\d ", re.M))
        result = self.run_godwit("perf", "client", "--to", "x", "--peer-key", "ab" * 32, "--logfile", "no/such/folder")
        self.assert_one_error(result, 2, "cannot write no/such/folder")

    def test_a_process_is_kept_on_its_processor(self):
        processor = min(os.sched_getaffinity(0))
        server = Server(self, "perf", "server", "-A", str(processor))
        self.assertEqual(os.sched_getaffinity(server.process.pid), {processor})
        result = self.run_godwit(*server.client("perf", "client"), "-t", "0.2", "-A", processor)
        self.assertEqual(result.returncode, 0, result)

    def test_a_server_in_the_background_listens_when_its_parent_has_ended(self):
        with Server.free_port() as free:
            port = free.getsockname()[1]
        result = self.run_godwit("perf", "server", "-D", "--once", "--bind", f"127.0.0.1:{port}", "--logfile", "log")
        self.assertEqual(result.returncode, 0, result)
        key = (self.folder / "log").read_text().split("public key ")[1].split()[0]
        client = self.run_godwit("perf", "client", "--to", f"127.0.0.1:{port}", "--peer-key", key, "-t", "0.2")
        self.assertEqual(client.returncode, 0, client)
        self.wait_for(lambda: "received" in (self.folder / "log").read_text(), "the server did not log")
        # A second one cannot have the port of a first, and its parent says so.
        busy = Server(self, "perf", "server")
        taken = self.run_godwit("perf", "server", "-D", "--bind", busy.address)
        self.assert_one_error(taken, 2, "Address already in use")

    def test_versions_at_the_top(self):
        result = self.run_godwit("--version")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"^godwit \d+\.\d+\.\d+ \(commit .+\)\n$")
        self.assertEqual(subprocess.run([GODWIT, "--version"], capture_output=True, text=True, check=True).stderr, "")
