"""The options of a node: keyword arguments into the structure of the C interface."""
from __future__ import annotations

from typing import Any, Callable

from godwit._library import ffi, lib

NANOSECONDS = 1_000_000_000

# Names of Node's keyword arguments that are passed on as they are.
_NUMBERS = (
    "accept_incoming",
    "require_authenticated_peer",
    "stream_in_chunks",
    "max_connections",
    "max_inbound_bytes",
    "max_datagram_bytes",
    "stranger_handshakes_per_second",
    "connection_bits_per_second",
    "endpoint_bits_per_second",
    "receive_buffer_bytes",
    "threads",
    "stream_window_bytes",
    "connection_window_bytes",
    "consume_by_hand",
)
_TEXTS = ("congestion", "cipher", "backend", "idle", "extended")
_TIMES = ("connect_timeout", "idle_timeout")


def _address(raw: Any) -> str:
    text = ffi.new("char[64]")
    lib.godwit_address_format(raw, text, ffi.sizeof(text))
    return ffi.string(text).decode()


# By name: the type of the C function, and how its arguments become those of the Python function.
_CALLBACKS: dict[str, tuple[str, Callable[..., Any]]] = {
    "trace": ("void(const char *, size_t, void *)", lambda record, length, _: ffi.unpack(record, length).decode()),
    "key_log": ("void(const char *, size_t, void *)", lambda line, length, _: ffi.unpack(line, length).decode()),
    "admit_address": ("bool(const godwit_address *, void *)", lambda remote, _: _address(remote)),
    "admit_key": ("bool(const char *, void *)", lambda key, _: ffi.string(key).decode()),
}


def make_options(bind: str, options: dict[str, Any],
                 on_error: Callable[[BaseException], None]) -> tuple[Any, list[Any]]:
    """The structure, and what has to live as long as the node. ``on_error`` gets what a function of the program raises;
    one that should have answered has refused then."""
    raw = ffi.new("godwit_options *")
    lib.godwit_options_init(raw, ffi.sizeof("godwit_options"))
    texts = {"bind": ffi.new("char[]", bind.encode())}
    alive: list[Any] = []
    for name, value in options.items():
        if name in _NUMBERS:
            setattr(raw, name, value)
        elif name in _TEXTS:
            texts[name] = ffi.new("char[]", value.encode())
        elif name in _TIMES:
            setattr(raw, name + "_ns", round(value * NANOSECONDS))
        elif name in _CALLBACKS:
            alive.append(_callback(name, value, on_error))
            setattr(raw, name, alive[-1])
        else:
            raise TypeError(f"Node has no option {name!r}")
    for name, text in texts.items():
        setattr(raw, name, text)
    return raw, [*alive, *texts.values()]


def _callback(name: str, function: Callable[[str], Any], on_error: Callable[[BaseException], None]) -> Any:
    kind, convert = _CALLBACKS[name]
    answers = kind.startswith("bool")

    def call(*arguments: Any) -> Any:
        try:
            result = function(convert(*arguments))
        except BaseException as error:  # pylint: disable=broad-except
            on_error(error)
            result = False
        return bool(result) if answers else None

    return ffi.callback(kind, call)
