"""Help, versions, exit codes."""
import json

from harness import Case


class Help(Case):
    def test_every_command_has_help(self):
        for command in (["keygen"], ["listen"], ["send"], ["ping"], ["perf"], ["perf", "server"], ["perf", "client"],
                        ["version"], []):
            with self.subTest(command=command):
                result = self.run_godwit(*command, "--help")
                self.assertEqual(result.returncode, 0)
                self.assertIn("--help", result.stdout)
                # The exit codes stand below every command's help.
                for words in ("0 done", "2 wrong arguments", "3 the peer could not be reached", "130 interrupted"):
                    self.assertIn(words, result.stdout)

    def test_version(self):
        self.assertEqual(self.run_godwit("version").returncode, 0)
        self.assertEqual(json.loads(self.run_godwit("version", "--json").stdout)["schema"], "godwit-version")
