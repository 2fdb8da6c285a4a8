"""The C interface in Python's terms: keys, events, errors, and a node with callbacks."""
from __future__ import annotations

import dataclasses
import enum
from typing import Any, Callable, Iterable, Optional, Union

from godwit._callbacks import Pending, on_connected, on_new_code, on_notice, on_post, on_told
from godwit._errors import CloseReason, GodwitError, Status, check
from godwit._library import ffi, lib
from godwit._options import NANOSECONDS, make_options
from godwit._tickets import Ticket, parse_ticket, raw_ticket


class PathWhy(enum.IntEnum):
    """godwit_path_why: why a connection does not go directly to its peer."""

    DIRECT = 0
    SEARCHING = 1
    NO_OTHER_ADDRESS = 2
    NO_CAPABILITY = 3
    OWN_PORT_CHANGES = 4
    PEER_PORT_CHANGES = 5
    BOTH_PORTS_CHANGE = 6
    UNASKED_ANSWERED = 7
    NO_ANSWER = 8
    UDP_BLOCKED = 9
    RELAY_FULL = 10


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


def version() -> str:
    """The version of the library that was loaded."""
    return ffi.string(lib.godwit_version()).decode()


class SecretKey:
    """An X25519 secret key of 32 bytes; ``public_key`` is what peers are told."""

    def __init__(self, secret: bytes):
        if len(secret) != 32:
            raise GodwitError(Status.INVALID_ARGUMENT, "a secret key is 32 bytes")
        text = ffi.new("char[65]")
        check(lib.godwit_public_key(secret, text))
        self._secret = bytes(secret)
        self.public_key: str = ffi.string(text).decode()

    @classmethod
    def generate(cls) -> SecretKey:
        """From the system's generator."""
        secret = ffi.new("uint8_t[32]")
        check(lib.godwit_generate_key(secret))
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
    reason: Union[CloseReason, int]
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
    user_data: int


@dataclasses.dataclass(frozen=True)
class Liveness:
    """Whether a peer is heard of; ``problem`` is what the kernel last said of datagrams to it, or empty."""

    suspect: bool
    problem: str


def _reason(number: int) -> Union[CloseReason, int]:
    # A later library may have more of them.
    return CloseReason(number) if number in list(CloseReason) else number


def _event(raw: Any) -> Event:
    return Event(
        kind=raw.kind,
        connection=raw.connection,
        data=ffi.unpack(ffi.cast("const char *", raw.bytes), raw.length) if raw.length else b"",
        text=ffi.string(raw.text).decode(errors="replace"),
        remote=ffi.string(raw.remote).decode(),
        observed=ffi.string(raw.observed).decode(),
        reason=_reason(raw.reason),
        message=raw.message,
        stream=raw.stream,
        offset=raw.offset,
        total=raw.total,
        may_have_arrived=raw.may_have_arrived,
        authenticated=raw.authenticated,
        initiator=raw.initiator,
        round_trip=raw.round_trip_ns / NANOSECONDS,
        silent_for=raw.silent_for_ns / NANOSECONDS,
        peer_key=ffi.string(raw.peer_key).decode(),
        code=raw.code,
        extended=raw.extended,
        user_data=raw.user_data,
    )


# Gets the connection, or 0 and the error.
Done = Callable[["Node", int, Optional[GodwitError]], Any]
# Gets a text, or "" and the error.
Told = Callable[["Node", str, Optional[GodwitError]], Any]


class Node:
    """One socket, one thread, all its connections. Not to be shared between threads, except stop(), wake() and post().

    ``on_event(node, event)`` is called in run() and turn(). An exception that it raises ends run() or turn() and is
    raised there, as is one of any other function that the node calls. Options are those of the C interface by name;
    times are seconds. ``trace`` and ``key_log`` get a text each, ``admit_address`` an ADDR:PORT and ``admit_key`` a
    public key, empty where the peer has proved none; the last two say who may connect, and must not use the node.
    """

    def __init__(self, key: SecretKey, on_event: Callable[[Node, Event], Any], bind: str = "[::]:0", **options: Any):
        self._node = ffi.NULL
        self._error: Optional[BaseException] = None
        self._pending: set[Pending] = set()
        self._notice: Optional[Pending] = None
        raw, self._alive = make_options(bind, options, self._fail)
        opened = ffi.new("godwit_node **")
        check(lib.godwit_node_open(raw, bytes(key), opened))
        self._node = opened[0]
        self._on_event = on_event
        self.public_key = key.public_key
        self._handler = ffi.callback("void(godwit_node *, const godwit_event *, void *)", self._handle)

    def _handle(self, _node: Any, raw: Any, _context: Any) -> None:
        self._guard(lambda: self._on_event(self, _event(raw)))

    def _guard(self, call: Callable[..., Any], *arguments: Any) -> None:
        try:
            call(*arguments)
        except BaseException as error:  # pylint: disable=broad-except
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        # C cannot carry an exception: the loop ends, and the caller of run() or turn() gets it.
        self._error = self._error or error
        if self._node != ffi.NULL:
            lib.godwit_node_stop(self._node)

    def _wait_for(self, call: Callable[..., Any], new_code: Optional[Callable[[Node, str], Any]] = None) -> Pending:
        pending = Pending(self, call, new_code)
        self._pending.add(pending)
        return pending

    def _called(self, pending: Pending) -> None:
        self._pending.discard(pending)

    def _check_begun(self, status: int, pending: Pending) -> None:
        if status != Status.OK:
            self._called(pending)
        check(status)

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
        check(lib.godwit_node_connect(self._open(), address.encode(), public_key.encode(), connection))
        return connection[0]

    def connect_addresses(self, addresses: Iterable[str], public_key: str, done: Done) -> None:
        """To a peer with several addresses, which race. ``done(node, connection, error)`` is called once, just before
        the winner's CONNECTED event, or with 0 and a GodwitError."""
        texts = [ffi.new("char[]", address.encode()) for address in addresses]
        pending = self._wait_for(done)
        self._check_begun(
            lib.godwit_node_connect_addresses(self._open(), texts, len(texts), public_key.encode(), on_connected,
                                              pending.handle), pending)

    def connect_by_name(self, name_and_port: str, public_key: str, done: Done) -> None:
        """The same for "host:port", which the system looks up: that may take seconds."""
        pending = self._wait_for(done)
        self._check_begun(
            lib.godwit_node_connect_by_name(self._open(), name_and_port.encode(), public_key.encode(), on_connected,
                                            pending.handle), pending)

    def connect_ticket(self, ticket: Union[str, Ticket], done: Done) -> None:
        """The same for the peer of a ticket, through its rendezvous where it names some. Its hosts are not looked
        up: resolve() does that."""
        raw = raw_ticket(parse_ticket(ticket) if isinstance(ticket, str) else ticket)
        pending = self._wait_for(done)
        self._check_begun(lib.godwit_node_connect_ticket(self._open(), raw, on_connected, pending.handle), pending)

    def register_at(self, address: str, public_key: str, notice: Optional[Callable[[Node, str], Any]] = None) -> None:
        """Keeps the node findable at a rendezvous; ``notice(node, text)`` is told of it in one line each."""
        pending = Pending(self, notice or (lambda _node, _text: None))
        check(lib.godwit_node_register_at(self._open(), address.encode(), public_key.encode(), on_notice,
                                          pending.handle))
        self._notice = pending

    def connect_by_code(self, address: str, public_key: str, code: Optional[str], done: Done,
                        new_code: Optional[Callable[[Node, str], Any]] = None) -> None:
        """Connects to whoever has the other half of a one-time code at a rendezvous; without a code one is made, which
        ``new_code(node, code)`` is told."""
        pending = self._wait_for(done, new_code)
        self._check_begun(
            lib.godwit_node_connect_by_code(self._open(), address.encode(), public_key.encode(), (code or "").encode(),
                                            on_new_code, on_connected, pending.handle), pending)

    def listen_by_code(self, address: str, public_key: str, code: Optional[str], told: Told,
                       new_code: Optional[Callable[[Node, str], Any]] = None) -> None:
        """Registers at a rendezvous and waits for whoever has the other half of a one-time code;
        ``told(node, public_key, error)`` is called once, with the key of the peer that is about to connect."""
        pending = Pending(self, told, new_code)
        check(lib.godwit_node_listen_by_code(self._open(), address.encode(), public_key.encode(), (code or "").encode(),
                                             on_new_code, on_told, pending.handle))
        self._notice = pending

    def map_port(self, way: str = "auto", told: Optional[Told] = None) -> None:
        """Has the router pass a public port on to the socket; ``told(node, address, error)`` is called each time that
        the address changes, and when there is none."""
        pending = Pending(self, told or (lambda _node, _address, _error: None))
        check(lib.godwit_node_map_port(self._open(), way.encode(), on_told, pending.handle))
        self._mapping = pending

    def send(self, connection: int, data: bytes, *, deadline: Optional[float] = None,
             send_limit: Optional[int] = None, stream: bool = False, unreliable: bool = False,
             urgency: int = 3, operations: bool = False, metadata: Optional[bytes] = None) -> int:
        """Queues a message and returns its number. WOULD_BLOCK: try again after WRITABLE.

        Streams have an urgency: while one of a lower number can send, one of a higher number does not (0 to 7). An
        unreliable one, of at most 1106 bytes, is sent once: lost on the way it fails (FAILED). An operations stream may
        have metadata of at most 1120 bytes."""
        raw = ffi.new("godwit_send_options *")
        lib.godwit_send_options_init(raw, ffi.sizeof("godwit_send_options"))
        raw.deadline_ns = 0 if deadline is None else round(deadline * NANOSECONDS)
        if send_limit is not None:
            raw.send_limit = send_limit
        raw.stream = stream
        raw.unreliable = unreliable
        raw.urgency = urgency
        raw.operations = operations
        kept = None if metadata is None else ffi.from_buffer("uint8_t[]", metadata)
        if kept is not None:
            raw.metadata, raw.metadata_length = kept, len(kept)
        message = ffi.new("godwit_message *")
        check(lib.godwit_node_send(self._open(), connection, ffi.from_buffer("uint8_t[]", data), len(data), raw,
                                    message))
        return message[0]

    def open_stream(self, connection: int, *, deadline: Optional[float] = None) -> int:
        """Begins a stream of unknown length and returns its number (extended sessions)."""
        raw = ffi.new("godwit_send_options *")
        lib.godwit_send_options_init(raw, ffi.sizeof("godwit_send_options"))
        raw.deadline_ns = 0 if deadline is None else round(deadline * NANOSECONDS)
        stream = ffi.new("godwit_message *")
        check(lib.godwit_node_open_stream(self._open(), connection, raw, stream))
        return stream[0]

    def append(self, connection: int, stream: int, data: bytes) -> None:
        """Adds to a stream of unknown length. WOULD_BLOCK: nothing was taken; try again after WRITABLE."""
        check(lib.godwit_node_append(self._open(), connection, stream, ffi.from_buffer("uint8_t[]", data), len(data)))

    def finish(self, connection: int, stream: int) -> bool:
        return lib.godwit_node_finish(self._open(), connection, stream)

    def extend_send_limit(self, connection: int, message: int, limit: int) -> bool:
        return lib.godwit_node_extend_send_limit(self._open(), connection, message, limit)

    def cancel(self, connection: int, message: int, code: int = 0) -> bool:
        return lib.godwit_node_cancel(self._open(), connection, message, code)

    def stop_receiving(self, connection: int, stream: int, code: int = 0) -> bool:
        return lib.godwit_node_stop_receiving(self._open(), connection, stream, code)

    def stream_of(self, connection: int, message: int) -> int:
        """The stream under which a message travels; 0 for one that is no stream or has ended."""
        return lib.godwit_node_stream_of(self._open(), connection, message)

    def keep_alive(self, connection: int, stream: int) -> bool:
        """An inbound stream whose sender waits for the program does not count as abandoned for another idle period."""
        return lib.godwit_node_keep_alive(self._open(), connection, stream)

    def consume(self, connection: int, stream: int, count: int) -> None:
        """So many bytes of a stream's chunks have been read (option ``consume_by_hand``, extended sessions)."""
        lib.godwit_node_consume(self._open(), connection, stream, count)

    def pause(self, connection: int, stream: int) -> bool:
        """The sender of the stream stops when a window of it has arrived. False without flow control."""
        return lib.godwit_node_pause(self._open(), connection, stream)

    def resume(self, connection: int, stream: int) -> bool:
        return lib.godwit_node_resume(self._open(), connection, stream)

    def ping(self, connection: int) -> None:
        check(lib.godwit_node_ping(self._open(), connection))

    def reconnect(self, connection: int) -> None:
        """Shakes hands anew beside the session, for a peer that is suspect."""
        check(lib.godwit_node_reconnect(self._open(), connection))

    def set_congestion(self, connection: int, name: str) -> None:
        """"cubic", "newreno", "bbr", "ledbat", "fixed"."""
        check(lib.godwit_node_set_congestion(self._open(), connection, name.encode()))

    def set_rate_limit(self, connection: int, bits_per_second: int) -> None:
        """Of application bits; 0: no limit."""
        check(lib.godwit_node_set_rate_limit(self._open(), connection, bits_per_second))

    def set_user_data(self, connection: int, user_data: int) -> None:
        """A number that comes with each event of the connection."""
        check(lib.godwit_node_set_user_data(self._open(), connection, user_data))

    def close_connection(self, connection: int, text: str = "", code: int = 0) -> None:
        """Ends a connection at once; CLOSED follows. The code reaches the peer of an extended session."""
        lib.godwit_node_close(self._open(), connection, text.encode(), code)

    def close_when_sent(self, connection: int, longest: float, text: str = "", code: int = 0) -> None:
        """Ends a connection once its messages have been acknowledged, at the latest after ``longest`` seconds."""
        check(lib.godwit_node_close_when_sent(self._open(), connection, round(longest * NANOSECONDS), text.encode(),
                                              code))

    def connections(self) -> list[int]:
        """Those that have not ended, established or not."""
        count = lib.godwit_node_connections(self._open(), ffi.NULL, 0)
        found = ffi.new("godwit_connection[]", count)
        lib.godwit_node_connections(self._open(), found, count)
        return list(found)

    def remote_address(self, connection: int) -> str:
        """"192.0.2.7:31337", of a connection that has not ended."""
        text = ffi.new("char[64]")
        check(lib.godwit_node_remote_address(self._open(), connection, text, ffi.sizeof(text)))
        return ffi.string(text).decode()

    def liveness(self, connection: int) -> Liveness:
        raw = ffi.new("godwit_liveness *")
        raw.size = ffi.sizeof("godwit_liveness")
        lib.godwit_node_liveness(self._open(), connection, raw)
        return Liveness(raw.suspect, ffi.string(raw.problem).decode())

    def path_why(self, connection: int) -> PathWhy:
        """Why the connection does not go directly to its peer, or that it does."""
        why = ffi.new("godwit_path_why *")
        check(lib.godwit_node_path_why(self._open(), connection, why))
        return PathWhy(why[0])

    def metrics(self) -> str:
        """Every counter as text for Prometheus (docs/observability.md)."""
        text = ffi.new("const char **")
        check(lib.godwit_node_metrics(self._open(), text))
        return ffi.string(text[0]).decode()

    def statistics(self, connection: int) -> dict[str, Any]:
        """A connection's counters, by the names of godwit_c.h."""
        raw = ffi.new("godwit_statistics *")
        raw.size = ffi.sizeof("godwit_statistics")
        check(lib.godwit_node_statistics(self._open(), connection, raw))
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
        lib.godwit_node_turn(self._open(), self._handler, ffi.NULL, round(longest_wait * NANOSECONDS))
        self._raise_error()

    def fileno(self) -> int:
        """For loops of others: turn(0) is due when it is readable, and after next_timeout()."""
        return lib.godwit_node_descriptor(self._open())

    def next_timeout(self) -> Optional[float]:
        left = lib.godwit_node_next_timeout(self._open())
        return None if left < 0 else left / NANOSECONDS

    def stop(self) -> None:
        lib.godwit_node_stop(self._open())

    def wake(self) -> None:
        lib.godwit_node_wake(self._open())

    def post(self, call: Callable[[Node], Any]) -> None:
        """Runs ``call(node)`` on the loop's thread; from any thread. WOULD_BLOCK when too many wait."""
        pending = self._wait_for(call)
        self._check_begun(lib.godwit_node_post(self._open(), on_post, pending.handle), pending)

    def close(self, longest: float = 1.0, text: str = "") -> None:
        """Closes all connections, waits at most so many seconds for the peers' answers, and closes the socket."""
        if self._node == ffi.NULL:
            return
        node, self._node = self._node, ffi.NULL
        ignore = ffi.callback("void(godwit_node *, const godwit_event *, void *)", lambda *_: None)
        lib.godwit_node_shut_down(node, ignore, ffi.NULL, round(longest * NANOSECONDS), text.encode())
        lib.godwit_node_destroy(node)

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _fields(raw: Any) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, _ in ffi.typeof(raw).item.fields:
        value = getattr(raw, name)
        if name != "size":
            result[name] = value if isinstance(value, int) else ffi.string(value).decode()
    return result
