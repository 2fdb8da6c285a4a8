"""--metrics: what Prometheus would read, and what the dashboard in contrib/grafana asks for."""
import json
import pathlib
import re
import signal
import urllib.error
import urllib.request

from harness import Case, Server

TREE = pathlib.Path(__file__).resolve().parents[2]
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LINE = re.compile(r'^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>(?:[a-zA-Z_]\w*="[^"\\\n]*",?)*)\})? (?P<value>[0-9.e+-]+|\+Inf|NaN)$')


class Exposition:
    """The text format 0.0.4, read strictly: each family with its type before its samples, all of them together, once."""

    def __init__(self, text: str):
        self.types: dict[str, str] = {}
        self.samples: dict[tuple[str, str], float] = {}
        current = None
        for line in text.splitlines():
            if line.startswith("# HELP "):
                current = line.split(" ")[2]
                assert current not in self.types, f"{current} comes twice"
                assert len(line.split(" ", 3)[3]) > 5, line
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name == current and kind in ("counter", "gauge", "histogram"), line
                self.types[name] = kind
            else:
                match = LINE.match(line)
                assert match, f"not a sample: {line!r}"
                name = match["name"]
                family = re.sub(r"_(bucket|sum|count)$", "", name) if self.types[current] == "histogram" else name
                assert family == current, f"{name} stands in {current}"
                assert self.types[family] != "counter" or name.endswith("_total"), name
                key = (name, match["labels"] or "")
                assert key not in self.samples, f"{key} comes twice"
                self.samples[key] = float(match["value"])
        assert text.endswith("\n")

    def value(self, name: str, labels: str = "") -> float:
        return self.samples[(name, labels)]

    def names(self) -> set[str]:
        return {name for name, _ in self.samples} | set(self.types)


def read(url: str) -> Exposition:
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"), answer.headers["Content-Type"]
        return Exposition(answer.read().decode())


def dashboard_metrics() -> set[str]:
    board = json.loads((TREE / "contrib/grafana/godwit.json").read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    expressions += [variable["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    return {name for text in expressions for name in re.findall(r"\bgodwit_\w+", text)}


class Metrics(Case):
    def url_in(self, log) -> str:
        """What a process with this file for its standard error says."""
        pattern = re.compile(r"metrics on (http://\S+/metrics)")
        return self.wait_for(lambda: pattern.search(log.read_text()), "no metrics").group(1)

    def listen_with_metrics(self, *arguments):
        log = self.folder / "listen.log"
        listener = self.listen(*arguments, stderr=str(log))
        return listener, self.url_in(log)

    def test_a_listener_tells_prometheus_what_it_has_counted(self):
        listener, url = self.listen_with_metrics("--metrics", "0", "--extended", "auto")
        self.assertTrue(url.startswith("http://127.0.0.1:"), url)
        before = read(url)
        self.assertEqual(before.value("godwit_endpoint_connections_opened_total"), 0)
        self.assertEqual(self.send(listener, "--message", "hello", "--extended", "auto").returncode, 0)
        after = read(url)
        self.assertEqual(after.value("godwit_endpoint_connections_opened_total"), 1)
        self.assertGreater(after.value("godwit_socket_datagrams_received_total"), 0)
        self.assertGreaterEqual(after.value("godwit_node_posted_calls_total"), 1)
        for key, value in before.samples.items():
            if before.types.get(key[0]) == "counter":
                self.assertGreaterEqual(after.samples[key], value, key)

    def test_the_dashboard_asks_for_nothing_that_is_not_there(self):
        listener, url = self.listen_with_metrics("--metrics", "127.0.0.1:0")
        ping = self.start(*listener.client("ping"), "-i", "50ms")
        self.assertIn("answer from", ping.stdout.readline())
        exposed = read(url)
        self.assertGreaterEqual(len(dashboard_metrics()), 25)
        self.assertEqual(dashboard_metrics() - exposed.names(), set())
        self.assertEqual(exposed.value("godwit_connections"), 1)
        listed = [labels for name, labels in exposed.samples if name == "godwit_connection_smoothed_round_trip_seconds"]
        self.assertEqual(len(listed), 1)
        self.assertRegex(listed[0], r'^connection="\d+",remote="127\.0\.0\.1:\d+"$')

    def test_shards_tell_their_sum(self):
        log = self.folder / "server.log"
        Server(self, "perf", "server", "--shards", "2", "--metrics", "0", stderr=str(log))
        exposed = read(self.url_in(log))
        self.assertEqual(exposed.value("godwit_shard_forwarded_datagrams_total"), 0)

    def test_other_pages_are_not_found_and_a_taken_port_is_an_error(self):
        _, url = self.listen_with_metrics("--metrics", "0")
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url.replace("/metrics", "/"), timeout=20)
        self.assertEqual(refused.exception.code, 404)
        refused.exception.close()
        port = url.split(":")[2].split("/")[0]
        second = self.run_godwit("listen", "--bind", "127.0.0.1:0", "--anyone", "--metrics", port)
        self.assert_one_error(second, 2, "cannot serve metrics on 127.0.0.1:" + port)
        for nonsense in ("there", "127.0.0.1:99999", "99999"):
            self.assert_one_error(self.run_godwit("listen", "--anyone", "--metrics", nonsense), 2, nonsense)


class Top(Case):
    def test_it_shows_the_connections_of_a_running_process(self):
        path = self.folder / "control"
        listener = self.listen("--control", str(path))
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        ping = self.start(*listener.client("ping"), "-i", "20ms")
        self.assertIn("answer from", ping.stdout.readline())
        shown = self.run_godwit("top", path, "-i", "200ms", "--json")
        self.assertEqual(shown.returncode, 0, shown)
        live = json.loads(shown.stdout)
        self.assertEqual((live["schema"], live["schema_version"], live["process"]), ("godwit-top", 1, listener.process.pid))
        (connection,) = live["connections"]
        self.assertGreater(connection["send_bits_per_second"], 0)
        # Nothing before the listener's own first ping; it has only answered so far.
        self.assertGreaterEqual(connection["smoothed_round_trip_seconds"], 0)
        self.assertGreater(connection["counters"]["packets_received"], 0)
        table = self.run_godwit("top", path, "-i", "50ms", "-c", "2")
        self.assertEqual(table.returncode, 0, table)
        self.assertEqual(table.stdout.count(connection["remote"]), 2)
        self.assertIn("1 connection\n", table.stdout)

    def test_the_socket_goes_with_the_process_and_a_stale_one_is_replaced(self):
        path = self.folder / "control"
        first = self.listen("--control", str(path))
        taken = self.run_godwit("listen", "--bind", "127.0.0.1:0", "--anyone", "--control", path)
        self.assert_one_error(taken, 2, "cannot make the control socket")
        first.stop()  # killed: the socket is left
        self.assertTrue(path.is_socket())
        self.assert_one_error(self.run_godwit("top", path), 3, "no running godwit")
        second = self.listen("--control", str(path))
        self.assertEqual(second.finish(signal.SIGTERM), 0)
        self.assertFalse(path.exists())

    def test_what_is_no_socket_stays(self):
        path = self.folder / "control"
        path.write_text("mine")
        refused = self.run_godwit("listen", "--bind", "127.0.0.1:0", "--anyone", "--control", path)
        self.assert_one_error(refused, 2, "cannot make the control socket")
        self.assertEqual(path.read_text(), "mine")
        self.assert_one_error(self.run_godwit("top", "x" * 200), 2, "cannot name a socket")


class Qlog(Case):
    def test_a_trace_is_loaded_as_qvis_does(self):
        """The rules of its loader for text sequences: a header with qlog_version, qlog_format and trace comes first; then
        events, each an object with time, name and data, in the order of their times, all of them with a group_id."""
        server = self.listen("--qlog", str(self.folder / "traces"))
        self.assertEqual(self.send(server, "--message", "hello", "--qlog", "sent").returncode, 0)
        self.assertEqual(server.finish(signal.SIGTERM), 0)
        files = [*(self.folder / "traces").iterdir(), *(self.folder / "sent").iterdir()]
        self.assertEqual([file.suffix for file in files], [".sqlog", ".sqlog"])
        for file in files:
            records = [json.loads(part) for part in file.read_text().split("\x1e") if part.strip()]
            header, *events = records
            self.assertIn(header["qlog_version"], ("0.3", "draft-02"))
            self.assertEqual(header["qlog_format"], "JSON-SEQ")
            self.assertIn(header["trace"]["vantage_point"]["type"], ("client", "server", "network", "unknown"))
            # The main schema's names of the same, of its later drafts.
            self.assertEqual(header["file_schema"], "urn:ietf:params:qlog:file:sequential")
            self.assertEqual(header["serialization_format"], "application/qlog+json-seq")
            self.assertTrue(header["trace"]["event_schemas"])
            self.assertGreater(len(events), 5)
            self.assertEqual([e["time"] for e in events], sorted(e["time"] for e in events))
            for event in events:
                self.assertRegex(event["name"], r"^(quic|godwit):[a-z_]+$")
                self.assertIsInstance(event["data"], dict)
                self.assertIsInstance(event["group_id"], str)
                # What the loader calls non-compliant.
                self.assertNotIn("packet_type", event["data"])
                self.assertFalse({"packet_size", "payload_length"} & set(event["data"].get("header", {})))

    def test_a_folder_that_cannot_be_made_is_an_error(self):
        (self.folder / "file").write_text("")
        refused = self.run_godwit("listen", "--anyone", "--bind", "127.0.0.1:0", "--qlog", self.folder / "file" / "traces")
        self.assert_one_error(refused, 2, "cannot write traces")
        shards = self.run_godwit("perf", "server", "--shards", "2", "--bind", "127.0.0.1:0", "--qlog", "traces")
        self.assert_one_error(shards, 2, "--qlog is for one shard")
