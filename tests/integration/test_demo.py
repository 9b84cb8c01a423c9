"""The demo keeps its promises, and would say so if it did not: stock clients of four kinds against servers with the plugin."""
import json
import subprocess
import sys
import unittest

import gktest
from gktest import ROOT

sys.path.insert(0, str(ROOT / "tools"))

from demo.show import Show  # noqa: E402  (the path above comes first)

DEMO = ROOT / "tools" / "gk-demo"


class Demo(unittest.TestCase):
    def test_all_promises_hold(self):
        done = subprocess.run([DEMO, "--json"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        figures = json.loads(done.stdout)
        for name in ("disks_found", "disks_after_found", "orders_lost", "orders_gaps", "orders_twice", "orders_unknown", "promises_broken"):
            self.assertEqual(figures[name], 0, name)
        self.assertGreater(figures["control_found"], 0)
        self.assertGreater(figures["orders"], figures["orders_before_kill"])

    def test_usage(self):
        done = subprocess.run([DEMO, "--plugin", "maybe"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"^gk-demo: error: USAGE: .* \(hint: .*\)\n$")
        self.assertIn("example:", subprocess.run([DEMO, "--help"], capture_output=True, text=True, check=True).stdout)

    def test_a_broken_promise_counts(self):
        show = Show(quiet=True)
        show.promise(True, "held")
        show.promise(False, "broken")
        show.promise(False, "excused", "stock")
        self.assertEqual((show.kept, show.broken, show.excused), (["held"], ["broken"], ["excused"]))


if __name__ == "__main__":
    gktest.main("demo")
