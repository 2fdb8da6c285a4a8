"""Key files: `godwit keygen`, and what the other commands make of them."""
import json
import os
import signal
import stat

from harness import Case


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

    def test_loose_permissions_warn(self):
        self.run_godwit("keygen", "--out", "key")
        (self.folder / "key").chmod(0o644)
        server = self.listen("--key", "key")
        server.finish(signal.SIGINT)
        self.assertIn("warning: others may read the key file", server.errors)

    def test_bad_key_files_are_one_clear_line(self):
        (self.folder / "text").write_text("not a key\n")
        (self.folder / "short").write_text("ab" * 31 + "\n")
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
