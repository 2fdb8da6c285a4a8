#!/usr/bin/env python3
"""One side of a Noise IK handshake by the package noiseprotocol; main.rs beside it describes the lines."""
import sys

from noise.connection import Keypair, NoiseConnection


def say(line):
    print(line, flush=True)


def hear():
    return bytes.fromhex(sys.stdin.readline().strip())


role, prologue, secret, peer, payload = sys.argv[1:6]
connection = NoiseConnection.from_name(b"Noise_IK_25519_ChaChaPoly_SHA256")
connection.set_prologue(bytes.fromhex(prologue))
connection.set_keypair_from_private_bytes(Keypair.STATIC, bytes.fromhex(secret))
if role == "initiator":
    connection.set_as_initiator()
    connection.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, bytes.fromhex(peer))
else:
    connection.set_as_responder()
connection.start_handshake()
handshake = connection.noise_protocol.handshake_state
if role == "initiator":
    say(connection.write_message(bytes.fromhex(payload)).hex())
    theirs = connection.read_message(hear())
else:
    theirs = connection.read_message(hear())
    known = handshake.rs.public_bytes
    say(connection.write_message(bytes.fromhex(payload)).hex())
if role == "initiator":
    known = bytes.fromhex(peer)
say(f"{bytes(theirs).hex()} {connection.get_handshake_hash().hex()} {known.hex()}")
say(connection.encrypt(b"transport message").hex())
say(connection.decrypt(hear()).hex())
