#!/usr/bin/env python3
"""Compares the options that documents name with those that programs have.

    tools/check_options.py GODWIT [ROOT]
    tools/check_options.py --self-test

Prints one line per finding and exits with 1 if there is any:
  * a document shows a command of godwit with an option that the command's --help does not list;
  * a document names an option that neither godwit, nor a script or tool of this tree, nor a known other program has;
  * --help lists an option that no document names.
Architecture decision records and the changelog describe the past and are not read.
"""
import pathlib
import re
import subprocess
import sys

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9]*(?:-[a-z0-9]+)*\b")
LISTED = re.compile(r"^  ((?:-\w,)?--[\w-]+|-\w)\b", re.M)
# A command as documents show it, up to a pipe, a comment or the end of the code.
COMMAND = re.compile(r"\bgodwit(?:-counted|-marked)? +((?:[a-z]+)(?: +(?:server|client|run|table|soak|shrink))?)\b([^`\n|#]*)")
# Options of programs that are not part of this tree.
OTHERS = {
    "--preset", "--build", "--install", "--prefix", "--target", "--test-dir", "--output-on-failure", "--version", "--help",
    "--global",
}


# Options that --help leaves out on purpose, and documents may name: for tests and comparisons.
HIDDEN = {"--soft-packet-limit", "--copying-cipher", "--receipts-per-packet"}


def help_of(program: str, command: list[str]) -> str:
    return subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=True).stdout


def commands_of(program: str, command: list[str] | None = None) -> dict[str, set[str]]:
    """The long options of each command, by its words."""
    command = command or []
    text = help_of(program, command)
    found = {" ".join(command): {part for names in LISTED.findall(text) for part in names.split(",") if part.startswith("--")}}
    # The suite's own --help is longer: `godwit bench` hands everything on to it.
    section = re.search(r"^Subcommands:\n((?:  .*\n?)+)", text, re.M)
    for name in re.findall(r"^  (\w+)", section.group(1) if section else "", re.M):
        if name != "bench":
            found.update(commands_of(program, [*command, name]))
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


def undocumented(texts: dict[str, str], commands: dict[str, set[str]]) -> list[str]:
    named = {option for text in texts.values() for option in OPTION.findall(text)}
    return [f"no document names {option} of `godwit {command}`".replace("godwit `", "godwit`")
            for command, options in sorted(commands.items()) for option in sorted(options - named - {"--help"})]


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
    assert undocumented({"a.md": "--to"}, commands) == ["no document names --time of `godwit perf client`"]
    assert LISTED.findall("Options:\n  -h,--help  Print\n  --to TEXT\n  -c UINT\n") == ["-h,--help", "--to", "-c"]
    print("check_options: every rule can fail")


def main() -> int:
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    program = sys.argv[1]
    root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else ".").resolve()
    commands = commands_of(program)
    texts = documents(root)
    known = OTHERS | options_of_tools(root)
    findings = [finding for name, text in texts.items() for finding in check_document(name, text, commands, known)]
    findings += undocumented(texts, commands)
    print("\n".join(findings) if findings else f"check_options: {len(commands)} commands and {len(texts)} documents agree")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
