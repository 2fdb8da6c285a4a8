#!/usr/bin/env python3
"""Checks that what comments and documents refer to exists.

    tools/check_references.py [--self-test] [ROOT]

Prints one line per dangling reference and exits with 1 if there is any. Checked are:
  * "decisions N" (and "decisions N and M", "N, M", "N to M"): items of docs/decisions.md;
  * "wire spec X.Y" and "WN", with "wire spec" or without: sections and items of docs/wire_spec.md;
  * "PAGE.md section N": a numbered heading of that page;
  * "ADR N": files of docs/adr;
  * "conformance item N": rows of docs/wire_format.md;
  * names of files: in Markdown every link target and every `path/name.ext` in code font, in comments every
    path with a folder and a known suffix;
  * names of source files, scripts and pages without a folder, in comments and in Markdown: some file has that name;
  * members with the name of their type, "Type::member": a file that defines such a type has that word.
docs/README.md must list every page of docs, and every record of docs/adr must have the parts that docs/adr/README.md asks for.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE_SUFFIXES = {".cc", ".h", ".py", ".sh", ".cmake"}
FILE_SUFFIXES = "cc|h|md|py|sh|toml|json|cmake|yml|yaml|in|rs|lua|service"
# Histories describe what was true when they were written.
SKIPPED = {"CHANGELOG.md"}

DECISIONS = re.compile(r"\bdecisions (\d+)((?:(?:, | and | to | to)\d+)*)")
WIRE = re.compile(r"\bwire spec(?:ification)?(?: section)? ((?:[A-Z]?\d+(?:\.\d+)*|appendix [A-Z])(?:(?:, | and )"
                  r"(?:[A-Z]?\d+(?:\.\d+)*|appendix [A-Z]))*)")
ADR = re.compile(r"\bADR (\d+)\b")
ITEM = re.compile(r"\bconformance items? (\d+)((?:(?:, | and )\d+)*)")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE_PATH = re.compile(r"`([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+\.(?:%s))`" % FILE_SUFFIXES)
COMMENT_PATH = re.compile(r"(?<![\w/.<\"$}])((?:src|docs|tests|tools|scripts|fuzz|examples|include|cmake|testdata|"
                          r"lab|contrib)/[A-Za-z0-9_./-]+\.(?:%s))\b" % FILE_SUFFIXES)

MEMBER = re.compile(r"\b([A-Z]\w*[a-z]\w*)::(\w+)")
DEFINED_TYPE = re.compile(r"\b(?:class|struct|enum|union|using|concept)\s+(?:\[\[\w+\]\]\s*)?([A-Z]\w*)")
WEAKNESS = re.compile(r"\bW(\d+)\b")
PAGE_SECTION = re.compile(r"([A-Za-z0-9_/.-]+\.md)`?\)?,? sections? (\d+(?:\.\d+)*)")
# What begins with an underscore is the end of names, as in "files ending in _test.cc".
BARE_NAME = re.compile(r"(?<![\w/.*{}<>\"$-])([A-Za-z0-9]\w*\.(?:h|cc|py|sh|cmake|md))\b(?!\()")
RECORD_PARTS = [re.compile(part, re.M) for part in (
    r"^Date: \d{4}-\d\d-\d\d(?:, revised \d{4}-\d\d-\d\d)?\. Status: (?:accepted|superseded by .+)\.$",
    r"^\*\*Context\.\*\*", r"^\*\*Decision\.\*\*", r"^\*\*Consequences\.\*\*")]


def numbers(match: re.Match) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", match.group(0).split(" ", 1)[1])]


def read(path: pathlib.Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


class Known:
    def __init__(self, root: pathlib.Path):
        self.root = root
        self.decisions = {int(n) for n in re.findall(r"^(\d+)\. \*\*", read(root / "docs/decisions.md"), re.M)}
        spec = read(root / "docs/wire_spec.md")
        self.sections = set(re.findall(r"^#+ (?:Appendix )?([A-Z]?\d*(?:\.\d+)*)[.:]? ", spec, re.M))
        self.sections |= set(re.findall(r"\b([A-Z]\d+)\b", spec))
        self.sections |= {f"appendix {letter}" for letter in re.findall(r"^#+ Appendix ([A-Z])\b", spec, re.M)}
        self.adrs = {int(path.name[:4]) for path in (root / "docs/adr").glob("[0-9]*.md")}
        self.weaknesses = {int(n) for n in re.findall(r"\*\*W(\d+)\*\*", spec)}
        self.names = {pathlib.PurePosixPath(name).name for name in tracked_files(root)}
        # Of each type the words of the code that defines it, and all members that code names with their type.
        self.words_of: dict[str, set[str]] = {}
        self.members: set[tuple[str, str]] = set()
        for name in tracked_files(root):
            if name.endswith((".cc", ".h")):
                code = "\n".join(line.split("//", 1)[0] for line in read(root / name).splitlines())
                self.members |= set(MEMBER.findall(code))
                types, words = set(DEFINED_TYPE.findall(code)), set(re.findall(r"\w+", code))
                for defined in types:
                    self.words_of.setdefault(defined, set()).update(words)
        self.items = {int(n) for n in re.findall(r"^\| *(\d+) *\|", read(root / "docs/wire_format.md"), re.M)}

    def file_exists(self, name: str, beside: pathlib.Path) -> bool:
        if any(mark in name for mark in ("NAME", "*", "...", "NNNN")):
            return True
        places = (self.root, beside, self.root / "src", self.root / "lab", self.root / "docs", self.root / "include")
        return any((place / name).exists() for place in places)


def comments_of(name: str, text: str) -> str:
    """The prose of a file: all of a page, and what stands behind the comment marks of others."""
    if name.endswith(".md"):
        return text
    if name.endswith((".cc", ".h")):
        return "\n".join(line.split("//", 1)[1] for line in text.splitlines() if "//" in line and '"//' not in line)
    return "\n".join(line.split("#", 1)[1] for line in text.splitlines() if "#" in line)


def dangling_names(name: str, text: str, known: Known) -> list[str]:
    """Items of the wire specification, sections of pages, and files, by their bare names."""
    problems = []
    prose = comments_of(name, text)
    for match in WEAKNESS.finditer(prose):
        if known.weaknesses and int(match.group(1)) not in known.weaknesses:
            problems.append(f"{name}: '{match.group(0)}' is not in docs/wire_spec.md")
    for page, section in PAGE_SECTION.findall(joined_comments(text)):
        places = [known.root / page, (known.root / name).parent / page, known.root / "docs" / page]
        found = next((place for place in places if place.exists()), None)
        headings = re.findall(r"^#+ (\d+(?:\.\d+)*)[.:]? ", read(found), re.M) if found else []
        if section not in headings:
            problems.append(f"{name}: {page} has no section {section}")
    if name.endswith((".cc", ".h", ".md")):
        for owner, member in MEMBER.findall(prose):
            if (owner, member) not in known.members and member not in known.words_of.get(owner, set()):
                problems.append(f"{name}: names {owner}::{member}, which does not exist")
    for target in BARE_NAME.findall(prose):
        if target not in known.names and "NAME" not in target:
            problems.append(f"{name}: names {target}, and no file is called so")
    return problems


def joined_comments(text: str) -> str:
    """A reference may be broken over two lines of a comment: the break becomes one space, and columns do not matter."""
    return re.sub(r"[ \t]*\n[ \t]*(?://|#)?[ \t]*", " ", text)


def check_text(name: str, text: str, known: Known) -> list[str]:
    problems = dangling_names(name, text, known)
    flat = joined_comments(text)
    beside = (known.root / name).parent

    def dangling(what: str) -> None:
        problems.append(f"{name}: {what}")

    for match in DECISIONS.finditer(flat):
        for number in numbers(match):
            if number not in known.decisions:
                dangling(f"'decisions {number}' is not in docs/decisions.md")
    if known.sections:
        for match in WIRE.finditer(flat):
            for section in re.findall(r"appendix [A-Z]|[A-Z]?\d+(?:\.\d+)*", match.group(1)):
                if section not in known.sections:
                    dangling(f"'wire spec {section}' is not in docs/wire_spec.md")
    for match in ADR.finditer(flat):
        if int(match.group(1)) not in known.adrs:
            dangling(f"'{match.group(0)}' is not in docs/adr")
    if known.items:
        for match in ITEM.finditer(flat):
            for number in [int(n) for n in re.findall(r"\d+", match.group(0))]:
                if number not in known.items:
                    dangling(f"'conformance item {number}' is not in docs/wire_format.md")
    if name.endswith(".md"):
        for target in LINK.findall(text):
            if "://" not in target and not target.startswith("mailto:") and not known.file_exists(target, beside):
                dangling(f"link to {target}, which does not exist")
        for target in CODE_PATH.findall(text):
            if not target.startswith(("build/", "godwit/")) and not known.file_exists(target, beside):
                dangling(f"names {target}, which does not exist")
    elif name.endswith((".cc", ".h")):
        comments = "\n".join(line.split("//", 1)[1] for line in text.splitlines() if "//" in line and '"//' not in line)
        for target in COMMENT_PATH.findall(comments):
            if not known.file_exists(target.rstrip("."), beside):
                dangling(f"names {target}, which does not exist")
    return problems


def check_pages(root: pathlib.Path) -> list[str]:
    problems = []
    index = set(LINK.findall(read(root / "docs/README.md")))
    for page in sorted((root / "docs").glob("*.md")):
        if index and page.name not in index | {"README.md"}:
            problems.append(f"docs/README.md: does not list {page.name}")
    for record in sorted((root / "docs/adr").glob("[0-9]*.md")):
        text = read(record)
        for part in RECORD_PARTS:
            if not part.search(text):
                problems.append(f"docs/adr/{record.name}: no '{part.pattern}'")
    return problems


def tracked_files(root: pathlib.Path) -> list[str]:
    listed = subprocess.run(["git", "-C", str(root), "ls-files"], capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return listed.stdout.splitlines()
    return [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and "build" not in p.parts]


def check_tree(root: pathlib.Path) -> list[str]:
    known = Known(root)
    problems = check_pages(root)
    for name in tracked_files(root):
        path = root / name
        suffix = path.suffix
        if name in SKIPPED or not path.is_file():
            continue
        if suffix in SOURCE_SUFFIXES or suffix == ".md" or path.name == "CMakeLists.txt":
            if path.resolve() == pathlib.Path(__file__).resolve():
                continue
            problems += check_text(name, read(path), known)
    return problems


def self_test() -> int:
    """Each rule finds a planted fault, and none of them is found in a tree without faults."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "docs/adr").mkdir(parents=True)
        (root / "docs/decisions.md").write_text("1. **One.** x\n2. **Two.** y\n")
        (root / "docs/wire_spec.md").write_text("# 1. A\n## 1.1 B\n**W3** is an item.\n")
        (root / "docs/wire_format.md").write_text("| 1 | x |\n")
        (root / "docs/README.md").write_text("[d](decisions.md) [s](wire_spec.md) [f](wire_format.md)\n")
        (root / "a.h").write_text("struct Kept {\n  int value = 0;\n};\n")
        record = "Date: 2026-11-22. Status: accepted.\n\n**Context.** x\n\n**Decision.** x\n\n**Consequences.** x\n"
        (root / "docs/adr/0001-x.md").write_text(record)
        (root / "a.cc").write_text("// (decisions 1\n// and 2, wire spec 1.1, W3; ADR 1) see docs/decisions.md; conformance item 1; b.md, W3,\n"
                                   "// docs/wire_spec.md section 1.1\n")
        (root / "b.md").write_text("[x](docs/decisions.md) `docs/adr/0001-x.md` `Kept::value`\n")
        if check_tree(root):
            print("self-test: a clean tree is found faulty:", check_tree(root))
            return 1
        faults = {
            "c.cc": "// decisions 1 and 9\n", "d.cc": "// wire spec 7.7\n", "e.h": "// ADR 4\n", "f.cc": "// conformance item 8\n",
            "g.md": "[x](nowhere.md)\n", "h.md": "`docs/nowhere.md`\n", "i.cc": "// see docs/nowhere.md for it\n",
            "j.cc": "// as W9 says\n", "n.md": "`Kept::gone`\n", "o.cc": "// see Lost::value\n", "k.md": "docs/wire_spec.md section 4\n", "l.cc": "// see nowhere.h\n", "m.py": "# see nowhere.cc\n",
        }
        for name, text in faults.items():
            (root / name).write_text(text)
            if not any(problem.startswith(name) for problem in check_tree(root)):
                print(f"self-test: the fault in {name} is not found: {text!r}")
                return 1
            (root / name).unlink()
        for name, text in {"docs/unlisted.md": "x\n", "docs/adr/0002-y.md": record.replace("Status", "State")}.items():
            (root / name).write_text(text)
            if not any(pathlib.Path(name).name in problem for problem in check_tree(root)):
                print(f"self-test: the fault of {name} is not found")
                return 1
            (root / name).unlink()
    print("self-test: every rule finds its fault")
    return 0


def main() -> int:
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        return self_test()
    root = pathlib.Path(arguments[0] if arguments else ".").resolve()
    problems = check_tree(root)
    print("\n".join(problems) if problems else "every reference exists")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
