#!/usr/bin/env python3
"""Checks that docs/security.md tells the truth about its tests: every row names at least one, every one exists, and nothing
is said twice.

    tools/check_security_table.py [--self-test] [ROOT]

A test is named in backquotes in the last column: `Suite.Name` of GoogleTest (with parameters: `Suite.Name` without instance), or
`file_test.py: test_name` of the command line's tests, or `ctest: name` of a test that CMake declares.
"""
import pathlib
import re
import sys

GOOGLE = re.compile(r"\bTEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)")
TYPED = re.compile(r"\bTYPED_TEST(?:_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)")
PROPERTY = re.compile(r"\bRC_GTEST_(?:FIXTURE_)?PROP\(\s*(\w+)\s*,\s*(\w+)\s*,")


def tests_of(root):
    names = set()
    for top in ("src", "lab", "tests", "fuzz"):
        for path in (root / top).rglob("*_test.cc"):
            text = path.read_text(encoding="utf-8")
            for pattern in (GOOGLE, TYPED, PROPERTY):
                names.update(f"{suite}.{name}" for suite, name in pattern.findall(text))
        for path in (root / top).rglob("*_test.py"):
            names.update(f"{path.name}: {name}" for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8")))
    cmake = (root / "tests/CMakeLists.txt").read_text(encoding="utf-8")
    names.update(f"ctest: {name}" for name in re.findall(r"add_test\(NAME (\S+)", cmake))
    return names


def problems_of(text, known):
    problems = []
    rows = 0
    classes = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|") or re.match(r"^\|[\s|:-]+$", line):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[-1] == "test":
            continue
        rows += 1
        named = re.findall(r"`([^`]+)`", cells[-1])
        if len(cells) < 3 or not all(cells[:2]):
            problems.append(f"{number}: a row has a class of attack, a defence and its tests")
        if cells[0] in classes:
            problems.append(f"{number}: the class of attack stands in line {classes[cells[0]]}, too")
        classes[cells[0]] = number
        if len(set(named)) < len(named):
            problems.append(f"{number}: a test is named twice")
        if not named:
            problems.append(f"{number}: no test")
        problems += [f"{number}: there is no test {name}" for name in named if name not in known]
    if rows < 15:
        problems.append(f"the table has {rows} rows only")
    return problems


def self_test():
    row = "| forged intros | a ping first | `Suite.Name` |\n"
    rows = row + "".join(f"| class {i} | a defence | `Suite.Name` |\n" for i in range(14))
    known = {"Suite.Name"}
    assert not problems_of("| attack | defence | test |\n|---|---|---|\n" + rows, known)
    for wrong in ("| a | b | `Suite.Gone` |\n", "| a | b | none |\n", "| a | | `Suite.Name` |\n", row,
                  "| a | b | `Suite.Name`, `Suite.Name` |\n"):
        assert len(problems_of(rows + wrong, known)) == 1, wrong
    assert problems_of(row, known)
    print("check_security_table: every rule can fail")


def main():
    if sys.argv[1:2] == ["--self-test"]:
        return self_test()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    problems = problems_of((root / "docs/security.md").read_text(encoding="utf-8"), tests_of(root))
    for problem in problems:
        print(f"docs/security.md:{problem}")
    if problems:
        sys.exit(1)
    print("check_security_table: every test exists")


if __name__ == "__main__":
    main()
