#!/usr/bin/env python3
"""Finds what nobody uses and what has grown too long.

    tools/check_dead_code.py [--self-test] [ROOT]

Prints one line per finding and exits with 1 if there is any:
  * a constant (constexpr at namespace or class scope, named kName) whose name occurs once in the sources;
  * a function of src/ or lab/ whose name occurs nowhere but where it is declared and defined, or besides in tests alone,
    unless TESTED_ALONE names it;
  * a header that no other file includes, and one under src/ that only its own source and tests include;
  * a function longer than 70 lines.
"""
import collections
import pathlib
import re
import sys
import tempfile

MAX_FUNCTION_LINES = 70
FOLDERS = ("src", "include", "lab", "tests", "fuzz", "examples")

# What tests look at to judge something else: inner state, counters, names and samples. A name that leaves the list stays
# out of it.
TESTED_ALONE = {
    # State that a class shows.
    "backoff", "half_open", "handshake_hash", "model", "open_channels",
    "outstanding_pings", "pool_bytes", "sealing", "unsent_bytes", "workers_send",
    # Counters.
    "longest_chain", "longest_probe", "lookups", "lost_texts", "malformed", "packets_opened", "space_asked",
    # Samples, checkers and other ways in.
    "cpu_usage_of_this_thread", "delay_sealing", "make_sample_results", "mutation_name", "one_per", "request_ping", "set_delivery", "to_text",
    "validate_results",
    # Used nowhere: to go with the next change of their files.
    # The wire's own vocabulary.
    "encode_version", "parse_release", "worth_opening",
}

# A declaration or a definition in a class or a namespace, by its shape: a type, a lower-case name, a parenthesis. In a
# source file only what begins a line, since variables of functions look the same.
FUNCTION = (r"(?:\[\[nodiscard\]\] |virtual |static |inline |constexpr |explicit |friend |consteval |extern )*"
                      r"(?!return|delete|new|throw|else|case|using|typedef|if|while|for|switch|co_)"
                      r"[A-Za-z_][\w:<>,&*\[\] ]*?[&*\s](?:\w+::)*(?!operator)([a-z_]\w*)\(")
FUNCTION_IN_HEADER = re.compile("^ {0,4}" + FUNCTION, re.M)
FUNCTION_IN_SOURCE = re.compile("^" + FUNCTION, re.M)
OVERRIDDEN = re.compile(r"\b(\w+)\([^;{}]*\boverride\b")
NAME = re.compile(r"[A-Za-z_]\w*")
NOT_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", re.S)

CONSTANT = re.compile(r"^\s*(?:static |inline )*constexpr [^=;(){}]*?\b(k[A-Z]\w*)(?:\[\w*\])?\s*(?:=|\{)", re.M)
# Sources of tests, by their names and places.
OF_TESTS = re.compile(r"_test\.cc$|_test_support\.|_fixture\.h$|/test_\w+\.h$|^tests/|^fuzz/")
WORD = re.compile(r"\bk[A-Z]\w*\b")
INCLUDE = re.compile(r'^\s*#\s*include "([^"]+)"', re.M)
# A definition starts at column 0 or two in a class, and its opening brace ends a line; its end is the brace at the same column.
START = re.compile(r"^(|  )(?=\S)(?!namespace|class|struct|enum|union|extern|if|for|while|switch|else|do|return|//|#|\}|using|case|alignas|static_assert|template|friend|typedef)"
                   r"[\w:~<>,&*\[\] ]*\b([\w:~]+)\s*\(")


def sources(root: pathlib.Path) -> list[pathlib.Path]:
    return sorted(p for folder in FOLDERS for p in (root / folder).rglob("*") if p.suffix in {".cc", ".h"})


def unused_constants(texts: dict[str, str]) -> list[str]:
    """A constant of a source file is used in that file or one that it includes; one of a header anywhere, but where its name
    is defined again."""
    everywhere = collections.Counter(word for text in texts.values() for word in WORD.findall(text))
    defined = collections.Counter(constant for text in texts.values() for constant in CONSTANT.findall(text))
    findings = []
    for name, text in texts.items():
        here = collections.Counter(WORD.findall(text))
        for constant in CONSTANT.findall(text):
            uses = here[constant] - 1 if name.endswith(".cc") else everywhere[constant] - defined[constant]
            if uses == 0 and name.endswith(".cc"):
                uses = sum(WORD.findall(texts.get(f"src/{target}", "")).count(constant) for target in INCLUDE.findall(text))
            if uses == 0:
                findings.append(f"{name}: constant {constant} is used nowhere")
    return findings


def unused_functions(texts: dict[str, str], tested_alone: set[str]) -> list[str]:
    """By names, so that a function with a namesake elsewhere is not found. Public headers count as users."""
    code = {name: NOT_CODE.sub("", text) for name, text in texts.items()}
    everywhere: collections.Counter[str] = collections.Counter()
    in_product: collections.Counter[str] = collections.Counter()
    for name, text in code.items():
        names = NAME.findall(text)
        everywhere.update(names)
        if not OF_TESTS.search(name):
            in_product.update(names)
    # Somebody calls what is overridden, a library perhaps.
    exempt = {"main"} | {name for text in code.values() for name in OVERRIDDEN.findall(text)}
    own: collections.Counter[str] = collections.Counter()
    place: dict[str, str] = {}
    for name, text in code.items():
        if name.startswith(("src/", "lab/")) and not OF_TESTS.search(name):
            pattern = FUNCTION_IN_HEADER if name.endswith(".h") else FUNCTION_IN_SOURCE
            for function in pattern.findall(text):
                if function in exempt:
                    continue
                own[function] += 1
                place.setdefault(function, name)
    findings = []
    for function, count in own.items():
        if in_product[function] > count or function in tested_alone:
            continue
        users = "is used nowhere" if everywhere[function] <= count else "is used by tests alone"
        findings.append(f"{place[function]}: function {function} {users}")
    findings += [f"TESTED_ALONE: {function} is used, or gone" for function in sorted(tested_alone)
                 if own[function] == 0 or in_product[function] > own[function]]
    return findings


def unused_headers(texts: dict[str, str]) -> list[str]:
    """Headers that no file includes; and headers of the product that serve their own source and tests alone."""
    includers: dict[str, set[str]] = {}
    for name, text in texts.items():
        for target in INCLUDE.findall(text):
            includers.setdefault(target, set()).add(name)
    findings = []
    for name in texts:
        if not name.startswith(("src/", "lab/")) or not name.endswith(".h"):
            continue
        users = includers.get(name.split("/", 1)[1], set())
        if not users:
            findings.append(f"{name}: no file includes this header")
        elif name.startswith("src/") and not OF_TESTS.search(name) and \
                all(user == f"{name[:-2]}.cc" or OF_TESTS.search(user) for user in users):
            findings.append(f"{name}: only its own source and tests include this header")
    return findings


def long_functions(texts: dict[str, str]) -> list[str]:
    findings = []
    for name, text in texts.items():
        lines = text.splitlines()
        index = 0
        while index < len(lines):
            match = START.match(lines[index])
            if not match:
                index += 1
                continue
            brace = index
            while brace < min(index + 12, len(lines)) and not lines[brace].rstrip().endswith(("{", ";")):
                brace += 1
            if brace >= len(lines) or not lines[brace].rstrip().endswith("{"):
                index += 1
                continue
            end = brace + 1
            while end < len(lines) and not re.match(match.group(1) + r"\}", lines[end]):
                end += 1
            length = end - index + 1
            label = f"{name}:{match.group(2)}"
            if length > MAX_FUNCTION_LINES:
                findings.append(f"{label} has {length} lines; at most {MAX_FUNCTION_LINES} are wanted")
            index = brace + 1 if match.group(1) == "" and lines[index].lstrip().startswith(("class", "struct")) else max(end, index + 1)
    return findings


def check(root: pathlib.Path, tested_alone: set[str] = frozenset()) -> list[str]:
    texts = {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in sources(root)}
    return unused_constants(texts) + unused_functions(texts, tested_alone) + unused_headers(texts) + long_functions(texts)


def self_test() -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "src/a").mkdir(parents=True)
        (root / "src/a/used.h").write_text("constexpr int kUsed = 1;\n")
        (root / "src/a/a.cc").write_text('#include "a/used.h"\nint main() {\n  return kUsed;\n}\n')
        if check(root):
            print("self-test: a clean tree is found faulty:", check(root))
            return 1
        (root / "src/a/idle.cc").write_text("int idle() {\n  return 0;  // idle() says nothing\n}\nint watched() {\n  return 1;\n}\n")
        (root / "src/a/idle_test.cc").write_text("int x = watched();\n")
        (root / "src/a/lonely.h").write_text("constexpr int kLonely = 1;\n")
        (root / "src/a/tested.h").write_text("void h();\n")
        (root / "src/a/tested.cc").write_text('#include "a/tested.h"\n')
        (root / "src/a/tested_test.cc").write_text('#include "a/tested.h"\n')
        (root / "src/a/long.cc").write_text("void g(int a,\n       int b) {\n" + "  f();\n" * 80 + "}\n")
        findings = check(root)
        for wanted in ("kLonely is used nowhere", "function idle is used nowhere", "function watched is used by tests alone", "src/a/lonely.h: no file",
                       "src/a/tested.h: only its own source and tests", "src/a/long.cc:g has 83 lines"):
            if not any(wanted in finding for finding in findings):
                print(f"self-test: not found: {wanted} in {findings}")
                return 1
    print("self-test: every rule finds its fault")
    return 0


def main() -> int:
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        return self_test()
    findings = check(pathlib.Path(arguments[0] if arguments else ".").resolve(), TESTED_ALONE)
    print("\n".join(findings) if findings else "nothing is unused or too long")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
