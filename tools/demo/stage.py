"""The demo's stage: the ensemble, the stock clients as programs, ZooKeeper's own tool to read its disks."""
import base64
import json
import re
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPS = ROOT / "build" / "deps"
CLIENTS = ROOT / "build" / "clients"
SANDBOX = ROOT / "tools" / "gk-sandbox"


class StageError(Exception):
    """The stage can't be set: not a broken promise, but no demo either."""


def run(command, timeout=60, check=True):
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, errors="replace", timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise StageError(f"{Path(str(command[0])).name} took longer than {timeout} s") from error
    if check and done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no message"]
        raise StageError(f"{Path(str(command[0])).name} failed: {lines[-1]}")
    return done


class Stage:
    """Three servers under `folder`, and one stock server beside them as the control of the search."""

    def __init__(self, folder, plugin):
        self.dir, self.plugin = folder / "ensemble", plugin
        self.control_dir = folder / "stock"
        self.control = None
        word = secrets.token_hex(3)
        # Planted secrets: where each goes says what it proves.
        self.names = {"node": f"vault-{word}", "order": f"order-of-{word}-", "folder": f"bank-{word}"}
        self.data = f"IBAN-{word}-payload-4711"
        self.root = f"/{self.names['folder']}"

    @property
    def secrets(self):
        return [*self.names.values(), self.data]

    def sandbox(self, command, *args):
        return run([SANDBOX, command, "--dir", self.dir, *args], timeout=120).stdout

    def start(self):
        # Frequent snapshots, so that the search looks at snapshots as well as at transaction logs.
        self.sandbox("start", "--servers", "3", "--tls", "on", "--plugin", "on" if self.plugin else "off", "--set", "snapCount=200")
        self.control = subprocess.Popen([str(SANDBOX), "start", "--dir", str(self.control_dir), "--servers", "1", "--plugin", "off"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def stop(self):
        if self.control:
            self.control.wait()
        for folder in (self.dir, self.control_dir):
            run([SANDBOX, "stop", "--dir", folder], check=False)

    def servers(self):
        return json.loads(self.sandbox("status", "--json"))["servers"]

    def connect(self, *idents):
        return ",".join(s["secure"] for s in self.servers() if not idents or s["id"] in idents)

    def control_connect(self):
        """The stock server's address, once it serves."""
        output, _ = self.control.communicate(timeout=90)
        if self.control.returncode:
            raise StageError(f"the stock server does not start: {output.strip().splitlines()[-1]}")
        return output.strip().splitlines()[-1].removeprefix("connect=")

    @property
    def folders(self):
        return [self.dir / f"server-{i}" for i in (1, 2, 3)]

    @property
    def tls(self):
        return self.dir / "tls"

    # ---- stock clients ----

    def _java(self, main, *args, classes=()):
        path = ":".join(map(str, [*classes, f"{DEPS}/zookeeper-3.9.5/*"]))
        quiet = [f"-Dlogback.configurationFile={self.dir}/server-1/logback.xml", "-Dzookeeper.log.level=OFF", "-Xshare:auto",
                 "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        return run(["java", *quiet, "-cp", path, main, *args])

    def zkcli(self, *args, connect=None):
        """One command of ZooKeeper's shell; returns the lines it printed itself."""
        where = ["-server", connect] if connect else ["-client-configuration", self.tls / "client.cfg", "-server", self.connect()]
        output = self._java("org.apache.zookeeper.ZooKeeperMain", *where, *args).stdout
        noise = re.compile(r"^(Connecting to|WATCHER|WatchedEvent|Welcome|JLine|\s*$)")
        return [line for line in output.splitlines() if not noise.match(line)]

    def kazoo(self):
        return json.loads(run([sys.executable, ROOT / "tests" / "clients" / "kazoo_client.py", "--connect", self.connect(), "--tls", self.tls,
                               "--secret", self.data, "--prefix", self.names["order"], f"{self.root}/kazoo"]).stdout.splitlines()[-1])

    def curator(self):
        done = self._java("CuratorLock", self.connect(), self.tls / "client.cfg", f"{self.root}/lock", "3", "8",
                          classes=[CLIENTS, f"{DEPS}/curator/*"])
        return json.loads(done.stdout.splitlines()[-1])

    def c_client(self):
        certs = ",".join(str(self.tls / name) for name in ("ca.pem", "client.pem", "client.key"))
        done = run([CLIENTS / "c_client", self.connect(), certs, self.root, f"c-{self.names['node']}", self.data])
        return json.loads(done.stdout.splitlines()[-1])

    # ---- the disk ----

    def on_disk(self, czxid):
        """The node that was created by this transaction, as ZooKeeper's own SnapshotFormatter reads it: (path, data bytes)."""
        snapshots = sorted(self.folders[0].glob("data/version-2/snapshot.*"), key=lambda p: int(p.suffix[1:], 16), reverse=True)
        for snapshot in snapshots[:3]:
            try:
                text = self._java("org.apache.zookeeper.server.SnapshotFormatter", "-d", snapshot).stdout
            except StageError:
                continue  # still being written
            found = re.search(r"^----\n(/[^\n]*)\n\s*cZxid = 0x0*%x\n(?:.*\n)*?\s*data = (\S*)" % czxid, text, re.M)
            if found:
                return found[1], base64.b64decode(found[2]), snapshot
        raise StageError(f"no snapshot of server 1 holds transaction 0x{czxid:x}")
