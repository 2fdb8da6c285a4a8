"""One-time codes with real processes: whoever makes the code, listens or connects."""
import re
import signal
import unittest

from harness import Case, Server, random_file, sha256


class Codes(Case):
    def setUp(self):
        super().setUp()
        self.meeting = Server(self, "rendezvous", "--anyone")
        self.place = f"{self.meeting.key}@{self.meeting.address}"
        self.run_godwit("keygen", "--out", "client.key")
        self.client = ["--via", self.place, "--key", "client.key"]

    def code_of(self, process):
        while line := process.stderr.readline():
            if match := re.fullmatch(r"code (\d+(?:-[a-z]+){3})\n", line):
                return match[1]
        self.fail("no code was printed")

    def wrong(self, code):
        head, last = code.rsplit("-", 1)
        return head + ("-tiger" if last != "tiger" else "-lotus")

    def end_of(self, process):
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def figures(self):
        self.assertEqual(self.meeting.finish(signal.SIGINT), 0)
        return self.meeting.output

    def test_the_listener_makes_the_code_and_the_sender_types_it(self):
        source = random_file(self.folder / "data.bin", 200_000)
        server = self.listen("--new-code", "--via", self.place, "--once")
        code = self.code_of(server.process)
        # Nobody else may send, code or not.
        stranger = self.run_godwit("send", "--via", self.place, "--to", server.key, source)
        self.assertNotEqual(stranger.returncode, 0, stranger)
        result = self.run_godwit("send", source, *self.client, "--code", code.upper().replace("-", " "))
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(server.finish(), 0, server.errors)
        self.assertIn("the code was right", server.errors)
        self.assertEqual(sha256(self.output / "data.bin"), sha256(source))

    def test_the_sender_makes_the_code_as_with_croc_and_magic_wormhole(self):
        source = random_file(self.folder / "data.bin", 200_000)
        sender = self.start("send", source, *self.client, "--new-code")
        server = self.listen("--code", self.code_of(sender), "--via", self.place, "--once")
        self.assertEqual(self.end_of(sender)[0], 0)
        self.assertEqual(server.finish(), 0, server.errors)
        self.assertEqual(sha256(self.output / "data.bin"), sha256(source))

    def test_pipes_and_pings_take_codes(self):
        pipe = Server(self, "pipe", "--listen", "--new-code", "--via", self.place, json_lines=True)
        result = self.run_godwit("pipe", *self.client, "--code", self.code_of(pipe.process), input="hello")
        self.assertEqual((result.returncode, pipe.finish(), pipe.output), (0, 0, "hello"), result)
        server = self.listen("--new-code", "--via", self.place)
        result = self.run_godwit("ping", "-c", "1", *self.client, "--code", self.code_of(server.process))
        self.assertEqual(result.returncode, 0, result)

    def test_a_wrong_code_uses_it_up_and_both_sides_say_so(self):
        server = self.listen("--new-code", "--via", self.place)
        code = self.code_of(server.process)
        result = self.run_godwit("ping", "-c", "1", *self.client, "--code", self.wrong(code))
        self.assert_one_error(result, 3, "the code is wrong")
        self.assertEqual(server.finish(), 3)
        self.assertIn("somebody has tried the code with wrong words", server.errors)
        result = self.run_godwit("ping", "-c", "1", *self.client, "--code", code)
        self.assert_one_error(result, 3, "no such code")

    def test_a_mistyped_code_costs_nothing(self):
        server = self.listen("--new-code", "--via", self.place)
        code = self.code_of(server.process)
        head, last = code.rsplit("-", 1)
        result = self.run_godwit("ping", "-c", "1", *self.client, "--code", f"{head}-{last[0]}q{last[1:]}")
        self.assertEqual(result.returncode, 2, result)
        self.assertIn("did you mean", result.stderr)
        result = self.run_godwit("ping", "-c", "1", *self.client, "--code", code)
        self.assertEqual(result.returncode, 0, result)

    def test_a_side_that_is_interrupted_takes_its_code_along(self):
        sender = self.start("ping", "--via", self.place, "--new-code")
        code = self.code_of(sender)
        sender.send_signal(signal.SIGINT)
        self.assertEqual(self.end_of(sender)[0], 130)
        result = self.run_godwit("ping", "-c", "1", *self.client, "--code", code)
        self.assert_one_error(result, 3, "no such code")

    def test_a_rendezvous_may_have_none(self):
        bare = Server(self, "rendezvous", "--anyone", "--max-codes", "0")
        result = self.run_godwit("ping", "--via", f"{bare.key}@{bare.address}", "--new-code")
        self.assert_one_error(result, 3, "gives no code")

    def test_wrong_arguments(self):
        for arguments, words in ((["ping", "--new-code"], "--via"), (["ping"], "--to is required"),
                                 (["ping", "--code", "1-tiger"], "a number and three words"),
                                 (["ping", "--new-code", "--via", self.place, "--to", "x"], "would name another"),
                                 (["listen", "--anyone", "--new-code", "--via", self.place], "--anyone"),
                                 (["pipe", "--listen", "--anyone", "--new-code", "--via", self.place], "--anyone"),
                                 (["listen", "--bind", "127.0.0.1:0", "--new-code"], "--via")):
            with self.subTest(arguments=arguments):
                result = self.run_godwit(*arguments)
                self.assertEqual(result.returncode, 2, result)
                self.assertIn(words, result.stderr)


if __name__ == "__main__":
    unittest.main()
