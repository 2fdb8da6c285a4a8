#!/usr/bin/env python3
"""Proves that the core does no I/O: its libraries reference no clock, socket, thread, sleep or randomness symbol.

    tools/check_purity.py LIBRARY.a...

Reads `nm -u -C` of each static library. Exits 1 with one line a forbidden reference.
"""
import re
import subprocess
import sys

FORBIDDEN = re.compile(
    r"^(clock_\w+|gettimeofday|time|nanosleep|usleep|sleep|socket|bind|connect|sendto|sendmsg|sendmmsg|recvfrom|recvmsg|"
    r"recvmmsg|poll|ppoll|epoll_\w+|select|pthread_(create|mutex_\w+|cond_\w+|rwlock_\w+)|getrandom|getentropy|rand|random|"
    r"RAND_\w+|open|fopen|read|write|printf|puts|std::cout|std::thread::.*|std::chrono::_V2::(system|steady)_clock::now\(\)|"
    r"std::random_device::.*)$")


def undefined_symbols(library: str) -> set[str]:
    listing = subprocess.run(["nm", "-u", "-C", library], capture_output=True, text=True, check=True).stdout
    return {line.strip().split(" ", 1)[1].split("@")[0] for line in listing.splitlines() if line.strip().startswith("U ")}


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: check_purity.py LIBRARY.a...")
    bad = 0
    for library in sys.argv[1:]:
        symbols = undefined_symbols(library)
        for symbol in sorted(symbols):
            if FORBIDDEN.match(symbol):
                print(f"{library.rsplit('/', 1)[-1]} references {symbol}")
                bad += 1
    if bad:
        sys.exit(1)
    print(f"check_purity: {len(sys.argv) - 1} libraries are pure")


if __name__ == "__main__":
    main()
