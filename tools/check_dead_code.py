#!/usr/bin/env python3
"""Finds what nobody uses and what has grown too long.

    tools/check_dead_code.py [--self-test] [ROOT]

Prints one line per finding and exits with 1 if there is any:
  * a constant (constexpr at namespace or class scope, named kName) whose name occurs once in the sources;
  * a header that no other file includes, and one under src/ that only its own source and tests include;
  * a function longer than 70 lines, unless it stands in KNOWN_LONG with its length: it may shrink there, never grow.
"""
import collections
import pathlib
import re
import sys
import tempfile

MAX_FUNCTION_LINES = 70
FOLDERS = ("src", "include", "lab", "tests", "fuzz", "examples")

# Functions that were long when the rule came. A function that leaves the list stays out of it.
KNOWN_LONG: dict[str, int] = {
    "lab/commands/analysis.cc:analyze_side": 112,
}

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


def long_functions(texts: dict[str, str], known: dict[str, int]) -> list[str]:
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
            if length > max(MAX_FUNCTION_LINES, known.get(label, 0)):
                findings.append(f"{label} has {length} lines; at most {MAX_FUNCTION_LINES} are wanted")
            index = brace + 1 if match.group(1) == "" and lines[index].lstrip().startswith(("class", "struct")) else max(end, index + 1)
    return findings


def check(root: pathlib.Path, known: dict[str, int]) -> list[str]:
    texts = {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in sources(root)}
    return unused_constants(texts) + unused_headers(texts) + long_functions(texts, known)


def self_test() -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "src/a").mkdir(parents=True)
        (root / "src/a/used.h").write_text("constexpr int kUsed = 1;\n")
        (root / "src/a/a.cc").write_text('#include "a/used.h"\nint f() {\n  return kUsed;\n}\n')
        if check(root, {}):
            print("self-test: a clean tree is found faulty:", check(root, {}))
            return 1
        (root / "src/a/lonely.h").write_text("constexpr int kLonely = 1;\n")
        (root / "src/a/tested.h").write_text("void h();\n")
        (root / "src/a/tested.cc").write_text('#include "a/tested.h"\n')
        (root / "src/a/tested_test.cc").write_text('#include "a/tested.h"\n')
        (root / "src/a/long.cc").write_text("void g(int a,\n       int b) {\n" + "  f();\n" * 80 + "}\n")
        findings = check(root, {})
        for wanted in ("kLonely is used nowhere", "src/a/lonely.h: no file",
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
    findings = check(pathlib.Path(arguments[0] if arguments else ".").resolve(), KNOWN_LONG)
    print("\n".join(findings) if findings else "nothing is unused or too long")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
