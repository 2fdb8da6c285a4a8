"""Key files: `godwit keygen`, and what the other commands make of them."""
import json
import os
import signal
import stat
import subprocess
import unittest

from harness import Case, random_file


class Keys(Case):
    def test_keygen_writes_a_file_of_mode_0600_and_prints_the_public_key(self):
        result = self.run_godwit("keygen", "--out", "key")
        self.assertEqual(result.returncode, 0, result)
        self.assertRegex(result.stdout, r"^[0-9a-f]{64}\n$")
        self.assertEqual(stat.S_IMODE((self.folder / "key").stat().st_mode), 0o600)
        shown = self.run_godwit("keygen", "--out", "key", "--show")
        self.assertEqual(shown.stdout, result.stdout)

    def test_keygen_does_not_replace_a_key(self):
        self.run_godwit("keygen", "--out", "key")
        before = (self.folder / "key").read_text()
        self.assert_one_error(self.run_godwit("keygen", "--out", "key"), 2, "exists")
        self.assertEqual((self.folder / "key").read_text(), before)
        self.assertEqual(self.run_godwit("keygen", "--out", "key", "--force").returncode, 0)
        self.assertNotEqual((self.folder / "key").read_text(), before)

    def test_keygen_prints_json(self):
        result = json.loads(self.run_godwit("keygen", "--out", "key", "--json").stdout)
        self.assertEqual((result["schema"], result["schema_version"]), ("godwit-key", 1))
        self.assertEqual(len(result["public_key"]), 64)

    def test_the_default_key_is_made_on_first_use_and_kept(self):
        first = self.listen()
        key = self.folder / "config" / "godwit" / "key"
        self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
        self.assertEqual(self.listen().key, first.key)

    def test_a_key_file_of_others_is_refused_unless_the_user_insists(self):
        self.run_godwit("keygen", "--out", "key")
        for mode, words in ((0o644, "can be read by others"), (0o640, "can be read by others"),
                            (0o602, "can be changed by others"), (0o666, "can be changed by others")):
            (self.folder / "key").chmod(mode)
            for command in (["listen", "--bind", "127.0.0.1:0"], ["ping", "--to", "127.0.0.1:9", "--peer-key", "ab" * 32]):
                with self.subTest(mode=oct(mode), command=command[0]):
                    self.assert_one_error(self.run_godwit(*command, "--key", "key"), 2, words, "chmod 600", "--insecure-key")
            self.assert_one_error(self.run_godwit("keygen", "--show", "--out", "key"), 2, words)
            self.assertEqual(self.run_godwit("keygen", "--show", "--out", "key", "--insecure-key").returncode, 0)
        server = self.listen("--key", "key", "--insecure-key")
        self.assertEqual(server.finish(signal.SIGINT), 0)

    def test_a_key_file_that_others_can_replace_is_refused(self):
        folder = self.folder / "open"
        folder.mkdir()
        self.run_godwit("keygen", "--out", "open/key")
        (self.folder / "link").symlink_to("open/key")
        folder.chmod(0o777)
        for name in ("open/key", "link"):
            with self.subTest(name):
                result = self.run_godwit("listen", "--bind", "127.0.0.1:0", "--key", name)
                self.assert_one_error(result, 2, "others can replace it")
        # Where everybody has files, as in /tmp, nobody can remove another's.
        folder.chmod(0o1777)
        self.assertEqual(self.run_godwit("keygen", "--show", "--out", "open/key").returncode, 0)

    def test_a_client_needs_no_key_file(self):
        source = random_file(self.folder / "data.bin", 10)
        server = self.listen()
        (self.folder / "file").write_text("")
        for environment in ({"XDG_CONFIG_HOME": str(self.folder / "file" / "inside")}, {"XDG_CONFIG_HOME": "/proc/nowhere"}):
            with self.subTest(**environment):
                result = self.send(server, source, environment={**self.environment, **environment})
                self.assertEqual(result.returncode, 0, result)
                self.assertIn("with a key for this time only", result.stderr)
        # A server without a key of its own could not be found again.
        result = self.run_godwit("listen", "--bind", "127.0.0.1:0",
                                 environment={**self.environment, "XDG_CONFIG_HOME": str(self.folder / "file" / "inside")})
        self.assert_one_error(result, 2, "the key file", "Not a directory")

    @unittest.skipUnless(os.geteuid() == 0, "only root can mount a read-only disk")
    def test_a_read_only_home_is_named_as_what_it_is(self):
        home = self.folder / "home"
        home.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(home)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            self.skipTest("mounting is not allowed here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(home)], check=False)
        environment = {**self.environment, "HOME": str(home)}
        del environment["XDG_CONFIG_HOME"]
        server = self.listen()
        result = self.send(server, random_file(self.folder / "data.bin", 10), environment=environment)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("Read-only file system", result.stderr)
        self.assert_one_error(self.run_godwit("listen", "--bind", "127.0.0.1:0", environment=environment), 2,
                              "Read-only file system")

    def test_bad_key_files_are_one_clear_line(self):
        (self.folder / "text").write_text("not a key\n")
        (self.folder / "short").write_text("ab" * 31 + "\n")
        for name in ("text", "short"):
            (self.folder / name).chmod(0o600)
        (self.folder / "folder").mkdir()
        for name, words in {"missing": "No such file", "text": "64 hexadecimal", "short": "64 hexadecimal",
                            "folder": "not a regular file"}.items():
            with self.subTest(name):
                result = self.run_godwit("listen", "--key", name, "--bind", "127.0.0.1:0")
                self.assert_one_error(result, 2, name, words)

    def test_an_unreadable_key_is_one_clear_line(self):
        self.run_godwit("keygen", "--out", "key")
        (self.folder / "key").chmod(0)
        self.folder.chmod(0o755)

        def drop_privileges():
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)

        result = self.run_godwit("listen", "--key", "key", "--bind", "127.0.0.1:0", preexec_fn=drop_privileges)
        self.assert_one_error(result, 2, "key", "Permission denied")
