#!/usr/bin/env python3
"""Checks the table of docs/wire_format.md: every item of the conformance checklist has a test, and every test exists.

    check_conformance_table.py ROOT        the check
    check_conformance_table.py --self-test the check must find what is wrong
"""
import pathlib
import re
import sys

ROW = re.compile(r"^\| *(\d*) *\| *`([^`]+)` *\| *`([^`]+)` *\|$")
ITEM = re.compile(r"^(\d+)\. ")


def items_of(specification):
    """The numbers of the checklist (section 11)."""
    inside, numbers = False, []
    for line in specification.splitlines():
        if line.startswith("## "):
            inside = line.startswith("## 11.")
        elif inside and (match := ITEM.match(line)):
            numbers.append(int(match.group(1)))
    return numbers


def problems_in(table, items, read):
    """Lines that say what is wrong. `read` gives the text of a file of the repository, None when there is none."""
    problems, covered, current = [], set(), None
    for line in table.splitlines():
        match = ROW.match(line)
        if not match:
            continue
        if match.group(1):
            current = int(match.group(1))
        covered.add(current)
        name, path = match.group(2), match.group(3)
        text = read(path)
        if text is None:
            problems.append(f"item {current}: no file {path}")
            continue
        suite, _, case = name.partition(".")
        if not re.search(rf"^(?:TEST(?:_F|_P)?|RC_GTEST_PROP)\(\s*{re.escape(suite)},\s*{re.escape(case)}\b", text, re.M):
            problems.append(f"item {current}: no test {name} in {path}")
    problems += [f"item {item}: no test named" for item in items if item not in covered]
    problems += [f"item {item}: not in the checklist" for item in sorted(covered - set(items), key=str)]
    return problems


def self_test():
    specification = "## 10. x\n1. no\n## 11. Conformance\n1. a\n2. b\n3. c\n## Appendix\n4. no\n"
    table = "| 1 | `A.B` | `a.cc` |\n| | `A.C` | `a.cc` |\n| 2 | `A.B` | `gone.cc` |\n| 9 | `A.B` | `a.cc` |\n"
    files = {"a.cc": "TEST(A, B) {}\nTEST_F(A, Cc) {}\n"}
    items = items_of(specification)
    assert items == [1, 2, 3], items
    found = problems_in(table, items, files.get)
    wanted = ["item 1: no test A.C in a.cc", "item 2: no file gone.cc", "item 3: no test named", "item 9: not in the checklist"]
    assert found == wanted, found
    assert problems_in("| 1 | `A.B` | `a.cc` |", [1], files.get) == []


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    root = pathlib.Path(sys.argv[1])
    texts = {}

    def read(path):
        if path not in texts:
            file = root / path
            texts[path] = file.read_text() if file.is_file() else None
        return texts[path]

    items = items_of((root / "docs/wire_spec.md").read_text())
    if items != list(range(1, 79)):
        print(f"the checklist has other items than 1 to 78: {items}")
        return 1
    problems = problems_in((root / "docs/wire_format.md").read_text(), items, read)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
