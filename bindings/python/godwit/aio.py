"""Godwit for asyncio: connections whose messages are awaited."""
from __future__ import annotations

import asyncio
import collections
from typing import Any, AsyncIterator, Callable, Optional, Union

from godwit._errors import ConnectionClosed, GodwitError, Status
from godwit._node import Event, EventKind, Node, SecretKey
from godwit._tickets import Ticket

# Messages of one connection that were received and not awaited yet: beyond this the connection is closed, since the
# deployed wire cannot hold a sender back and memory has an end.
_MAX_WAITING_MESSAGES = 65_536


class Connection:
    """One peer. Made by AsyncNode.connect() and AsyncNode.accept()."""

    def __init__(self, node: AsyncNode, number: int):
        self._node = node
        self._number = number
        self._received: collections.deque[bytes] = collections.deque()
        self._arrival = asyncio.Event()
        self._writable = asyncio.Event()
        self._acknowledgements: dict[int, asyncio.Future[None]] = {}
        self._closed: Optional[ConnectionClosed] = None
        self._connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.remote = ""
        self.observed = ""
        self.authenticated = False
        self.peer_key = ""

    async def send(self, data: bytes, *, deadline: Optional[float] = None) -> None:
        """Queues a message; waits while the queue is full. Raises ConnectionClosed when the connection has ended."""
        await self._queue(data, deadline)

    async def send_acknowledged(self, data: bytes, *, deadline: Optional[float] = None) -> None:
        """The same, and waits until the peer has acknowledged all of it. Raises GodwitError when it is given up."""
        number = await self._queue(data, deadline)
        future = asyncio.get_running_loop().create_future()
        self._acknowledgements[number] = future
        await future

    async def _queue(self, data: bytes, deadline: Optional[float]) -> int:
        while True:
            if self._closed is not None:
                raise self._closed
            self._writable.clear()
            try:
                number = self._node.node.send(self._number, data, deadline=deadline)
            except GodwitError as error:
                if error.status is not Status.WOULD_BLOCK:
                    raise
                await self._writable.wait()
                continue
            self._node.schedule()
            return number

    async def receive(self) -> bytes:
        """The next message. Raises ConnectionClosed when the connection has ended and no message is left."""
        while not self._received:
            if self._closed is not None:
                raise self._closed
            self._arrival.clear()
            await self._arrival.wait()
        return self._received.popleft()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Messages until the connection ends."""
        while True:
            try:
                yield await self.receive()
            except ConnectionClosed:
                return

    async def close(self, text: str = "", longest: float = 5.0) -> None:
        """Ends the connection once what was queued has been acknowledged, at the latest after ``longest`` seconds."""
        if self._closed is not None:
            return
        self._node.node.close_when_sent(self._number, longest, text)
        self._node.schedule()
        while self._closed is None:
            self._arrival.clear()
            await self._arrival.wait()

    def statistics(self) -> dict[str, Any]:
        return self._node.node.statistics(self._number)

    def _on_event(self, event: Event) -> None:
        if event.kind == EventKind.CONNECTED:
            self.remote, self.observed, self.authenticated = event.remote, event.observed, event.authenticated
            self.peer_key = event.peer_key
            if not self._connected.done():
                self._connected.set_result(None)
        elif event.kind == EventKind.MESSAGE:
            self._received.append(event.data)
            self._arrival.set()
            if len(self._received) > _MAX_WAITING_MESSAGES:
                self._node.node.close_connection(self._number, "messages are not read")
        elif event.kind == EventKind.WRITABLE:
            self._writable.set()
        elif event.kind in (EventKind.ACKNOWLEDGED, EventKind.FAILED):
            future = self._acknowledgements.pop(event.message, None)
            if future is not None and not future.done():
                if event.kind == EventKind.ACKNOWLEDGED:
                    future.set_result(None)
                else:
                    future.set_exception(GodwitError(Status.CLOSED, event.text))
        elif event.kind == EventKind.CLOSED:
            self._closed = ConnectionClosed(event.text, event.reason)
            if not self._connected.done():
                self._connected.set_exception(self._closed)
            self._arrival.set()
            self._writable.set()


class AsyncNode:
    """A node in the running asyncio loop. Use ``async with AsyncNode(key, bind=...) as node``."""

    def __init__(self, key: SecretKey, bind: str = "[::]:0", **options: Any):
        self.node = Node(key, self._on_event, bind, idle="block", **options)
        self._loop = asyncio.get_running_loop()
        self._connections: dict[int, Connection] = {}
        self._accepted: asyncio.Queue[Connection] = asyncio.Queue()
        self._timer: Optional[asyncio.TimerHandle] = None
        self._scheduled: Optional[asyncio.Handle] = None
        self._loop.add_reader(self.node.fileno(), self._turn)
        self._turn()

    @property
    def local_address(self) -> str:
        return self.node.local_address

    @property
    def public_key(self) -> str:
        return self.node.public_key

    async def connect(self, address: str, public_key: str) -> Connection:
        """Connects to "ADDR:PORT". Raises ConnectionClosed with the reason when that fails."""
        number = self.node.connect(address, public_key)
        connection = self._connections[number] = Connection(self, number)
        self.schedule()
        await connection._connected  # pylint: disable=protected-access
        return connection

    async def connect_ticket(self, ticket: Union[str, Ticket]) -> Connection:
        """Connects to the peer of a ticket, through its rendezvous where it names some. Raises GodwitError."""
        found: asyncio.Future[Connection] = self._loop.create_future()

        def done(_node: Node, number: int, error: Optional[GodwitError]) -> None:
            if error is None:
                # Its CONNECTED event comes next, and finds it there.
                self._connections[number] = Connection(self, number)
            if found.done():
                return
            if error is None:
                found.set_result(self._connections[number])
            else:
                found.set_exception(error)

        self.node.connect_ticket(ticket, done)
        self.schedule()
        connection = await found
        await connection._connected  # pylint: disable=protected-access
        return connection

    def register_at(self, address: str, public_key: str, notice: Optional[Callable[[str], Any]] = None) -> None:
        """Keeps the node findable at a rendezvous; ``notice`` is told of it in one line each."""
        self.node.register_at(address, public_key, None if notice is None else lambda _node, text: notice(text))
        self.schedule()

    async def accept(self) -> Connection:
        """The next connection that a peer begins."""
        return await self._accepted.get()

    async def close(self, longest: float = 1.0, text: str = "") -> None:
        """Closes all connections and the socket; waits at most ``longest`` seconds for the peers' answers."""
        if self._scheduled is not None:
            self._scheduled.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self.node.fileno())
        connections = list(self._connections.values())
        await self._loop.run_in_executor(None, self.node.close, longest, text)
        for connection in connections:
            connection._on_event(_CLOSED_HERE)  # pylint: disable=protected-access
        self._connections.clear()

    async def __aenter__(self) -> AsyncNode:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    def schedule(self) -> None:
        """Has the loop send what was queued, once for all calls of this turn of asyncio."""
        if self._scheduled is None:
            self._scheduled = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = None
        self.node.turn(0)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        left = self.node.next_timeout()
        if left is not None:
            self._timer = self._loop.call_later(left, self._turn)

    def _on_event(self, _node: Node, event: Event) -> None:
        connection = self._connections.get(event.connection)
        if connection is None:
            if event.kind != EventKind.CONNECTED:
                return
            connection = self._connections[event.connection] = Connection(self, event.connection)
            self._accepted.put_nowait(connection)
        connection._on_event(event)  # pylint: disable=protected-access
        if event.kind == EventKind.CLOSED:
            del self._connections[event.connection]


def _closed_here() -> Event:
    fields: dict[str, Any] = {"kind": EventKind.CLOSED, "connection": 0, "data": b"", "text": "the node was closed",
                              "remote": "", "observed": "", "reason": 0, "message": 0, "stream": 0, "offset": 0,
                              "total": 0, "may_have_arrived": False, "authenticated": False, "initiator": False,
                              "round_trip": 0.0, "silent_for": 0.0, "peer_key": "", "code": 0, "extended": False,
                              "user_data": 0}
    return Event(**fields)


_CLOSED_HERE = _closed_here()
