#!/usr/bin/env python3
"""Delay on a real path where the kernel has no netem: whatever enters one tun device leaves the other so much later.

    netns_relay.py DEVICE DEVICE DELAY_MS

Makes both devices, prints "ready", and relays until it is ended. The devices may be moved into namespaces; they vanish
with this process. The packets' order is kept.
"""
import collections
import fcntl
import os
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000


def open_device(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def main() -> None:
    devices = [open_device(sys.argv[1]), open_device(sys.argv[2])]
    delay = float(sys.argv[3]) / 1e3
    waiting = [collections.deque(), collections.deque()]  # (when, packet) towards the device of the same index
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        for device, queue in zip(devices, waiting):
            while queue and queue[0][0] <= now:
                try:
                    os.write(device, queue[0][1])
                except OSError:
                    pass  # the device is down or full: a packet is lost, as on any link
                queue.popleft()
        nearest = min((queue[0][0] for queue in waiting if queue), default=None)
        timeout = None if nearest is None else max(0.0, nearest - time.monotonic())
        readable, _, _ = select.select(devices, [], [], timeout)
        now = time.monotonic()
        for device in readable:
            queue = waiting[1 - devices.index(device)]
            try:
                while True:
                    queue.append((now + delay, os.read(device, 2048)))
            except BlockingIOError:
                pass
            except OSError:
                time.sleep(0.01)  # not up yet


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
