"""`godwit analyze` and `godwit report --screen`: one screen on standard output, everything else beside it."""
import fcntl
import json
import os
import pathlib
import pty
import struct
import subprocess
import termios
import unicodedata
import unittest

from harness import GODWIT, PROBED, PATIENCE, Case

STORED = pathlib.Path(__file__).parents[2] / "docs" / "results" / "analysis.json"
UNFIT = "NOT FIT TO MEASURE ON"


def columns(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


class Screens(Case):
    def check_screen(self, text, most_columns=100):
        lines = text.splitlines()
        self.assertLessEqual(len(lines), 40)
        for line in lines:
            self.assertLessEqual(columns(line), most_columns, line)
        for label in ("kernel calls", "cipher", "digest", "transport", "application", "total"):
            self.assertTrue(any(line.startswith(label) for line in lines), label)
        self.assertEqual(lines[0].startswith(UNFIT), lines[-1].startswith(UNFIT), text)
        self.assertIn("Finding: ", text)
        return lines

    def test_a_stored_result_on_one_screen(self):
        result = self.run_godwit("report", STORED, "--screen")
        self.assertEqual(result.returncode, 0, result)
        self.check_screen(result.stdout)
        self.assertIn("godwit-report.html", result.stdout)
        page = (self.folder / "godwit-report.html").read_text()
        # The page opens with the same figures.
        stored = json.loads(STORED.read_text())
        finding = " ".join(result.stdout.split()).split("Finding: ")[1].split(".")[0]
        self.assertIn('<section id="screen">', page)
        self.assertIn(finding.replace("'", "&#39;"), page)
        self.assertLess(page.index('<section id="screen">'), page.index("<nav>"))
        self.assertTrue(stored["breakdowns"])

    def test_terminals_of_every_width(self):
        for width in (60, 80, 100, 200):
            with self.subTest(width=width):
                own, theirs = pty.openpty()
                fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
                process = subprocess.Popen([GODWIT, "report", str(STORED), "--screen"], stdout=theirs, cwd=self.folder,
                                           env={**self.environment, "TERM": "xterm", "NO_COLOR": "1"})
                os.close(theirs)
                drawn = b""
                while True:
                    try:
                        piece = os.read(own, 65536)
                    except OSError:  # the other end is closed
                        break
                    if not piece:
                        break
                    drawn += piece
                os.close(own)
                self.assertEqual(process.wait(PATIENCE), 0)
                self.check_screen(drawn.decode(), min(width, 100))

    @unittest.skipUnless(PROBED, "this build has no godwit-probed")
    def test_a_short_run(self):
        result = self.run_godwit("analyze", "--rounds", "1", "-t", "0.1", "--backend", "auto", "--backend", "sendto",
                                 "--json-file", "analysis.json")
        self.assertEqual(result.returncode, 0, result)
        lines = self.check_screen(result.stdout)
        self.assertTrue(any(line.startswith("one per call") for line in lines))
        self.assertIn("godwit-analysis.html", result.stdout)
        self.assertIn('<section id="screen">', (self.folder / "godwit-analysis.html").read_text())
        # Progress in a pipe: plain lines, no key, nothing of the environment but one warning.
        self.assertNotIn("\x1b", result.stderr)
        self.assertNotIn("\r", result.stderr)
        self.assertNotIn("key", result.stderr)
        self.assertIn("[0/4]", result.stderr)
        self.assertLessEqual(result.stderr.count(UNFIT), 1)
        # The stored result gives the same screen again.
        again = self.run_godwit("report", "analysis.json", "--screen", "--output", "godwit-analysis.html")
        self.assertEqual(again.stdout, result.stdout)

    @unittest.skipUnless(PROBED, "this build has no godwit-probed")
    def test_json_alone(self):
        result = self.run_godwit("analyze", "--rounds", "1", "-t", "0.1", "--backend", "auto", "--json")
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(json.loads(result.stdout)["schema"], "godwit-benchmark-results")
        self.assertEqual(list(self.folder.glob("*.html")), [])

    @unittest.skipUnless(PROBED, "this build has no godwit-probed")
    def test_a_page_that_cannot_be_written_is_found_out_before_measuring(self):
        result = self.run_godwit("analyze", "--page", self.folder / "missing" / "page.html")
        self.assert_one_error(result, 2, "page.html", "No such file or directory", "--no-page")


if __name__ == "__main__":
    unittest.main()
