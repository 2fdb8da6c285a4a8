#!/usr/bin/env python3
"""Compares the options that documents name with those that programs have.

    tools/check_options.py GODWIT [ROOT]
    tools/check_options.py --write GODWIT [ROOT]
    tools/check_options.py --self-test

Prints one line per finding and exits with 1 if there is any:
  * a document shows a command of godwit with an option that the command's --help does not list;
  * a document names an option that neither godwit, nor a script or tool of this tree, nor a known other program has;
  * docs/options.md lists other options of a command than its --help does. --write makes that document anew.
Architecture decision records and the changelog describe the past and are not read.
"""
import pathlib
import re
import subprocess
import sys

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9]*(?:-[a-z0-9]+)*\b")
LISTED = re.compile(r"^  ((?:-\w,)?--[\w-]+|-\w)\b", re.M)
# A command as documents show it, up to a pipe, a comment or the end of the code.
COMMAND = re.compile(r"\bgodwit(?:-counted|-probed)? +((?:[a-z]+)(?: +(?:server|client|run|replay|table|soak|shrink))?)\b([^`\n|#]*)")
# Options of programs that are not part of this tree.
OTHERS = {
    "--preset", "--build", "--install", "--prefix", "--target", "--test-dir", "--output-on-failure", "--version", "--help",
    "--global", "--tail", "--component", "--overlay-ports",
}
REFERENCE = "docs/options.md"
HEAD = """# Options

What `--help` says of every command, with the defaults of the machine on which this was written. A test compares the options with the
program's; `tools/check_options.py --write build/dev/godwit` writes this page.
"""


# Options that --help leaves out on purpose, and documents may name: for tests and comparisons.
HIDDEN = {"--dial", "--soft-packet-limit", "--copying-cipher", "--acks-per-packet"}


def help_of(program: str, command: list[str]) -> str:
    return subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=True).stdout


def options_in(text: str) -> set[str]:
    return {part for names in LISTED.findall(text) for part in names.split(",") if part.startswith("--")}


def helps_of(program: str, command: list[str] | None = None) -> dict[str, str]:
    """The --help of each command, by its words."""
    command = command or []
    text = help_of(program, command)
    found = {" ".join(command): text}
    # The suite's own --help is longer: `godwit bench` hands everything on to it.
    section = re.search(r"^Subcommands:\n((?:  .*\n?)+)", text, re.M)
    for name in re.findall(r"^  (\w+)", section.group(1) if section else "", re.M):
        if name != "bench":
            found.update(helps_of(program, [*command, name]))
    return found


def check_document(name: str, text: str, commands: dict[str, set[str]], known: set[str]) -> list[str]:
    findings = []
    every = set().union(*commands.values()) | known | HIDDEN
    for match in COMMAND.finditer(text):
        words = match.group(1)
        if words not in commands:
            words = words.split()[0]
        if words in commands:
            findings += [f"{name}: `godwit {words}` has no option {option}"
                         for option in OPTION.findall(match.group(2)) if option not in commands[words] | HIDDEN]
    findings += [f"{name}: no program has the option {option}" for option in sorted(set(OPTION.findall(text)) - every)]
    return findings


def reference_of(helps: dict[str, str]) -> str:
    parts = [HEAD]
    for command, text in helps.items():
        listed = text.split("\nExit codes:")[0].split("\nSubcommands:")[0].rstrip()
        parts.append(f"\n## {' '.join(['godwit', command]).strip()}\n\n```\n{listed}\n```\n")
    return "".join(parts)


def check_reference(text: str, commands: dict[str, set[str]]) -> list[str]:
    documented = {words.removeprefix("godwit").strip(): options_in(part)
                  for words, part in re.findall(r"^## (godwit.*)\n((?:(?!^## ).*\n?)*)", text, re.M)}
    findings = [f"{REFERENCE}: `godwit {command}` has no option {option}" for command in sorted(documented)
                for option in sorted(documented[command] - commands.get(command, set()))]
    return findings + [f"{REFERENCE}: {option} of `godwit {command}` is missing" for command in sorted(commands)
                       for option in sorted(commands[command] - documented.get(command, set()))]


def documents(root: pathlib.Path) -> dict[str, str]:
    paths = [*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("docs/architecture/*.md"), *root.glob("contrib/**/*.md")]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(paths) if path.name != "CHANGELOG.md"}


def options_of_tools(root: pathlib.Path) -> set[str]:
    """What the options of scripts, tools and the benchmark suite are called: literals of their sources."""
    sources = [*root.glob("scripts/*"), *root.glob("tools/**/*.py"), *root.glob("tools/**/*.sh"), *root.glob("tools/**/*.rs"),
               *root.glob("lab/benches/*.cc")]
    return {option for path in sources if path.is_file() for option in OPTION.findall(path.read_text(encoding="utf-8"))}


def self_test() -> None:
    commands = {"": {"--help"}, "send": {"--to", "--help"}, "perf client": {"--time", "--help"}}
    good = "`godwit send --to X` and `godwit perf client --time 1`, then `ninja --there`"
    assert check_document("a.md", good, commands, {"--there"}) == []
    assert len(check_document("a.md", "`godwit send --time 1`", commands, set())) == 1
    assert len(check_document("a.md", "the option `--gone`", commands, set())) == 1
    helps = {"": "Options:\n  -h,--help  Print\n", "send": "Options:\n  --to TEXT  the peer\n  -h,--help  Print\n"}
    present = {command: options_in(text) for command, text in helps.items()}
    assert check_reference(reference_of(helps), present) == []
    assert len(check_reference(reference_of(helps), {**present, "send": {"--to", "--help", "--new"}})) == 1
    assert len(check_reference(reference_of(helps), {**present, "send": {"--help"}})) == 1
    assert LISTED.findall("Options:\n  -h,--help  Print\n  --to TEXT\n  -c UINT\n") == ["-h,--help", "--to", "-c"]
    print("check_options: every rule can fail")


def main() -> int:
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    arguments = sys.argv[1:]
    write = arguments[0] == "--write"
    program, *rest = arguments[1:] if write else arguments
    root = pathlib.Path(rest[0] if rest else ".").resolve()
    helps = helps_of(program)
    commands = {command: options_in(text) for command, text in helps.items()}
    if write:
        (root / REFERENCE).write_text(reference_of(helps), encoding="utf-8")
    texts = documents(root)
    known = OTHERS | options_of_tools(root)
    findings = [finding for name, text in texts.items() if name != REFERENCE
                for finding in check_document(name, text, commands, known)]
    findings += check_reference(texts.get(REFERENCE, ""), commands)
    print("\n".join(findings) if findings else f"check_options: {len(commands)} commands and {len(texts)} documents agree")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
