"""Tickets: how to reach a peer, as one word; and the addresses of names."""
from __future__ import annotations

import dataclasses
from typing import Any

from godwit._errors import GodwitError, Status, check
from godwit._library import ffi, lib


@dataclasses.dataclass(frozen=True)
class Rendezvous:
    """A server that knows how to reach the peer of a ticket: "192.0.2.7:31337", and 64 hexadecimal digits."""

    address: str
    public_key: str


@dataclasses.dataclass(frozen=True)
class Ticket:
    """What a ticket says (docs/tickets.md): addresses are ADDR:PORT, hosts NAME:PORT, to be looked up by resolve()."""

    public_key: str
    addresses: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    rendezvous: tuple[Rendezvous, ...] = ()
    requires_extended: bool = False


def _text(field: Any) -> str:
    return ffi.string(field).decode()


def parse_ticket(text: str) -> Ticket:
    """Reads a ticket of either case. Raises GodwitError for what is no ticket, or mistyped, or of a later version."""
    raw = ffi.new("godwit_ticket *")
    raw.size = ffi.sizeof("godwit_ticket")
    check(lib.godwit_ticket_parse(text.encode(), raw))
    return Ticket(
        public_key=_text(raw.public_key),
        addresses=tuple(_text(raw.addresses[i]) for i in range(raw.addresses_count)),
        hosts=tuple(_text(raw.hosts[i]) for i in range(raw.hosts_count)),
        rendezvous=tuple(
            Rendezvous(_text(raw.rendezvous_addresses[i]), _text(raw.rendezvous_keys[i]))
            for i in range(raw.rendezvous_count)),
        requires_extended=raw.requires_extended,
    )


def _put(texts: Any, values: list[str]) -> int:
    if len(values) > len(texts):
        raise GodwitError(Status.TOO_LARGE, "more than a ticket has")
    for i, value in enumerate(values):
        encoded = value.encode()
        if len(encoded) >= ffi.sizeof(texts[i]):
            raise GodwitError(Status.INVALID_ARGUMENT, f"'{value}' is too long for a ticket")
        texts[i] = encoded
    return len(values)


def raw_ticket(ticket: Ticket) -> Any:
    """The ticket in the form of the C interface."""
    raw = ffi.new("godwit_ticket *")
    raw.size = ffi.sizeof("godwit_ticket")
    if len(ticket.public_key) != 64:
        raise GodwitError(Status.INVALID_ARGUMENT, "a public key is 64 hexadecimal digits")
    raw.public_key = ticket.public_key.encode()
    raw.requires_extended = ticket.requires_extended
    raw.addresses_count = _put(raw.addresses, list(ticket.addresses))
    raw.hosts_count = _put(raw.hosts, list(ticket.hosts))
    raw.rendezvous_count = _put(raw.rendezvous_addresses, [each.address for each in ticket.rendezvous])
    _put(raw.rendezvous_keys, [each.public_key for each in ticket.rendezvous])
    return raw


def format_ticket(ticket: Ticket) -> str:
    """The text, in lower case. Raises GodwitError for a ticket that names no way to its peer, or has more than fits."""
    text = ffi.new("char[1024]")
    check(lib.godwit_ticket_format(raw_ticket(ticket), text, ffi.sizeof(text)))
    return _text(text)


def resolve(name_and_port: str) -> list[str]:
    """The addresses of "NAME:PORT" or "ADDR:PORT", by the system's resolver, which may take seconds."""
    count = ffi.new("size_t *")
    addresses = ffi.new("char[64][64]")
    check(lib.godwit_resolve(name_and_port.encode(), addresses, len(addresses), count))
    return [_text(addresses[i]) for i in range(min(count[0], len(addresses)))]
