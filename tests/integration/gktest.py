"""What integration tests share: sandboxes that are gone afterwards, and the summary line tests/run_suites.py reads."""
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SANDBOX = ROOT / "tools" / "gk-sandbox"


class Sandbox:
    """One ensemble, driven through tools/gk-sandbox only. GK_KEEP=FOLDER in the environment keeps its files there."""

    def __init__(self, test, directory=None):
        keep = os.environ.get("GK_KEEP")
        if keep and not directory:
            directory = tempfile.mkdtemp(prefix="gk-test-", dir=keep)
            print(f"kept in {directory} ... ", end="")
        self.env = {}  # what servers have in their environment besides ours
        self.holder = tempfile.TemporaryDirectory(prefix="gk-test-")
        self.dir = Path(directory or self.holder.name) / "ensemble"
        test.addCleanup(self.holder.cleanup)
        test.addCleanup(self.run, "stop", check=False)

    def run(self, command, *args, check=True):
        done = subprocess.run([SANDBOX, command, "--dir", self.dir, *map(str, args)], capture_output=True, text=True, check=False,
                              env=os.environ | self.env)
        if check and done.returncode:
            raise AssertionError(f"gk-sandbox {command} {' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, *args):
        """Returns the connect string."""
        return self.run("start", *args).stdout.splitlines()[-1].removeprefix("connect=")

    def status(self):
        return json.loads(self.run("status", "--json").stdout)

    def server(self, ident):
        return self.status()["servers"][ident - 1]

    def modes(self):
        return [entry["mode"] for entry in self.status()["servers"]]

    def leader(self):
        return self.modes().index("leader") + 1

    def wait(self, condition, seconds=30):
        """Polls until condition(status) is true; returns that status."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.status()
            if condition(status["servers"]):
                return status
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {status}")
            time.sleep(0.2)


def main(suite):
    """Runs the caller's tests and prints `SUITE: N passed, N failed, N skipped`."""
    names = sys.argv[1:]
    loader = unittest.defaultTestLoader
    module = sys.modules["__main__"]
    tests = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(tests)
    # a test with several failing subtests is one test; what failed in setUpClass has not run
    failing = {getattr(test, "test_case", test) for test, _ in result.failures + result.errors} | set(result.unexpectedSuccesses)
    failed, ran = len(failing), sum(isinstance(test, unittest.TestCase) for test in failing)
    for test, why in result.skipped:
        print(f"SKIP: {test}: {why}")
    print(f"{suite}: {result.testsRun - ran - len(result.skipped)} passed, {failed} failed, {len(result.skipped)} skipped")
    sys.exit(1 if failed else 0)
