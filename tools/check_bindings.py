#!/usr/bin/env python3
"""Compares the public interfaces: what a C++ program can call or set, one in C and one in Python can too, but for what
this file names with a reason.

    tools/check_bindings.py ROOT              exit code 1 and a line for each gap
    tools/check_bindings.py --table ROOT      the whole comparison
    tools/check_bindings.py --self-test ROOT
"""
import ast
import pathlib
import re
import sys

# C++ name: where the counterpart has another name.
C_NAMES = {
    "Address::parse": "godwit_address_parse",
    "Address::to_string": "godwit_address_format",
    "SecretKey::generate": "godwit_generate_key",
    "SecretKey::public_key": "godwit_public_key",
    "close_reason_name": "godwit_close_reason_name",
    "format_ticket": "godwit_ticket_format",
    "parse_ticket": "godwit_ticket_parse",
    "resolve": "godwit_resolve",
    "version": "godwit_version",
    # Overloads: statistics of a connection and of all; connect() to an address, to several, and to a ticket.
    "Endpoint::statistics": ("godwit_endpoint_connection_statistics", "godwit_endpoint_statistics_of"),
    "Node::statistics": ("godwit_node_statistics", "godwit_node_endpoint_statistics"),
    "Node::connect": ("godwit_node_connect", "godwit_node_connect_addresses", "godwit_node_connect_ticket"),
    "Node::send": ("godwit_node_send",),
    "Node::path": "godwit_node_path_why",
}
PYTHON_NAMES = {
    "Address::parse": None,
    "Address::to_string": None,
    "SecretKey::bytes": "SecretKey.__bytes__",
    "SecretKey::from_bytes": "SecretKey.__init__",
    "SecretKey::public_key": "SecretKey.__init__",
    "close_reason_name": "CloseReason",
    "Node::open": "Node.__init__",
    "Node::close": "Node.close_connection",
    "Node::connect": ("Node.connect", "Node.connect_addresses", "Node.connect_ticket"),
    "Node::descriptor": "Node.fileno",
    "Node::path": "Node.path_why",
    "Node::public_key": "Node.__init__",
    "Node::shut_down": "Node.close",
    "Node::statistics": ("Node.statistics", "Node.endpoint_statistics"),
}
# What has no counterpart, and why. A class stands for all its functions.
C_WITHOUT = {
    "SecretKey::from_bytes": "a key is 32 bytes",
    "SecretKey::bytes": "a key is 32 bytes",
    "NodeGroup": "C++ alone: shards need a thread each",
    "Path": "C has its reason alone",
}
PYTHON_WITHOUT = {
    "Address": "Python has addresses as text",
    "Endpoint": "Python's loops of others use Node.fileno() and next_timeout()",
    "Node::send_borrowed": "bytes of Python objects are copied",
    "Node::send_pieces": "b''.join()",
    "NodeGroup": "C++ alone: shards need a thread each",
    "Path": "Python has its reason alone",
}
# Members of structures of C++, by the C structure that has them; and those with other names in C, or none.
STRUCTURES = {
    "Options": "godwit_options",
    "NodeOptions": "godwit_options",
    "SendOptions": "godwit_send_options",
    "Event": "godwit_event",
    "Statistics": "godwit_statistics",
    "EndpointStatistics": "godwit_endpoint_statistics",
    "Liveness": "godwit_liveness",
    "Transmit": "godwit_transmit",
    "Address": "godwit_address",
}
INSIDE = {"NodeOptions": {"transport"}}  # the same structure in C


def without_comments(text: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def body_of(text: str, head: str) -> str:
    """What stands between the braces of `head`."""
    found = re.search(head + r"[^{;]*\{", text, re.MULTILINE)
    if not found:
        return ""
    depth, at = 1, found.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return text[found.end() : at - 1]


def flat(text: str) -> str:
    """Without what stands in inner braces."""
    while re.search(r"\{[^{}]*\}", text):
        text = re.sub(r"\{[^{}]*\}", ";", text)
    return text


def cpp_functions(root: pathlib.Path) -> list[str]:
    names: list[str] = []
    for header in sorted((root / "include/godwit").glob("*.h")):
        if header.name == "godwit_c.h":
            continue
        text = without_comments(header.read_text(encoding="utf-8"))
        free = text
        for kind, name in re.findall(r"^(class|struct) (\w+) \{", text, re.M):
            body = body_of(text, rf"^{kind} {name}\b")
            free = free.replace(body, "")
            public = flat(body.split("private:")[0])
            if kind == "class":
                public = public.split("public:", 1)[1]
            public = re.sub(r"using [^;]*;|=\s*[^;]*;", ";", public)
            for function in re.findall(r"(?<![\w~])([a-z]\w*)\((?!\*)[^;]*;", public):
                if function not in ("bool", "function", "noexcept", "sizeof", "void"):
                    names.append(f"{name}::{function}")
        for function in re.findall(r"^\[\[nodiscard\]\][^;(]*?(\w+)\(", free, re.M):
            names.append(function)
    return sorted(set(names))


def members(body: str) -> list[str]:
    body = re.sub(r"\benum class [^{]*\{[^}]*\};", "", body)
    body = flat(re.sub(r"=[^;]*;", ";", body))
    result = []
    for statement in body.split(";"):
        statement = statement.split("=")[0]
        if "[[nodiscard]]" in statement or not statement.strip():
            continue
        pointer = re.search(r"\(\*(\w+)\)", statement)
        name = pointer or re.search(r"(\w+)\s*(?:\[[^\]]*\])*\s*$", statement)
        if name and name.group(1) not in ("public", "private"):
            result.append(name.group(1))
    return result


def c_members(root: pathlib.Path, name: str) -> set[str]:
    text = without_comments((root / "include/godwit/godwit_c.h").read_text(encoding="utf-8"))
    return set(members(body_of(text, rf"typedef struct {name}\b")))


def c_functions(root: pathlib.Path) -> set[str]:
    text = without_comments((root / "include/godwit/godwit_c.h").read_text(encoding="utf-8"))
    return set(re.findall(r"\b(godwit_\w+)\(", re.sub(r"typedef[^;]*;", "", text)))


def python_names(root: pathlib.Path) -> tuple[set[str], set[str]]:
    """Functions, as Class.name or name; and fields of data classes and members of enumerations."""
    functions, fields = set(), set()
    for path in sorted((root / "bindings/python/godwit").glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                functions.add(node.name)
            if not isinstance(node, ast.ClassDef):
                continue
            functions.add(node.name)
            for part in node.body:
                if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    functions.add(f"{node.name}.{part.name}")
                    if part.name in ("send", "open_stream"):
                        fields.update(f"{part.name}:{each.arg}" for each in part.args.kwonlyargs)
                if isinstance(part, ast.AnnAssign):
                    fields.add(f"{node.name}.{part.target.id}")
    options = (root / "bindings/python/godwit/_options.py").read_text(encoding="utf-8")
    for found in re.findall(r'^    "(\w+)"[,:]|[("\s]"(\w+)"(?=[,)])', options, re.M):
        fields.update("option:" + name for name in found if name)
    return functions, fields


def excused(name: str, reasons: dict[str, str]) -> str:
    return reasons.get(name) or reasons.get(name.split("::")[0], "")


def c_name(name: str) -> tuple[str, ...]:
    if name in C_NAMES:
        wanted = C_NAMES[name]
        return (wanted,) if isinstance(wanted, str) else wanted
    owner, _, function = name.rpartition("::")
    return (f"godwit_{owner.lower()}_{function}" if owner else f"godwit_{function}",)


def python_name(name: str) -> tuple[str, ...]:
    wanted = PYTHON_NAMES.get(name, name.replace("::", "."))
    return (wanted,) if isinstance(wanted, str) else (wanted or ())


# Members that C or Python has in another way.
C_MEMBERS = {
    ("Options", "connect_timeout"): "connect_timeout_ns", ("Options", "idle_timeout"): "idle_timeout_ns",
    ("SendOptions", "deadline"): "deadline_ns",
    ("Event", "round_trip"): "round_trip_ns", ("Event", "silent_for"): "silent_for_ns",
    ("Statistics", "latest_round_trip"): "latest_round_trip_ns",
    ("Statistics", "smoothed_round_trip"): "smoothed_round_trip_ns",
    ("Statistics", "minimum_round_trip"): "minimum_round_trip_ns",
    ("Statistics", "round_trip_variance"): "round_trip_variance_ns",
}
PYTHON_MEMBERS = {("Event", "bytes"): "data"}
# Structures that Python passes on member by member, by the names of C.
PYTHON_STRUCTURES = {"Event": "Event", "Liveness": "Liveness"}


def gaps(root: pathlib.Path) -> tuple[list[str], list[tuple[str, str, str]]]:
    in_c, (in_python, fields) = c_functions(root), python_names(root)
    problems, table = [], []
    functions = cpp_functions(root)
    for name in functions:
        row = [name]
        for language, wanted, there, reasons in (("C", c_name(name), in_c, C_WITHOUT),
                                                 ("Python", python_name(name), in_python, PYTHON_WITHOUT)):
            missing = [each for each in wanted if each not in there]
            reason = excused(name, reasons)
            row.append(f"({reason})" if reason else ", ".join(wanted))
            if missing and not reason:
                problems.append(f"{name}: {language} has no {', '.join(missing)}")
        table.append(tuple(row))
    for reasons in (C_WITHOUT, PYTHON_WITHOUT):
        for name in reasons:
            if name not in functions and not any(each.startswith(name + "::") for each in functions):
                problems.append(f"{name} is excused, and does not exist")
    texts = {path.name: without_comments(path.read_text(encoding="utf-8"))
             for path in (root / "include/godwit").glob("*.h")}
    headers = "".join(text for name, text in texts.items() if name != "godwit_c.h")
    for structure, c_structure in STRUCTURES.items():
        own = c_members(root, c_structure)
        for member in members(body_of(headers, rf"struct {structure}\b")):
            if member in INSIDE.get(structure, ()):
                continue
            if C_MEMBERS.get((structure, member), member) not in own:
                problems.append(f"{structure}::{member}: {c_structure} has no such member")
            if member == "size":
                continue
            wanted = PYTHON_MEMBERS.get((structure, member), member)
            if structure in ("Options", "NodeOptions") and "option:" + wanted not in fields and wanted != "bind":
                problems.append(f"{structure}::{member}: Python's Node has no such option")
            if structure == "SendOptions" and "send:" + wanted not in fields:
                problems.append(f"SendOptions::{member}: Python's Node.send() has no such argument")
            if structure in PYTHON_STRUCTURES and f"{PYTHON_STRUCTURES[structure]}.{wanted}" not in fields:
                problems.append(f"{structure}::{member}: Python's {PYTHON_STRUCTURES[structure]} has no such field")
    for structure in re.findall(r"typedef struct (\w+) \{", texts["godwit_c.h"]):
        # Fixed for ever, and stated so in the header.
        if structure not in ("godwit_address", "godwit_piece") and "size" not in c_members(root, structure):
            problems.append(f"{structure} does not begin with its size")
    return problems, table


def self_test(root: pathlib.Path) -> int:
    names = cpp_functions(root)
    for known in ("Node::connect", "Node::register_at", "Endpoint::poll_event", "NodeGroup::shut_down", "parse_ticket",
                  "version", "SecretKey::generate", "Address::parse"):
        assert known in names, known
    assert "godwit_node_metrics" in c_functions(root)
    assert {"trace", "admit_key", "bind"} <= c_members(root, "godwit_options"), c_members(root, "godwit_options")
    types = without_comments((root / "include/godwit/types.h").read_text(encoding="utf-8"))
    assert "admit_key" in members(body_of(types, r"struct Options\b"))
    C_WITHOUT.pop("NodeGroup")
    PYTHON_WITHOUT.pop("Node::send_pieces")
    problems, _ = gaps(root)
    assert any(line.startswith("NodeGroup::run: C has no") for line in problems), problems
    assert any(line.startswith("Node::send_pieces: Python has no") for line in problems), problems
    return 0


def main() -> int:
    root = pathlib.Path(sys.argv[-1])
    if "--self-test" in sys.argv:
        return self_test(root)
    problems, table = gaps(root)
    if "--table" in sys.argv:
        for name, in_c, in_python in table:
            print(f"{name:32} {in_c:60} {in_python}")
    for problem in problems:
        print(problem)
    print(f"{len(table)} public C++ functions, {len(problems)} without a counterpart or a reason")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
