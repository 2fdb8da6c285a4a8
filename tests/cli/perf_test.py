"""`godwit perf`: figures, and errors instead of figures."""
import json
import pathlib
import signal
import subprocess
import time

from harness import GODWIT, PROBED, PATIENCE, Case, Server


class Perf(Case):
    def run_perf(self, *arguments, server_options=(), expect=0):
        server = Server(self, "perf", "server", "--once", *server_options)
        result = self.run_godwit(*server.client("perf", "client"), *arguments, "--json")
        self.assertEqual(result.returncode, expect, result)
        code = server.finish()
        return (json.loads(result.stdout) if expect == 0 else result), code, server

    def check_entry(self, entry, least_bytes_per_packet=1000):
        self.assertGreater(entry["goodput_bits_per_second"], 1e6)
        self.assertGreater(entry["delivered_bytes"], 0)
        self.assertIs(entry["digest_match"], True)
        self.assertGreaterEqual(entry["retransmitted_packets"], 0)
        self.assertGreater(entry["datagrams_per_send_call"], 0)
        self.assertGreater(entry["cpu_seconds"]["sender"], 0)
        self.assertGreater(entry["cpu_seconds"]["receiver"], 0)
        self.assertGreater(entry["seconds"], 0)
        self.assertEqual(set(entry["kernel_drops"]), {"sender", "receiver"})
        self.assertGreater(entry["bytes_per_packet"], least_bytes_per_packet)

    def test_a_run_has_one_result_with_all_its_figures(self):
        result, code, server = self.run_perf("-t", "1", "-i", "0.25")
        self.assertEqual(code, 0)
        self.assertEqual((result["schema"], result["schema_version"]), ("godwit-perf", 2))
        self.assertIn(result["backend"], ["sendto", "mmsg", "gso"])
        self.assertEqual(result["congestion"], "bbr")
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
                    # What a side sends in acks of the other direction counts as its packets too.
                    self.check_entry(entry, 500 if len(directions) == 2 else 1000)

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

    def test_a_rate_is_not_exceeded(self):
        for reverse in ([], ["-R"]):
            with self.subTest(reverse=reverse):
                result, _, _ = self.run_perf("-t", "2", "--rate", "100M", *reverse)
                self.assertEqual(result["rate_bits_per_second"], 100_000_000)
                self.assertLess(result["results"][0]["goodput_bits_per_second"], 102e6)

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
                limit = ["--soft-packet-limit", "20000", "--extended", "off"]
                result, code, server = self.run_perf("-n", "120M", *arguments, *limit, server_options=limit)
                self.assertEqual(code, 0, server.errors)
                for entry in result["results"]:
                    self.assertEqual(entry["delivered_bytes"], 120 << 20)
                    self.assertIs(entry["digest_match"], True)
                    self.assertGreater(entry["renewals"], 0)

    def test_ping_pong_alone_on_a_schedule_and_beside_bulk(self):
        for arguments, entries in ((["--size", "64"], 0), (["--ping-interval", "1ms"], 0), (["-P", "1"], 1),
                                   (["--outstanding", "100"], 0)):
            with self.subTest(arguments=arguments):
                result, code, _ = self.run_perf("-t", "1", "--ping-pong", *arguments)
                self.assertEqual(code, 0)
                self.assertEqual(len(result["results"]), entries)
                echo = result["ping_pong"]
                self.assertGreater(echo["answered"], 10)
                self.assertLessEqual(echo["answered"], echo["sent"])
                self.assertEqual(echo["outstanding"], 100 if "--outstanding" in arguments else 1)
                self.assertAlmostEqual(echo["seconds"], 1, delta=0.5)
                latency = echo["latency_seconds"]
                self.assertTrue(0 < latency["p50"] <= latency["p99"] <= latency["p99.9"] <= latency["p99.99"])

    def test_a_server_writes_each_run_as_it_ends_and_one_object_in_all(self):
        server = Server(self, "perf", "server", "--json", "--json-file", "runs.json", json_lines=True)
        runs = 3
        for number in range(1, runs + 1):
            client = self.run_godwit(*server.client("perf", "client"), "-n", "1M")
            self.assertEqual(client.returncode, 0, client.stderr)
            self.assertEqual((self.folder / "runs.json").read_text().count('"failed"'), number)
        self.assertEqual(server.finish(signal.SIGTERM), 0, server.errors)
        self.assertEqual((self.folder / "runs.json").read_text(), server.output)
        result = json.loads(server.output)
        self.assertEqual((len(result["results"]), result["runs"], result["failed_runs"]), (runs, runs, 0))
        self.assertEqual(result["received_bytes"], sum(entry["received_bytes"] for entry in result["results"]))

    def test_shards_share_a_port_and_serve_clients_each(self):
        server = Server(self, "perf", "server", "--shards", "2", "--json", json_lines=True)
        clients = 12
        for _ in range(clients):
            client = self.run_godwit(*server.client("perf", "client"), "-n", "1M", "--json")
            self.assertEqual(client.returncode, 0, client.stderr)
            self.assertIs(json.loads(client.stdout)["results"][0]["digest_match"], True)
        self.assertEqual(server.finish(signal.SIGTERM), 0, server.errors)
        result = json.loads(server.output)
        self.assertEqual(result["shards"], 2)
        self.assertEqual(len(result["results"]), clients)
        self.assertEqual({entry["shard"] for entry in result["results"]}, {0, 1})
        self.assertEqual(result["refused_datagrams"], 0)

    def test_a_second_client_is_told_that_the_server_is_busy(self):
        server = Server(self, "perf", "server")
        first = subprocess.Popen([GODWIT, *server.client("perf", "client"), "-t", "0"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, env=self.environment)
        self.addCleanup(first.wait)
        self.addCleanup(first.kill)
        self.assertIn("begins", server.process.stdout.readline())
        second = self.run_godwit(*server.client("perf", "client"), "-t", "1")
        self.assert_one_error(second, 1, "another run is going on")
        first.send_signal(signal.SIGINT)
        self.assertEqual(first.wait(PATIENCE), 130)

    def test_a_server_that_dies_is_an_error_and_no_figure(self):
        server = Server(self, "perf", "server")
        client = subprocess.Popen([GODWIT, *server.client("perf", "client"), "-t", "60", "--idle-timeout", "3", "--json"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)
        self.assertIn("begins", server.process.stdout.readline())
        server.process.kill()
        output, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 1)
        result = json.loads(output)
        self.assertRegex(result["error"], "the connection has ended|the peer has gone")
        self.assertEqual(result["results"], [])
        self.assertRegex(errors, "error: (the connection has ended|the peer has gone)")

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

    def test_probes_are_live_in_the_probed_program_only(self):
        if not PROBED:
            self.skipTest("no probed program")
        for program, live in ((GODWIT, False), (PROBED, True)):
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
                probes = (report[side]["cost"] or {"probes": 0})["probes"]
                self.assertEqual(probes > 0, live, (program, side, probes))
            if live:
                steps = {step["step"] for step in report["client"]["cost"]["steps"]}
                self.assertLessEqual({"seal", "send_call", "digest", "encode"}, steps)
                steps = {step["step"] for step in report["server"]["cost"]["steps"]}
                self.assertLessEqual({"open", "receive_call", "digest", "acknowledge"}, steps)
