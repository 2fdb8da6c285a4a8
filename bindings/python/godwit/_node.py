"""The C interface in Python's terms: keys, events, errors, and a node with callbacks."""
from __future__ import annotations

import dataclasses
import enum
from typing import Any, Callable, Optional

from godwit._library import ffi, lib

_NANOSECONDS = 1_000_000_000


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


class EventKind(enum.IntEnum):
    """What happened; the fields of Event that each kind sets are those that godwit_c.h names."""

    CONNECTED = 0
    CLOSED = 1
    MESSAGE = 2
    CHUNK = 3
    ABORTED = 4
    ACKNOWLEDGED = 5
    FAILED = 6
    WRITABLE = 7
    ROUND_TRIP = 8
    SUSPECT = 9
    KEY_AGING = 10
    METADATA = 11
    AUTHENTICATED = 12
    MOVED = 13


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


def _check(status: int) -> None:
    if status != Status.OK:
        raise GodwitError(status, ffi.string(lib.godwit_last_error()).decode())


def version() -> str:
    """The version of the library that was loaded."""
    return ffi.string(lib.godwit_version()).decode()


class SecretKey:
    """An X25519 secret key of 32 bytes; ``public_key`` is what peers are told."""

    def __init__(self, secret: bytes):
        if len(secret) != 32:
            raise GodwitError(Status.INVALID_ARGUMENT, "a secret key is 32 bytes")
        text = ffi.new("char[65]")
        _check(lib.godwit_public_key(secret, text))
        self._secret = bytes(secret)
        self.public_key: str = ffi.string(text).decode()

    @classmethod
    def generate(cls) -> SecretKey:
        """From the system's generator."""
        secret = ffi.new("uint8_t[32]")
        _check(lib.godwit_generate_key(secret))
        return cls(bytes(ffi.buffer(secret)))

    def __bytes__(self) -> bytes:
        return self._secret

    def __repr__(self) -> str:
        return f"SecretKey(public_key={self.public_key!r})"


@dataclasses.dataclass(frozen=True)
class Event:
    """A copy of one event: it may be kept. Times are seconds."""

    kind: int
    connection: int
    data: bytes
    text: str
    remote: str
    observed: str
    reason: CloseReason
    message: int
    stream: int
    offset: int
    total: int
    may_have_arrived: bool
    authenticated: bool
    initiator: bool
    round_trip: float
    silent_for: float
    peer_key: str
    code: int
    extended: bool


def _event(raw: Any) -> Event:
    return Event(
        kind=raw.kind,
        connection=raw.connection,
        data=ffi.unpack(ffi.cast("const char *", raw.bytes), raw.length) if raw.length else b"",
        text=ffi.string(raw.text).decode(errors="replace"),
        remote=ffi.string(raw.remote).decode(),
        observed=ffi.string(raw.observed).decode(),
        reason=CloseReason(raw.reason),
        message=raw.message,
        stream=raw.stream,
        offset=raw.offset,
        total=raw.total,
        may_have_arrived=raw.may_have_arrived,
        authenticated=raw.authenticated,
        initiator=raw.initiator,
        round_trip=raw.round_trip_ns / _NANOSECONDS,
        silent_for=raw.silent_for_ns / _NANOSECONDS,
        peer_key=ffi.string(raw.peer_key).decode(),
        code=raw.code,
        extended=raw.extended,
    )


# Names of Node's keyword arguments that are passed on as they are.
_NUMBERS = (
    "accept_incoming",
    "require_authenticated_peer",
    "stream_in_chunks",
    "max_connections",
    "max_inbound_bytes",
    "max_datagram_bytes",
    "connection_bits_per_second",
    "endpoint_bits_per_second",
    "receive_buffer_bytes",
    "stream_window_bytes",
    "connection_window_bytes",
    "consume_by_hand",
)
_TEXTS = ("congestion", "cipher", "backend", "idle", "extended")
_TIMES = ("connect_timeout", "idle_timeout")


class Node:
    """One socket, one thread, all its connections. Not to be shared between threads, except stop() and wake().

    ``on_event(node, event)`` is called in run() and turn(). An exception that it raises ends run() or turn() and is
    raised there. Options are those of the C interface by name; times are seconds.
    """

    def __init__(self, key: SecretKey, on_event: Callable[[Node, Event], Any], bind: str = "[::]:0", **options: Any):
        self._node = ffi.NULL
        raw = ffi.new("godwit_options *")
        lib.godwit_options_init(raw, ffi.sizeof("godwit_options"))
        texts = {"bind": ffi.new("char[]", bind.encode())}
        for name, value in options.items():
            if name in _NUMBERS:
                setattr(raw, name, value)
            elif name in _TEXTS:
                texts[name] = ffi.new("char[]", value.encode())
            elif name in _TIMES:
                setattr(raw, name + "_ns", round(value * _NANOSECONDS))
            else:
                raise TypeError(f"Node has no option {name!r}")
        for name, text in texts.items():
            setattr(raw, name, text)
        opened = ffi.new("godwit_node **")
        _check(lib.godwit_node_open(raw, bytes(key), opened))
        self._node = opened[0]
        self._on_event = on_event
        self._error: Optional[BaseException] = None
        self.public_key = key.public_key
        self._handler = ffi.callback("void(godwit_node *, const godwit_event *, void *)", self._handle)

    def _handle(self, _node: Any, raw: Any, _context: Any) -> None:
        try:
            self._on_event(self, _event(raw))
        except BaseException as error:  # pylint: disable=broad-except
            # C cannot carry an exception: the loop ends, and the caller of run() or turn() gets it.
            self._error = self._error or error
            lib.godwit_node_stop(self._node)

    def _raise_error(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _open(self) -> Any:
        if self._node == ffi.NULL:
            raise GodwitError(Status.CLOSED, "the node has been closed")
        return self._node

    @property
    def local_address(self) -> str:
        return ffi.string(lib.godwit_node_local_address(self._open())).decode()

    def connect(self, address: str, public_key: str) -> int:
        """Connects to "ADDR:PORT"; CONNECTED or CLOSED follows under the number that is returned."""
        connection = ffi.new("godwit_connection *")
        _check(lib.godwit_node_connect(self._open(), address.encode(), public_key.encode(), connection))
        return connection[0]

    def send(self, connection: int, data: bytes, *, deadline: Optional[float] = None,
             send_limit: Optional[int] = None, stream: bool = False, unreliable: bool = False,
             urgency: int = 3) -> int:
        """Queues a message and returns its number. WOULD_BLOCK: try again after WRITABLE.

        Streams have an urgency: while one of a lower number can send, one of a higher number does not (0 to 7). An unreliable one, of at most 1106 bytes, is sent once: lost on the way it fails (FAILED)."""
        raw = ffi.new("godwit_send_options *")
        lib.godwit_send_options_init(raw, ffi.sizeof("godwit_send_options"))
        raw.deadline_ns = 0 if deadline is None else round(deadline * _NANOSECONDS)
        if send_limit is not None:
            raw.send_limit = send_limit
        raw.stream = stream
        raw.unreliable = unreliable
        raw.urgency = urgency
        message = ffi.new("godwit_message *")
        _check(lib.godwit_node_send(self._open(), connection, ffi.from_buffer("uint8_t[]", data), len(data), raw,
                                    message))
        return message[0]

    def open_stream(self, connection: int) -> int:
        """Begins a stream of unknown length and returns its number (extended sessions)."""
        stream = ffi.new("godwit_message *")
        _check(lib.godwit_node_open_stream(self._open(), connection, ffi.NULL, stream))
        return stream[0]

    def append(self, connection: int, stream: int, data: bytes) -> None:
        """Adds to a stream of unknown length. WOULD_BLOCK: nothing was taken; try again after WRITABLE."""
        _check(lib.godwit_node_append(self._open(), connection, stream, ffi.from_buffer("uint8_t[]", data), len(data)))

    def finish(self, connection: int, stream: int) -> bool:
        return lib.godwit_node_finish(self._open(), connection, stream)

    def extend_send_limit(self, connection: int, message: int, limit: int) -> bool:
        return lib.godwit_node_extend_send_limit(self._open(), connection, message, limit)

    def cancel(self, connection: int, message: int, code: int = 0) -> bool:
        return lib.godwit_node_cancel_with_code(self._open(), connection, message, code)

    def stop_receiving(self, connection: int, stream: int, code: int = 0) -> bool:
        return lib.godwit_node_stop_receiving_with_code(self._open(), connection, stream, code)

    def consume(self, connection: int, stream: int, count: int) -> None:
        """So many bytes of a stream's chunks have been read (option ``consume_by_hand``, extended sessions)."""
        lib.godwit_node_consume(self._open(), connection, stream, count)

    def pause(self, connection: int, stream: int) -> bool:
        """The sender of the stream stops when a window of it has arrived. False without flow control."""
        return lib.godwit_node_pause(self._open(), connection, stream)

    def resume(self, connection: int, stream: int) -> bool:
        return lib.godwit_node_resume(self._open(), connection, stream)

    def ping(self, connection: int) -> None:
        _check(lib.godwit_node_ping(self._open(), connection))

    def close_connection(self, connection: int, text: str = "", code: int = 0) -> None:
        """Ends a connection at once; CLOSED follows. The code reaches the peer of an extended session."""
        lib.godwit_node_close_with_code(self._open(), connection, text.encode(), code)

    def close_when_sent(self, connection: int, longest: float, text: str = "") -> None:
        """Ends a connection once its messages have been acknowledged, at the latest after ``longest`` seconds."""
        _check(lib.godwit_node_close_when_sent(self._open(), connection, round(longest * _NANOSECONDS),
                                               text.encode()))

    def statistics(self, connection: int) -> dict[str, Any]:
        """A connection's counters, by the names of godwit_c.h."""
        raw = ffi.new("godwit_statistics *")
        raw.size = ffi.sizeof("godwit_statistics")
        _check(lib.godwit_node_statistics(self._open(), connection, raw))
        return _fields(raw)

    def endpoint_statistics(self) -> dict[str, Any]:
        raw = ffi.new("godwit_endpoint_statistics *")
        raw.size = ffi.sizeof("godwit_endpoint_statistics")
        lib.godwit_node_endpoint_statistics(self._open(), raw)
        return _fields(raw)

    def run(self) -> None:
        """Handles events until stop()."""
        lib.godwit_node_run(self._open(), self._handler, ffi.NULL)
        self._raise_error()

    def turn(self, longest_wait: float = 0) -> None:
        """One turn of the loop: waits at most so many seconds, and handles what happened."""
        lib.godwit_node_turn(self._open(), self._handler, ffi.NULL, round(longest_wait * _NANOSECONDS))
        self._raise_error()

    def fileno(self) -> int:
        """For loops of others: turn(0) is due when it is readable, and after next_timeout()."""
        return lib.godwit_node_descriptor(self._open())

    def next_timeout(self) -> Optional[float]:
        left = lib.godwit_node_next_timeout(self._open())
        return None if left < 0 else left / _NANOSECONDS

    def stop(self) -> None:
        lib.godwit_node_stop(self._open())

    def wake(self) -> None:
        lib.godwit_node_wake(self._open())

    def close(self, longest: float = 1.0, text: str = "") -> None:
        """Closes all connections, waits at most so many seconds for the peers' answers, and closes the socket."""
        if self._node == ffi.NULL:
            return
        node, self._node = self._node, ffi.NULL
        ignore = ffi.callback("void(godwit_node *, const godwit_event *, void *)", lambda *_: None)
        lib.godwit_node_shut_down(node, ignore, ffi.NULL, round(longest * _NANOSECONDS), text.encode())
        lib.godwit_node_destroy(node)

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _fields(raw: Any) -> dict[str, Any]:
    result = {}
    for name, _ in ffi.typeof(raw).item.fields:
        value = getattr(raw, name)
        if name != "size":
            result[name] = value if isinstance(value, int) else ffi.string(value).decode()
    return result
