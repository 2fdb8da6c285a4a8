"""Extended sessions over the program (docs/extended_sessions.md): who may send without being connected back to, peers that have no
extended form, key updates under load, and an address translation that forgets its mapping in the middle of a transfer."""
import json
import select
import signal
import socket
import threading
import unittest

from harness import PATIENCE, Case, Server, random_file, sha256

try:
    import extended_peer as peer
except ImportError:
    peer = None  # without the package `cryptography`


class Translation:
    """Between a client and a server as a NAT is: the server sees the address of a socket that rebind() replaces."""

    def __init__(self, case, server_port):
        self.server = ("127.0.0.1", server_port)
        self.inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inside.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.inside.bind(("127.0.0.1", 0))
        self.port = self.inside.getsockname()[1]
        self.outside = self.new_outside()
        self.client = None
        self.bytes_up = 0
        self.rebind_after = []
        self.rebinds = 0
        self.ending = False
        self.thread = threading.Thread(target=self.forward)
        self.thread.start()
        case.addCleanup(self.stop)

    @staticmethod
    def new_outside():
        outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        outside.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        outside.bind(("127.0.0.1", 0))
        return outside

    def forward(self):
        while not self.ending:
            readable, _, _ = select.select([self.inside, self.outside], [], [], 0.05)
            for sock in readable:
                if sock.fileno() < 0:  # closed since, by a new mapping
                    continue
                datagram, sender = sock.recvfrom(2048)
                if sock is self.inside:
                    self.client = sender
                    self.bytes_up += len(datagram)
                    if self.rebind_after and self.bytes_up >= self.rebind_after[0]:
                        self.rebind_after.pop(0)
                        self.outside.close()
                        self.outside = self.new_outside()
                        self.rebinds += 1
                    self.outside.sendto(datagram, self.server)
                elif sock is self.outside and self.client:
                    self.inside.sendto(datagram, self.client)

    def stop(self):
        self.ending = True
        self.thread.join(PATIENCE)
        self.inside.close()
        self.outside.close()


class Extended(Case):
    def ping(self, server, *options):
        result = self.run_godwit(*server.client("ping"), "-c", "2", "-i", "10ms", "--json", *options)
        return result, json.loads(result.stdout) if result.returncode == 0 else None

    def test_both_policies_of_both_sides(self):
        for server_side, client_side, form, fallback in (
                ("auto", "auto", "extended", ""), ("require", "auto", "extended", ""), ("auto", "require", "extended", ""),
                ("off", "auto", "legacy", "not answered by the peer"), ("auto", "off", "legacy", "disabled")):
            with self.subTest(server=server_side, client=client_side):
                server = self.listen("--extended", server_side)
                _, report = self.ping(server, "--extended", client_side)
                self.assertEqual((report["session"], report["session_fallback"]), (form, fallback))
                self.assertTrue(report["peer_authenticated"])
                server.finish(signal.SIGINT)

    def test_who_requires_it_connects_to_nobody_else(self):
        result, _ = self.ping(self.listen("--extended", "off"), "--extended", "require")
        self.assertEqual(result.returncode, 3, result)
        self.assertIn("extended", result.stderr)
        result, _ = self.ping(self.listen("--extended", "require"), "--extended", "off", "--connect-timeout", "1s")
        self.assertEqual(result.returncode, 3, result)

    def test_an_allowed_peer_may_send_without_being_connected_back_to(self):
        source = random_file(self.folder / "data.bin", 100_000)
        key = self.run_godwit("keygen", "--out", "sender.key").stdout.strip()
        self.run_godwit("keygen", "--out", "other.key")
        server = self.listen("--allow", key, "--extended", "auto")
        for options in (["--key", "other.key", "--extended", "auto"], ["--key", "sender.key", "--extended", "off"]):
            self.assert_one_error(self.send(server, *options, source), 1, "not among those that may send")
        result = self.send(server, "--key", "sender.key", "--extended", "auto", source)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.received_names(), ["data.bin"])

    def test_keys_are_updated_within_the_session(self):
        limit = ["--soft-packet-limit", "1000", "--extended", "require"]
        server = Server(self, "perf", "server", "--once", *limit)
        result = self.run_godwit(*server.client("perf", "client"), "-n", "200M", "--bidir", "--json", *limit)
        self.assertEqual(result.returncode, 0, result)
        for entry in json.loads(result.stdout)["results"]:
            self.assertEqual(entry["delivered_bytes"], 200 << 20)
            self.assertIs(entry["digest_match"], True)
            self.assertEqual(entry["renewals"], 0)
            self.assertEqual(entry["session"]["form"], "extended")
            self.assertGreater(entry["session"]["key_updates"], 3)

    def test_datagrams_grow_to_what_path_and_both_sides_carry(self):
        for expected, client, other in ((8900, (), ()), (1200, ("--max-datagram", "1200"), ()), (1452, (), ("--max-datagram", "1452")),
                                        (1200, ("--extended", "off"), ())):
            server = Server(self, "perf", "server", "--once", *other)
            result = self.run_godwit(*server.client("perf", "client"), "-n", "100M", "--json", *client)
            self.assertEqual(result.returncode, 0, result)
            entry = json.loads(result.stdout)["results"][0]
            self.assertEqual(entry["datagram_size"]["bytes"], expected)
            self.assertEqual(entry["datagram_size"]["reductions"], 0)
            self.assertIs(entry["digest_match"], True)

    def test_a_transfer_survives_new_mappings_of_an_address_translation(self):
        source = random_file(self.folder / "data.bin", 20 << 20)
        server = self.listen("--extended", "auto")
        between = Translation(self, int(server.client("ping")[2].rsplit(":", 1)[1]))
        between.rebind_after = [4 << 20, 8 << 20, 12 << 20]
        command = server.client("send")
        command[2] = f"127.0.0.1:{between.port}"
        result = self.run_godwit(*command, "--extended", "require", "--rate", "60M", source)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(between.rebinds, 3)
        self.assertEqual(sha256(self.output / "data.bin"), sha256(source))


@unittest.skipIf(peer is None, "the package cryptography is not there")
class ScriptedPeer(Case):
    """The other side is written from the specification alone (extended_peer.py)."""

    VERSION = bytes.fromhex("ff0002009a007a01")

    def setUp(self):
        super().setUp()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.settimeout(PATIENCE)

    def connect(self, server, **offered):
        self.socket.close()  # what an earlier server says to the last one is not for this connection
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.settimeout(PATIENCE)
        host, port = server.address.rsplit(":", 1)
        self.socket.connect((host, int(port)))
        initiator = peer.Initiator(peer.KeyPair(), bytes.fromhex(server.key), self.VERSION, **offered)
        self.initiator = initiator
        self.socket.send(initiator.intro)
        first = self.socket.recv(2048)
        self.socket.send(initiator.intro)
        self.assertEqual(self.socket.recv(2048), first, "a repeated intro gets the same answer")
        return initiator.read_answer(first)

    def frames_until(self, receiving, wanted):
        """Receives until a frame of the wanted variant comes; returns its fields."""
        while True:
            datagram = self.socket.recv(9000)
            try:
                plaintext = receiving.open(datagram)
            except AssertionError:
                continue  # a repeat of the ack
            for variant, _, acks, fields in peer.frames(plaintext):
                if variant == wanted:
                    return acks, fields

    def test_as_an_initiator_with_frames_that_share_a_packet_and_key_updates(self):
        server = self.listen("--extended", "auto", "--anyone")
        sending, receiving = self.connect(server)
        for round_number in range(4):
            text = f"message {round_number}".encode()
            sequence = peer.struct.pack("<Q", round_number)
            self.socket.send(sending.seal(
                peer.frame(peer.PING, 0, sequence) +
                peer.frame(peer.SHORT_MESSAGE, 10 + round_number, peer.struct.pack("<Q", len(text)) + text)))
            self.assertEqual(self.frames_until(receiving, peer.PONG)[1], sequence)
            self.assertEqual(receiving.generation, sending.generation, "the other side follows")
            challenge = peer.frame(peer.CHALLENGE, 0, sequence)
            self.socket.send(sending.seal(challenge))
            self.assertEqual(self.frames_until(receiving, peer.RESPONSE)[1], sequence)
            # Packets under the former key are awaited for a while, and their phase must not come again before.
            threading.Event().wait(1.5)
            sending.next()
        server.finish(signal.SIGINT)

    def test_as_an_initiator_that_comes_back_with_its_cookie(self):
        server = self.listen("--extended", "auto", "--anyone")
        self.connect(server)
        self.assertEqual(len(self.initiator.cookie), peer.COOKIE)
        # A cookie of nobody's is no reason to refuse either.
        for cookie in (self.initiator.cookie, bytes(peer.COOKIE)):
            sending, receiving = self.connect(server, cookie=cookie)
            self.socket.send(sending.seal(peer.frame(peer.PING, 0, peer.struct.pack("<Q", 7))))
            self.assertEqual(self.frames_until(receiving, peer.PONG)[1], peer.struct.pack("<Q", 7))
        server.finish(signal.SIGINT)

    def test_packets_are_acknowledged_by_their_numbers(self):
        server = self.listen("--extended", "auto", "--anyone")
        sending, receiving = self.connect(server, capabilities=peer.COALESCING | peer.RANGES)
        message = lambda packet_id: sending.seal(peer.frame(peer.SHORT_MESSAGE, packet_id, peer.struct.pack("<Q", 2) + b"hi"))
        self.socket.send(message(1))
        self.assertEqual(peer.acknowledged(self.frames_until(receiving, peer.ACKNOWLEDGEMENT)[1])[0], {0})
        sending.number += 1  # as if packet 1 had been lost
        self.socket.send(message(3))
        self.assertEqual(peer.acknowledged(self.frames_until(receiving, peer.ACKNOWLEDGEMENT)[1])[0], {0, 2})
        self.socket.send(message(3))  # the same frame again, in a packet of its own
        acks, fields = self.frames_until(receiving, peer.ACKNOWLEDGEMENT)
        self.assertEqual((acks, peer.acknowledged(fields)[0]), ((), {0, 2, 3}))
        # What has come may be acknowledged, what was never sent may not.
        self.socket.send(sending.seal(peer.acknowledgement({receiving.opened}, 100)))
        self.socket.send(sending.seal(peer.frame(peer.PING, 4, bytes(8))))
        self.frames_until(receiving, peer.PONG)
        self.socket.send(sending.seal(peer.acknowledgement({receiving.opened + 1000})))
        self.assertIn(b"never sent", self.frames_until(receiving, peer.ERROR)[1])
        server.finish(signal.SIGINT)

    def test_marks_of_congestion_are_counted_and_told(self):
        server = self.listen("--extended", "auto", "--anyone")
        sending, receiving = self.connect(server, capabilities=peer.COALESCING | peer.RANGES | peer.ECN)
        packet_id = 0
        total = [0, 0, 0]
        for mark, which in ((0, None), (2, 0), (3, 2), (2, 0), (0, None), (1, 1)):
            packet_id += 1
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, mark)
            self.socket.send(sending.seal(peer.frame(peer.SHORT_MESSAGE, packet_id, peer.struct.pack("<Q", 2) + b"hi")))
            if which is not None:
                total[which] += 1
            wanted = peer.ACKNOWLEDGEMENT_WITH_MARKS if any(total) else peer.ACKNOWLEDGEMENT
            _, fields = self.frames_until(receiving, wanted)
            self.assertIn(packet_id - 1, peer.acknowledged(fields)[0])
            if any(total):
                self.assertEqual(peer.marks_of(fields), tuple(total))
        server.finish(signal.SIGINT)

    def test_who_has_no_capability_for_marks_is_told_of_none(self):
        for options, capabilities in ((("--ecn", "off"), peer.RANGES | peer.ECN), ((), peer.RANGES)):
            server = self.listen("--extended", "auto", "--anyone", *options)
            sending, receiving = self.connect(server, capabilities=capabilities)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 3)
            self.socket.send(sending.seal(peer.frame(peer.SHORT_MESSAGE, 1, peer.struct.pack("<Q", 2) + b"hi")))
            self.assertEqual(peer.acknowledged(self.frames_until(receiving, peer.ACKNOWLEDGEMENT)[1])[0], {0})
            server.finish(signal.SIGINT)

    def test_probes_of_larger_datagrams_are_answered(self):
        server = self.listen("--extended", "auto", "--anyone")
        sending, receiving = self.connect(server, capabilities=peer.USUAL | peer.LARGE_DATAGRAMS)
        for size in (1201, 1452, 1501, 4000, 8900):
            data = peer.struct.pack("<Q", size)
            self.socket.send(sending.seal(peer.size_probe(data, size)))
            self.assertEqual(self.frames_until(receiving, peer.SIZE_ANSWER)[1], data)
        server.finish(signal.SIGINT)

    def test_larger_datagrams_are_for_those_who_have_announced_them(self):
        for options, capabilities in ((("--max-datagram", "1200"), peer.USUAL | peer.LARGE_DATAGRAMS), ((), peer.USUAL)):
            server = self.listen("--extended", "auto", "--anyone", *options)
            sending, receiving = self.connect(server, capabilities=capabilities)
            for size in (1300, 4000):
                self.socket.send(sending.seal(peer.size_probe(bytes(8), size)))
            self.socket.send(sending.seal(peer.frame(peer.PING, 0, bytes(8))))
            found = []
            while peer.PONG not in found:
                datagram = self.socket.recv(9000)
                try:
                    found += [variant for variant, _, _, _ in peer.frames(receiving.open(datagram))]
                except AssertionError:
                    continue  # a repeat of the ack
            self.assertNotIn(peer.SIZE_ANSWER, found)
            server.finish(signal.SIGINT)

    def test_a_challenge_from_elsewhere_is_answered_there_and_moves_nothing(self):
        server = self.listen("--extended", "auto", "--anyone")
        sending, receiving = self.connect(server, capabilities=peer.USUAL | peer.PATH_PROBING)
        self.socket.send(sending.seal(peer.frame(peer.PING, 0, b"12345678")))
        self.assertEqual(self.frames_until(receiving, peer.PONG)[1], b"12345678")
        elsewhere = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(elsewhere.close)
        elsewhere.settimeout(PATIENCE)
        elsewhere.connect(self.socket.getpeername())
        elsewhere.send(sending.seal(peer.frame(peer.CHALLENGE, 0, b"elsewher")))
        answer = list(peer.frames(receiving.open(elsewhere.recv(2048))))
        self.assertEqual([(variant, fields) for variant, _, _, fields in answer], [(peer.RESPONSE, b"elsewher")])
        self.socket.send(sending.seal(peer.frame(peer.PING, 0, b"87654321")))
        self.assertEqual(self.frames_until(receiving, peer.PONG)[1], b"87654321")
        elsewhere.settimeout(0.3)
        with self.assertRaises(TimeoutError, msg="an address that only asks is not asked back"):
            elsewhere.recv(2048)
        server.finish(signal.SIGINT)

    def test_as_an_acceptor(self):
        keys = peer.KeyPair()
        self.socket.bind(("127.0.0.1", 0))
        ping = self.start("ping", "--to", f"127.0.0.1:{self.socket.getsockname()[1]}", "--peer-key", keys.public.hex(), "-c", "3",
                          "-i", "10ms", "--json", "--extended", "require")
        intro, address = self.socket.recvfrom(2048)
        self.assertEqual(len(intro), 244)
        acceptor = peer.Acceptor(keys, self.VERSION)
        ack, sending, receiving = acceptor.answer(intro, address)
        self.socket.sendto(ack, address)
        self.socket.settimeout(0.2)
        while ping.poll() is None:
            try:
                datagram, _ = self.socket.recvfrom(2048)
            except TimeoutError:
                continue
            if datagram[0] != 2:
                continue
            for variant, _, _, fields in peer.frames(receiving.open(datagram)):
                if variant == peer.PING:
                    self.socket.sendto(sending.seal(peer.frame(peer.PONG, 0, fields)), address)
        output, errors = ping.communicate()
        self.assertEqual(ping.returncode, 0, errors)
        report = json.loads(output)
        self.assertEqual((report["session"], report["answered"]), ("extended", 3))


if __name__ == "__main__":
    unittest.main()
