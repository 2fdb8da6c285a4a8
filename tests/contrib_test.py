#!/usr/bin/env python3
"""What contrib/ holds for other tools fits this tree: systemd's units, the recipes of vcpkg and Conan, the Dockerfile.

    tests/contrib_test.py GODWIT SOURCE_TREE

Units are read by systemd-analyze where it is installed; the last line says if it is not.
"""
import ast
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

GODWIT, TREE = sys.argv[1], pathlib.Path(sys.argv[2])
UNITS = sorted((TREE / "contrib/systemd").glob("*.service"))
MOST_EXPOSURE = 20  # tenths; systemd calls a service "OK" below 50


def cmake_options() -> set[str]:
    return set(re.findall(r"^option\((GODWIT_\w+)", (TREE / "CMakeLists.txt").read_text(encoding="utf-8"), re.M))


def version() -> str:
    header = (TREE / "include/godwit/version.h").read_text(encoding="utf-8")
    return ".".join(re.findall(r"^#define GODWIT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", header, re.M))


class Units(unittest.TestCase):
    def test_their_commands_are_commands_of_the_program(self):
        self.assertEqual(len(UNITS), 2)
        for unit in UNITS:
            text = unit.read_text(encoding="utf-8")
            command = re.search(r"^ExecStart=/usr/bin/godwit (.*)$", text, re.M).group(1)
            words = re.match(r"((?:[a-z]+ )+)", command).group(1).split()
            known = subprocess.run([GODWIT, *words, "--help"], capture_output=True, text=True, check=True).stdout
            for option in re.findall(r"--[a-z-]+", command + re.search(r"^Environment=(.*)$", text, re.M).group(1)):
                self.assertIn(option, known, unit.name)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
    def test_systemd_reads_them_and_calls_them_safe(self):
        with tempfile.TemporaryDirectory() as folder:
            for unit in UNITS:
                copy = pathlib.Path(folder, unit.name)
                copy.write_text(unit.read_text(encoding="utf-8").replace("/usr/bin/godwit", GODWIT), encoding="utf-8")
                done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", copy],
                                      capture_output=True, text=True)
                about_it = [line for line in done.stderr.splitlines() if unit.name in line]
                self.assertEqual((done.returncode, about_it), (0, []), unit.name)
                judged = subprocess.run(["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSURE}", "--no-pager",
                                         copy], capture_output=True, text=True)
                self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)


class Recipes(unittest.TestCase):
    def test_vcpkg(self):
        port = TREE / "contrib/vcpkg/ports/godwit"
        manifest = json.loads((port / "vcpkg.json").read_text(encoding="utf-8"))
        self.assertEqual(manifest["version"], version())
        used = set(re.findall(r"(?:-D|\b)(GODWIT_(?!SOURCE)\w+)", (port / "portfile.cmake").read_text(encoding="utf-8")))
        self.assertLessEqual(used, cmake_options())
        self.assertIn("GODWIT_LAB", used)

    def test_conan(self):
        text = (TREE / "contrib/conan/conanfile.py").read_text(encoding="utf-8")
        tree = ast.parse(text)
        patterns = next(ast.literal_eval(node.value) for node in tree.body
                        if isinstance(node, ast.Assign) and node.targets[0].id == "TREE")
        for pattern in patterns:
            self.assertTrue(list(TREE.glob(pattern)), pattern)
        names = re.search(r'for option in \(([^)]*)\)', text).group(1)
        for name in re.findall(r'"(\w+)"', names):
            self.assertIn(f"GODWIT_{name}", cmake_options())
        # What is exported is enough to configure the library.
        wanted = set(re.findall(r"add_subdirectory\((\w+)\)", (TREE / "CMakeLists.txt").read_text(encoding="utf-8")))
        self.assertLessEqual({"tests", "fuzz"}, wanted)

    def test_dockerfile(self):
        text = (TREE / "contrib/docker/Dockerfile").read_text(encoding="utf-8")
        for script in re.findall(r"scripts/\w+\.sh", text):
            self.assertTrue((TREE / script).exists(), script)
        setup = (TREE / "scripts/setup.sh").read_text(encoding="utf-8")
        for option in re.findall(r"setup\.sh (--[\w-]+)", text):
            self.assertIn(option, setup)


if __name__ == "__main__":
    if not shutil.which("systemd-analyze"):
        print("contrib_test: systemd-analyze is not installed: it did not judge the units")
    unittest.main(argv=sys.argv[:1])
