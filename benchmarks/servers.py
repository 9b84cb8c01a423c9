"""The four configurations as real servers (tools/gk-sandbox), and a load generator connected to each."""
import json
import random
import shutil
import socket
import subprocess
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


def free_base(servers):
    """A base port whose ports for that many servers are free now; a random one, as others may look for some at the same time."""
    for base in random.sample(range(20000, 32000, 50), 100):
        try:
            for port in [base + 100 * kind + i for kind in range(5) for i in range(1, servers + 1)]:
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
    raise BenchError("no free ports")


class Ensemble:
    """Fresh servers of one configuration on tmpfs, gone with their data after stop()."""

    def __init__(self, configuration, servers=1, tls=False, jvm=("-Xms1g", "-Xmx1g"), settings=()):
        self.configuration, self.tls = configuration, tls
        self.dir = Path(tempfile.mkdtemp(prefix="gk-bench-", dir=TMPFS if TMPFS.is_dir() else None))
        command = ["--servers", servers, "--tls", "on" if tls else "off", *OPTIONS[configuration]]
        for option in jvm:
            command += ["--jvm", option]
        for pair in settings:
            command += ["--set", pair]
        try:
            self._start(command, servers)
            self.servers = json.loads(self._run("status", "--json"))["servers"]
        except BaseException:
            self.stop()
            raise
        self.pids = [s["pid"] for s in self.servers]
        self.connect = ",".join(s["secure" if tls else "client"] for s in self.servers)

    def _start(self, command, servers, attempts=4):
        for attempt in range(1, attempts + 1):
            try:
                return self._run("start", "--base-port", free_base(servers), *command)
            except BenchError as error:
                if attempt == attempts or "PORT" not in str(error):
                    raise

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
