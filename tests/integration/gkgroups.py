"""A world of group keys for tests: a root of its own in a sandbox's ensemble, an administrator, controllers, members. Everything through the tools."""
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from gkrelay import Relay
from gkserver import free_port
from gktest import ROOT

BIN = Path(os.environ.get("GK_BIN", ROOT / "build" / "bin"))  # of another build: make groups-sanitized
ADMIN, MEMBER = BIN / "gk-admin", BIN / "gk-member"
PATIENCE = 30


def wait(condition, what, seconds=PATIENCE):
    """Polls until condition() is true, and gives what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Process:
    """A program that goes on; what it prints is collected in files."""

    def __init__(self, world, name, args):
        self.out, self.err = world.dir / f"{name}.out", world.dir / f"{name}.err"
        self.process = subprocess.Popen([str(a) for a in args], stdout=open(self.out, "a"), stderr=open(self.err, "a"), stdin=subprocess.DEVNULL)
        world.processes.append(self.process)

    def lines(self):
        return [json.loads(line) for line in self.out.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.process.wait(PATIENCE)
        return self.process.returncode


class Member(Process):
    def keys(self):
        return {line["epoch"]: line for line in self.lines() if line["event"] == "key"}

    def has(self, epoch, seconds=PATIENCE):
        return wait(lambda: self.keys().get(epoch), f"epoch {epoch} in {self.out}: {self.lines()[-3:]} {self.err.read_text()[-300:]}", seconds)


class World:
    serial = 0

    def __init__(self, test, connect, tls=None):
        """tls: a sandbox's folder tls, for connections over TLS."""
        holder = tempfile.TemporaryDirectory(prefix="gk-groups-")
        test.addCleanup(holder.cleanup)
        test.addCleanup(self.stop)
        World.serial += 1
        self.dir, self.connect, self.processes = Path(holder.name), connect, []
        self.root = f"/gk-{os.getpid()}-{World.serial}"
        self.tls = ["--ca", tls / "ca.pem", "--cert", tls / "client.pem", "--key", tls / "client.key"] if tls else []
        self.controllers, self.relays = {}, None  # relays: {controller: [Relay]}, when they can be cut off
        self.admin("identity", "new", self.dir / "admin.key")

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    def run(self, args, check=True, data=None):
        done = subprocess.run([str(a) for a in args], capture_output=True, check=False, input=data, timeout=90)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(map(str, args[1:5]))}...: exit {done.returncode}\n{done.stderr.decode()}{self.logs()}")
        return done

    def logs(self):
        return "".join(f"{f.name}: {f.read_text()[-8000:]}\n" for f in sorted(self.dir.glob("controller-*.*")) if f.suffix in (".out", ".err"))

    def common(self):
        return ["--connect", self.connect, "--root", self.root, *self.tls]

    def admin(self, *args, check=True):
        done = self.run([ADMIN, *args, "--json", *self.common(), "--admin-key", self.dir / "admin.key", "--timeout", "30s"], check)
        return json.loads(done.stdout) if done.stdout and not done.returncode else done

    def setup(self, *names, options=()):
        ports = [free_port() for _ in names]
        for name in names:
            self.admin("identity", "new", self.dir / f"{name}.key")
        self.admin("setup", *(a for n in names for a in ("--controller", self.dir / f"{n}.key.pub")))
        self.ports = dict(zip(names, ports))
        for name in names:
            self.start(name, *options)
        self.leader()

    def ways(self, name):
        """A controller's ways to ZooKeeper and to its peers; with relays, they lead through relays of its own."""
        connect, peers = self.connect.split(","), [f"127.0.0.1:{port}" for other, port in self.ports.items() if other != name]
        if self.relays is not None:
            if name not in self.relays:
                self.relays[name] = [Relay((host, int(port))) for host, _, port in (to.partition(":") for to in connect + peers)]
            through = [r.address for r in self.relays[name]]
            connect, peers = through[:len(connect)], through[len(connect):]
        return ["--connect", ",".join(connect), "--root", self.root, *self.tls, *(a for p in peers for a in ("--peer", p))]

    def start(self, name, *options):
        self.controllers[name] = Process(self, f"controller-{name}", [
            ADMIN, "controller", "run", "--id", name, "--identity", self.dir / f"{name}.key", "--listen", f"127.0.0.1:{self.ports[name]}",
            *self.ways(name), *options])

    def cut(self, name):
        for relay in self.relays[name]:
            relay.cut()

    def heal(self, name):
        for relay in self.relays[name]:
            relay.heal()

    def role(self, name):
        lines = self.controllers[name].lines()
        return lines[-1] if lines else {"role": "none"}

    def leaders(self):
        return [n for n, c in self.controllers.items() if c.process.poll() is None and self.role(n)["role"] == "leader"]

    def leader(self, but=None):
        return wait(lambda: next((n for n in self.leaders() if n != but), None), f"a leader other than {but}: "
                    + str({n: c.err.read_text()[-400:] for n, c in self.controllers.items()}))

    def token(self, group, **options):
        file = self.dir / f"token-{time.monotonic_ns()}"
        file.write_text(self.admin("token", "create", group, *(a for k, v in options.items() for a in (f"--{k}", v)))["token"])
        return file

    def trust(self, group):
        file = self.dir / f"{group}.trust"
        file.write_text(self.admin("group", "trust", group)["trust"])
        return file

    def join(self, group, name, *args, check=True, wait_s=30):
        """By a new token, unless args tell otherwise; gives the finished process."""
        how = args or ("--token-file", self.token(group))
        return self.run([MEMBER, "join", group, "--as", name, "--state", self.dir / f"{name}.state", "--wait", f"{wait_s}s", *self.common(), *how], check)

    def follow(self, group, name, *args):
        return Member(self, name, [MEMBER, "run", group, "--state", self.dir / f"{name}.state", *args])

    def member(self, group, name):
        self.join(group, name)
        return self.follow(group, name)

    def show(self, group):
        return self.admin("group", "show", group)

    def tool(self, *args, check=True, data=None):
        return self.run([MEMBER, *args], check, data)
