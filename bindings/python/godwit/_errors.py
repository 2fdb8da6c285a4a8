"""What can go wrong, in Python's terms."""
from __future__ import annotations

import enum
from typing import Optional

from godwit._library import ffi, lib


class Status(enum.IntEnum):
    """What a call of the library returned."""

    OK = 0
    INVALID_ARGUMENT = 1
    WOULD_BLOCK = 2
    CLOSED = 3
    NOT_FOUND = 4
    TOO_LARGE = 5
    PERMISSION = 6
    SYSTEM = 7
    UNSUPPORTED = 8
    PROTOCOL = 9
    TIMEOUT = 10
    UNAUTHENTICATED = 11
    NO_MEMORY = 12


class CloseReason(enum.IntEnum):
    """Why a connection ended."""

    LOCAL = 0
    REMOTE = 1
    IDLE_TIMEOUT = 2
    REPLACED = 3
    HANDSHAKE_FAILED = 4
    KEY_EXHAUSTED = 5
    UNAUTHENTICATED = 6
    MEMORY = 7
    PROTOCOL_VIOLATION = 8
    EVICTED = 9
    RESET = 10


class GodwitError(OSError):
    """A call that failed; ``status`` says how, the text why."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = Status(status)


class ConnectionClosed(GodwitError):
    """The connection has ended; ``reason`` is set when its last event said why."""

    def __init__(self, text: str, reason: Optional[CloseReason] = None):
        super().__init__(Status.CLOSED, text)
        self.reason = reason


def check(status: int) -> None:
    if status != Status.OK:
        raise GodwitError(status, ffi.string(lib.godwit_last_error()).decode())
