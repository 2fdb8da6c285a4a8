"""An encrypted, reliable, NAT-traversing UDP transport for peer-to-peer networks.

``Node`` is a peer with a socket of its own and callbacks, for programs without an event loop. ``AsyncNode`` is the same
for asyncio: connections whose messages are awaited, with back-pressure in both directions.
"""
from godwit._errors import CloseReason, ConnectionClosed, GodwitError, Status
from godwit._node import Event, EventKind, Liveness, Node, PathWhy, SecretKey, version
from godwit._tickets import Rendezvous, Ticket, format_ticket, parse_ticket, resolve
from godwit.aio import AsyncNode, Connection

__all__ = [
    "AsyncNode",
    "CloseReason",
    "Connection",
    "ConnectionClosed",
    "Event",
    "EventKind",
    "GodwitError",
    "Liveness",
    "Node",
    "PathWhy",
    "Rendezvous",
    "SecretKey",
    "Status",
    "Ticket",
    "format_ticket",
    "parse_ticket",
    "resolve",
    "version",
]
