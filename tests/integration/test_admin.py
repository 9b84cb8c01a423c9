"""gk-admin, as a user meets it: exit codes, messages, JSON; and its keyring files, read by another implementation."""
import json
import os
import re
import stat
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import gktest
from gktest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "vectors"))

import gen_crypto  # noqa: E402  (the path above comes first)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: E402

ADMIN = ROOT / "build" / "bin" / "gk-admin"
HINTED = re.compile(r"gk-admin: error: ([A-Z]+): [^\n]+ \(hint: [^\n]+\)\n")


def admin(*args, **more):
    return subprocess.run([ADMIN, *map(str, args)], capture_output=True, text=True, check=False, **more)


def open_keyring(file):
    """Header rows and raw keys, by docs/FORMAT.md and nothing of ours."""
    at = 8 + 2 + 32
    at += 2 + int.from_bytes(file[at:at + 2], "big")
    count = int.from_bytes(file[at:at + 2], "big")
    rows = [struct.unpack(">IBBQ8s", file[at + 2 + 22 * i:at + 24 + 22 * i]) for i in range(count)]
    at += 2 + 22 * count + 3
    dk, header, nonce = file[at:at + 32], file[:at + 32], file[at + 32:at + 56]
    k1 = gen_crypto.double(gen_crypto.aes_blocks(dk, bytes(16)))
    kx = b"".join(gen_crypto.aes_blocks(dk, gen_crypto.xor(bytes([0, i]) + b"X\0" + nonce[:12], k1)) for i in (1, 2))
    body = AESGCM(kx).decrypt(nonce[12:], file[at + 58:], header)
    raws = []
    while body:
        n = int.from_bytes(body[:2], "big")
        raws.append(body[2:2 + n])
        body = body[2 + n:]
    return rows, raws


class Admin(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="gk-admin-")
        self.addCleanup(holder.cleanup)
        self.file = Path(holder.name) / "keyring"

    def fails(self, code, exit_code, *args):
        done = admin(*args)
        self.assertEqual((done.returncode, done.stdout), (exit_code, ""), done.stderr)
        self.assertEqual(HINTED.fullmatch(done.stderr)[1], code, done.stderr)
        return done.stderr

    def init(self):
        done = admin("keyring", "init", self.file)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Usage(Admin):
    def test_help_has_an_example_everywhere(self):
        for path in ([], ["keyring"], ["keyring", "init"], ["keyring", "show"], ["keyring", "verify"]):
            done = admin(*path, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, r"^usage: gk-admin")
            self.assertRegex(done.stdout, r"\nexample:\n  gk-admin " + " ".join(path))

    def test_version(self):
        for path in ([], ["keyring"], ["keyring", "show"]):
            done = admin(*path, "--version")
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stdout, r"^gk-admin \d+\.\d+\.\d+\n$")

    def test_wrong_usage(self):
        for args in ([], ["bogus"], ["--bogus"], ["keyring"], ["keyring", "bogus"], ["keyring", "show"], ["keyring", "show", "a", "b"],
                     ["keyring", "show", "--bogus", "a"], ["keyring", "show", "--json=1", "a"], ["keyring", "init"]):
            self.fails("USAGE", 2, *args)

    def test_output_that_cannot_be_written(self):
        self.init()
        with open("/dev/full", "w") as full:
            done = subprocess.run([ADMIN, "keyring", "show", self.file], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(HINTED.fullmatch(done.stderr)[1], "IO")


class Keyring(Admin):
    def show(self):
        done = admin("keyring", "show", "--json", self.file)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def test_init_makes_a_private_file_and_never_overwrites(self):
        old = os.umask(0)
        try:
            self.init()
        finally:
            os.umask(old)
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        before = self.file.read_bytes()
        self.fails("EXISTS", 1, "keyring", "init", self.file)
        self.assertEqual(self.file.read_bytes(), before)
        self.fails("IO", 1, "keyring", "init", self.file.parent / "none" / "keyring")

    def test_json(self):
        made = admin("keyring", "init", "--json", self.file)
        made = json.loads(made.stdout)
        self.assertEqual(list(made), ["file", "format", "ensemble", "fingerprint"])
        shown = self.show()
        self.assertEqual(list(shown), ["format", "ensemble", "fingerprint", "keys"])
        self.assertEqual({k: shown[k] for k in ("format", "ensemble", "fingerprint")}, {k: made[k] for k in ("format", "ensemble", "fingerprint")})
        self.assertRegex(shown["ensemble"], r"^[0-9a-f]{32}$")
        self.assertRegex(shown["fingerprint"], r"^[0-9a-f]{16}$")
        self.assertEqual([k["purpose"] for k in shown["keys"]], ["name", "payload", "seed", "session", "pending"])
        for key in shown["keys"]:
            self.assertEqual(list(key), ["id", "zone", "purpose", "state", "created"])
            self.assertEqual((key["id"], key["zone"], key["state"]), (1, "root", "active"))
            self.assertRegex(key["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        verified = admin("--json", "keyring", "verify", self.file)
        self.assertEqual(json.loads(verified.stdout)["ok"], True)

    def test_another_implementation_reads_the_file_and_no_key_is_printed(self):
        self.init()
        rows, raws = open_keyring(self.file.read_bytes())
        self.assertEqual([(purpose, len(raw)) for (_, purpose, *_), raw in zip(rows, raws)], [(1, 64), (2, 32), (3, 32)])
        self.assertEqual([row[4] for row in rows], [gen_crypto.kcv(raw) for raw in raws])
        outputs = "".join(admin("keyring", *args, self.file).stdout for args in (["show"], ["show", "--json"], ["verify"], ["verify", "--json"]))
        for row, raw in zip(rows, raws):
            self.assertIn(row[4].hex(), outputs)
            self.assertFalse(any(raw[i:i + 4].hex() in outputs for i in range(len(raw) - 3)))

    def test_two_ensembles_differ(self):
        self.init()
        first = self.show()
        self.file.unlink()
        self.init()
        second = self.show()
        self.assertNotEqual(first["ensemble"], second["ensemble"])
        self.assertNotEqual(first["fingerprint"], second["fingerprint"])

    def test_a_rotated_keyring_of_another_writer(self):
        data = (ROOT / "tests" / "fuzz" / "corpus" / "keyring" / "rotated").read_bytes()[1:]
        self.file.touch(0o600)
        self.file.write_bytes(data)
        keys = [(k["id"], k["zone"], k["purpose"], k["state"], k["created"]) for k in self.show()["keys"]]
        self.assertEqual(keys[0], (3, "Team-A", "name", "active", "1970-01-01T00:00:00.000Z"))
        self.assertEqual(keys[2], (2, "Team-A", "payload", "active", "2023-11-14T22:13:20.124Z"))
        self.assertEqual([k[:4:2] + k[3:4] for k in keys[5:]], [(7, "session", "decrypt"), (9, "session", "active"), (7, "pending", "decrypt"),
                                                                (9, "pending", "active")])
        table = admin("keyring", "show", self.file)
        self.assertEqual(len(table.stdout.splitlines()), 5 + len(keys))

    def test_what_is_wrong_with_a_file_is_said(self):
        self.assertIn("gk-admin keyring init", self.fails("NOTFOUND", 1, "keyring", "verify", self.file))
        self.init()
        good = self.file.read_bytes()
        self.file.chmod(0o640)
        self.assertIn("chmod 600", self.fails("PERM", 1, "keyring", "show", self.file))
        self.file.chmod(0o600)
        for code, bad in (("TRUNCATED", good[:-1]), ("TRUNCATED", b""), ("MALFORMED", good + b"x"), ("MALFORMED", b"not a keyring"),
                          ("VERSION", good[:9] + b"\2" + good[10:]), ("AUTH", good[:-1] + bytes([good[-1] ^ 1])), ("LIMIT", bytes(70000))):
            self.file.write_bytes(bad)
            for command in ("show", "verify"):
                self.fails(code, 1, "keyring", command, self.file)
        self.fails("PERM", 1, "keyring", "verify", self.file.parent)


class Vectors(unittest.TestCase):
    def test_the_generator_gives_the_files_that_are_there(self):
        done = subprocess.run([sys.executable, "-B", ROOT / "tests" / "vectors" / "gen_crypto.py", "--check"], capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Manual(unittest.TestCase):
    def test_names_what_there_is(self):
        page = (ROOT / "docs" / "man" / "gk-admin.1").read_text()
        for word in ("init", "show", "verify", "json", "help", "version"):
            self.assertIn(word, page)
        done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", ROOT / "docs" / "man" / "gk-admin.1"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    gktest.main("admin")
