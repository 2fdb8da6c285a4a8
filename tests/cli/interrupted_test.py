"""Transfers that are cut off: by a signal, by a death, by the file itself."""
import json
import os
import signal

from harness import PATIENCE, Case, random_file


class Interrupted(Case):
    def begin(self, *listen_options, rate="50M", **options):
        """A transfer that will take ten seconds, in mid-file."""
        self.source = random_file(self.folder / "data.bin", 64 << 20)
        server = self.listen(*listen_options, **options)
        sender = self.start(*server.client("send"), self.source, "--rate", rate, "--idle-timeout", "3")
        self.wait_for_partial_file("data.bin")
        return server, sender

    def errors_of(self, text):
        return [line for line in text.splitlines() if "error:" in line]

    def test_a_file_that_shrinks_fails_the_transfer_and_not_the_process(self):
        server, sender = self.begin("--once")
        os.truncate(self.source, 0)
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 1, errors)
        self.assertIn("'data.bin' shrank while it was being sent", errors)
        self.assertEqual(server.finish(), 1)
        self.assertIn("shrank", server.errors)
        self.assertEqual(self.received_names(), [])

    def test_a_sender_killed_in_mid_file_leaves_no_file(self):
        server, sender = self.begin("--once", "--idle-timeout", "3")
        sender.kill()
        self.assertEqual(server.finish(), 1)
        errors = self.errors_of(server.errors)
        self.assertEqual(len(errors), 1, server.errors)
        self.assertIn("'data.bin'", errors[0])
        self.assertIn("the connection has ended", errors[0])
        self.assertEqual(self.received_names(), [])

    def test_a_receiver_killed_in_mid_file_is_the_senders_error(self):
        server, sender = self.begin()
        server.process.kill()
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 1, errors)
        self.assertEqual(len(self.errors_of(errors)), 1, errors)
        self.assertIn("the connection has ended", errors)
        self.assertNotIn("data.bin", self.received_names())

    def test_a_listener_interrupted_in_mid_file_leaves_no_file_and_tells_the_sender(self):
        server, sender = self.begin()
        self.assertEqual(server.finish(signal.SIGINT), 130)
        self.assertIn("the receiver ends", server.errors)
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertEqual(sender.returncode, 1, errors)
        self.assertEqual(len(self.errors_of(errors)), 1, errors)
        self.assertIn("the receiver", errors)
        self.assertEqual(self.received_names(), [])

    def test_an_interrupted_sender_says_so_and_tells_the_receiver(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                server, sender = self.begin("--once")
                sender.send_signal(number)
                _, errors = sender.communicate(timeout=PATIENCE)
                self.assertEqual(sender.returncode, 130, errors)
                self.assertEqual(self.errors_of(errors), ["godwit: error: interrupted"])
                self.assertEqual(server.finish(), 1)
                self.assertIn("the sender gave it up: interrupted", server.errors)
                self.assertEqual(self.received_names(), [])

    def test_a_second_signal_ends_at_once(self):
        server = self.listen()
        server.process.send_signal(signal.SIGSTOP)
        for _ in range(2):
            server.process.send_signal(signal.SIGINT)
            server.process.send_signal(signal.SIGCONT)
        self.assertIn(server.finish(), (0, -signal.SIGINT))

    def test_ctrl_c_ends_an_idle_listener_well_and_a_waiting_one_not(self):
        server = self.listen("--anyone")
        self.assertEqual(server.finish(signal.SIGINT), 0)
        self.assertEqual(server.errors, f"godwit: made a new key in {self.folder / 'config/godwit/key'}\n"
                         "anyone who knows this address and key can send files and messages, as --anyone says\n")
        self.assertEqual(self.listen("--once").finish(signal.SIGINT), 130)
        self.assertEqual(self.listen().finish(signal.SIGTERM), 0)

    def test_ctrl_c_while_connecting(self):
        sender = self.start("send", "--to", "127.0.0.1:9", "--peer-key", "ab" * 32, random_file(self.folder / "a", 10))
        self.wait_for(lambda: (self.folder / "config/godwit/key").exists(), "no key was made")
        sender.send_signal(signal.SIGINT)
        _, errors = sender.communicate(timeout=PATIENCE)
        self.assertIn(sender.returncode, (130, -signal.SIGINT), errors)

    def test_json_tells_what_was_cut_off(self):
        server, sender = self.begin("--json", "--json-file", "result.json", json_lines=True)
        self.assertEqual(server.finish(signal.SIGINT), 130)
        events = [json.loads(line) for line in server.output.splitlines()]
        self.assertEqual([event["event"] for event in events], ["listening", "failed", "end"])
        self.assertEqual(events[-1]["error"], "interrupted")
        result = json.loads((self.folder / "result.json").read_text())
        self.assertEqual([entry["name"] for entry in result["failed"]], ["data.bin"])
        sender.communicate(timeout=PATIENCE)
