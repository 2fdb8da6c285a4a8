#!/usr/bin/env python3
"""The manual pages and completions that tools/make_manual.py writes, as shells and man read them.

    tests/manual_test.py GODWIT SOURCE_TREE

Needs bash; mandoc, zsh and fish are asked where they are installed, and the last line says which were not.
"""
import gzip
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

GODWIT, TREE = sys.argv[1], pathlib.Path(sys.argv[2])
MISSING = [tool for tool in ("mandoc", "zsh", "fish") if shutil.which(tool) is None]


def write_manual(folder: str) -> pathlib.Path:
    subprocess.run([sys.executable, "-B", TREE / "tools/make_manual.py", GODWIT, folder], check=True, capture_output=True)
    return pathlib.Path(folder)


def commands_of(raw: dict, words: tuple = ()) -> dict:
    found = {words: raw}
    for child in raw["commands"]:
        found.update(commands_of(child, (*words, child["name"])))
    return found


class Manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = write_manual(cls.scratch.name)
        described = json.loads(subprocess.run([GODWIT, "describe"], capture_output=True, check=True).stdout)
        cls.commands = commands_of(described["program"])

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def page(self, words: tuple) -> str:
        return gzip.decompress((self.folder / "man1" / ("-".join(["godwit", *words]) + ".1.gz")).read_bytes()).decode()

    def complete(self, *words: str) -> list[str]:
        """What bash offers for the last word."""
        script = f"source {self.folder}/godwit.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _godwit; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        done = subprocess.run(["bash", "-c", script, "bash", "godwit", *words], capture_output=True, text=True, check=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_every_command_and_option_has_its_place(self):
        for words, raw in self.commands.items():
            page = self.page(words)
            for option in raw["options"]:
                for name in [f"-{n}" for n in option["short"]] + [f"--{n}" for n in option["long"]]:
                    self.assertIn(f"\\fB{name}\\fR".replace("-", "\\-"), page, words)
                    self.assertIn(name, self.complete(*words, name), words)

    def test_describe_knows_what_help_says(self):
        for words, raw in self.commands.items():
            if words and words[0] == "bench":
                continue  # the suite's own --help is longer
            text = subprocess.run([GODWIT, *words, "--help"], capture_output=True, text=True, check=True).stdout
            for option in raw["options"]:
                for name in option["long"]:
                    self.assertIn(f"--{name}", text, words)
            for child in raw["commands"]:
                self.assertRegex(text, rf"(?m)^  {child['name']} ", words)

    def test_nothing_hidden_is_told(self):
        self.assertNotIn(("describe",), self.commands)
        self.assertNotIn("soft-packet-limit", "".join(self.page(words) for words in self.commands))

    def test_bash_completes_commands_options_and_values(self):
        self.assertIn("listen", self.complete(""))
        self.assertEqual(self.complete("perf", "cl"), ["client"])
        self.assertEqual(self.complete("send", "--backend", "gs"), ["gso"])
        self.assertEqual(self.complete("send", "--to", ""), [])
        self.assertIn("--parallel", self.complete("perf", "client", "--par"))
        self.assertEqual(self.complete("listen", "--output", str(TREE / "sr")), [str(TREE / "src")])

    def test_the_same_program_gives_the_same_bytes(self):
        with tempfile.TemporaryDirectory() as other:
            again = write_manual(other)
            for path in sorted(self.folder.rglob("*.*")):
                self.assertEqual(path.read_bytes(), (again / path.relative_to(self.folder)).read_bytes())

    @unittest.skipIf("mandoc" in MISSING, "no mandoc")
    def test_man_finds_nothing_wrong(self):
        for words in self.commands:
            done = subprocess.run(["mandoc", "-Tlint", "-W", "warning"], input=self.page(words), capture_output=True, text=True)
            # A page without a date is the same tomorrow.
            complaints = [line for line in done.stdout.splitlines() if "missing date" not in line]
            self.assertEqual(complaints, [], words)

    @unittest.skipIf("zsh" in MISSING, "no zsh")
    def test_zsh_reads_its_completions(self):
        done = subprocess.run(["zsh", "-n", self.folder / "_godwit"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    @unittest.skipIf("fish" in MISSING, "no fish")
    def test_fish_completes(self):
        def offers(line: str) -> list[str]:
            script = f"source {self.folder}/godwit.fish; complete -C {json.dumps(line)}"
            done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True)
            self.assertEqual(done.stderr, "")
            return [each.split("\t")[0] for each in done.stdout.splitlines()]
        self.assertEqual(offers("godwit perf cl"), ["client"])
        self.assertEqual(offers("godwit send --backend gs"), ["gso"])
        self.assertIn("--peer-key", offers("godwit send --peer"))


if __name__ == "__main__":
    if MISSING:
        print(f"manual_test: not asked, because they are not installed: {', '.join(MISSING)}")
    unittest.main(argv=sys.argv[:1])
