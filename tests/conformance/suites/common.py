"""What all suites share: places, the two sides, processes with a time limit, checked-in lists."""
import fnmatch
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = ROOT / "tests" / "conformance"
DEPS = ROOT / "build" / "deps"
OUT = Path(os.environ.get("CONFORMANCE_OUT", ROOT / "build" / "conformance"))
ZK_HOME = DEPS / "zookeeper-3.9.5"
JAR = Path(os.environ.get("CONFORMANCE_JAR", ROOT / "build" / "groupkeeper.jar"))
NETTY = "org.apache.zookeeper.server.NettyServerCnxnFactory"
PLUGIN = "org.apache.zookeeper.server.GroupkeeperServerCnxnFactory"
KEYRING_COMMAND = os.environ.get("CONFORMANCE_KEYRING_COMMAND", f"{ROOT}/build/bin/gk-admin keyring init").split()


@dataclass
class Result:
    """What one test did on one side. status: passed, failed, skipped."""
    status: str
    message: str = ""
    again: bool = False  # passed at the second attempt only


class Side:
    """Stock Netty, or the plugin: one jar and some properties are the whole difference."""

    def __init__(self, name):
        self.name = name
        self.plugin = name == "plugin"
        self.factory = PLUGIN if self.plugin else NETTY

    def keyring(self, directory):
        path = Path(directory) / "keyring"
        if not path.exists():
            subprocess.run([*KEYRING_COMMAND, path], check=True, stdout=subprocess.DEVNULL)
        return path

    def jars(self):
        return [str(JAR)] if self.plugin else []

    def properties(self, directory):
        """System properties of a JVM in which servers run."""
        properties = {"zookeeper.serverCnxnFactory": self.factory}
        if self.plugin:
            properties["zookeeper.groupkeeper.keyring"] = str(self.keyring(directory))
        return [f"-D{key}={value}" for key, value in properties.items()]


SIDES = (Side("stock"), Side("plugin"))


def run(command, log, limit, cwd=None, env=None):
    """Runs a command in a process group of its own, its output into the file log. Returns the exit code, None when the limit ended it."""
    with open(log, "wb") as out:
        process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            end_group(process)


def end_group(process):
    """Whatever a suite left behind in its own process group ends with it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def lines_of(path):
    """The lines of a list without comments and empty lines."""
    for line in Path(path).read_text().splitlines():
        line = line.split("#", 1)[0].strip() if line.startswith("#") or " #" in line else line.strip()
        if line:
            yield line


class Exclusions:
    """exclusions.txt: lines `SUITE PATTERN [/MESSAGE/]: REASON`. With a message, a regular expression, the test is excluded only when it
    fails with that."""
    LINE = re.compile(r"(?P<suite>\S+) (?P<pattern>\S+)( /(?P<message>.*?)/)?: (?P<reason>.*)")

    def __init__(self, path=HERE / "exclusions.txt"):
        self.entries = []
        for line in lines_of(path):
            entry = self.LINE.fullmatch(line)
            if not entry:
                raise SystemExit(f"conformance: error: LIST: '{line}' of {path} isn't 'SUITE PATTERN [/MESSAGE/]: REASON' (hint: see its top)")
            self.entries.append(entry)

    def reason(self, suite, test, message):
        for entry in self.entries:
            if entry["suite"] == suite and fnmatch.fnmatchcase(test, entry["pattern"]) and re.search(entry["message"] or "", message):
                return entry["reason"]
        return None


def fresh(directory):
    """An empty folder; what an earlier run left there goes."""
    directory = Path(directory)
    if directory.exists():
        subprocess.run(["rm", "-rf", directory], check=True)
    directory.mkdir(parents=True)
    return directory


def retry(results, second):
    """On a busy machine tests with short time limits fail now and then: what passes at a second attempt passed, and is counted as such."""
    for test, result in second.items():
        if result.status == "passed" and results.get(test, result).status != "passed":
            results[test] = Result("passed", results[test].message, again=True)
    if all(result.status != "failed" for result in second.values()):
        for whole in [test for test in results if test.endswith(("(class)", "(file)")) and test not in second]:
            del results[whole]
            results.update({test: Result(result.status, result.message, again=True) for test, result in second.items() if test not in results})


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)
