#!/usr/bin/env python3
"""Checks that the program writes to its standard descriptors in one place only: src/cli/console.cc.

    tools/check_output.py SOURCE_FOLDER...
    tools/check_output.py --self-test

Every other way to print (fmt::print, std::print, std::cout, printf, puts, fwrite to stdout, write(1, ...)) either throws
or forgets that it failed. Exits 1 with one line for each use.
"""
import pathlib
import re
import sys

DIRECT = re.compile(
    r"fmt::print\b|std::print(ln)?\b|std::v?printf\b|(?<![\w:>.])v?printf\s*\(|"
    r"std::c(out|err|log)\b|(?<![\w.>])(std::)?(puts|putchar|perror|psignal)\s*\(|"
    r"(?<![\w.>])(std::)?v?(fprintf|fputs|fputc|fwrite)\s*\([^;]*\bstd(out|err)\b|"
    r"(?<![\w.>])(::)?d?(write|dprintf)\s*\(\s*(1|2|STDOUT_FILENO|STDERR_FILENO)\s*,")

# The assertion that ends the process has nobody to report to but standard error, and no event loop to disturb.
ALLOWED = {"base/assert.cc"}


def without_comments(line):
    return re.sub(r"//.*", "", line)


def uses(text):
    """Numbers of the lines that print directly; a statement may go over several lines."""
    found = []
    lines = [without_comments(line) for line in text.splitlines()]
    for number, line in enumerate(lines, 1):
        # The descriptor may stand on a following line of the same statement.
        statement = line if ";" in line else " ".join(lines[number - 1:number + 3])
        match = DIRECT.search(statement)
        if match and match.start() < len(line):
            found.append(number)
    return found


def check(folder):
    problems = []
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".cc", ".h"))
    for path in files:
        name = path.relative_to(folder).as_posix()
        if name in ALLOWED or "_test" in path.name:
            continue
        problems += [f"{path}:{number}: prints directly; use cli/console.h" for number in uses(path.read_text())]
    return files, problems


def self_test():
    for line in ('fmt::print("{}", x);', "fmt::print(stderr, x);", "std::cout << x;", 'printf("x");', "  puts(x);",
                 'std::fprintf(stderr, "x");', "fwrite(a, 1, n, stdout);", "::write(1, a, n);", "std::cerr << x;",
                 "std::fwrite(text.data(), 1, text.size(),\n            stdout);", "write(STDERR_FILENO, a, n);",
                 "std::println(x);", 'perror("x");'):
        assert uses(line) == [1], line
    for line in ("// std::cout", "print_line(x);", "std::snprintf(a, n, x);", "fwrite(a, 1, n, file);", "print_text(x);",
                 "::write(descriptor_, a, n);", "file.write(a);", "fmt::format(x);", "sink.puts(x);"):
        assert uses(line) == [], line
    print("check_output: finds what it is to find")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) < 2:
        sys.exit("usage: check_output.py SOURCE_FOLDER... | --self-test")
    files, problems = [], []
    for folder in sys.argv[1:]:
        found, wrong = check(pathlib.Path(folder))
        if not found:
            sys.exit(f"{folder}: no source files")
        files += found
        problems += wrong
    if problems:
        sys.exit("\n".join(problems))
    print(f"check_output: {len(files)} files print through cli/console.h alone")


if __name__ == "__main__":
    main()
