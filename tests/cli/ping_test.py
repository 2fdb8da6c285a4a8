"""`godwit ping`."""
import json
import signal
import subprocess

from harness import GODWIT, PATIENCE, Case


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
