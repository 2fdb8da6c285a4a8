#!/usr/bin/env python3
"""contrib/wireshark/godwit.lua against tshark: a capture with every message of the deployed form and every frame of the
extended one, sealed by tests/cli/extended_peer.py, is decoded completely; without keys nothing is, and nothing breaks.

    tests/wireshark_test.py SOURCE_TREE

Exits with 77 and the reason where tshark or Python's cryptography is missing.
"""
import pathlib
import shutil
import struct
import sys
import tempfile
import unittest

TREE = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
sys.path[:0] = [str(TREE / "tests"), str(TREE / "tests/cli")]
from capture_file import Capture, tshark
if shutil.which("tshark") is None:
    print("wireshark_test: SKIPPED: tshark is not installed (scripts/setup.sh --with-wireshark)")
    sys.exit(77)
try:
    import extended_peer as peer
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:
    print("wireshark_test: SKIPPED: Python's package cryptography is not installed")
    sys.exit(77)

VERSION = bytes.fromhex("ff0002009a007a01")
ALICE, BOB = ("192.0.2.7", 4242), ("192.0.2.9", 31337)
ADDRESS = struct.pack("<I", 0) + bytes((192, 0, 2, 7)) + struct.pack("<H", 4242)
ADDRESS6 = struct.pack("<I", 1) + bytes.fromhex("20010db8000000000000000000000001") + struct.pack("<H", 4242)


def counted(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


# Of the deployed form: name that the dissector shows, and the plaintext.
MESSAGES = [
    ("ack connection", peer.frame(0, 0, struct.pack("<I", 0) + bytes(16) + ADDRESS6)),
    ("ack connection", peer.frame(0, 0, struct.pack("<I", 1) + counted(b"remote is using a different protocol version"))),
    ("short message", peer.frame(1, 1, counted(b"hello"), (7, 8))),
    ("stream fragment", peer.frame(2, 2, struct.pack("<IQI", 5, 3000, 2) + counted(b"\xca\xfe") + b"\0")),
    ("stream fragment", peer.frame(2, 3, struct.pack("<IQI", 0x80000005, 3000, 1) + counted(b"\xca\xfe") + b"\1" + counted(b"\x11\x22\x33"))),
    ("acknowledgements", peer.frame(3, 4, b"", (1, 2, 300))),
    ("ping", peer.frame(4, 5, struct.pack("<Q", 9))),
    ("pong", peer.frame(5, 6, struct.pack("<Q", 9))),
    ("ack connection 2", peer.frame(6, 0, bytes(16) + ADDRESS + VERSION)),
    ("upgrade", peer.frame(7, 9, struct.pack("<III", 0, 1, 0))),
    ("upgrade", peer.frame(7, 9, struct.pack("<II", 1, 1))),
    ("upgrade", peer.frame(7, 9, struct.pack("<IIB", 2, 1, 1))),
    ("short message", peer.frame(1, 10, counted(bytes(1130)))),
    ("malformed", peer.frame(44, 11)),
    ("malformed", peer.frame(1, 12, struct.pack("<Q", 2**40))),
]
FLOW = struct.pack("<IQQ", 5, 1 << 20, 77)
FRAMES = [
    ("ping", peer.frame(4, 0, struct.pack("<Q", 7))),
    ("path challenge", peer.frame(8, 0, b"12345678")), ("path response", peer.frame(9, 0, b"12345678")),
    ("connection credit", peer.frame(11, 1, FLOW)), ("stream credit", peer.frame(12, 2, FLOW)),
    ("stream reset", peer.frame(13, 3, FLOW)), ("stream stop", peer.frame(14, 4, FLOW)), ("stream end", peer.frame(15, 5, FLOW)),
    ("acknowledgement", peer.acknowledgement({1, 2, 5, 9}, 1500)),
    ("short message, short message, acknowledgements", peer.frame(1, 6, counted(b"a")) + peer.frame(1, 7, counted(b"b")) + peer.frame(3, 8)),
    ("ack connection, close code", peer.frame(0, 0, struct.pack("<I", 1) + counted(b"done")) + peer.frame(10, 0, struct.pack("<Q", 42))),
]


def deployed_session(capture: Capture) -> tuple[list[str], list[str]]:
    """Adds a session of the deployed form; the info column of each datagram, and the lines of a key log."""
    keys = {ALICE: b"\xa1" * 16, BOB: b"\xb2" * 16}
    outer, bob = peer.KeyPair(b"\x33" * 32), peer.KeyPair(b"\x22" * 32)
    intro = b"\1" + outer.public + peer.ChaCha20Poly1305(outer.agree(bob.public)).encrypt(bytes(12), VERSION + keys[ALICE], None)
    capture.add(ALICE, BOB, intro)
    infos = ["intro"]
    for i, (name, plaintext) in enumerate(MESSAGES):
        source, target = (ALICE, BOB) if i % 2 else (BOB, ALICE)
        nonce = struct.pack("<IQ", i, i)
        capture.add(source, target, b"\2" + nonce + AESGCM(keys[target]).encrypt(nonce, plaintext, None))
        infos.append(name)
    capture.add(ALICE, BOB, b"\2" + bytes(44))  # forged
    return [*infos, "packet, no key"], [f"GODWIT_KEY {key.hex()}" for key in keys.values()]


def extended_session(capture: Capture) -> tuple[list[str], list[str]]:
    carol, dave = ("192.0.2.11", 5151), ("192.0.2.12", 6161)  # ports that say nothing
    alice, bob = peer.KeyPair(), peer.KeyPair()
    initiator = peer.Initiator(alice, bob.public, VERSION)
    ack, to_initiator, from_initiator = peer.Acceptor(bob, VERSION).answer(initiator.intro, carol)
    secrets = []
    # `split` gives the first secrets, which a Direction has already replaced: they are taken from another split.
    mine, other = initiator_split(initiator, ack)
    secrets += [f"GODWIT_SECRET {mine.hex()}", f"GODWIT_SECRET {other.hex()}"]
    to_acceptor, _ = initiator.read_answer_again
    capture.add(carol, dave, initiator.intro)
    capture.add(dave, carol, ack)
    infos = ["intro with an offer", "ack connection 2"]
    for i, (name, plaintext) in enumerate(FRAMES):
        source, target, direction = (carol, dave, to_acceptor) if i % 2 == 0 else (dave, carol, to_initiator)
        capture.add(source, target, direction.seal(plaintext))
        infos.append(name)
    # Key updates, and a packet of the generation before that comes late.
    late = to_acceptor.seal(FRAMES[0][1])
    for _ in range(3):
        to_acceptor.next()
        capture.add(carol, dave, to_acceptor.seal(FRAMES[0][1]))
        infos.append("ping")
    capture.add(carol, dave, late)
    infos.append("ping")
    return infos, [f"GODWIT_KEY {initiator.key.hex()}", *secrets]


def initiator_split(initiator, ack: bytes) -> tuple[bytes, bytes]:
    kept = []
    split = initiator.noise.split
    initiator.noise.split = lambda: kept.append(split()) or kept[-1]
    initiator.read_answer_again = initiator.read_answer(ack)
    return kept[0]


class Dissector(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.scratch.name)
        capture = Capture()
        deployed, keys = deployed_session(capture)
        extended, secrets = extended_session(capture)
        cls.infos = [*deployed, *extended]
        cls.capture, cls.keylog = folder / "session.pcap", folder / "keys"
        capture.write(cls.capture)
        cls.keylog.write_text("\n".join(["# a comment", "CLIENT_RANDOM 00 11", *keys, *secrets]) + "\n")

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def fields(self, keylog, *names: str) -> list[list[str]]:
        wanted = [part for name in names for part in ("-e", name)]
        return [line.split("\t") for line in tshark(self.capture, keylog, "-T", "fields", *wanted).rstrip("\n").split("\n")]

    def test_with_the_keys_everything_is_decoded(self):
        rows = self.fields(self.keylog, "_ws.col.Protocol", "_ws.col.Info")
        self.assertEqual(rows, [["Godwit", info] for info in self.infos])

    def test_fields_have_the_values_that_were_sent(self):
        rows = self.fields(self.keylog, "godwit.message", "godwit.acknowledgement", "godwit.stream", "godwit.payload", "godwit.ack.error",
                           "godwit.generation", "godwit.code", "godwit.metadata", "godwit.ack.observed6")
        hello, fragment, acknowledgements = rows[3], rows[5], rows[6]
        self.assertEqual((hello[1], hello[3]), ("7,8", b"hello".hex()))
        self.assertEqual((fragment[2], fragment[7]), ("0x80000005", "112233"))
        self.assertEqual(acknowledgements[1], "1,2,300")
        self.assertEqual(rows[2][4], "remote is using a different protocol version")
        self.assertEqual(rows[1][8], "2001:db8::1")
        closing = rows[len(self.infos) - 5]
        self.assertEqual((closing[0], closing[6]), ("0,10", "42"))
        self.assertEqual([row[5] for row in rows[-4:]], ["1", "2", "3", "0"])

    def test_malformed_messages_are_marked(self):
        rows = self.fields(self.keylog, "godwit.malformed", "_ws.malformed")
        self.assertEqual([i for i, row in enumerate(rows) if row[0]], [i for i, info in enumerate(self.infos) if info == "malformed"])
        self.assertFalse(any(len(row) > 1 and row[1] for row in rows), "an error of the dissector itself")

    def test_without_keys_nothing_is_opened_and_nothing_breaks(self):
        rows = self.fields(self.capture.parent / "no keys here", "_ws.col.Info", "godwit.message")
        self.assertEqual({row[0] for row in rows}, {"intro", "intro with an offer", "packet, no key"})
        self.assertFalse(any(len(row) > 1 and row[1] for row in rows))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
