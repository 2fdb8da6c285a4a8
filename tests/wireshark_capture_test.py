#!/usr/bin/env python3
"""`--keylog` against tshark: everything that two real processes say to one another, recorded on its way between them, is
decoded completely with the keys that either of them has written.

    tests/wireshark_capture_test.py GODWIT SOURCE_TREE

Exits with 77 and the reason where tshark is missing.
"""
import os
import pathlib
import select
import shutil
import signal
import socket
import sys
import threading
import unittest

os.environ["GODWIT"] = sys.argv[1]
TREE = pathlib.Path(sys.argv[2]).resolve()
sys.path[:0] = [str(TREE / "tests"), str(TREE / "tests/cli")]
if shutil.which("tshark") is None:
    print("wireshark_capture_test: SKIPPED: tshark is not installed (scripts/setup.sh --with-wireshark)")
    sys.exit(77)
from capture_file import Capture, tshark
from harness import Case, random_file

CLIENT, SERVER = ("192.0.2.7", 4242), ("192.0.2.9", 31337)


class Relay:
    """Passes the datagrams of one client on to a server, and back, and records them."""

    def __init__(self, case, server: str):
        host, port = server.rsplit(":", 1)
        self.server = (host, int(port))
        self.capture = Capture()
        self.front, self.back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for each in (self.front, self.back):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            each.bind(("127.0.0.1", 0))
        self.address = "%s:%d" % self.front.getsockname()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        case.addCleanup(self.stop)

    def run(self):
        client = None
        while not self.ended.is_set():
            for ready in select.select([self.front, self.back], [], [], 0.1)[0]:
                datagram, source = ready.recvfrom(65536)
                if ready is self.front:
                    client = source
                    self.capture.add(CLIENT, SERVER, datagram)
                    self.back.sendto(datagram, self.server)
                elif client is not None:
                    self.capture.add(SERVER, CLIENT, datagram)
                    self.front.sendto(datagram, client)

    def stop(self):
        self.ended.set()
        self.thread.join()
        self.front.close()
        self.back.close()


class RealCapture(Case):
    def record(self, *options):
        """A message and a file from one process to another; the rows that tshark shows with the keys of each of them."""
        keys = {side: self.folder / f"{side}.keys" for side in ("client", "server")}
        server = self.listen("--anyone", "--keylog", str(keys["server"]), *options)
        relay = Relay(self, server.address)
        to = ["--to", relay.address, "--peer-key", server.key, "--keylog", str(keys["client"]), *options]
        self.assertEqual(self.run_godwit("send", *to, "--message", "hello").returncode, 0)
        sent = self.run_godwit("send", *to, random_file(self.folder / "data", 300_000))
        self.assertEqual(sent.returncode, 0, sent)
        self.assertEqual(server.finish(signal.SIGTERM), 0)
        relay.stop()
        path = self.folder / "session.pcap"
        relay.capture.write(path)
        names = [part for name in ("_ws.col.Protocol", "_ws.col.Info", "godwit.generation", "_ws.malformed")
                 for part in ("-e", name)]
        for side, file in keys.items():
            rows = [line.split("\t") for line in tshark(path, file, "-T", "fields", *names).rstrip("\n").split("\n")]
            self.assertEqual(len(rows), len(relay.capture.records))
            yield side, rows

    def check(self, side, rows):
        with self.subTest(keys=side):
            self.assertEqual({row[0] for row in rows}, {"Godwit"})
            self.assertFalse([row for row in rows if "no key" in row[1] or "malformed" in row[1] or (len(row) > 3 and row[3])])
            shown = " ".join(row[1] for row in rows)
            for word in ("intro", "ack connection", "short message", "stream fragment"):
                self.assertIn(word, shown)
            self.assertGreater(len(rows), 250)

    def test_a_session_of_the_deployed_form_is_decoded_completely(self):
        for side, rows in self.record("--extended", "off"):
            self.check(side, rows)

    def test_an_extended_session_is_decoded_completely_across_its_key_updates(self):
        # Slowly, since a key is updated only when the one before it has been forgotten.
        for side, rows in self.record("--extended", "require", "--soft-packet-limit", "40", "--rate", "2M"):
            self.check(side, rows)
            generations = {row[2] for row in rows if len(row) > 2 and row[2]}
            self.assertLessEqual({"0", "1", "2"}, generations)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
