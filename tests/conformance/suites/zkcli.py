"""zkCli through all its commands: one transcript on each side, block by block, with times, zxids and session ids masked."""
import queue
import re
import subprocess
import threading
import time

from .common import HERE, OUT, ROOT, ZK_HOME, Result, fresh, lines_of, say

NAME = "zkcli"
SANDBOX = ROOT / "tools" / "gk-sandbox"
BASE_PORT = 26500
SUPER = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="
MARK, MARKED = "redo 99999", "Command index out of range"
ANSWER_SECONDS, QUIET_SECONDS = 30, 0.15
DATE = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \S+ \d{4}")
ZXID = re.compile(r"(zxid:? = ?|Zxid = |version = |version=|zxid: )(0x[0-9a-f]+|[0-9a-f]{9,}|\d{6,})", re.I)
ELECTION = re.compile(r"WatchedEvent state:(Disconnected|SyncConnected) type:None")
LISTING = re.compile(r"\[[^\[\]]*\]")  # of children or of ephemerals, in a hash order
SESSION = re.compile(r"0x[0-9a-f]{12,}")


class Cli:
    """One zkCli process; a command that needs no connection after each command tells where its answer ends."""

    def __init__(self, connect, log):
        jars = [str(jar) for jar in sorted(ZK_HOME.glob("*.jar")) if not jar.name.startswith("jline")]
        self.process = subprocess.Popen(
            ["java", f"-Dlogback.configurationFile={HERE / 'logback-quiet.xml'}", "-cp", ":".join(jars), "org.apache.zookeeper.ZooKeeperMain",
             "-waitforconnection", "-server", connect],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.lines = queue.Queue()
        self.log = log
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.log.write(line)
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def ask(self, command):
        """The lines that the command brought, watch events among them sorted to the end."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        time.sleep(QUIET_SECONDS)
        self.process.stdin.write(MARK + "\n")
        self.process.stdin.flush()
        answer, deadline = [], time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                line = self.lines.get(timeout=max(0.1, deadline - time.monotonic()))
            except queue.Empty:
                return answer + ["(no answer)"]
            if line is None:
                return answer + ["(zkCli ended)"]
            if line == MARKED:
                return arrange(answer)
            answer.append(line)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def arrange(lines):
    """Connections come and go with elections, which a reconfig may bring about or not, as it hits the leader: those events don't count."""
    lines = [line for line in lines if not ELECTION.match(line)]
    events = sorted(line for line in lines if line.startswith("WatchedEvent"))
    others = [line for line in lines if line.strip() and not line.startswith(("WatchedEvent", "WATCHER::"))]
    others = [f"[{', '.join(sorted(line[1:-1].split(', ')))}]" if LISTING.fullmatch(line) else line for line in others]
    return others + events


class Mask:
    """zxids become Z1, Z2, ... in the order of their first appearance, so that equal ones stay equal."""

    def __init__(self):
        self.seen = {}

    def number(self, match):
        return match[1] + self.seen.setdefault(match[2], f"Z{len(self.seen) + 1}")

    def __call__(self, line):
        line = DATE.sub("<time>", line)
        line = SESSION.sub("<session>", line)
        return ZXID.sub(self.number, line)


def transcript(side):
    """[(command, masked lines)]"""
    directory = fresh(OUT / NAME / side.name)
    if side.plugin:
        (directory / "servers").mkdir()
        side.keyring(directory / "servers")
    sandbox = lambda *words: subprocess.run([SANDBOX, words[0], "--dir", directory / "servers", *words[1:]], check=True, capture_output=True, text=True)
    sandbox("start", "--servers", "3", "--plugin", "on" if side.plugin else "off", "--base-port", str(BASE_PORT), "--set", "reconfigEnabled=true",
            "--set", "enforceQuota=true", "--jvm", "-Xmx256m", "--jvm", f"-Dzookeeper.DigestAuthenticationProvider.superDigest={SUPER}")
    blocks, mask = [], Mask()
    try:
        with open(directory / "transcript", "w", encoding="utf-8") as log:
            cli = Cli(f"127.0.0.1:{BASE_PORT + 1}", log)
            cli.ask("version")
            for command in lines_of(HERE / "zkcli.txt"):
                command = command.replace("@PORT1", str(BASE_PORT + 1)).replace("@PORT2", str(BASE_PORT + 2))
                command = command.replace("@QUORUM3", str(BASE_PORT + 203)).replace("@ELECTION3", str(BASE_PORT + 303))
                command = command.replace("@PORT3", str(BASE_PORT + 3))
                blocks.append((command, [mask(line) for line in cli.ask(command)]))
            cli.close()
    finally:
        sandbox("stop")
    return blocks


def run_sides(sides, _full, _only=()):
    """{side: {test: Result}}: on stock a command passes when it is answered, on the plugin when the answer is the same."""
    stock, plugin = (transcript(side) for side in sides)
    found = ({}, {})
    for number, ((command, expected), (_, seen)) in enumerate(zip(stock, plugin), 1):
        test = f"{number:03} {command}"
        answered = expected[-1:] not in (["(no answer)"], ["(zkCli ended)"])
        found[0][test] = Result("passed" if answered else "failed", "" if answered else expected[-1])
        same = expected == seen
        found[1][test] = Result("passed" if same else "failed", "" if same else f"expected {difference(expected, seen)}")
    bad = [test for test, result in found[1].items() if result.status == "failed"]
    say(f"{NAME}: {len(found[0])} commands, {len(bad)} answered otherwise{': ' + ', '.join(bad) if bad else ''}")
    return found


def difference(expected, seen):
    only = lambda a, b: [line for line in a if line not in b]
    if sorted(expected) == sorted(seen):
        return f"the order {expected} but saw {seen}"
    return f"{only(expected, seen)} but saw {only(seen, expected)}"
