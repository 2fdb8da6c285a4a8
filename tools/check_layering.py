#!/usr/bin/env python3
"""Checks the house rules that a compiler cannot: who includes whom, what the core may not mention, how files look.

    tools/check_layering.py [--self-test | --write] [ROOT]

cmake/layers.json says who may include whom; every entry of it must be used, and the list in ARCHITECTURE.md must be what
follows from it: --write writes it. Prints one line per violation and exits 1 if there is any.
"""
import json
import pathlib
import re
import sys

TABLE = "cmake/layers.json"
PAGE = "ARCHITECTURE.md"
PAGE_LIST = re.compile(r"(<!-- layers:begin -->\n).*?(<!-- layers:end -->)", re.DOTALL)
PRODUCT = ("src", "include")
OF_THE_LABORATORY = re.compile(r"(?<![\w-])lab/|\bGODWIT_LAB\b")
# Threads, sockets, clocks, output and exceptions do not occur in the core.
CORE_FORBIDDEN_INCLUDES = re.compile(
    r'#include <(thread|mutex|shared_mutex|atomic|condition_variable|future|iostream|fstream|stdexcept|'
    r'sys/socket\.h|netinet/.*|arpa/inet\.h|unistd\.h|time\.h|ctime|poll\.h|sys/epoll\.h)>')
CORE_FORBIDDEN_TEXT = [
    (re.compile(r"\b(system_clock|steady_clock|high_resolution_clock)\b"), "a clock"),
    (re.compile(r"^\s*throw\b"), "an exception"),
    (re.compile(r"^\s*#\s*if(?!ndef NDEBUG)"), "a preprocessor condition"),
    (re.compile(r"\bstd::(thread|mutex|atomic)\b"), "a thread primitive"),
    (re.compile(r"\bthread_local\b"), "thread-local state"),
]
# Where a preprocessor condition is the design: the probe macro, what a sanitizer offers, and choosing a library that may be absent.
CONDITIONS_ALLOWED = {"src/trace/cost.h", "src/base/poison.h"}
CONDITIONS_ALLOWED_FOLDERS = {"crypto"}
MAX_LINES = 500
MAX_COLUMNS = 120


class Layers:
    def __init__(self, root: pathlib.Path):
        self.rows = json.loads((root / TABLE).read_text(encoding="utf-8"))["layers"]
        self.allowed = {row["name"]: set(row["includes"]) for row in self.rows}
        self.core = {row["name"] for row in self.rows if row.get("kind") == "core"}
        self.used: dict[str, set[str]] = {name: set() for name in self.allowed}
        # Where a folder may include single headers of another: what it needs beyond the public ones.
        self.headers = {row["name"]: {f"{folder}/{header}" for folder, headers in row.get("headers", {}).items() for header in headers}
                        for row in self.rows}
        self.narrowed = {row["name"]: set(row.get("headers", {})) for row in self.rows}
        self.used_headers: dict[str, set[str]] = {name: set() for name in self.allowed}

    def unused(self) -> list[str]:
        return [f"{TABLE}: no file of {name}/ includes {folder}/" for name, allowed in self.allowed.items()
                for folder in sorted(allowed - self.used[name])] + [
                    f"{TABLE}: no file of {name}/ includes {header} any more: take it out" for name, headers in self.headers.items()
                    for header in sorted(headers - self.used_headers[name])]

    def order(self) -> list[str]:
        """A folder stands below those that include it, so that the graph has no cycle."""
        problems, seen = [], set()
        for row in self.rows:
            problems += [f"{TABLE}: {row['name']} stands above {folder}, which it includes"
                         for folder in row["includes"] if folder not in seen]
            seen.add(row["name"])
        return problems

    def text(self) -> str:
        lines = [f"{row.get('top', 'src') + '/' + row['name']:<16} -> {' '.join(row['includes']) or 'nothing'}" for row in self.rows]
        return "```\n" + "\n".join(lines) + "\n```\n"


def check_page(root: pathlib.Path, layers: Layers, write: bool) -> list[str]:
    path = root / PAGE
    before = path.read_text(encoding="utf-8")
    after = PAGE_LIST.sub(lambda match: match.group(1) + layers.text() + match.group(2), before)
    if not PAGE_LIST.search(before):
        return [f"{PAGE}: has no list of layers"]
    if write:
        path.write_text(after, encoding="utf-8")
    elif before != after:
        return [f"{PAGE}: its list is not what {TABLE} says; run tools/check_layering.py --write"]
    return []


def check_file(path: pathlib.Path, root: pathlib.Path, layers: Layers) -> list[str]:
    relative = path.relative_to(root).as_posix()
    parts = relative.split("/")
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    problems = []

    def report(number: int, what: str) -> None:
        problems.append(f"{relative}:{number}: {what}")

    is_test = path.stem.endswith(("_test", "_benchmark")) or "test" in path.stem
    folder = parts[1] if parts[0] in ("src", "lab") and len(parts) > 2 else None
    if len(lines) > MAX_LINES and not is_test:
        report(len(lines), f"{len(lines)} lines: more than {MAX_LINES} are two concepts")
    if path.suffix == ".h" and not (lines and lines[0].startswith(("//", "/*"))):
        report(1, "a header opens with what it is and where it sits")
    if path.suffix == ".h" and "#pragma once" not in text:
        report(1, "no #pragma once")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_COLUMNS:
            report(number, f"{len(line)} columns, at most {MAX_COLUMNS}")
        if line.rstrip() != line:
            report(number, "white space at the end of the line")
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            report(number, "an unfinished note")
        if parts[0] in PRODUCT and OF_THE_LABORATORY.search(line):
            report(number, "the product knows nothing of lab/")
        include = re.match(r'#include "([a-z_]+)/', line)
        if include and folder in layers.allowed:
            target = include.group(1)
            layers.used[folder].add(target)
            if target in layers.allowed and target != folder and target not in layers.allowed[folder]:
                report(number, f"{folder}/ may not include {target}/")
            header = re.match(r'#include "([a-z_]+/[a-z_0-9]+\.h)"', line)
            if header and not is_test and target in layers.narrowed[folder]:
                layers.used_headers[folder].add(header.group(1))
                if header.group(1) not in layers.headers[folder]:
                    report(number, f"{folder}/ takes nothing more of the inside: {header.group(1)} belongs behind a public header")
        if folder in layers.core and not is_test:
            if CORE_FORBIDDEN_INCLUDES.match(line):
                report(number, f"{folder}/ is sans-I/O: {line.strip()}")
            for pattern, what in CORE_FORBIDDEN_TEXT:
                if what == "a preprocessor condition" and (relative in CONDITIONS_ALLOWED or folder in CONDITIONS_ALLOWED_FOLDERS):
                    continue
                if pattern.search(line) and not line.lstrip().startswith("//"):
                    report(number, f"{what} in {folder}/: {line.strip()}")
    return problems


def check_build_file(path: pathlib.Path, root: pathlib.Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [f"{path.relative_to(root).as_posix()}:{number}: the product knows nothing of lab/"
            for number, line in enumerate(lines, 1) if OF_THE_LABORATORY.search(line)]


def check_tree(root: pathlib.Path, write: bool = False) -> list[str]:
    layers = Layers(root)
    problems = layers.order() + check_page(root, layers, write)
    for top in ("src", "include", "lab", "tests", "fuzz", "examples"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".h", ".cc"):
                problems += check_file(path, root, layers)
            elif top in PRODUCT and (path.suffix == ".cmake" or path.name == "CMakeLists.txt"):
                problems += check_build_file(path, root)
    return problems + layers.unused()


def self_test() -> None:
    """A check that cannot fail checks nothing: each rule is broken once in a scratch tree."""
    import tempfile

    cases = {
        "src/base/a.h": ("// A.\n#pragma once\n#include \"wire/limits.h\"\n", "may not include"),
        "src/wire/b.cc": ("#include <thread>\n", "sans-I/O"),
        "src/stream/c.cc": ("void f() {\n  throw 1;\n}\n", "an exception"),
        "src/transport/d.cc": ("#ifdef X\n#endif\n", "preprocessor"),
        "src/recovery/e.h": ("#pragma once\n", "opens with"),
        "src/udp/f.cc": ("int x;  // TODO\n", "unfinished"),
        "src/cli/g.cc": ("//" + "x" * 130 + "\n", "columns"),
        "src/sim/h.cc": ("\n" * 600, "two concepts"),
        "src/cli/i.cc": ("#include \"measure/results.h\"\n", "may not include"),
        "src/udp/j.cc": ("// See lab/measure.\n", "knows nothing of lab/"),
        "src/cli/CMakeLists.txt": ("if(GODWIT_LAB)\n", "knows nothing of lab/"),
        "include/godwit/k.h": ("// See lab/measure.\n", "knows nothing of lab/"),
        "src/transfer/m.cc": ("#include \"transport/connection.h\"\n", "behind a public header"),
        "lab/report/l.cc": ("#include \"cli/console.h\"\n", "may not include"),
    }
    here = pathlib.Path(__file__).resolve().parent.parent
    table = json.loads((here / TABLE).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch)
        (root / "cmake").mkdir()
        (root / TABLE).write_text(json.dumps(table))
        (root / PAGE).write_text("<!-- layers:begin -->\nanything\n<!-- layers:end -->\n")
        layers = Layers(root)
        if check_page(root, layers, False) == [] or check_page(root, layers, True) or check_page(root, layers, False):
            sys.exit("self-test: the list in the page is not compared with the table, or not written")
        unused = layers.unused()
        if not any("includes base/" in line for line in unused) or not any("take it out" in line for line in unused):
            sys.exit("self-test: entries that no file uses are not found")
        table["layers"].reverse()
        (root / TABLE).write_text(json.dumps(table))
        if not Layers(root).order():
            sys.exit("self-test: a cycle is not found")
        table["layers"].reverse()
        (root / TABLE).write_text(json.dumps(table))
        for name, (content, _) in cases.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        found = check_tree(root)
        for name, (_, expected) in cases.items():
            if not any(problem.startswith(name) and expected in problem for problem in found):
                sys.exit(f"self-test: {name} should have been reported for '{expected}'")


def main() -> None:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--self-test"]:
        self_test()
        print("check_layering: every rule can fail")
        return
    write = arguments[:1] == ["--write"]
    arguments = arguments[1:] if write else arguments
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent
    problems = check_tree(root, write)
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    print("check_layering: clean")


if __name__ == "__main__":
    main()
