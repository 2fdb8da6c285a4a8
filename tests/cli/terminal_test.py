"""What a person sees: a terminal of every width, names in every script."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unicodedata

from harness import GODWIT, PATIENCE, Case, Server, random_file

NAMES = ["data.bin", "Очень_длинное_имя_файла_по-русски_для_проверки.txt", "とても長い日本語のファイル名.txt",
         "e\u0301" * 40 + ".txt"]


def columns(text):
    wide = sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)
    return wide


class Screen:
    """The cells of a terminal that wraps: enough of one to see whether a line that redraws itself stays on its row."""

    def __init__(self, width):
        self.width, self.row, self.column, self.rows_used = width, 0, 0, {0}

    def feed(self, text):
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
        for character in text:
            if character == "\r":
                self.column = 0
            elif character == "\n":
                self.row += 1
            else:
                size = columns(character)
                if self.column + size > self.width:
                    self.row, self.column = self.row + 1, 0
                self.column += size
                self.rows_used.add(self.row)
        return self.row


class Terminals(Case):
    def run_on_terminal(self, command, width, resize=None, both=False):
        """Standard error on a terminal of so many columns, standard output in a file, or, with `both`, there too; what
        was drawn and the code."""
        own, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        with open(self.folder / "stdout", "w") as output:
            process = subprocess.Popen([GODWIT, *map(str, command)], stdout=theirs if both else output, stderr=theirs,
                                       env={**self.environment, "TERM": "xterm"}, cwd=self.folder)
        os.close(theirs)
        self.addCleanup(process.wait)
        drawn = b""
        while True:
            try:
                piece = os.read(own, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            drawn += piece
            if resize and drawn.count(b"\r") > 3:
                fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", 24, resize, 0, 0))
                resize = None
        os.close(own)
        return drawn.decode(), process.wait(PATIENCE)

    def test_progress_fits_every_width_and_every_name(self):
        server = self.listen()
        for width in (20, 40, 60, 100):
            for name in NAMES:
                with self.subTest(width=width, name=name):
                    source = random_file(self.folder / name, 3 << 20)
                    drawn, code = self.run_on_terminal([*server.client("send"), source, "--rate", "40M"], width)
                    self.assertEqual(code, 0, drawn)
                    redraws = [part for part in drawn.split("\r") if "%" in part]
                    self.assertGreater(len(redraws), 2)
                    screen = Screen(width)
                    self.assertEqual(screen.feed("\r".join([""] + redraws)), 0, redraws[-1])
                    self.assertNotIn("?", redraws[-1])
                    self.assertNotIn("\ufffd", drawn)
                    # At least the beginning of the name is there where there is room for it.
                    if width >= 40:
                        self.assertIn(name[:3], redraws[-1])

    def test_a_report_goes_on_under_itself_where_the_terminal_is_narrow(self):
        for width in (50, 60, 100, 160):
            with self.subTest(width=width):
                server = Server(self, "perf", "server", "--once")
                drawn, code = self.run_on_terminal([*server.client("perf", "client"), "-n", "1M"], width, both=True)
                self.assertEqual(code, 0, drawn)
                lines = drawn.replace("\r", "").splitlines()
                report = lines[lines.index("client to server:") + 1:]
                self.assertEqual([line for line in report if columns(line) > width], [])
                names = [line[2:16].strip() for line in report]
                self.assertEqual([name for name in names if name],
                                 ["goodput", "digest", "packets", "batching", "dropped", "path", "processor"])
                self.assertEqual("" in names, width < 110, report)

    def test_a_terminal_that_is_made_narrow_is_not_overrun(self):
        server = self.listen()
        source = random_file(self.folder / NAMES[1], 8 << 20)
        drawn, code = self.run_on_terminal([*server.client("send"), source, "--rate", "40M"], 100, resize=30)
        self.assertEqual(code, 0)
        last = [part for part in drawn.split("\r") if "%" in part][-1]
        self.assertEqual(Screen(30).feed(last), 0, last)

    def test_no_progress_where_nobody_looks(self):
        server = self.listen()
        source = random_file(self.folder / "data.bin", 3 << 20)
        result = self.send(server, source, "--rate", "40M")
        self.assertEqual(result.stderr.replace(f"godwit: made a new key in {self.folder / 'config/godwit/key'}\n", ""), "")

    def test_no_error_cuts_inside_a_character(self):
        for name in NAMES[1:]:
            result = subprocess.run([GODWIT, "send", "--to", "127.0.0.1:9", "--peer-key", "ab" * 32, name * 8],
                                    capture_output=True, env=self.environment, cwd=self.folder, timeout=PATIENCE)
            self.assertNotIn("\ufffd", result.stderr.decode("utf-8"))
            self.assertNotIn(b"?", result.stderr)
