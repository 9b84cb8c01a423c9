"""The tools that the tests themselves rest on: the suite runner, the search of the disks, the reading of package sources."""
import base64
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import gktest
from gktest import ROOT

sys.path.insert(0, str(ROOT / "tools"))

from demo.search import search  # noqa: E402  (the path above comes first)

SECRET = "Some-Secret_42"


class Runner(unittest.TestCase):
    def run_suites(self, *lines, only=()):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as suites:
            suites.write("\n".join(lines) + "\n")
            suites.flush()
            done = subprocess.run([ROOT / "tests" / "run_suites.py", "--suites", suites.name, *only], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()

    def test_adds_up(self):
        code, lines = self.run_suites("# comment", "house-a 1 echo 'house-a: 3 passed, 0 failed, 0 skipped'",
                                      "house-b 1 sh -c 'echo SKIP: it: no reason; echo B: 2 passed, 0 failed, 1 skipped'")
        self.assertEqual((code, lines[-1]), (0, "5 passed, 0 failed, 1 skipped"))
        self.assertIn("    SKIP: it: no reason", lines)

    def test_what_counts_as_failure(self):
        for command, last in (("sh -c 'echo house-a: 3 passed, 2 failed, 0 skipped; exit 1'", "3 passed, 2 failed, 0 skipped"),
                              ("sh -c 'echo house-a: 3 passed, 0 failed, 0 skipped; exit 1'", "3 passed, 1 failed, 0 skipped"),
                              ("echo house-a: 0 passed, 0 failed, 0 skipped", "0 passed, 1 failed, 0 skipped"),
                              ("echo all fine", "0 passed, 1 failed, 0 skipped"),
                              ("/no/such/program", "0 passed, 1 failed, 0 skipped")):
            code, lines = self.run_suites(f"house-a 1 {command}")
            self.assertEqual((code, lines[-1]), (1, last), command)

    def test_selection(self):
        suites = ["house-a 1 echo house-a: 1 passed, 0 failed, 0 skipped", "house-b 1 false"]
        self.assertEqual(self.run_suites(*suites, only=["house-a"])[0], 0)
        self.assertEqual(self.run_suites(*suites, only=["house-c"])[0], 2)


class Search(unittest.TestCase):
    def look(self, content):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "log.1").write_bytes(content)
            (Path(folder) / "zoo.cfg").write_bytes(content)
            return search([Path(folder)], [SECRET])

    def test_every_spelling_is_found_wherever_it_stands(self):
        raw = SECRET.encode()
        for before in range(7):
            for after in range(4):
                text = b"x" * before + raw + b"y" * after
                forms = {"raw": text, "hex": text.hex().encode(), "UTF-16": text.decode().encode("utf-16-le"), "base64": base64.b64encode(text)}
                for name, content in forms.items():
                    self.assertEqual(set(self.look(b"\n" + content + b"\0" * 50).found), {name}, (name, before, after))
        self.assertEqual(set(self.look(raw.hex().upper().encode()).found), {"hex"})
        self.assertEqual(set(self.look(SECRET.encode("utf-16-be")).found), {"UTF-16"})

    def test_nothing_else_is_found(self):
        result = self.look(os.urandom(99_999) + b"x" + SECRET.encode()[:-1])
        self.assertEqual((result.total, result.files, result.logs, result.bytes), (0, 1, 1, 100_014), "one zero byte stays")


class Sources(unittest.TestCase):
    ONE_LINE = """# deb http://a.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main contrib
deb http://b.example/security bookworm-security main
deb http://third.example/x stable main
"""
    STANZAS = """Types: deb
URIs: http://c.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /k.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb deb-src
URIs: http://third.example/y
Suites: other
Components: main
"""

    def test_both_styles(self):
        with tempfile.TemporaryDirectory() as folder:
            etc, out = Path(folder) / "apt", Path(folder) / "out"
            (etc / "sources.list.d").mkdir(parents=True)
            out.mkdir()
            (etc / "sources.list").write_text(self.ONE_LINE)
            (etc / "sources.list.d" / "x.sources").write_text(self.STANZAS)
            subprocess.run([ROOT / "mk" / "deps" / "source-lists.sh", out], check=True,
                           env=os.environ | {"APT_ETC": str(etc), "CODENAME": "bookworm"})
            self.assertEqual((out / "private.list").read_text(),
                             "deb-src [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main contrib\n"
                             "deb-src http://b.example/security bookworm-security main\n")
            stanzas = (out / "private.sources").read_text()
            self.assertEqual(stanzas.count("Types: deb-src\n"), 1)
            self.assertIn("Signed-By: /k.gpg", stanzas)
            self.assertNotIn("off.example", stanzas)


if __name__ == "__main__":
    gktest.main("house")
