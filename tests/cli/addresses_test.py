"""Which addresses can be connected to, and what is said of those that cannot."""
import json
import subprocess
import time

from harness import GODWIT, PATIENCE, Case, Server, random_file, sha256
from namespaces import NamespaceCase, run


class Addresses(Case):
    def ping(self, server, address, *options):
        return self.run_godwit("ping", "-c", "1", "-q", "--to", address, "--peer-key", server.key, *options)

    def test_the_address_that_a_listener_prints_can_be_connected_to(self):
        for bind in ("[::]:0", "0.0.0.0:0"):
            with self.subTest(bind):
                server = self.listen(bind=bind)
                result = self.ping(server, server.address)
                self.assertEqual(result.returncode, 0, result)
                self.assertIn("1 answered", result.stdout)

    def test_what_no_peer_can_have_is_refused_at_once(self):
        server = self.listen()
        for address, words in (("[fe80::1]:41001", "name its interface"), ("224.0.0.1:41001", "single machine"),
                               ("[fe80::1%no-such-link]:41001", "interface of this machine"),
                               ("[::1%lo]:41001", "interface of this machine")):
            with self.subTest(address):
                began = time.monotonic()
                self.assert_one_error(self.ping(server, address), 2, words)
                self.assertLess(time.monotonic() - began, 10)

    def test_a_closed_port_is_named(self):
        server = self.listen()
        server.process.kill()
        server.process.wait()
        # Without waiting for the end of the time to connect, which is beyond the patience of this test.
        for patience in ("1s", "10m"):
            result = self.ping(server, server.address, "--connect-timeout", patience)
            self.assert_one_error(result, 3, f"cannot connect to {server.address}", "no answer: port unreachable")

    def test_times_that_nothing_could_work_with_are_refused(self):
        server = self.listen()
        self.assert_one_error(self.ping(server, server.address, "--idle-timeout", "0"), 2, "idle time-out")
        self.assert_one_error(self.ping(server, server.address, "--connect-timeout", "0"), 2, "connect time-out")
        self.assert_one_error(self.ping(server, server.address, "--idle-timeout", "1000000000"), 2, "idle time-out")


class AddressesOfANetwork(NamespaceCase):
    def serve(self, bind):
        return Server(self, "listen", "--output", str(self.output), bind=bind, prefix=self.on(self.b))

    def ping(self, server, address, *options, shell_prefix=""):
        command = f"{shell_prefix} exec {GODWIT} ping -q -c 1 --to '{address}' --peer-key {server.key} {' '.join(options)}"
        return subprocess.run(self.on(self.a, "unshare", "-m", "sh", "-c", command), capture_output=True, text=True,
                              timeout=PATIENCE, env=self.environment, cwd=self.folder)

    def test_every_address_of_a_name_is_tried(self):
        server = self.serve("0.0.0.0:41001")
        hosts = self.folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\nfd00:9::2 peer.test\n10.9.0.2 peer.test\n")
        began = time.monotonic()
        result = self.ping(server, "peer.test:41001", shell_prefix=f"mount --bind {hosts} /etc/hosts &&")
        self.assertEqual(result.returncode, 0, result)
        self.assertLess(time.monotonic() - began, 10, "the first address alone takes its 15 s")

    def test_when_no_address_answers_each_is_named(self):
        server = self.serve("10.9.0.2:41001")
        hosts = self.folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\nfd00:9::2 peer.test\n10.9.0.2 peer.test\n")
        result = self.ping(server, "peer.test:41002", "--connect-timeout", "1s",
                           shell_prefix=f"mount --bind {hosts} /etc/hosts &&")
        self.assertEqual(result.returncode, 3, result)
        for words in ("[fd00:9::2]:41002: no answer: port unreachable", "10.9.0.2:41002: no answer: port unreachable"):
            self.assertIn(words, result.stderr)

    def test_a_listener_connects_to_every_address_of_a_peer(self):
        source = random_file(self.folder / "data.bin", 1000)
        key = self.run_godwit("keygen", "--out", "sender.key").stdout.strip()
        hosts = self.folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\nfd00:9::1 peer.test\n10.9.0.1 peer.test\n")
        mounted = ["unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$0" "$@"']
        server = Server(self, "listen", "--output", str(self.output), "--allow", key, "--connect",
                        f"{key}@peer.test:41002", bind="0.0.0.0:41001", prefix=self.on(self.b, *mounted))
        result = subprocess.run(
            self.on(self.a, GODWIT, "send", "--to", "10.9.0.2:41001", "--peer-key", server.key, "--bind",
                    "10.9.0.1:41002", "--key", "sender.key", str(source)),
            capture_output=True, text=True, timeout=PATIENCE, env=self.environment, cwd=self.folder)
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(self.received_names(), ["data.bin"])

    def test_a_link_local_peer_is_reached_by_its_zone_and_answers(self):
        address = f"[{self.link_local(self.b)}%{self.cable}]:41001"
        for bind in ("[::]:41001", address):
            with self.subTest(bind):
                server = self.serve(bind)
                result = self.ping(server, address)
                self.assertEqual(result.returncode, 0, result)
                self.assertEqual(self.ping(server, address.replace("%" + self.cable, "")).returncode, 2)
                server.stop()

    def test_a_network_without_a_route_is_named(self):
        server = self.serve("[::]:41001")
        result = self.ping(server, "192.0.2.1:41001", "--connect-timeout", "1s")
        self.assertEqual(result.returncode, 3, result)
        self.assertIn("network unreachable", result.stderr)

    def test_a_small_path_carries_files(self):
        source = random_file(self.folder / "data.bin", 1_000_000)
        for mtu in (1280, 1228, 1200, 576):
            for backend in ("gso", "mmsg"):
                with self.subTest(f"{mtu}, {backend}"):
                    server = self.serve("[::]:41001")
                    # IPv6 ends below 1280, and its addresses go; this is about IPv4.
                    self.set_mtu(mtu)
                    result = subprocess.run(
                        self.on(self.a, GODWIT, "send", "--to", "10.9.0.2:41001", "--peer-key", server.key, "--backend",
                                backend, str(source)),
                        capture_output=True, text=True, timeout=PATIENCE, env=self.environment, cwd=self.folder)
                    self.assertEqual(result.returncode, 0, result)
                    server.stop()
        for name in self.received_names():
            self.assertEqual(sha256(self.output / name), sha256(source))

    def test_the_size_that_a_link_carries_is_found(self):
        for mtu, expected in ((9000, 8900), (1500, 1452), (1420, 1372), (1300, 1200)):
            for backend in ("gso", "uring", "sendto"):
                with self.subTest(f"{mtu}, {backend}"):
                    self.set_mtu(mtu)
                    server = Server(self, "perf", "server", "--once", bind="10.9.0.2:41001", prefix=self.on(self.b))
                    result = subprocess.run(
                        self.on(self.a, GODWIT, "perf", "client", "--to", "10.9.0.2:41001", "--peer-key", server.key, "--backend",
                                backend, "-t", "4", "--rate", "400M", "--json"),
                        capture_output=True, text=True, timeout=PATIENCE, env=self.environment, cwd=self.folder)
                    if backend == "uring" and "not supported" in result.stderr:
                        continue
                    self.assertEqual(result.returncode, 0, result)
                    entry = json.loads(result.stdout)["results"][0]
                    self.assertEqual(entry["datagram_size"]["bytes"], expected)
                    self.assertIs(entry["digest_match"], True)
                    server.stop()

    def test_a_small_link_behind_a_router_carries_files(self):
        # Datagrams meet the small link only after they have left: nothing on this host knows of it.
        router, beyond = f"{self.b}r", "gwb" + self.cable[3:]
        run("ip", "netns", "add", router)
        self.addCleanup(subprocess.run, ["ip", "netns", "del", router], capture_output=True)
        run("ip", "link", "add", beyond, "netns", self.b, "type", "veth", "peer", "name", beyond, "netns", router)
        run("ip", "-n", self.b, "addr", "add", "10.8.0.1/24", "dev", beyond)
        run("ip", "-n", router, "addr", "add", "10.8.0.2/24", "dev", beyond)
        for host in (self.b, router):
            run("ip", "-n", host, "link", "set", beyond, "mtu", "1000", "up")
        run("ip", "-n", self.a, "route", "add", "10.8.0.0/24", "via", "10.9.0.2")
        run("ip", "-n", router, "route", "add", "default", "via", "10.8.0.1")
        run("ip", "netns", "exec", self.b, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        source = random_file(self.folder / "data.bin", 1_000_000)
        server = Server(self, "listen", "--output", str(self.output), bind="10.8.0.2:41001", prefix=self.on(router))
        result = subprocess.run(
            self.on(self.a, GODWIT, "send", "--to", "10.8.0.2:41001", "--peer-key", server.key, str(source)),
            capture_output=True, text=True, timeout=PATIENCE, env=self.environment, cwd=self.folder)
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(sha256(self.output / "data.bin"), sha256(source))
