"""Tickets and names of peers: printed by what listens, taken by what connects, refused when they are mistyped."""
import json
import os
import re
import shutil
import signal
import subprocess
import unittest

from harness import PATIENCE, Case, Server, random_file, sha256

LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


class TicketCase(Case):
    def ticket_of(self, server, errors=False):
        """The third line of a server."""
        line = (server.process.stderr if errors else server.process.stdout).readline()
        self.assertRegex(line, r"^ticket godwit1[a-z0-9]+$")
        return line.split()[1]

    def listen_with_ticket(self, *options, **more):
        server = self.listen("--ticket", "--anyone", *options, **more)
        server.ticket = self.ticket_of(server)
        return server


class Tickets(TicketCase):
    def test_every_command_that_connects_takes_one(self):
        source = random_file(self.folder / "data.bin", 100_000)
        server = self.listen_with_ticket()
        for ticket in (server.ticket, server.ticket.upper()):
            result = self.run_godwit("send", "--to", ticket, source)
            self.assertEqual(result.returncode, 0, result)
        self.assertEqual(sha256(self.output / "data.bin"), sha256(source))
        self.assertEqual(self.run_godwit("ping", "--to", server.ticket, "-c", "1").returncode, 0)
        perf = Server(self, "perf", "server", "--once", "--ticket")
        result = self.run_godwit("perf", "client", "--to", self.ticket_of(perf), "-n", "1M")
        self.assertEqual(result.returncode, 0, result)

    def test_a_pipe_and_a_forward_print_one_that_requires_extended_sessions(self):
        pipe = Server(self, "pipe", "--listen", "--anyone", "--ticket", json_lines=True)
        ticket = self.ticket_of(pipe, errors=True)
        result = self.run_godwit("pipe", "--to", ticket, input="hello", timeout=PATIENCE)
        pipe.finish()
        self.assertEqual((result.returncode, pipe.output), (0, "hello"), result)
        forward = Server(self, "forward", "--listen", "--anyone", "--ticket", "--allow-target", "127.0.0.1:1")
        ticket = self.ticket_of(forward)
        report = json.loads(self.run_godwit("ping", "--to", ticket, "-c", "1", "--json").stdout)
        self.assertEqual(report["session"], "extended", "the ticket says that it must be")
        client = self.start("forward", "--to", ticket, "-L", "0:127.0.0.1:1")
        self.assertRegex(client.stdout.readline(), "^forwarding ")

    def test_addresses_and_names_can_be_advertised(self):
        port = Server.free_port()
        number = port.getsockname()[1]
        port.close()
        server = self.listen_with_ticket("--advertise", f"localhost:{number}", "--advertise", "192.0.2.1:9",
                                         bind=f"127.0.0.1:{number}")
        self.assertEqual(self.run_godwit("peers", "add", "it", server.ticket).returncode, 0)
        listed = json.loads(self.run_godwit("peers", "list", "--json").stdout)["peers"][0]
        self.assertEqual(listed["addresses"], ["192.0.2.1:9", f"127.0.0.1:{number}", f"localhost:{number}"])
        self.assertEqual(listed["public_key"], server.key)
        self.assert_one_error(self.run_godwit("listen", "--advertise", "nothing"), 2, "advertise")

    def test_a_wildcard_socket_has_the_addresses_of_this_machine(self):
        server = self.listen_with_ticket(bind="[::]:0")
        result = self.run_godwit("ping", "--to", server.ticket, "-c", "1")
        self.assertEqual(result.returncode, 0, result)

    def test_one_wrong_letter_is_said_and_nothing_is_tried(self):
        server = self.listen_with_ticket()
        for place in (8, 30, len(server.ticket) - 1):
            wrong = LETTERS[(LETTERS.index(server.ticket[place]) + 1) % 32]
            typed = server.ticket[:place] + wrong + server.ticket[place + 1:]
            self.assert_one_error(self.run_godwit("ping", "--to", typed), 2, "mistyped")
        self.assert_one_error(self.run_godwit("ping", "--to", server.ticket[:-3]), 2, "cut short")
        typed = server.ticket[:20] + "b" + server.ticket[21:]
        self.assert_one_error(self.run_godwit("ping", "--to", typed), 2, "letter 21")

    def test_a_key_beside_it_must_be_the_same(self):
        server = self.listen_with_ticket()
        self.assertEqual(self.run_godwit("ping", "--to", server.ticket, "--peer-key", server.key, "-c", "1").returncode, 0)
        self.assert_one_error(self.run_godwit("ping", "--to", server.ticket, "--peer-key", "0" * 62 + "09"), 2, "--peer-key")

    def test_an_address_without_a_key_says_what_is_missing(self):
        self.assert_one_error(self.run_godwit("ping", "--to", "127.0.0.1:1"), 2, "--peer-key is missing")

    @unittest.skipUnless(shutil.which("zbarimg"), "nothing here reads QR codes")
    def test_the_qr_code_is_the_ticket(self):
        server = self.listen_with_ticket("--qr")
        rows = []
        server.process.send_signal(signal.SIGINT)
        output, errors = server.process.stdout.read(), server.process.stderr.read()  # beyond what has been read
        if "built without libqrencode" in errors:
            self.skipTest("built without libqrencode")
        for line in output.splitlines():
            if line and not set(line) - set("█▀▄ "):
                rows.append([cell in "█▀" for cell in line])
                rows.append([cell in "█▄" for cell in line])
        scale = 4
        width, height = len(rows[0]) * scale, len(rows) * scale
        pixels = bytearray()
        for row in rows:
            pixels += b"".join((b"\xff" if light else b"\x00") * scale for light in row) * scale
        picture = self.folder / "code.pgm"
        picture.write_bytes(f"P5 {width} {height} 255\n".encode() + bytes(pixels))
        read = subprocess.run(["zbarimg", "-q", "--raw", picture], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(read.stdout.strip().lower(), server.ticket)


class Peers(TicketCase):
    def test_a_name_stands_for_a_ticket(self):
        server = self.listen_with_ticket()
        added = self.run_godwit("peers", "add", "alice", server.ticket)
        self.assertEqual((added.returncode, added.stdout), (0, "added alice\n"))
        result = self.run_godwit("ping", "--to", "alice", "-c", "1")
        self.assertEqual(result.returncode, 0, result)
        listed = self.run_godwit("peers", "list").stdout
        self.assertEqual(listed, f"alice  {server.key}  {server.address}\n")
        self.assertEqual(self.run_godwit("peers", "remove", "alice").returncode, 0)
        self.assertEqual(self.run_godwit("peers", "list").stdout, "")
        self.assert_one_error(self.run_godwit("ping", "--to", "alice"), 2, "'alice' is neither")
        self.assert_one_error(self.run_godwit("peers", "remove", "alice"), 1, "alice")

    def test_an_address_and_a_key_become_a_ticket(self):
        server = self.listen("--anyone")
        added = self.run_godwit("peers", "add", "bob-2", server.address, server.key)
        self.assertEqual(added.returncode, 0, added)
        self.assertEqual(self.run_godwit("ping", "--to", "bob-2", "-c", "1").returncode, 0)
        added = self.run_godwit("peers", "add", "meeting", f"{server.key}@{server.address}")
        self.assertEqual(added.returncode, 0, added)
        self.assertEqual(self.run_godwit("ping", "--to", "meeting", "-c", "1").returncode, 0)
        self.assertEqual(self.run_godwit("peers", "remove", "meeting").returncode, 0)
        changed = self.run_godwit("peers", "add", "bob-2", "192.0.2.1:9", server.key)
        self.assertEqual(changed.stdout, "changed bob-2\n")
        self.assertIn("192.0.2.1:9", self.run_godwit("peers", "list").stdout)

    def test_the_book_is_its_owners_alone_and_survives_damage(self):
        server = self.listen_with_ticket()
        self.run_godwit("peers", "add", "alice", server.ticket)
        book = self.folder / "config" / "godwit" / "peers"
        self.assertEqual(book.stat().st_mode & 0o777, 0o600)
        with open(book, "a") as file:
            file.write("\n\0\xff garbage\nmallory godwit1qqq\n" + "x" * 100_000 + "\n")
        self.assertEqual(self.run_godwit("ping", "--to", "alice", "-c", "1").returncode, 0)
        listed = {peer["name"]: peer for peer in json.loads(self.run_godwit("peers", "list", "--json").stdout)["peers"]}
        self.assertIsNone(listed["alice"]["problem"])
        self.assertIn("ticket", listed["mallory"]["problem"])
        self.assertEqual(os.listdir(book.parent), sorted(os.listdir(book.parent)))

    def test_wrong_names_and_tickets_are_refused(self):
        server = self.listen_with_ticket()
        for name in ("", "1up", "a.b", "a:b", "ä", "x" * 64, "-x"):
            result = self.run_godwit("peers", "add", "--", name, server.ticket)
            self.assertEqual(result.returncode, 2, (name, result))
        for peer in (["godwit1qqq"], ["192.0.2.1:9"], ["192.0.2.1:0", server.key], [server.ticket, server.key], [server.key + "@"],
                     ["@" + server.address], [f"{server.key}@{server.address}", server.key]):
            self.assert_one_error(self.run_godwit("peers", "add", "x", *peer), 2)
        self.assertIsNone(re.search("x", self.run_godwit("peers", "list").stdout))


if __name__ == "__main__":
    unittest.main()
