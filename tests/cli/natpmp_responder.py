"""A router's NAT-PMP (RFC 6886), as small as the tests need it: `natpmp_responder.py EXTERNAL_ADDRESS LIFETIME` prints a line for each
request. A public port is the private one and 1."""
import socket
import struct
import sys


def main():
    external, lifetime = socket.inet_aton(sys.argv[1]), int(sys.argv[2])
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", 5351))
    print("ready", flush=True)
    while True:
        request, client = server.recvfrom(1100)
        if request == b"\0\0":
            print("address", flush=True)
            server.sendto(struct.pack("!BBHI4s", 0, 128, 0, 1, external), client)
        elif len(request) == 12 and request[:2] == b"\0\1":
            private, _, seconds = struct.unpack("!HHI", request[4:])
            print("map" if seconds else "unmap", private, flush=True)
            answer = (private + 1, min(seconds, lifetime)) if seconds else (0, 0)
            server.sendto(struct.pack("!BBHIHHI", 0, 129, 0, 1, private, *answer), client)


if __name__ == "__main__":
    main()
