"""Network namespaces for tests of paths that loopback does not have. They need root; a test that cannot make them is skipped
and says why."""
import os
import shutil
import subprocess
import unittest

from harness import Case


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


class NamespaceCase(Case):
    """Two hosts, self.a and self.b, and a cable: 10.9.0.1 and fd00:9::1, 10.9.0.2 and fd00:9::2."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise unittest.SkipTest("network namespaces need root and ip(8)")
        unique = f"{os.getpid()}-{id(self) % 1000}"
        self.a, self.b, self.cable = f"gwt-a{unique}", f"gwt-b{unique}", f"gwv{os.getpid()}"
        for host in (self.a, self.b):
            try:
                run("ip", "netns", "add", host)
            except subprocess.CalledProcessError as error:
                raise unittest.SkipTest(f"no network namespaces here: {error.stderr}") from error
            self.addCleanup(subprocess.run, ["ip", "netns", "del", host], capture_output=True)
        run("ip", "link", "add", self.cable, "netns", self.a, "type", "veth", "peer", "name", self.cable, "netns", self.b)
        for number, host in ((1, self.a), (2, self.b)):
            for link in ("lo", self.cable):
                run("ip", "-n", host, "link", "set", link, "up")
            run("ip", "-n", host, "addr", "add", f"10.9.0.{number}/24", "dev", self.cable)
            run("ip", "-n", host, "addr", "add", f"fd00:9::{number}/64", "dev", self.cable, "nodad")

    def set_mtu(self, bytes_):
        for host in (self.a, self.b):
            run("ip", "-n", host, "link", "set", self.cable, "mtu", str(bytes_))

    def link_local(self, host):
        """The link-local address of the host's end of the cable, once it may be used."""
        def find():
            shown = subprocess.run(["ip", "-n", host, "-6", "-o", "addr", "show", "dev", self.cable, "scope", "link"],
                                   capture_output=True, text=True).stdout
            return "tentative" not in shown and shown.split("inet6 ")[1].split("/")[0] if "inet6 " in shown else None
        return self.wait_for(find, "no link-local address")

    @staticmethod
    def on(host, *command):
        return ["ip", "netns", "exec", host, *command]
