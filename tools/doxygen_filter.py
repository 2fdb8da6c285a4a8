#!/usr/bin/env python3
"""Turns the comments of a header into ones that doxygen reads.

    tools/doxygen_filter.py HEADER

A comment before declarations documents all of them up to the next blank line, comment or end of the class; a comment behind a
declaration documents that one, and the first comment of a file documents the file. What the text says is kept as it is
written: nothing in it is a command of doxygen.
"""
import re
import sys

WHOLE = re.compile(r"^(\s*)//(?!/)\s?(.*)$")
BEHIND = re.compile(r"^(.*\S)\s+//(?!/)\s?(.*)$")
# Where a run of declarations ends, and what opens a scope with documentation of its own.
END = re.compile(r"^\s*(\}|public:|private:|protected:|#|$)")
SCOPE = re.compile(r"^\s*(typedef )?(struct|class|enum|namespace|extern|union)\b.*\{\s*(//.*)?$")


def escaped(text: str) -> str:
    return re.sub(r"([\\@<>&#%])", r"\\\1", text)


def declaration(line: str) -> str:
    match = BEHIND.match(line)
    return f"{match.group(1)}  ///< {escaped(match.group(2))}" if match and not END.match(line) else line


def with_slashes(text: str) -> list[str]:
    """The comments of a C header, as this filter reads them: one with slashes for each line."""
    lines = []
    inside = False
    for line in text.splitlines():
        if inside or line.lstrip().startswith("/*"):
            inside = "*/" not in line
            content = re.sub(r"^\s*(/\*|\*(?!/))? ?", "", line)
            content = re.sub(r"\s*\*/\s*$", "", content)
            lines.append(f"{line[:len(line) - len(line.lstrip())]}// {content}".rstrip())
        else:
            lines.append(re.sub(r"/\*(.*?)\s*\*/\s*$", r"//\1", line))
    return lines


def filtered(lines: list[str], name: str) -> list[str]:
    out: list[str] = []
    number = 0
    while number < len(lines):
        match = WHOLE.match(lines[number])
        if not match:
            out.append(declaration(lines[number]))
            number += 1
            continue
        first = number
        comment = []
        while number < len(lines) and (match := WHOLE.match(lines[number])):
            comment.append(f"{match.group(1)}/// {escaped(match.group(2))}")
            number += 1
        if first == 0:
            out += [f"/// \\file {name}", *comment, ""]
            continue
        run = number
        while run < len(lines) and not END.match(lines[run]) and not WHOLE.match(lines[run]) and not SCOPE.match(lines[run]):
            run += 1
        if run == number:
            out += comment
            continue
        out += ["///@{", *comment, *(declaration(line) for line in lines[number:run]), "///@}"]
        number = run
    return out


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = with_slashes(file.read())
    print("\n".join(filtered(lines, sys.argv[1].rsplit("/", 1)[-1])))


if __name__ == "__main__":
    main()
