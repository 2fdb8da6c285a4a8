#!/usr/bin/env python3
"""Handshakes of Noise IK between Godwit's own code and independent implementations, in both roles.

  noise_peers_test.py GODWIT_PEER OTHER_PEER...     programs that speak the lines of tools/noise_peers/src/main.rs
"""
import os
import secrets
import shlex
import subprocess
import sys
import unittest

ROUNDS = 20
PROGRAMS = {}


def start(program, *arguments):
    return subprocess.Popen([*shlex.split(program), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def pass_line(source, *sinks):
    line = source.stdout.readline().strip()
    for sink in sinks:
        sink.stdin.write(line + "\n")
        sink.stdin.flush()
    return line


def public_key(secret):
    """By OpenSSL: an X25519 key in the form of RFC 8410."""
    der = bytes.fromhex("302e020100300506032b656e04220420") + secret
    out = subprocess.run(["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"], input=der, capture_output=True, check=True)
    return out.stdout[-32:]


class NoisePeers(unittest.TestCase):
    def shake_hands(self, initiator, responder):
        prologue, first, second = secrets.token_bytes(81), secrets.token_bytes(1 + secrets.randbelow(200)), secrets.token_bytes(66)
        keys = [secrets.token_bytes(32), secrets.token_bytes(32)]
        publics = [public_key(key) for key in keys]
        a = start(initiator, "initiator", prologue.hex(), keys[0].hex(), publics[1].hex(), first.hex())
        b = start(responder, "responder", prologue.hex(), keys[1].hex(), "-", second.hex())
        try:
            pass_line(a, b)
            pass_line(b, a)
            seen_by_a, hash_of_a, peer_of_a = pass_line(a).split(" ")
            seen_by_b, hash_of_b, peer_of_b = pass_line(b).split(" ")
            self.assertEqual((seen_by_a, seen_by_b), (second.hex(), first.hex()))
            self.assertEqual(hash_of_a, hash_of_b)
            self.assertEqual((peer_of_a, peer_of_b), (publics[1].hex(), publics[0].hex()))
            pass_line(a, b)
            pass_line(b, a)
            for each in (a, b):
                self.assertEqual(bytes.fromhex(pass_line(each)), b"transport message")
            self.assertEqual((a.wait(10), b.wait(10)), (0, 0))
        finally:
            for each in (a, b):
                each.kill()
                each.wait()
                each.stdin.close()
                each.stdout.close()

    def test_both_roles(self):
        for other in PROGRAMS["others"]:
            for pair in ((PROGRAMS["ours"], other), (other, PROGRAMS["ours"])):
                with self.subTest(initiator=os.path.basename(pair[0].split()[-1]), responder=os.path.basename(pair[1].split()[-1])):
                    for _ in range(ROUNDS):
                        self.shake_hands(*pair)

    def test_another_prologue_is_no_handshake(self):
        keys = [secrets.token_bytes(32), secrets.token_bytes(32)]
        for other in PROGRAMS["others"]:
            a = start(other, "initiator", "aa", keys[0].hex(), public_key(keys[1]).hex(), "")
            b = start(PROGRAMS["ours"], "responder", "ab", keys[1].hex(), "-", "")
            pass_line(a, b)
            self.assertEqual(b.wait(10), 1)
            a.kill()
            for each in (a, b):
                each.wait()
                each.stdin.close()
                each.stdout.close()


if __name__ == "__main__":
    PROGRAMS["ours"], PROGRAMS["others"] = sys.argv[1], sys.argv[2:]
    if not PROGRAMS["others"]:
        sys.exit("noise_peers_test: no implementation to compare with")
    unittest.main(argv=sys.argv[:1])
