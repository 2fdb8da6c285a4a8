"""Help, versions, exit codes."""
import json
import pathlib
import re

from harness import Case, LAB

COMMANDS = (["keygen"], ["listen"], ["send"], ["ping"], ["perf"], ["perf", "server"], ["perf", "client"], ["version"], ["sim"],
            ["pipe"], ["forward"], ["peers"], ["peers", "add"], ["peers", "list"], ["peers", "remove"], ["rendezvous"], ["top"],
            ["sim", "run"], ["sim", "table"], *((["doctor"], ["report"], ["analyze"]) if LAB else ()), [])
DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "command_line.md"


class Help(Case):
    def test_every_command_has_help_with_the_exit_codes_of_the_document(self):
        documented = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", DOCUMENT.read_text(), re.M))
        self.assertGreaterEqual(len(documented), 8)
        if not LAB:
            documented = {code: meaning for code, meaning in documented.items() if not meaning.startswith("doctor: ")}
        for command in COMMANDS:
            with self.subTest(command=command):
                result = self.run_godwit(*command, "--help")
                self.assertEqual(result.returncode, 0)
                self.assertIn("--help", result.stdout)
                footer = result.stdout.split("Exit codes:")[1]
                self.assertEqual(dict(re.findall(r"^  (\d+) +(.+?)$", footer, re.M)), documented)
                self.assertNotIn("xit code", result.stdout.split("Exit codes:")[0])

    def test_each_type_is_named_once(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                for line in self.run_godwit(*command, "--help").stdout.splitlines():
                    self.assertNotRegex(line, r"\b([A-Z][A-Z:]*):\1\b", line)
                    self.assertNotRegex(line, r"\b(TEXT|INT|UINT|FLOAT):", line)

    def test_version(self):
        self.assertEqual(self.run_godwit("version").returncode, 0)
        self.assertEqual(json.loads(self.run_godwit("version", "--json").stdout)["schema"], "godwit-version")
