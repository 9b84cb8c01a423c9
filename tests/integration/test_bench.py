"""The benchmarks' own tests: the load generator drives stock and encrypted servers, and ends with an error at each kind of wrong reply; the
statistics give known answers."""
import json
import math
import subprocess
import sys
import unittest

import gktest
from gktest import ROOT

sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests" / "differential")]

import cases  # noqa: E402  (the paths above come first)
import misbehave  # noqa: E402
import report  # noqa: E402
import stats  # noqa: E402

LOAD = ROOT / "build" / "bench" / "load"
# Every operation; counts instead of seconds, so that nothing depends on the machine.
PHASES = """get payload=1024 depth=16 count=400
get payload=0 depth=1 count=40
set payload=128 depth=16 count=400
mixed payload=16384 depth=4 count=200
exists payload=2560 depth=16 count=200
get payload=100 depth=8 path=8 name-length=60 count=200
create payload=128 depth=16 count=300
watch depth=16 count=300
touch depth=16 count=300
delete depth=16
sequential payload=7 depth=16 count=300
delete depth=16
ephemeral payload=1024 depth=8 count=200
list children=100 depth=4 count=40
"""
# Ways of tests/differential/misbehave.py, each with a phase that meets it and a word of what must be said.
WRONG = {
    "changed-data": ("get depth=4 count=100", "contents"), "truncated-data": ("get depth=4 count=100", "contents"),
    "swapped-replies": ("get depth=16 count=200", "xid"), "wrong-data-length": ("exists depth=4 count=100", "dataLength"),
    "wrong-version": ("set depth=4 count=100", "version"), "wrong-num-children": ("get depth=4 count=100", "Stat"),
    "missing-child": ("list children=20 depth=2 count=40", "number of children"), "ciphertext-child": ("list children=20 depth=2 count=40", "child that isn't"),
    "sequence-off-by-one": ("sequential payload=0 depth=4 count=100", "path"), "zxid-back": ("set depth=4 count=200", "zxid"),
    "trailing-byte": ("create count=100 payload=0 depth=4\ndelete depth=4", "behind"), "event-path": ("create count=60\nwatch count=60\ntouch count=60", "event"),
    "owner-lost": ("exists depth=4 count=100", "Stat"), "closes-at-random": ("get depth=1 count=4000", "CLOSED"),
}


def run_load(address, phases, *more):
    done = subprocess.run([LOAD, "--connect", address, "--connections", "4", *more], input=phases, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


class Load(unittest.TestCase):
    def check_all(self, address, *more):
        code, rows, error = run_load(address, PHASES, *more)
        self.assertEqual((code, error), (0, ""))
        self.assertEqual([row["op"] for row in rows[1:]], [line.split()[0] for line in PHASES.splitlines()])
        for row in rows[1:]:
            latency = row["latency_us"]
            self.assertLessEqual(latency["p50"], latency["p99"], row)
            self.assertLessEqual(latency["p99"], latency["max"], row)
            self.assertGreater(row["cpu_us_per_op"], 0, row)
        for row, line in zip(rows[1:], PHASES.splitlines()):
            if "count=" in line:
                self.assertEqual(row["ops"], int(line.rpartition("=")[2]), line)

    def test_stock_and_encrypted(self):
        for plugin in ("off", "on"):
            with self.subTest(plugin=plugin):
                sandbox = gktest.Sandbox(self)
                sandbox.start("--servers", 1, "--plugin", plugin, "--tls", "on")
                server = sandbox.server(1)
                pids = ["--pids", str(server["pid"])]
                tls = sandbox.dir / "tls"
                self.check_all(server["client"], *pids)
                self.check_all(server["secure"], *pids, "--ca", tls / "ca.pem", "--cert", tls / "client.pem", "--key", tls / "client.key")
                if plugin == "off":
                    self.check_wrong(server["client"])
                sandbox.run("stop")

    def check_wrong(self, address):
        host, port = address.split(":")
        code, _, error = self.through((host, int(port)), "none", PHASES.replace("300", "60").replace("400", "60"))
        self.assertEqual((code, error), (0, ""), "the proxy itself must not be what is found")
        for mode, (phases, word) in WRONG.items():
            with self.subTest(mode=mode):
                code, _, error = self.through((host, int(port)), mode, phases + "\n")
                self.assertEqual(code, 1, f"{mode} went unnoticed")
                self.assertRegex(error, r"^load: error: [A-Z]+: ")
                self.assertIn(word, error)

    @staticmethod
    def through(server, mode, phases):
        proxy = misbehave.Proxy(server, mode)
        try:
            return run_load("%s:%d" % proxy.address, phases)
        finally:
            proxy.close()

    def test_usage(self):
        self.assertEqual(subprocess.run([LOAD], capture_output=True, check=False).returncode, 2)
        self.assertIn("example:", subprocess.run([LOAD, "--help"], capture_output=True, text=True, check=True).stdout)


def document(launches, encrypted, stock=100.0):
    """Results of one mix, `encrypted` a list of throughputs; CPU is the inverse."""
    results = [{"launch": n, "repetition": 0, "configuration": c, "case": "get", "ops_per_s": v, "cpu_us_per_op": 1e4 / v, "latency_us": {}}
               for n in range(launches) for c, v in (("nio", stock), ("encrypted", encrypted[n]))]
    return {"part": "standalone", "title": "t", "servers": 1, "tls": False, "seconds": 1, "results": results}


class Statistics(unittest.TestCase):
    def test_interval(self):
        # Student's sleep data (1908), the ten differences: mean 1.58, 95 % interval 0.70 to 2.46
        mean, low, high = stats.interval([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
        self.assertAlmostEqual(mean, 1.58)
        self.assertAlmostEqual(low, 0.7001142, 3)
        self.assertAlmostEqual(high, 2.4598858, 3)

    def test_one_value_says_nothing(self):
        self.assertEqual(stats.interval([3.0]), (3.0, -math.inf, math.inf))

    def test_ratios_are_paired(self):
        """Launches that differ tenfold among themselves, and never in their ratio."""
        centre, low, high = stats.ratio([(2, 1), (20, 10), (200, 100)])
        for value in (centre, low, high):
            self.assertAlmostEqual(value, 2.0)
        self.assertAlmostEqual(stats.geomean([1, 4]), 2.0)
        forth, back = stats.ratio([(3, 2), (5, 2), (7, 4)]), stats.ratio([(2, 3), (2, 5), (4, 7)])
        self.assertAlmostEqual(forth[0] * back[0], 1.0)
        self.assertAlmostEqual(forth[1] * back[2], 1.0)

    def test_overall(self):
        centre, low, high = stats.overall([[(4, 1), (1, 1)], [(4, 2), (2, 1)]])
        self.assertAlmostEqual(centre, 2.0)
        self.assertAlmostEqual(low, high)

    def test_targets(self):
        """A target holds by the interval's end, not by its middle, and not with fewer than eight launches."""
        for launches, encrypted, holds in ((8, [170.0] * 8, True), (8, [150.0] * 8, False), (8, [120, 220] * 4, False), (7, [170.0] * 7, None)):
            row = report.targets(report.Part(document(launches, encrypted)))[0]
            self.assertEqual((row["limit"], row["holds"]), (1.60, holds), encrypted)
        cpu = next(r for r in report.targets(report.Part(document(8, [170.0] * 8))) if r["limit"] == 0.62)
        self.assertAlmostEqual(cpu["ratio"], 100 / 170)
        self.assertTrue(cpu["holds"])

    def test_names_are_unique(self):
        for part in [*cases.FULL.values(), *cases.QUICK_PARTS.values()]:
            names = [name for case in part.cases for name in case.names()]
            self.assertEqual(len(names), len(set(names)), part.title)


if __name__ == "__main__":
    gktest.main("bench")
