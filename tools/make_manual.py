#!/usr/bin/env python3
"""Writes manual pages and completions for bash, zsh and fish from what the program says of its commands.

    tools/make_manual.py GODWIT FOLDER

GODWIT is the program; its hidden command `describe` prints what --help knows. FOLDER gets man1/*.1.gz, a page for the
program and one for each command, godwit.bash, _godwit (zsh) and godwit.fish. The same program gives the same bytes.
"""
import gzip
import json
import pathlib
import re
import subprocess
import sys

# How a shell completes a value of this type; others are not completed.
FILES, FOLDERS = {"FILE"}, {"DIR"}
# Not adjusted at the right: words such as the choices of an option, which break behind a comma alone, are too long for that.
LEFT = ".ad l"
SEE_ALSO = {"listen": ["send"], "send": ["listen", "keygen"], "perf client": ["perf server"], "perf server": ["perf client"]}


class Command:
    """One command: `words` are "" or "perf client"."""

    def __init__(self, words: str, raw: dict):
        self.words = words
        self.description = raw["description"]
        self.options = [Option(each) for each in raw["options"]]
        self.children = [Command(f"{words} {each['name']}".strip(), each) for each in raw["commands"]]

    def all(self) -> list["Command"]:
        return [self] + [found for child in self.children for found in child.all()]

    @property
    def last(self) -> str:
        return self.words.split(" ")[-1]

    @property
    def page(self) -> str:
        return "-".join(["godwit", *self.words.split()])


class Option:
    def __init__(self, raw: dict):
        self.names = [f"-{name}" for name in raw["short"]] + [f"--{name}" for name in raw["long"]]
        self.positional = raw["positional"]
        self.group, self.type, self.default = raw["group"], raw["type"], raw["default"]
        self.repeats, self.required = raw["repeats"], raw["required"]
        self.needs, self.excludes = raw["needs"], raw["excludes"]
        self.description = raw["description"]

    @property
    def choices(self) -> list[str]:
        return self.type[1:-1].split(",") if self.type and re.fullmatch(r"\{[^{}]*\}", self.type) else []


def roff(text: str) -> str:
    """Text in which troff sees nothing but text."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("~", "\\(ti")
    return re.sub(r"^\.", r"\\&.", text.replace("^", "\\(ha"), flags=re.M)


def option_paragraph(option: Option) -> list[str]:
    names = ", ".join(f"\\fB{roff(name)}\\fR" for name in option.names) or f"\\fI{roff(option.positional)}\\fR"
    if option.type and option.names:
        names += f" \\fI{roff(option.type)}\\fR" if not option.choices else f" {roff(option.type)}".replace(",", ",\\:")
    if option.repeats:
        names += " ..."
    said = option.description[:1].upper() + option.description[1:]
    said += "" if said.endswith(".") else "."
    if option.required:
        said += " Required."
    if option.default and option.default not in ("\"\"", "[]"):
        said += f" Default: {option.default}."
    for word, others in (("Needs", option.needs), ("Excludes", option.excludes)):
        if others:
            said += f" {word} {', '.join(others)}."
    return [".TP", names, roff(said)]


def man_page(command: Command, version: str, exit_codes: list[dict], pages: dict[str, Command]) -> str:
    name, said = command.page, command.description[:1].lower() + command.description[1:]
    parent = " ".join(command.words.split()[:-1])
    lines = [f'.TH "{roff(name.upper())}" "1" "" "godwit {version}" "Godwit"', LEFT, ".SH NAME",
             f"{roff(name)} \\- {roff(said)}",
             ".SH SYNOPSIS", f"\\fB{roff(' '.join(['godwit', *command.words.split()]))}\\fR"]
    lines[-1] += " \\fICOMMAND\\fR" if command.children else ""
    lines[-1] += " [\\fIOPTIONS\\fR]"
    for option in command.options:
        if not option.names:
            lines[-1] += f" \\fI{roff(option.positional)}\\fR"
    lines += [".SH DESCRIPTION", roff(command.description) + "."]
    if command.children:
        lines.append(".SH COMMANDS")
        for child in command.children:
            lines += [".TP", f"\\fB{roff(child.last)}\\fR", f"{roff(child.description)}. See \\fB{roff(child.page)}\\fR(1)."]
    groups: dict[str, list[Option]] = {}
    for option in command.options:
        groups.setdefault(option.group, []).append(option)
    for group, options in groups.items():
        lines.append(f".SH {roff(group.upper())}")
        for option in options:
            lines += option_paragraph(option)
    lines.append(".SH EXIT STATUS")
    for code in exit_codes:
        lines += [".TP", f"\\fB{code['code']}\\fR", roff(code["meaning"]) + "."]
    if command.words == "":
        lines += [".SH FILES", ".TP", roff("~/.config/godwit/key"), "The secret key of this side, of mode 0600.",
                  ".SH ENVIRONMENT", ".TP", "\\fBNO_COLOR\\fR", "When it is set, nothing is coloured."]
    related = [pages[other].page for other in [parent, *SEE_ALSO.get(command.words, [])]
               if other in pages and other != command.words]
    if related:
        lines += [".SH SEE ALSO", ", ".join(f"\\fB{roff(page)}\\fR(1)" for page in related)]
    return "\n".join(lines) + "\n"


def bash_quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def kind_of(option: Option) -> str:
    """What a shell offers behind the option: words, "@files", "@folders", "@nothing", or "" where it takes no value."""
    if option.type is None:
        return ""
    if option.choices:
        return " ".join(option.choices)
    return "@files" if option.type in FILES else "@folders" if option.type in FOLDERS else "@nothing"


def bash_completion(commands: list[Command]) -> str:
    lines = ["# Completions of godwit for bash. Written by tools/make_manual.py.", "_godwit() {",
             "  local current=${COMP_WORDS[COMP_CWORD]} command='' word i values=''", "  COMPREPLY=()",
             "  for ((i = 1; i < COMP_CWORD; i++)); do", "    word=${COMP_WORDS[i]}", "    case \"$command $word\" in"]
    for command in commands:
        if command.words:
            above = " ".join(command.words.split()[:-1])
            lines.append(f"      {bash_quote(above + ' ' + command.last)}) command={bash_quote(command.words)} ;;")
    lines += ["    esac", "  done", "  case \"$command ${COMP_WORDS[COMP_CWORD-1]}\" in"]
    for command in commands:
        for option in command.options:
            kind = kind_of(option)
            if kind and option.names:
                labels = "|".join(bash_quote(f"{command.words} {name}") for name in option.names)
                lines.append(f"    {labels}) values={bash_quote(kind)} ;;")
    lines += ["  esac", "  case \"$values\" in",
              "    @files) mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); compopt -o filenames 2>/dev/null; return ;;",
              "    @folders) mapfile -t COMPREPLY < <(compgen -d -- \"$current\"); compopt -o filenames 2>/dev/null; return ;;",
              "    @nothing) return ;;",
              "    ?*) mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$current\"); return ;;", "  esac",
              "  case \"$command\" in"]
    for command in commands:
        words = [child.last for child in command.children] + [name for option in command.options for name in option.names]
        takes_files = any(not option.names and option.type in FILES | {"FILE ..."} for option in command.options)
        lines.append(f"    {bash_quote(command.words)}) values={bash_quote(' '.join(words))} ;;")
        if takes_files:
            lines[-1] = lines[-1].replace(" ;;", "; [[ $current == -* ]] || values='@files' ;;")
    lines += ["  esac", "  if [[ $values == @files ]]; then", "    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")",
              "    compopt -o filenames 2>/dev/null", "  else",
              "    mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$current\")", "  fi", "}",
              "complete -F _godwit godwit"]
    return "\n".join(lines) + "\n"


def zsh_argument(option: Option) -> list[str]:
    said = re.sub(r"([\[\]:\\])", r"\\\1", option.description)
    action = {"": "", "@files": ":file:_files", "@folders": ":folder:_files -/", "@nothing": ":value: "}.get(kind_of(option))
    if action is None:
        action = f":value:({kind_of(option)})"
    star = "*" if option.repeats else ""
    if not option.names:
        return [bash_quote(f"*{action or ':value: '}")]
    alone = "" if star else f"({' '.join(option.names)})"
    return [bash_quote(f"{alone}{star}{name}[{said}]{action}") for name in option.names]


def zsh_completion(commands: list[Command]) -> str:
    lines = ["#compdef godwit", "# Completions of godwit for zsh. Written by tools/make_manual.py."]
    for command in commands:
        function = "_" + command.page.replace("-", "_") + ("_command" if not command.words else "")
        lines.append(f"{function}() {{")
        arguments = [text for option in command.options for text in zsh_argument(option)]
        if command.children:
            lines += ["  local state line", "  typeset -A opt_args",
                      "  _arguments -C \\", *(f"    {text} \\" for text in arguments), "    '1: :->command' '*:: :->rest'",
                      "  case $state in", "    command)", "      local -a commands=("]
            for child in command.children:
                lines.append("        " + bash_quote(f"{child.last}:{child.description.replace(':', '')}"))
            lines += ["      )", "      _describe command commands ;;", "    rest)", "      case $line[1] in"]
            lines += [f"        {child.last}) _{child.page.replace('-', '_')} ;;" for child in command.children]
            lines += ["      esac ;;", "  esac"]
        else:
            lines += ["  _arguments \\", *(f"    {text} \\" for text in arguments), "    && return"]
        lines.append("}")
    return "\n".join([*lines, '_godwit_command "$@"']) + "\n"


def fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish_completion(commands: list[Command]) -> str:
    lines = ["# Completions of godwit for fish. Written by tools/make_manual.py.", "complete -c godwit -f",
             "function __godwit_at", "    set -l command ''", "    for word in (commandline -opc)[2..]",
             "        switch \"$command $word\""]
    for command in commands:
        if command.words:
            above = " ".join(command.words.split()[:-1])
            lines += [f"            case {fish_quote(above + ' ' + command.last)}",
                      f"                set command {fish_quote(command.words)}"]
    lines += ["        end", "    end", "    test \"$command\" = \"$argv[1]\"", "end"]
    for command in commands:
        here = f"complete -c godwit -n {fish_quote(f'__godwit_at {fish_quote(command.words)}')}"
        for child in command.children:
            lines.append(f"{here} -a {child.last} -d {fish_quote(child.description)}")
        for option in command.options:
            kind = kind_of(option)
            values = {"": "", "@files": " -r -F", "@folders": " -x -a '(__fish_complete_directories)'", "@nothing": " -x"}.get(kind)
            if values is None:
                values = f" -x -a {fish_quote(kind)}"
            names = "".join(f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" for name in option.names)
            if names:
                lines.append(f"{here}{names}{values} -d {fish_quote(option.description)}")
            elif kind == "@files":
                lines.append(f"{here} -F")
    return "\n".join(lines) + "\n"


def main() -> int:
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    described = json.loads(subprocess.run([program, "describe"], capture_output=True, text=True, check=True).stdout)
    commands = Command("", described["program"]).all()
    pages = {command.words: command for command in commands}
    man = folder / "man1"
    man.mkdir(parents=True, exist_ok=True)
    for old in man.glob("*.1.gz"):
        old.unlink()
    for command in commands:
        text = man_page(command, described["version"], described["exit_codes"], pages)
        (man / f"{command.page}.1.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    (folder / "godwit.bash").write_text(bash_completion(commands), encoding="utf-8")
    (folder / "_godwit").write_text(zsh_completion(commands), encoding="utf-8")
    (folder / "godwit.fish").write_text(fish_completion(commands), encoding="utf-8")
    (folder / "done").touch()
    print(f"make_manual: {len(commands)} pages and three completions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
