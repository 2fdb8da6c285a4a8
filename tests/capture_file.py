"""What the tests of the Wireshark dissector share: a capture that a test fills, and tshark with the dissector."""
import os
import pathlib
import struct
import subprocess

PLUGIN = pathlib.Path(__file__).resolve().parents[1] / "contrib/wireshark/godwit.lua"


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip_packet(source, target, payload: bytes) -> bytes:
    raw = lambda host: bytes(map(int, host.split(".")))
    udp = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0) + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + raw(source[0]) + raw(target[0])
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + udp


class Capture:
    """A pcap file of bare IPv4 packets."""

    def __init__(self):
        self.records = []

    def add(self, source, target, datagram: bytes) -> None:
        self.records.append(ip_packet(source, target, datagram))

    def write(self, path: pathlib.Path) -> None:
        parts = [struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)]
        for i, record in enumerate(self.records):
            parts.append(struct.pack("<IIII", 1_700_000_000, i, len(record), len(record)) + record)
        path.write_bytes(b"".join(parts))


def tshark(capture: pathlib.Path, keylog: pathlib.Path, *arguments: str) -> str:
    command = ["tshark", "-n", "-X", f"lua_script:{PLUGIN}", "-o", f"godwit.keylog:{keylog}", "-r", str(capture), *arguments]
    # Plugins are not loaded for root unless the configuration is a folder of its own.
    environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(capture.parent), "HOME": str(capture.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    noise = [line for line in done.stderr.splitlines() if line and "root" not in line]
    if done.returncode != 0 or noise:
        raise AssertionError(f"tshark: {done.returncode}, {done.stderr}")
    return done.stdout
