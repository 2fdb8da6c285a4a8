#!/usr/bin/env python3
"""Checks what the shared library shows: the C functions that godwit_c.h declares, each of them, and members of the
public C++ classes and functions; nothing of the implementation.

    tools/check_exported_symbols.py LIBRARY INCLUDE_FOLDER
"""
import pathlib
import re
import subprocess
import sys

# Classes and functions of include/godwit that have symbols.
PUBLIC = ("Address", "SecretKey", "Endpoint", "Node", "NodeGroup", "Path", "close_reason_name", "format_ticket",
          "parse_ticket", "resolve", "version")


def main() -> int:
    library, include = sys.argv[1:3]
    listing = subprocess.run(["nm", "--dynamic", "--defined-only", "--demangle", library], capture_output=True, text=True,
                             check=True).stdout
    names = {re.sub(r"@@\w+$", "", line.split(" ", 2)[2]) for line in listing.splitlines()}
    names = {name for name in names if not re.fullmatch(r"GODWIT_\d+", name)}  # the versions themselves
    header = pathlib.Path(include, "godwit/godwit_c.h").read_text(encoding="utf-8")
    declared = set(re.findall(r"^[a-z_0-9 ]+[ *]+(godwit_\w+)\(", re.sub(r"typedef[^;]*;", "", header), re.MULTILINE))
    exported = {name for name in names if name.startswith("godwit_")}
    problems = [f"declared but not exported: {name}" for name in sorted(declared - exported)]
    problems += [f"exported but not declared: {name}" for name in sorted(exported - declared)]
    allowed = re.compile(r"(?:(?:typeinfo|typeinfo name|vtable) for )?godwit::v1::(?:" + "|".join(PUBLIC) + r")\b")
    for name in sorted(names - exported):
        if not allowed.match(name) or "::Implementation::" in name.split("(")[0]:
            problems.append(f"internal symbol: {name}")
    for problem in problems:
        print(problem)
    print(f"{len(exported)} C functions and {len(names) - len(exported)} C++ symbols are exported")
    return 1 if problems or not declared else 0


if __name__ == "__main__":
    sys.exit(main())
