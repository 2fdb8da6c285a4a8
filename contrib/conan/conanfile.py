"""Godwit's library for Conan 2: `conan create contrib/conan`. The program comes from the Debian packages or from CMake."""
import re
from pathlib import Path

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy

TREE = ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*", "tests/CMakeLists.txt", "fuzz/CMakeLists.txt")


class GodwitRecipe(ConanFile):
    name = "godwit"
    description = "Encrypted, reliable, NAT-traversing UDP transport for peer-to-peer networks"
    license = "Apache-2.0"
    topics = ("networking", "udp", "peer-to-peer", "encryption", "nat-traversal")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "with_uring": [True, False]}
    default_options = {"shared": True, "with_uring": False}

    @property
    def _root(self):
        return Path(self.recipe_folder, "..", "..").resolve()

    def set_version(self):
        header = Path(self._root, "include/godwit/version.h").read_text(encoding="utf-8")
        self.version = ".".join(re.findall(r"^#define GODWIT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", header, re.M))

    def export_sources(self):
        for pattern in TREE:
            copy(self, pattern, self._root, self.export_sources_folder)

    def requirements(self):
        # The headers of Godwit name neither of them.
        self.requires("openssl/[>=3 <4]", transitive_headers=False)
        self.requires("fmt/[>=9 <12]", transitive_headers=False)
        if self.options.with_uring:
            self.requires("liburing/[>=2.3]", transitive_headers=False)

    def validate(self):
        check_min_cppstd(self, 23)
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("Godwit runs on Linux")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for option in ("PROGRAM", "LAB", "TESTS", "EXAMPLES", "IPSEC_MB"):
            toolchain.cache_variables[f"GODWIT_{option}"] = False
        toolchain.cache_variables["GODWIT_STATIC"] = not self.options.shared
        toolchain.cache_variables["GODWIT_URING"] = bool(self.options.with_uring)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()

    def package_info(self):
        self.cpp_info.set_property("cmake_target_name", "godwit::godwit" if self.options.shared else "godwit::static")
        self.cpp_info.set_property("pkg_config_name", "godwit")
        self.cpp_info.libs = ["godwit"]
        self.cpp_info.system_libs = ["pthread"]
