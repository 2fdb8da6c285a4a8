"""Functions of a program that the library calls on the loop's thread, and the C functions that do it."""
from __future__ import annotations

from typing import Any, Callable, Optional

from godwit._errors import GodwitError, Status
from godwit._library import ffi, lib


class Pending:
    """A function of the program that the library calls once, or again and again, on the loop's thread."""

    def __init__(self, node: Any, call: Callable[..., Any], new_code: Optional[Callable[[Any, str], Any]] = None):
        self.node = node
        self.call = call
        self.new_code = new_code or (lambda _node, _code: None)
        self.handle = ffi.new_handle(self)


@ffi.callback("void(godwit_node *, godwit_status, godwit_connection, void *)")
def on_connected(_node: Any, status: int, connection: int, context: Any) -> None:
    pending = ffi.from_handle(context)
    error = None if status == Status.OK else GodwitError(status, ffi.string(lib.godwit_last_error()).decode())
    pending.node._called(pending)  # pylint: disable=protected-access
    pending.node._guard(pending.call, pending.node, connection, error)  # pylint: disable=protected-access


@ffi.callback("void(godwit_node *, const char *, void *)")
def on_notice(_node: Any, text: Any, context: Any) -> None:
    pending = ffi.from_handle(context)
    pending.node._guard(pending.call, pending.node, ffi.string(text).decode())  # pylint: disable=protected-access


@ffi.callback("void(godwit_node *, const char *, void *)")
def on_new_code(_node: Any, code: Any, context: Any) -> None:
    pending = ffi.from_handle(context)
    pending.node._guard(pending.new_code, pending.node, ffi.string(code).decode())  # pylint: disable=protected-access


@ffi.callback("void(godwit_node *, godwit_status, const char *, void *)")
def on_told(_node: Any, status: int, text: Any, context: Any) -> None:
    pending = ffi.from_handle(context)
    error = None if status == Status.OK else GodwitError(status, ffi.string(lib.godwit_last_error()).decode())
    told = ffi.string(text).decode()
    pending.node._guard(pending.call, pending.node, told, error)  # pylint: disable=protected-access


@ffi.callback("void(godwit_node *, void *)")
def on_post(_node: Any, context: Any) -> None:
    pending = ffi.from_handle(context)
    pending.node._called(pending)  # pylint: disable=protected-access
    pending.node._guard(pending.call, pending.node)  # pylint: disable=protected-access
