#!/usr/bin/env python3
"""Shows that the tests which docs/security.md names for P1 to P10 fail when what they guard is broken.

    tools/check_mutations.py [--build FOLDER] [PATCH...]   breaks the code, runs the test, mends the code (build/dev)
    tools/check_mutations.py --applies [ROOT]              checks the patches alone: nothing is built
    tools/check_mutations.py --self-test

tests/mutations has a patch for each place that is broken, with the property, the test program and the test above it, and one
line that says what is broken. Without PATCH all of them are tried, one after another: each takes the compilation of a few
files and the linking of one program. The patch is applied to this checkout with `git apply` and taken back, whatever
happens; files with changes that are not committed are left alone. Exits 0 when every test failed, 1 when one passed, and 2
when a patch did not apply or a build failed.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = re.compile(r"^(property|target|test|broken): (.+)$", re.MULTILINE)
PROPERTIES = [f"P{number}" for number in range(1, 11)]


class Mutation:
    def __init__(self, path):
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        head = self.text.split("\n--- ", 1)[0]
        fields = dict(HEADER.findall(head))
        self.property, self.target = fields.get("property", ""), fields.get("target", "")
        self.test, self.broken = fields.get("test", ""), fields.get("broken", "")
        self.files = re.findall(r"^--- a/(\S+)$", self.text, re.MULTILINE)


def mutations(root):
    return [Mutation(path) for path in sorted((root / "tests/mutations").glob("*.patch"))]


def tests_by_property(security):
    """The tests that the row of each property names in its last column."""
    rows = {}
    for line in security.splitlines():
        match = re.match(r"^\| (P\d+) ", line)
        if match:
            rows[match.group(1)] = set(re.findall(r"`([^`]+)`", line.rsplit("|", 2)[1]))
    return rows


def problems_of(found, rows, applies):
    """`applies` says of a mutation whether its patch fits the sources."""
    problems = []
    for mutation in found:
        name = mutation.path.name
        if not all([mutation.property, mutation.target, mutation.test, mutation.broken, mutation.files]):
            problems.append(f"{name}: property, target, test, broken and a patch are needed")
        elif mutation.test not in rows.get(mutation.property, set()):
            problems.append(f"{name}: docs/security.md does not name {mutation.test} for {mutation.property}")
        elif not applies(mutation):
            problems.append(f"{name}: does not apply to {', '.join(mutation.files)}")
    covered = {mutation.property for mutation in found}
    problems += [f"no patch breaks {name}" for name in PROPERTIES if name not in covered]
    return problems


def git(root, *arguments):
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)


def check(root):
    rows = tests_by_property((root / "docs/security.md").read_text(encoding="utf-8"))
    found = mutations(root)
    problems = problems_of(found, rows, lambda mutation: git(root, "apply", "--check", str(mutation.path)).returncode == 0)
    print("\n".join(problems) or f"{len(found)} patches apply, and their tests are named for {len(PROPERTIES)} properties")
    return 1 if problems else 0


def run(command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def build(folder, target):
    made = run(["cmake", "--build", str(folder), "--target", target])
    if made.returncode != 0:
        print(made.stdout[-4000:] + made.stderr[-2000:])
    return made.returncode == 0


def outcome(mutation, folder):
    """What became of the test: 'fails', 'passes', or why there is no answer."""
    if git(ROOT, "diff", "--quiet", "HEAD", "--", *mutation.files).returncode != 0:
        return "not tried: its files have changes that are not committed"
    if git(ROOT, "apply", str(mutation.path)).returncode != 0:
        return "not tried: the patch does not apply"
    try:
        if not build(folder, mutation.target):
            return "not tried: the broken code does not build"
        program = next(folder.rglob(mutation.target), None)
        tested = run([str(program), f"--gtest_filter={mutation.test}"])
        if "Running 1 test" not in tested.stdout:
            return "not tried: there is no such test in the program"
        return "passes" if tested.returncode == 0 else "fails"
    finally:
        git(ROOT, "apply", "--reverse", str(mutation.path))


def try_all(paths, folder):
    code = 0
    for mutation in [Mutation(path) for path in paths] if paths else mutations(ROOT):
        said = outcome(mutation, folder)
        print(f"{mutation.property} {mutation.test}: {said} when {mutation.broken}", flush=True)
        code = max(code, {"fails": 0, "passes": 1}.get(said, 2))
    return code


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "x.patch"
        path.write_text("property: P1\ntarget: t\ntest: A.B\nbroken: it is\n\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n")
        good = Mutation(path)
        path.write_text("property: P1\n\n--- a/f\n+++ b/f\n")
        bad = Mutation(path)
    rows = tests_by_property("| P1 x | why | `A.B`, `C.D` |\n| other | why | `E.F` |\n")
    assert rows == {"P1": {"A.B", "C.D"}}
    missing = [f"no patch breaks {name}" for name in PROPERTIES[1:]]
    assert problems_of([good], rows, lambda _: True) == missing
    assert problems_of([good], rows, lambda _: False) == ["x.patch: does not apply to f", *missing]
    assert "does not name" in problems_of([good], {"P1": {"C.D"}}, lambda _: True)[0]
    assert "are needed" in problems_of([bad], rows, lambda _: True)[0]
    print("the check finds what it is to find")
    return 0


def main(arguments):
    if arguments[:1] == ["--self-test"]:
        return self_test()
    if arguments[:1] == ["--applies"]:
        return check(pathlib.Path(arguments[1]).resolve() if len(arguments) > 1 else ROOT)
    folder = ROOT / "build/dev"
    if arguments[:1] == ["--build"] and len(arguments) > 1:
        folder, arguments = pathlib.Path(arguments[1]).resolve(), arguments[2:]
    if any(argument.startswith("-") for argument in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    return try_all([pathlib.Path(argument).resolve() for argument in arguments], folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
