"""What bad input gets: one clear line, an exit code, nothing under the final name."""
import os
import resource
import socket
import subprocess
import unittest

from harness import Case, random_file


class BadInput(Case):
    def test_missing_files_directories_and_nothing_at_all(self):
        server = self.listen()
        for arguments, words in ((["missing"], "No such file"), (["/dev/zero"], "is a device"),
                                 (["--name", "x", "a", "b"], "--name is for one FILE"),
                                 (["-", "-"], "can be sent once"), ([], "nothing to send")):
            with self.subTest(arguments=arguments):
                self.assert_one_error(self.send(server, *arguments), 2, words)

    def test_wrong_arguments(self):
        good = ["--to", "127.0.0.1:9", "--peer-key", "ab" * 32, random_file(self.folder / "a-file", 10)]
        for wrong in (["--peer-key", "ab" * 31], ["--peer-key", "zz" * 32], ["--to", "127.0.0.1:99999"],
                      ["--rate", "fast"], ["--drop", "2"], ["--delay", "soon"], ["--backend", "carrier-pigeon"],
                      ["--threads", "0"], ["--threads", "65"], ["--threads", "many"],
                      ["--no-such-option"]):
            with self.subTest(wrong=wrong):
                arguments = [word for word in good]
                if wrong[0] in arguments:
                    arguments[arguments.index(wrong[0]) + 1] = wrong[1]
                else:
                    arguments += wrong
                result = self.run_godwit("send", *arguments)
                self.assert_one_error(result, 2)
        for good in ([], ["listen", "--allow", "zz" * 32], ["listen", "--connect", "nobody"], ["listen", "--dial", "nobody"], ["listen", "--bind", "here"]):
            self.assert_one_error(self.run_godwit(*good), 2)
        self.assertEqual(self.run_godwit("no-such-command").returncode, 2)

    def test_a_port_in_use(self):
        server = self.listen()
        result = self.run_godwit("listen", "--bind", server.address)
        self.assert_one_error(result, 2, "cannot bind", server.address, "Address already in use")

    def test_an_unreachable_host_is_a_time_out(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            source = random_file(self.folder / "data.bin", 10)
            to = ["--to", "127.0.0.1:%d" % silent.getsockname()[1], "--peer-key", "ab" * 32, "--connect-timeout", "1"]
            for command in (["send", *to, source], ["ping", *to, "-c", "1"], ["perf", "client", *to, "-t", "1"]):
                with self.subTest(command[0]):
                    self.assert_one_error(self.run_godwit(*command), 3, "cannot connect to 127.0.0.1")

    def test_a_name_that_nobody_knows_is_an_unreachable_peer(self):
        source = random_file(self.folder / "data.bin", 10)
        result = self.run_godwit("send", "--to", "no-such-host.invalid:1", "--peer-key", "ab" * 32, source)
        self.assert_one_error(result, 3, "cannot look up 'no-such-host.invalid'")

    def test_many_files_to_nobody_are_one_error(self):
        files = [random_file(self.folder / f"{i}.bin", 10) for i in range(10)]
        result = self.run_godwit("send", "--to", "127.0.0.1:9", "--peer-key", "ab" * 32, "--connect-timeout", "1", *files)
        self.assert_one_error(result, 3, "cannot connect to 127.0.0.1:9")

    def test_the_wrong_peer_key_is_not_talked_to(self):
        server = self.listen()
        source = random_file(self.folder / "data.bin", 10)
        result = self.run_godwit("send", "--to", server.address, "--peer-key", "12" * 32, "--connect-timeout", "1", source)
        self.assert_one_error(result, 3, "cannot connect", "or the key is not this peer's")
        self.assertEqual(self.received_names(), [])

    def test_an_output_folder_that_cannot_be_written(self):
        (self.folder / "file").write_text("")
        result = self.run_godwit("listen", "--bind", "127.0.0.1:0", "--output", "file/inside")
        self.assert_one_error(result, 2, "cannot write into the folder")

    def test_a_full_disk_leaves_nothing_behind(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))

        source = random_file(self.folder / "data.bin", 20 << 20)
        server = self.listen("--once", preexec=limit)
        result = self.send(server, source)
        self.assert_one_error(result, 1, "gave 'data.bin' up", "cannot be written")
        self.assertEqual(server.finish(), 1)
        self.assertIn("cannot be written", server.errors)
        self.assertEqual(self.received_names(), [])

    @unittest.skipUnless(os.geteuid() == 0, "only root can mount a small disk")
    def test_a_small_disk_refuses_what_it_cannot_hold_and_survives_being_filled(self):
        self.output.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(self.output)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            self.skipTest("mounting is not allowed here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.output)], check=False)
        server = self.listen()
        large = random_file(self.folder / "large.bin", 20 << 20)
        self.assert_one_error(self.send(server, large), 1, "refuses 'large.bin'", "no space left")
        # Both fit when they are offered, but not together.
        halves = [random_file(self.folder / f"{name}.bin", 6 << 20) for name in ("one", "two")]
        result = self.send(server, *halves)
        self.assertEqual(result.returncode, 1, result)
        # The space of the first is promised when the second is offered.
        self.assertIn("refuses 'two.bin': no space left on the device", result.stderr)
        self.assertEqual(self.received_names(), ["one.bin"])
        self.assertFalse([name for name in self.received_names() if name.endswith(".part")])

    def test_a_file_larger_than_is_taken_is_refused_at_once(self):
        server = self.listen("--max-file", "1M")
        source = random_file(self.folder / "data.bin", (1 << 20) + 1)
        self.assert_one_error(self.send(server, source), 1, "refuses", "larger than this receiver takes")
        self.assertEqual(self.received_names(), [])

    def test_files_of_peers_that_are_not_allowed_are_refused(self):
        source = random_file(self.folder / "data.bin", 10)
        server = self.listen("--allow", "ab" * 32)
        result = self.send(server, source)
        self.assert_one_error(result, 1, "not among those")
        self.assertEqual(self.received_names(), [])

    def test_no_colour_where_it_is_not_wanted(self):
        result = self.run_godwit("send", "--to", "x", "--peer-key", "y")
        self.assertNotIn("\033", result.stderr)
