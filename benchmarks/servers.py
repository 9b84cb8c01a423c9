"""The four configurations as real servers (tools/gk-sandbox), and a load generator connected to each."""
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SANDBOX = ROOT / "tools" / "gk-sandbox"
LOAD = ROOT / "build" / "bench" / "load"
JAR = ROOT / "build" / "groupkeeper.jar"
TUNED = "serverCnxnFactory=org.apache.zookeeper.server.TunedNettyServerCnxnFactory"
OPTIONS = {
    "nio": ("--plugin", "off", "--factory", "nio"),
    "netty": ("--plugin", "off"),
    "tuned": ("--plugin", "off", "--classpath-add", JAR, "--set", TUNED),
    "encrypted": ("--plugin", "on"),
}
TMPFS = Path("/dev/shm")


class BenchError(Exception):
    pass


def ended_cleanly():
    """A program that is told to end takes its servers with it."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))


class Ensemble:
    """Fresh servers of one configuration on tmpfs, gone with their data after stop()."""

    def __init__(self, configuration, servers=1, tls=False, jvm=("-Xms1g", "-Xmx1g"), settings=()):
        self.configuration, self.tls = configuration, tls
        self.dir = Path(tempfile.mkdtemp(prefix="gk-bench-", dir=TMPFS if TMPFS.is_dir() else None))
        self.command = ["--servers", servers, "--tls", "on" if tls else "off", *OPTIONS[configuration]]
        for option in jvm:
            self.command += ["--jvm", option]
        for pair in settings:
            self.command += ["--set", pair]
        try:
            self._run("start", *self.command)
            self._look()
        except BaseException:
            self.stop()
            raise

    def _look(self):
        self.servers = json.loads(self._run("status", "--json"))["servers"]
        self.pids = [s["pid"] for s in self.servers]
        self.connect = ",".join(s["secure" if self.tls else "client"] for s in self.servers)

    def again(self):
        """All servers are stopped, and started on their data."""
        self._run("stop")
        self._run("start", *self.command)
        self._look()

    def _run(self, command, *args):
        done = subprocess.run([SANDBOX, command, "--dir", self.dir / "e", *map(str, args)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"{self.configuration}: gk-sandbox {command}: {done.stderr.strip()}")
        return done.stdout

    def certificates(self):
        tls = self.dir / "e" / "tls"
        return ["--ca", tls / "ca.pem", "--cert", tls / "client.pem", "--key", tls / "client.key"] if self.tls else []

    def stop(self):
        if (self.dir / "e").exists():
            subprocess.run([SANDBOX, "stop", "--dir", self.dir / "e"], capture_output=True, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


class Load:
    """A load generator that waits for phases; its sessions stay."""

    def __init__(self, connect, connections=8, pids=(), more=()):
        command = [LOAD, "--connect", connect, "--connections", connections, *(["--pids", ",".join(map(str, pids))] if pids else []), *more]
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise BenchError(self.process.stderr.read().strip() or f"load ended with exit {self.process.returncode}")
        return json.loads(line)

    def phase(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self._answer()

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
