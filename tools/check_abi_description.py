#!/usr/bin/env python3
"""Compares the binary interface of this tree with the one that testdata/abi describes: exported symbols, where the
members of public structures lie, and the values of enumerations. What goes or moves breaks programs that are linked
already; what is added is to be recorded. The layouts are those of x86-64 with libstdc++: exit code 77 elsewhere.

    tools/check_abi_description.py [--compiler CXX] ROOT LIBRARY            the library: libgodwit.so
    tools/check_abi_description.py --write [--accept-breaks] … ROOT LIBRARY  records what is there now
    tools/check_abi_description.py --self-test
"""
import argparse
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

from check_bindings import body_of, flat, members, without_comments

DESCRIPTION = "testdata/abi/libgodwit.so.0.txt"
# Programs have them by value: they stay as they are. All others only grow at their end.
FIXED = {"Address", "Error", "Liveness", "Ticket", "TicketRendezvous", "godwit_address", "godwit_piece"}
SKIPPED = 77
_MOST_SHOWN = 40


def structures(root: pathlib.Path) -> dict[str, list[str]]:
    """The members of each public structure, by its name in a program."""
    result = {}
    for header in sorted((root / "include/godwit").glob("*.h")):
        text = without_comments(header.read_text(encoding="utf-8"))
        pattern = r"typedef struct (\w+) \{" if header.name == "godwit_c.h" else r"^struct (\w+) \{"
        for name in re.findall(pattern, text, re.M):
            result[name] = members(body_of(text, rf"struct {name}\b"))
    return result


def enumerations(root: pathlib.Path) -> dict[str, list[str]]:
    result = {}
    for header in sorted((root / "include/godwit").glob("*.h")):
        text = without_comments(header.read_text(encoding="utf-8"))
        for name, body in re.findall(r"^enum class (\w+)[^{]*\{([^}]*)\}", text, re.M):
            result[f"godwit::v1::{name}::"] = re.findall(r"\bk\w+", body)
        event = body_of(text, r"struct Event\b")
        for name, body in re.findall(r"enum class (\w+)[^{]*\{([^}]*)\}", event):
            result[f"godwit::v1::Event::{name}::"] = re.findall(r"\bk\w+", body)
        for body in re.findall(r"typedef enum \w+ \{([^}]*)\}", text):
            result.setdefault("", []).extend(re.findall(r"\bGODWIT_\w+", body))
    return result


def program(root: pathlib.Path) -> str:
    lines = ["#include <cstdio>", "#include <godwit/godwit.h>", "#include <godwit/godwit_c.h>",
             "using namespace godwit::v1;", "int main() {"]
    for name, its_members in structures(root).items():
        lines.append(f'  std::printf("struct {name} %zu\\n", sizeof({name}));')
        for member in its_members:
            place = f"__builtin_offsetof({name}, {member}), sizeof({name}::{member})"
            lines.append(f'  std::printf("member {name}.{member} %zu %zu\\n", {place});')
    for prefix, values in enumerations(root).items():
        for value in values:
            lines.append(f'  std::printf("value {prefix}{value} %lld\\n", static_cast<long long>({prefix}{value}));')
    return "\n".join(lines + ["}", ""])


def describe(root: pathlib.Path, library: str, compiler: str) -> list[str]:
    listing = subprocess.run(["nm", "--dynamic", "--defined-only", library], capture_output=True, text=True,
                             check=True).stdout
    lines = ["symbol " + line.split(" ", 2)[2] for line in listing.splitlines()]
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch, "layout.cc")
        source.write_text(program(root), encoding="utf-8")
        subprocess.run([compiler, "-std=c++23", "-w", "-I", str(root / "include"), "-o", f"{scratch}/layout",
                        str(source), library, f"-Wl,-rpath,{pathlib.Path(library).resolve().parent}"], check=True)
        printed = subprocess.run([f"{scratch}/layout"], capture_output=True, text=True, check=True).stdout
    lines += printed.splitlines()
    return sorted(lines)


def differences(before: list[str], now: list[str]) -> tuple[list[str], list[str]]:
    """What breaks programs, and what was merely added."""
    old = {tuple(line.split()[:2]): line.split()[2:] for line in before}
    new = {tuple(line.split()[:2]): line.split()[2:] for line in now}
    breaks, added = [], [" ".join(key) for key in new.keys() - old.keys()]
    for key, value in old.items():
        kind, name = key
        if key not in new:
            breaks.append(f"{kind} {name} has gone")
        elif new[key] != value:
            grows = kind == "struct" and name not in FIXED and int(new[key][0]) > int(value[0])
            # A structure that holds another one as its last member grows with it (types.h).
            inner = kind == "member" and name in ("NodeOptions.transport", "NodeGroupOptions.node")
            harmless = grows or inner and new[key][0] == value[0]
            change = f"{kind} {name}: {' '.join(value)} has become {' '.join(new[key])}"
            (added if harmless else breaks).append(change)
    return sorted(breaks), sorted(added)


def self_test() -> int:
    before = ["symbol a@@GODWIT_0", "struct Options 8", "struct Address 24", "member Options.x 0 4", "value kA 0",
              "member NodeOptions.transport 8 8"]
    assert differences(before, before) == ([], [])
    grown = ["symbol a@@GODWIT_0", "symbol b@@GODWIT_0", "struct Options 16", "struct Address 24", "member Options.x 0 4",
             "member Options.y 8 4", "value kA 0", "member NodeOptions.transport 8 16"]
    breaks, added = differences(before, grown)
    assert not breaks and len(added) == 4, (breaks, added)
    for broken in ("symbol c@@GODWIT_0", "struct Options 4", "struct Address 32", "member Options.x 4 4", "value kA 1"):
        kind, name, *_ = broken.split()
        changed = [line for line in before if line.split()[0] != kind or kind == "struct" and line.split()[1] != name]
        assert differences(before, [*changed, broken])[0], broken
    text = ("struct Event { enum class Kind : int { kA = 0, kB = 1 }; Kind kind = Kind::kA;"
            " unsigned long n = long{1} << 2; char t[4][5]; };")
    assert members(body_of(text, "struct Event")) == ["kind", "n", "t"], members(flat(text))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("--write", "--accept-breaks", "--self-test"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("root", nargs="?", type=pathlib.Path)
    parser.add_argument("library", nargs="?")
    given = parser.parse_args()
    if given.self_test:
        return self_test()
    if platform.machine() != "x86_64":
        print("check_abi_description: SKIPPED: the description is of x86-64")
        return SKIPPED
    linked = subprocess.run(["readelf", "--dynamic", given.library], capture_output=True, text=True, check=True).stdout
    if "libstdc++" not in linked:
        print("check_abi_description: SKIPPED: the description is of libstdc++")
        return SKIPPED
    path = given.root / DESCRIPTION
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    now = describe(given.root, given.library, given.compiler)
    breaks, added = differences(before, now)
    for line in breaks:
        print(f"breaks programs that are linked: {line}")
    for line in added[:_MOST_SHOWN]:
        print(f"not recorded: {line}")
    if len(added) > _MOST_SHOWN:
        print(f"not recorded: {len(added) - _MOST_SHOWN} more")
    if given.write and (not breaks or given.accept_breaks):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(now) + "\n", encoding="utf-8")
        print(f"{DESCRIPTION}: {len(now)} lines")
        return 0
    if breaks:
        print("a new SONAME is due (docs/packages.md); --write --accept-breaks records what nobody has been given yet")
    elif added:
        print("additions break nobody: record them by --write")
    else:
        print(f"the binary interface is the one of {DESCRIPTION}: {len(now)} lines")
    return 1 if breaks or added else 0


if __name__ == "__main__":
    sys.exit(main())
