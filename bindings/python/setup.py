"""Copies the declarations of the C interface into the package, so that they exist once in the repository."""
import pathlib

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = pathlib.Path(__file__).resolve().parent
HEADER = HERE / "../../include/godwit/godwit_c.h"


class BuildWithDeclarations(build_py):
    def run(self):
        super().run()
        target = pathlib.Path(self.build_lib) / "godwit" / "declarations.h"
        target.write_text(HEADER.read_text(encoding="utf-8"), encoding="utf-8")


setup(cmdclass={"build_py": BuildWithDeclarations})
