"""Folders, and files that were cut off and go on, between `godwit send` and `godwit listen`."""
import json
import os
import signal
import socket

from harness import PATIENCE, Case, Server, random_file, sha256


class Folders(Case):
    def make_folder(self):
        folder = self.folder / "photos"
        (folder / "2024/empty").mkdir(parents=True)
        random_file(folder / "one.jpg", 1000)
        random_file(folder / "2024/two.jpg", 500_000)
        (folder / "one.jpg").chmod(0o640)
        for name in ("2024/empty", "2024", ""):
            os.utime(folder / name, ns=(1_577_836_800_000_000_001, 1_577_836_800_000_000_001))
        return folder

    def tree(self, folder):
        """Paths, modes, times and contents of everything in a folder."""
        return {str(path.relative_to(folder)): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.is_file() and sha256(path))
                for path in [folder, *folder.rglob("*")]}

    def test_a_folder_arrives_whole(self):
        folder = self.make_folder()
        server = self.listen("--once")
        result = self.send(server, folder)
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(server.finish(), 0, server.errors)
        self.assertIn("sent the folder photos/", result.stdout)
        self.assertRegex(result.stdout, r"(?m)^\d+ files, .* in all, each confirmed$")
        self.assertIn("received the folder photos/", server.output)
        self.assertEqual(self.tree(self.output / "photos"), self.tree(folder))

    def test_a_second_one_goes_beside_the_first(self):
        folder = self.make_folder()
        server = self.listen()
        for _ in range(2):
            self.assertEqual(self.send(server, str(folder) + "/").returncode, 0)
        self.assertEqual(self.received_names(), ["photos", "photos.1"])
        self.assertEqual(self.tree(self.output / "photos.1"), self.tree(folder))

    def test_links_pipes_and_sockets_are_said_and_the_rest_arrives(self):
        folder = self.make_folder()
        (folder / "link").symlink_to("/etc/passwd")
        os.mkfifo(folder / "pipe")
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(str(folder / "socket"))
            server = self.listen("--once")
            result = self.send(server, folder, "--json")
        self.assertEqual(result.returncode, 1, result)
        for words in ("link' is a symbolic link: not sent", "pipe' is a named pipe: not sent", "socket' is a socket: not sent"):
            self.assertIn(words, result.stderr)
        self.assertEqual(server.finish(), 0, server.errors)
        names = {file["name"]: file["confirmed"] for file in json.loads(result.stdout)["files"]}
        self.assertEqual(names["photos/one.jpg"], True)
        self.assertEqual(names["photos/link"], False)
        self.assertEqual(sorted(path.name for path in (self.output / "photos").iterdir()), ["2024", "one.jpg"])

    def test_a_receiver_of_one_file_takes_no_folder(self):
        server = Server(self, "listen", "--output", "-", "--anyone", json_lines=True)
        result = self.send(server, self.make_folder())
        self.assertEqual(result.returncode, 1, result)
        self.assertIn("takes one file, and no folder", result.stderr)
        server.finish(signal.SIGTERM)

    def test_a_folder_cannot_be_resumed(self):
        result = self.run_godwit("send", "--to", "127.0.0.1:9", "--peer-key", "ab" * 32, "--resume", self.make_folder())
        self.assert_one_error(result, 2, "--resume is for files")

    def test_ten_thousand_small_files(self):
        folder = self.folder / "many"
        for number in range(10_000):
            path = folder / f"{number // 500}" / f"{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"%d" % number)
        server = self.listen("--max-files", "1000000")
        result = self.send(server, folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.tree(self.output / "many"), self.tree(folder))


class Resumed(Case):
    SIZE = 60_000_000

    def cut_off(self, server, source, *options):
        """Sends until several megabytes are there, then kills the sender."""
        sender = self.start(*server.client("send"), "--resume", "--rate", "100M", *options, source)
        self.wait_for(lambda: any(path.stat().st_blocks * 512 > 12 << 20 for path in self.output.iterdir())
                      if self.output.exists() else False, "nothing is received")
        sender.kill()
        sender.communicate()

    def check_resumed(self, result, source):
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("held already", result.stdout)
        self.assertEqual(self.received_names(), [source.name])
        self.assertEqual(sha256(self.output / source.name), sha256(source))

    def test_a_sender_that_was_killed_goes_on(self):
        source = random_file(self.folder / "data.bin", self.SIZE)
        server = self.listen()
        self.cut_off(server, source)
        self.check_resumed(self.send(server, "--resume", source), source)
        server.finish(signal.SIGTERM)
        self.assertIn("MiB of it held already, ", server.output)

    def test_with_proven_keys_it_need_not_wait(self):
        source = random_file(self.folder / "data.bin", self.SIZE)
        server = self.listen("--extended", "require")
        self.cut_off(server, source, "--extended", "require")
        self.check_resumed(self.send(server, "--resume", "--extended", "require", source), source)

    def test_after_a_receiver_that_was_killed_it_goes_on(self):
        source = random_file(self.folder / "data.bin", self.SIZE)
        server = self.listen()
        self.cut_off(server, source)
        server.stop()
        self.check_resumed(self.send(self.listen(), "--resume", source), source)

    def test_after_a_receiver_that_was_interrupted_it_goes_on(self):
        source = random_file(self.folder / "data.bin", self.SIZE)
        server = self.listen()
        sender = self.start(*server.client("send"), "--resume", "--rate", "100M", source)
        self.wait_for(lambda: any(path.stat().st_blocks * 512 > 12 << 20 for path in self.output.iterdir())
                      if self.output.exists() else False, "nothing is received")
        self.assertEqual(server.finish(signal.SIGINT), 130)
        self.assertEqual(sender.wait(timeout=PATIENCE), 1)
        self.assertEqual(len(self.received_names()), 1)
        self.check_resumed(self.send(self.listen(), "--resume", source), source)

    def test_another_file_of_the_same_name_starts_anew(self):
        source = random_file(self.folder / "data.bin", self.SIZE)
        server = self.listen("--once")
        self.cut_off(server, source)
        server.stop()
        random_file(source, self.SIZE)
        server = self.listen("--once")
        result = self.send(server, "--resume", source)
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(server.finish(), 0, server.errors)
        self.assertNotIn("held already", result.stdout)
        self.assertEqual(self.received_names(), [source.name])
        self.assertEqual(sha256(self.output / source.name), sha256(source))
