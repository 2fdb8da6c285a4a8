"""Loads libgodwit and declares its C interface to cffi. The declarations are those of godwit_c.h itself."""
from __future__ import annotations

import os
import pathlib

import cffi

_HERE = pathlib.Path(__file__).resolve().parent


def _declarations() -> str:
    installed = _HERE / "declarations.h"
    header = installed if installed.exists() else _HERE / "../../../include/godwit/godwit_c.h"
    text = header.read_text(encoding="utf-8")
    begin, end = text.index("<cdef>"), text.index("/* </cdef>")
    return text[text.index("*/", begin) + 2 : end]


ffi = cffi.FFI()
ffi.cdef(_declarations())


def _load():
    """GODWIT_LIBRARY names the library's file; otherwise the system's loader finds it."""
    names = [os.environ["GODWIT_LIBRARY"]] if "GODWIT_LIBRARY" in os.environ else ["libgodwit.so.0", "libgodwit.so"]
    problems = []
    for name in names:
        try:
            return ffi.dlopen(name)
        except OSError as error:
            problems.append(str(error))
    raise ImportError("libgodwit cannot be loaded (install it, or set GODWIT_LIBRARY): " + "; ".join(problems))


lib = _load()
