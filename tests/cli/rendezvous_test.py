"""`godwit rendezvous` with real processes: on loopback, and with address translations in network namespaces."""
import os
import pathlib
import signal
import subprocess
import unittest

from harness import GODWIT, PATIENCE, Case, Server, random_file, sha256
from nat_network import RENDEZVOUS, Cell, Unavailable


class RendezvousCase(Case):
    def rendezvous(self, *options):
        server = Server(self, "rendezvous", *(options or ["--anyone"]))
        server.place = f"{server.key}@{server.address}"
        return server

    def registered(self, server, errors="stderr"):
        """Waits until the server says so."""
        while True:
            line = getattr(server.process, errors).readline()
            self.assertTrue(line, "the server has ended")
            if "registered at the rendezvous" in line:
                return line


class Rendezvous(RendezvousCase):
    def test_a_peer_is_found_by_its_key_and_by_its_ticket(self):
        source = random_file(self.folder / "data.bin", 300_000)
        meeting = self.rendezvous()
        server = self.listen("--anyone", "--via", meeting.place, "--ticket")
        ticket = server.process.stdout.readline().split()[1]
        self.assertIn("127.0.0.1", self.registered(server))
        for to in (["--via", meeting.place, "--to", server.key], ["--to", ticket]):
            result = self.run_godwit("send", *to, source, "--name", f"copy{len(to)}")
            self.assertEqual(result.returncode, 0, result)
            self.assertEqual(sha256(self.output / f"copy{len(to)}"), sha256(source))
        self.assertEqual(meeting.finish(signal.SIGINT), 0)
        self.assertIn("2 introductions", meeting.output)

    def test_pipes_and_forwards_meet_there(self):
        meeting = self.rendezvous()
        pipe = Server(self, "pipe", "--listen", "--anyone", "--via", meeting.place, json_lines=True)
        self.registered(pipe)
        result = self.run_godwit("pipe", "--via", meeting.place, "--to", pipe.key, input="hello")
        self.assertEqual((result.returncode, pipe.finish(), pipe.output), (0, 0, "hello"), result)
        forward = Server(self, "forward", "--listen", "--anyone", "--via", meeting.place, "--allow-target", "127.0.0.1:1")
        self.registered(forward)
        client = self.start("forward", "--via", meeting.place, "--to", forward.key, "-L", "0:127.0.0.1:1")
        self.assertRegex(client.stdout.readline(), "^forwarding ")

    def test_a_key_that_nobody_has_and_a_rendezvous_that_is_not_there(self):
        meeting = self.rendezvous()
        nobody = self.run_godwit("keygen", "--out", "nobody.key").stdout.strip()
        result = self.run_godwit("ping", "--via", meeting.place, "--to", nobody, "-c", "1")
        self.assert_one_error(result, 3, "not registered")
        place = f"{meeting.key}@127.0.0.1:9"
        result = self.run_godwit("ping", "--via", place, "--to", nobody, "-c", "1", "--connect-timeout", "1s")
        self.assertEqual(result.returncode, 3, result)
        server = self.listen("--anyone", "--ticket", "--via", place)
        ticket = server.process.stdout.readline().split()[1]
        result = self.run_godwit("ping", "--to", ticket, "-c", "1", "--connect-timeout", "1s")
        self.assertEqual(result.returncode, 0, "the ticket has an address besides")
        self.assertIn("trying the addresses that are known", result.stderr)

    def test_a_listener_comes_back_after_a_restart(self):
        port = Server.free_port()
        address = f"127.0.0.1:{port.getsockname()[1]}"
        port.close()
        meeting = Server(self, "rendezvous", "--anyone", bind=address)
        server = self.listen("--anyone", "--via", f"{meeting.key}@{address}")
        self.registered(server)
        meeting.finish(signal.SIGTERM)
        self.assertIn("lost", server.process.stderr.readline())
        again = Server(self, "rendezvous", "--anyone", bind=address)
        self.registered(server)
        result = self.run_godwit("ping", "--via", f"{again.key}@{address}", "--to", server.key, "-c", "1")
        self.assertEqual(result.returncode, 0, result)

    def test_a_rendezvous_that_has_another_key_is_not_believed(self):
        port = Server.free_port()
        address = f"127.0.0.1:{port.getsockname()[1]}"
        port.close()
        meeting = Server(self, "rendezvous", "--anyone", "--key", "first.key", bind=address)
        former = f"{meeting.key}@{address}"
        server = self.listen("--anyone", "--via", former)
        self.registered(server)
        meeting.finish(signal.SIGTERM)
        self.assertIn("lost", server.process.stderr.readline())
        other = Server(self, "rendezvous", "--anyone", "--key", "second.key", bind=address)
        self.assertNotEqual(other.key, meeting.key)
        result = self.run_godwit("ping", "--via", former, "--to", server.key, "-c", "1", "--connect-timeout", "5s")
        self.assert_one_error(result, 3, "is its key right")
        result = self.run_godwit("ping", "--via", f"{other.key}@{address}", "--to", server.key, "-c", "1")
        self.assert_one_error(result, 3, "not registered")
        server.finish(signal.SIGINT)

    def test_only_those_that_are_allowed_are_served(self):
        mine = self.run_godwit("keygen", "--out", "mine.key").stdout.strip()
        other = self.run_godwit("keygen", "--out", "other.key").stdout.strip()
        meeting = self.rendezvous("--allow", mine)
        result = self.run_godwit("ping", "--via", meeting.place, "--to", mine, "-c", "1", "--key", "other.key")
        self.assert_one_error(result, 3, "does not serve this key")
        result = self.run_godwit("ping", "--via", meeting.place, "--to", other, "-c", "1", "--key", "mine.key")
        self.assert_one_error(result, 3, "not registered")

    def test_wrong_arguments(self):
        for arguments, words in ((["rendezvous"], "--anyone"), (["rendezvous", "--anyone", "--relay-host", "no such"], "no such"),
                                 (["ping", "--to", "x", "--via", "nonsense"], "nonsense")):
            with self.subTest(arguments=arguments):
                result = self.run_godwit(*arguments)
                self.assertIn(result.returncode, (2, 3), result)
                self.assertIn(words, result.stderr)


class Translated(RendezvousCase):
    def cell(self, *arguments, **options):
        try:
            cell = Cell(os.path.abspath(GODWIT), str(self.folder), *arguments, **options)
        except Unavailable as why:
            self.skipTest(str(why))
        self.addCleanup(cell.close)
        return cell

    def send(self, cell, source, *options):
        """A file from the asker to the listener, as a running process."""
        process = subprocess.Popen(cell.command(cell.asker, "send", "--via", cell.via, "--to", cell.processes[-1].public_key, "--key",
                                                cell.key("asker"), *options, source),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder)
        cell.processes.append(process)
        return process

    def arrives(self, process, source):
        output, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, output + errors)
        self.assertEqual(sha256(pathlib.Path(self.folder) / "received" / source.name), sha256(source))
        return errors

    def moves(self, process, to):
        """Waits until the process has said that its session has moved to an address that begins with `to`."""
        while line := process.stderr.readline():
            if "moved" in line and to in line:
                return
        self.fail(f"it has not moved to {to}")

    def test_two_peers_behind_port_restricted_translations_reach_each_other_directly(self):
        for answers in (False, True):
            with self.subTest(answers=answers):
                ping = self.cell("port-restricted", "port-restricted", answers, relay=False).ping()
                self.assertEqual(ping.path, "direct", ping.why)

    def test_a_symmetric_translation_reaches_an_open_host_directly(self):
        ping = self.cell("open", "symmetric", relay=False).ping()
        self.assertEqual(ping.path, "direct", ping.why)

    def test_two_symmetric_translations_need_the_relay(self):
        cell = self.cell("symmetric", "symmetric")
        cell.listen()
        # And what is sent through it arrives.
        source = random_file(self.folder / "data.bin", 5_000_000)
        self.arrives(self.send(cell, source), source)
        cell.processes[0].send_signal(signal.SIGINT)
        output, _ = cell.processes[0].communicate(timeout=PATIENCE)
        self.assertIn("1 relayed", output)

    def test_a_search_for_ports_takes_a_session_off_the_relay(self):
        # By chance the two sides miss each other once in sixty times.
        pings = []
        for listener, asker in (("port-restricted", "symmetric"), ("symmetric", "port-restricted"), ("port-restricted", "symmetric")):
            pings.append(self.cell(listener, asker).ping(patience=20))
            self.assertEqual(pings[-1].first, "relay", pings[-1].why)
            if pings[-1].direct_seconds is not None:
                return
        self.fail(f"no search has found a way: {pings}")

    def test_a_transfer_begins_at_the_relay_and_ends_directly(self):
        cell = self.cell("port-restricted", "port-restricted", True)
        cell.listen()
        source = random_file(self.folder / "data.bin", 64 << 20)
        process = self.send(cell, source, "-v", "--rate", "100M")
        self.moves(process, cell.listener_address)
        # Neither the rendezvous nor its relay is needed any more.
        cell.processes[0].kill()
        self.arrives(process, source)

    def test_a_rendezvous_may_restart_during_a_transfer(self):
        cell = self.cell("port-restricted", "port-restricted")
        cell.listen()
        source = random_file(self.folder / "data.bin", 64 << 20)
        process = self.send(cell, source, "-v", "--rate", "100M")
        self.moves(process, cell.listener_address)
        cell.processes[0].kill()
        cell.processes[0].communicate()
        cell.start_rendezvous()
        self.arrives(process, source)

    def test_a_session_returns_to_the_relay_when_the_direct_way_is_cut(self):
        cell = self.cell("port-restricted", "port-restricted")
        cell.listen()
        source = random_file(self.folder / "data.bin", 64 << 20)
        process = self.send(cell, source, "-v", "--rate", "60M")
        self.moves(process, cell.listener_address)
        cell.cut_direct_way()
        self.moves(process, RENDEZVOUS)
        self.arrives(process, source)

    def test_without_a_relay_they_are_told_that_there_is_no_way(self):
        ping = self.cell("symmetric", "symmetric", relay=False).ping(patience=20)
        self.assertIsNone(ping.path)
        self.assertIn("cannot connect", ping.why)


if __name__ == "__main__":
    unittest.main()
