"""The JSON objects of the commands against docs/json.md: what is printed is documented, what is documented is printed."""
import json
import pathlib
import re
import unittest

from harness import LAB, Case, Server, random_file, sha256

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "json.md"


def documented():
    """Members by schema: the first column of the table under each heading that names a schema in code."""
    members, current = {}, None
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("#"):
            heading = re.search(r"`(godwit-[a-z-]+)`", line)
            current = members.setdefault(heading.group(1), set()) if heading else None
        elif current is not None and line.startswith("| `"):
            current.update(re.findall(r"`([a-z_0-9.]+)`", line.split("|")[1]))
    return members


# Of each schema, as the document's table has it.
VERSIONS = {name: int(version) for name, version in re.findall(r"^\| `(godwit-[a-z-]+)` \| (\d+) \|", DOCUMENT.read_text(), re.M)}


class Schemas(Case):
    @classmethod
    def setUpClass(cls):
        cls.members = documented()

    def check(self, result, schema):
        self.assertEqual((result["schema"], result["schema_version"]), (schema, VERSIONS[schema]))
        self.assertEqual(set(result), self.members[schema] | {"schema", "schema_version", "error"})

    def test_keygen(self):
        result = json.loads(self.run_godwit("keygen", "--out", "key", "--json").stdout)
        self.check(result, "godwit-key")
        self.assertEqual(len(result["public_key"]), 64)

    def test_version(self):
        self.check(json.loads(self.run_godwit("version", "--json").stdout), "godwit-version")

    @unittest.skipUnless(LAB, "no laboratory")
    def test_doctor(self):
        result = self.run_godwit("doctor", "--json", "--json-file", "doctor.json")
        doctor = json.loads(result.stdout)
        self.assertEqual(doctor, json.loads((self.folder / "doctor.json").read_text()))
        self.assertEqual(set(doctor), {"schema", "schema_version", "error", "fingerprint", "environment", "ciphers"})
        self.assertEqual((doctor["schema"], doctor["schema_version"]), ("godwit-doctor", 2))
        environment = doctor["environment"]
        self.assertEqual(set(environment), {"exit_code", "fit_levels", "findings"})
        self.assertEqual({0: 0, 1: 10, 2: 11}[environment["exit_code"]], result.returncode)
        self.assertGreater(len(environment["findings"]), 20)
        self.assertTrue(doctor["fingerprint"]["machine"]["processor"])
        ciphers = {cipher["name"]: cipher for cipher in doctor["ciphers"]}
        self.assertEqual(sum(cipher["chosen"] for cipher in ciphers.values()), 1)
        for cipher in ciphers.values():
            self.assertEqual(set(cipher), {"name", "description", "available", "chosen", "seal_batch_ns", "open_batch_ns",
                                           "seal_single_ns", "open_single_ns"})
            self.assertEqual(cipher["seal_batch_ns"] is not None, cipher["available"])
        self.assertGreater(ciphers["openssl"]["seal_batch_ns"], 0)
        one = json.loads(self.run_godwit("doctor", "--cipher", "openssl", "--json").stdout)
        self.assertEqual([cipher["name"] for cipher in one["ciphers"]], ["openssl"])

    def test_send_and_listen(self):
        source = random_file(self.folder / "data.bin", 1 << 20)
        server = self.listen("--once", "--json", "--json-file", "received.json", json_lines=True)
        result = self.send(server, source, "--message", "hello", "--json", "--json-file", "sent.json")
        self.assertEqual(result.returncode, 0, result)
        sent = json.loads(result.stdout)
        self.assertEqual(sent, json.loads((self.folder / "sent.json").read_text()))
        self.check(sent, "godwit-send")
        file = sent["files"][0]
        self.assertIs(file["confirmed"], True)
        self.assertIsNone(file["reason"])
        self.assertEqual((file["name"], file["bytes"], file["sha256"]), ("data.bin", 1 << 20, sha256(source)))
        self.assertGreater(file["goodput_bits_per_second"], 0)
        self.assertEqual(sent["messages_confirmed"], 1)
        self.assertEqual(server.finish(), 0)
        received = json.loads((self.folder / "received.json").read_text())
        self.check(received, "godwit-listen")
        events = [json.loads(line) for line in server.output.splitlines()]
        self.assertEqual([event["event"] for event in events], ["listening", "message", "received", "end"])
        for event in events:
            self.assertEqual((event["schema"], event["schema_version"]), ("godwit-listen-event", 1))
            self.assertLessEqual(set(event) - {"schema", "schema_version", "error"}, self.members["godwit-listen-event"])
        self.assertEqual(received["files"][0]["sha256"], sha256(source))
        self.assertEqual([entry["bytes"] for entry in received["messages"]], [5])

    def test_send_that_fails(self):
        source = random_file(self.folder / "data.bin", 2000)
        server = self.listen("--max-file", "1k", "--json", json_lines=True)
        result = self.send(server, source, "--json")
        self.assertEqual(result.returncode, 1)
        sent = json.loads(result.stdout)
        self.check(sent, "godwit-send")
        self.assertIs(sent["files"][0]["confirmed"], False)
        self.assertIn("larger", sent["files"][0]["reason"])

    def test_ping(self):
        result = self.run_godwit(*self.listen().client("ping"), "-c", "3", "-i", "10ms", "--json")
        self.check(json.loads(result.stdout), "godwit-ping")

    def test_top(self):
        self.listen("--control", "control")
        result = self.run_godwit("top", "control", "-i", "10ms", "--json")
        self.check(json.loads(result.stdout), "godwit-top")

    def test_perf(self):
        server = Server(self, "perf", "server", "--once", "--json", json_lines=True)
        result = self.run_godwit(*server.client("perf", "client"), "-t", "0.3", "-i", "0.1", "--json")
        self.assertEqual(result.returncode, 0, result)
        measured = json.loads(result.stdout)
        self.check(measured, "godwit-perf")
        entry = measured["results"][0]
        for member in ("goodput_bits_per_second", "delivered_bytes", "digest_match", "retransmitted_packets",
                       "datagrams_per_send_call"):
            self.assertIn(member, entry)
        self.assertEqual(set(entry["cpu_seconds"]), {"sender", "receiver"})
        self.assertEqual(server.finish(), 0)
        self.check(json.loads(server.output), "godwit-perf-server")

    def test_a_json_file_that_cannot_be_written_is_an_error(self):
        (self.folder / "folder.json").mkdir()
        result = self.run_godwit("keygen", "--out", "key", "--json-file", "folder.json")
        self.assert_one_error(result, 2, "cannot write folder.json")
