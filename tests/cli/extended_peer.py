"""A peer of extended sessions, written from docs/extended_sessions.md and the wire specification: the handshake in both roles, packets,
frames, key updates. For tests; needs the package `cryptography`.

As a program it writes the vectors of testdata/extended: extended_peer.py > testdata/extended/handshake.txt, and
extended_peer.py acknowledgements > testdata/extended/acknowledgements.txt, extended_peer.py frames > testdata/extended/frames.txt"""
import hashlib
import hmac
import os
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MARKER = b"GdwX\x01"
COOKIE = 24
LABEL = b"godwit extended session 1"
KEY_UPDATE, ROAMING, COALESCING, LARGE_DATAGRAMS, RANGES, PATH_PROBING, ECN, PORT_SEARCH = 1, 2, 8, 128, 256, 512, 1024, 2048
USUAL = KEY_UPDATE | ROAMING | COALESCING
ERROR, NOOP, SHORT_MESSAGE, PING, PONG, CHALLENGE, RESPONSE, CLOSE_CODE = 0, 3, 1, 4, 5, 8, 9, 10
FLOW = range(11, 16)
SIZE_PROBE, SIZE_ANSWER, ACKNOWLEDGEMENT, PATH_NOTE, ACKNOWLEDGEMENT_WITH_MARKS, OPEN_PORTS = 16, 17, 18, 19, 20, 21


class KeyPair:
    def __init__(self, secret=None):
        self.secret = X25519PrivateKey.from_private_bytes(secret or os.urandom(32))
        self.public = self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def agree(self, public):
        return self.secret.exchange(X25519PublicKey.from_public_bytes(public))


# --- Noise_IK_25519_ChaChaPoly_SHA256 ---


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


class Noise:
    def __init__(self, prologue, static, responder):
        self.h = self.ck = b"Noise_IK_25519_ChaChaPoly_SHA256"
        self.static = static
        self.remote = responder
        self.mix_hash(prologue)
        self.mix_hash(responder)

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def two(self, data):
        temp = mac(self.ck, data)
        first = mac(temp, b"\1")
        return first, mac(temp, first + b"\2")

    def mix_key(self, data):
        self.ck, self.k = self.two(data)
        self.n = 0

    def nonce(self):
        self.n += 1
        return bytes(4) + struct.pack("<Q", self.n - 1)

    def encrypt(self, plaintext):
        ciphertext = ChaCha20Poly1305(self.k).encrypt(self.nonce(), plaintext, self.h)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt(self, ciphertext):
        plaintext = ChaCha20Poly1305(self.k).decrypt(self.nonce(), ciphertext, self.h)
        self.mix_hash(ciphertext)
        return plaintext

    def write_first(self, ephemeral, payload):
        self.e = ephemeral
        self.mix_hash(self.e.public)
        self.mix_key(self.e.agree(self.remote))
        sealed = self.encrypt(self.static.public)
        self.mix_key(self.static.agree(self.remote))
        return self.e.public + sealed + self.encrypt(payload)

    def read_first(self, message):
        self.re = message[:32]
        self.mix_hash(self.re)
        self.mix_key(self.static.agree(self.re))
        self.remote = self.decrypt(message[32:80])
        self.mix_key(self.static.agree(self.remote))
        return self.decrypt(message[80:])

    def write_second(self, ephemeral, payload):
        self.mix_hash(ephemeral.public)
        self.mix_key(ephemeral.agree(self.re))
        self.mix_key(ephemeral.agree(self.remote))
        return ephemeral.public + self.encrypt(payload)

    def read_second(self, message):
        self.mix_hash(message[:32])
        self.mix_key(self.e.agree(message[:32]))
        self.mix_key(self.static.agree(message[:32]))
        return self.decrypt(message[32:])

    def split(self):
        return self.two(b"")


# --- Blocks and parameters ---


def parameters(tag, capabilities=USUAL, timestamp=0, credit=0):
    largest = 8900 if capabilities & LARGE_DATAGRAMS else 1500
    values = ((1, struct.pack("<Q", capabilities)), (2, tag), (3, struct.pack("<H", largest)), (4, struct.pack("<Q", credit)),
              (5, struct.pack("<Q", timestamp)), (6, struct.pack("<Q", credit)))
    return b"".join(bytes((kind, len(value))) + value for kind, value in values)


def read_parameters(data):
    found = {}
    while data:
        kind, length = data[0], data[1]
        assert kind not in found and len(data) >= 2 + length
        found[kind] = data[2:2 + length]
        data = data[2 + length:]
    return found


def block(message):
    return MARKER + struct.pack("<H", len(message)) + message


def read_block(data):
    """The message, and the cookie behind it, if there is one."""
    size = struct.unpack_from("<H", data, 5)[0]
    assert data[:5] == MARKER and len(data) - 7 - size in (0, COOKIE), data
    return data[7:7 + size], data[7 + size:]


# --- Packets ---


def expand(secret, label, length):
    return mac(secret, label + b"\1")[:length]


class Direction:
    """One direction's keys, from its side of the split on."""

    def __init__(self, secret, tag):
        self.secret = secret
        self.tag = tag
        self.start = struct.unpack("<Q", expand(secret, b"godwit start", 8))[0]
        self.generation = -1
        self.number = 0
        self.next()

    def next(self):
        self.key = expand(self.secret, b"godwit key", 16)
        self.salt = expand(self.secret, b"godwit salt", 12)
        self.secret = expand(self.secret, b"godwit next", 32)
        self.generation += 1

    def field(self, number):
        return self.tag + struct.pack("<Q", (self.start + (self.generation % 2 << 63) + number) % 2**64)

    def nonce(self, field):
        return bytes(a ^ b for a, b in zip(field, self.salt))

    def seal(self, plaintext):
        field = self.field(self.number)
        self.number += 1
        return b"\2" + field + AESGCM(self.key).encrypt(self.nonce(field), plaintext, None)

    def open(self, datagram):
        """The plaintext; follows to the next generation when the phase says so. `opened` is its packet number."""
        field = datagram[1:13]
        assert datagram[0] == 2 and field[:4] == self.tag, "another connection"
        value = (struct.unpack("<Q", field[4:])[0] - self.start) % 2**64
        if value >> 63 != self.generation % 2:
            self.next()
        plaintext = AESGCM(self.key).decrypt(self.nonce(field), datagram[13:], None)
        self.opened = value % 2**63
        return plaintext


def frame(variant, packet_id=0, fields=b"", acks=()):
    return struct.pack("<IQ", packet_id, len(acks)) + b"".join(struct.pack("<I", each) for each in acks) + struct.pack(
        "<I", variant) + fields


def size_probe(data, size):
    """The plaintext of a probe that fills a datagram of `size` bytes."""
    return (frame(SIZE_PROBE, 0, data) + bytes(size))[:size - 29]


def frames(plaintext):
    """(variant, packet id, acks, fields) of each frame; stops at one that is not known here."""
    while plaintext:
        packet_id, count = struct.unpack_from("<IQ", plaintext)
        acks = struct.unpack_from(f"<{count}I", plaintext, 12)
        variant = struct.unpack_from("<I", plaintext, 12 + 4 * count)[0]
        rest = plaintext[16 + 4 * count:]
        if variant in (PING, PONG, CHALLENGE, RESPONSE, SIZE_ANSWER, PATH_NOTE):
            size = 8
        elif variant == SHORT_MESSAGE:
            size = 8 + struct.unpack_from("<Q", rest)[0]
        elif variant == NOOP:
            size = 0
        elif variant == ACKNOWLEDGEMENT:
            size = 20 + 8 * struct.unpack_from("<I", rest, 16)[0]
        elif variant == ACKNOWLEDGEMENT_WITH_MARKS:
            size = 44 + 8 * struct.unpack_from("<I", rest, 16)[0]
        elif variant in FLOW:
            size = 20
        else:
            size = len(rest)
        yield variant, packet_id, acks, rest[:size]
        plaintext = rest[size:]


def acknowledgement(numbers, delay=0, marks=None):
    """The frame that names these packet numbers; `delay` is in microseconds, `marks` the counts of ECT(0), ECT(1) and CE."""
    ranges = []  # newest first: highest number, length
    for number in sorted(numbers, reverse=True):
        if ranges and ranges[-1][0] - ranges[-1][1] == number:
            ranges[-1][1] += 1
        else:
            ranges.append([number, 1])
    (largest, length), further = ranges[0], ranges[1:]
    fields = struct.pack("<QIII", largest, delay, length, len(further))
    lowest = largest - length + 1
    for last, length in further:
        fields += struct.pack("<II", lowest - last - 1, length)
        lowest = last - length + 1
    if marks is not None:
        return frame(ACKNOWLEDGEMENT_WITH_MARKS, 0, fields + struct.pack("<QQQ", *marks))
    return frame(ACKNOWLEDGEMENT, 0, fields)


def acknowledged(fields):
    """The packet numbers and the delay that the fields of such a frame name."""
    largest, delay, length, further = struct.unpack_from("<QIII", fields)
    numbers = set(range(largest - length + 1, largest + 1))
    lowest = largest - length + 1
    for at in range(20, 20 + 8 * further, 8):
        gap, length = struct.unpack_from("<II", fields, at)
        lowest -= gap + length
        assert gap > 0 and length > 0 and lowest >= 0
        numbers |= set(range(lowest, lowest + length))
    return numbers, delay


def marks_of(fields):
    """The counts of ECT(0), ECT(1) and CE that the fields of a frame with marks tell."""
    return struct.unpack_from("<QQQ", fields, 20 + 8 * struct.unpack_from("<I", fields, 16)[0])


# --- The deployed handshake around it ---


def prologue(outer, plaintext):
    return LABEL + outer + plaintext[:24]


class Initiator:
    def __init__(self, static, peer, version, outer=None, inner=None, key=None, tag=None, cookie=b"", capabilities=USUAL):
        outer = outer or KeyPair()
        self.key = key or os.urandom(16)
        self.tag = tag or os.urandom(4)
        plaintext = version + self.key
        self.noise = Noise(prologue(outer.public, plaintext), static, peer)
        self.offer = block(self.noise.write_first(inner or KeyPair(), parameters(self.tag, capabilities))) + cookie
        sealed = ChaCha20Poly1305(outer.agree(peer)).encrypt(bytes(12), plaintext + self.offer, None)
        self.intro = b"\1" + outer.public + sealed

    def read_answer(self, datagram):
        plaintext = AESGCM(self.key).decrypt(datagram[1:13], datagram[13:], None)
        ack = 16 + 16 + 10 + 8  # AckConnectionV2, IPv4
        assert struct.unpack_from("<I", plaintext, 12)[0] == 6
        message, cookie = read_block(plaintext[ack:])
        assert not cookie
        theirs = read_parameters(self.noise.read_second(message))
        self.cookie = theirs.get(8)
        mine, other = self.noise.split()
        return Direction(mine, theirs[2]), Direction(other, self.tag)


class Acceptor:
    def __init__(self, static, version):
        self.static = static
        self.version = version

    def answer(self, datagram, address, ephemeral=None, tag=None, key=None, nonce=None, capabilities=USUAL):
        """The success ack for an intro, and both directions."""
        outer = datagram[1:33]
        plaintext = ChaCha20Poly1305(self.static.agree(outer)).decrypt(bytes(12), datagram[33:], None)
        noise = Noise(prologue(outer, plaintext), self.static, self.static.public)
        message, self.cookie = read_block(plaintext[24:])
        theirs = read_parameters(noise.read_first(message))
        tag = tag or os.urandom(4)
        self.answer_block = block(noise.write_second(ephemeral or KeyPair(), parameters(tag, capabilities)))
        self.peer = noise.remote
        host, port = address
        ack = frame(6, 0, (key or os.urandom(16)) + struct.pack("<I", 0) + bytes(map(int, host.split("."))) + struct.pack("<H", port) +
                    self.version)
        nonce = nonce or os.urandom(12)
        sealed = b"\2" + nonce + AESGCM(plaintext[8:24]).encrypt(nonce, ack + self.answer_block, None)
        theirs_secret, mine_secret = noise.split()
        return sealed, Direction(mine_secret, theirs[2]), Direction(theirs_secret, tag)


def acknowledgements():
    print("# Acknowledgement frames (docs/extended_sessions.md, section 5.2), made by tests/cli/extended_peer.py. `ranges` are those")
    print("# of packet numbers that the frame names, oldest first: first and last number of each, u64 LE; `delay` is in microseconds, u32 LE.\n")
    for name, ranges, delay, *rest in (("one packet", [(0, 0)], 0), ("all so far", [(0, 999)], 1500), ("a gap", [(0, 41), (43, 50)], 250),
                                ("every other packet, as many ranges as there may be", [(2 * i, 2 * i) for i in range(64)], 20000),
                                ("ranges far apart", [(7, 9), (100000, 100063), (1 << 20, (1 << 20) + 1)], 2**32 - 1),
                                ("one packet, with marks", [(0, 0)], 0, (1, 0, 0)),
                                ("a gap, with marks", [(0, 41), (43, 50)], 250, (40, 0, 10)),
                                ("as much as there may be, with marks", [(2 * i, 2 * i) for i in range(64)], 7, (2**40, 2**50, 2**60))):
        marks = rest[0] if rest else None
        numbers = {number for first, last in ranges for number in range(first, last + 1)}
        made = acknowledgement(numbers, delay, marks)
        assert acknowledged(made[16:]) == (numbers, delay)
        assert marks is None or marks_of(made[16:]) == marks
        print("name =", name)
        print("delay =", struct.pack("<I", delay).hex())
        print("ranges =", "".join(struct.pack("<QQ", *each).hex() for each in ranges))
        if marks is not None:
            print("marks =", struct.pack("<QQQ", *marks).hex())
        print("frame =", made.hex())
        print()


def own_frames():
    print("# Every frame that exists in the extended form alone but acknowledgements (docs/extended_sessions.md, sections 5, 7, 8, 9 and 10), made")
    print("# by tests/cli/extended_peer.py. `variant`, `packet_id` and `stream` are u32 LE; `data`, `value` and `code` u64 LE.\n")
    for name, variant, data in (("path challenge", CHALLENGE, 0x0807060504030201), ("path response", RESPONSE, 0x0807060504030201),
                                ("close code", CLOSE_CODE, 404), ("size probe", SIZE_PROBE, 2**64 - 1), ("size answer", SIZE_ANSWER, 2**64 - 1),
                                ("path note", PATH_NOTE, 3), ("path note with ports", PATH_NOTE, 15 | 40001 << 16 | 1024 << 32),
                                ("port search", OPEN_PORTS, 256)):
        fields = struct.pack("<Q", data)
        print_fields(name=name, variant=struct.pack("<I", variant), data=fields, frame=frame(variant, 0, fields))
    for name, variant, packet_id, stream, value, code in (
            ("connection credit", 11, 1, 0, 48 << 20, 0), ("stream credit", 12, 2, 7, 32 << 20, 0), ("stream reset", 13, 3, 7, 1130, 42),
            ("stream stop", 14, 4, 9, 0, 43), ("stream end", 15, 2**32 - 1, 2**31 + 5, 2**40, 0)):
        print_fields(name=name, variant=struct.pack("<I", variant), packet_id=struct.pack("<I", packet_id), stream=struct.pack("<I", stream),
                     value=struct.pack("<Q", value), code=struct.pack("<Q", code),
                     frame=frame(variant, packet_id, struct.pack("<IQQ", stream, value, code)))


def print_fields(**fields):
    for key, value in fields.items():
        print(key, "=", value if isinstance(value, str) else value.hex())
    print()


def print_vector(name, inner_secret):
    fixed = lambda byte: bytes([byte]) * 32
    alice, bob = KeyPair(fixed(0x11)), KeyPair(fixed(0x22))
    outer, inner, answering = KeyPair(fixed(0x33)), KeyPair(inner_secret), KeyPair(fixed(0x55))
    version = bytes.fromhex("0102030405060708")
    initiator = Initiator(alice, bob.public, version, outer, inner, b"\x66" * 16, b"\x71\x72\x73\x74")
    acceptor = Acceptor(bob, version)
    ack, to_alice, from_alice = acceptor.answer(initiator.intro, ("192.0.2.7", 31337), answering, b"\x81\x82\x83\x84", b"\x99" * 16, b"\xaa" * 12)
    to_bob, from_bob = initiator.read_answer(ack)
    print("\nname =", name)
    for name, value in (("initiator_secret", fixed(0x11)), ("acceptor_secret", fixed(0x22)), ("outer_secret", fixed(0x33)),
                        ("offer_ephemeral", inner_secret), ("answer_ephemeral", fixed(0x55)), ("version", version), ("legacy_key", b"\x66" * 16),
                        ("initiator_tag", initiator.tag), ("acceptor_tag", b"\x81\x82\x83\x84"), ("intro", initiator.intro),
                        ("offer", initiator.offer), ("answer", acceptor.answer_block), ("ack", ack)):
        print(name, "=", value.hex())
    plaintext = frame(PING, 0, struct.pack("<Q", 7))
    print("plaintext =", plaintext.hex())
    for generation in range(3):
        print(f"packet_{generation} =", to_bob.seal(plaintext).hex())
        to_bob.next()
    reply = to_alice.seal(plaintext)
    assert from_bob.open(reply) == plaintext
    print("reply =", reply.hex())


def main():
    if sys.argv[1:] == ["acknowledgements"]:
        acknowledgements()
        return
    if sys.argv[1:] == ["frames"]:
        own_frames()
        return
    print("# Extended handshakes and their first packets, made by tests/cli/extended_peer.py with fixed keys. `offer` and `answer` are")
    print("# blocks of docs/extended_sessions.md, section 2; `packet_N` is sealed by the initiator with generation N.")
    print_vector("an offer with the ephemeral key of its intro", bytes([0x33]) * 32)
    print_vector("an offer with an ephemeral key of its own", bytes([0x44]) * 32)


if __name__ == "__main__":
    main()
