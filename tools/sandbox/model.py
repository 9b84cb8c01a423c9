"""What an ensemble is made of, and the file D/sandbox.json that remembers it between two commands."""
import fcntl
import json
import os
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from . import DEFAULT_ZK_VERSION, SandboxError

STATE_FILE = "sandbox.json"
LOCK_SECONDS = 120
# These hold for one start; all others stay what they were when not given again.
PER_START = ("set", "jvm", "classpath_add", "netns")
# Changing one of these moves servers to other addresses or roles: what reconfig once wrote is void then.
LAYOUT = ("servers", "observers", "base_port", "netns")


@dataclass
class Options:
    """The options of `start`, as last given."""
    servers: int = 3
    observers: int = 0
    base_port: int = 0
    tls: bool = False
    zk_version: str = DEFAULT_ZK_VERSION
    factory: str = ""
    set: list = field(default_factory=list)
    jvm: list = field(default_factory=list)
    classpath_add: list = field(default_factory=list)
    netns: bool = False


class Server:
    """One server: where it listens and where its files are."""

    def __init__(self, ensemble, ident):
        self.ensemble, self.id = ensemble, ident
        self.dir = ensemble.dir / f"server-{ident}"
        self.cfg = self.dir / "zoo.cfg"
        self.data, self.datalog = self.dir / "data", self.dir / "datalog"
        self.log = self.dir / "log" / "zookeeper.log"
        self.pid_file = self.dir / "pid"
        self.observer = ident > ensemble.options.servers
        if ensemble.net:
            self.host, self.quorum_host = ensemble.net.client_address(ident), ensemble.net.quorum_address(ident)
        else:
            self.host = self.quorum_host = "127.0.0.1"

    def port(self, kind):
        offset = {"client": 0, "secure": 100, "quorum": 200, "election": 300, "admin": 400}[kind]
        return self.ensemble.options.base_port + offset + self.id

    @property
    def ports(self):
        kinds = ["client", "admin"] + (["secure"] if self.ensemble.options.tls else [])
        return [self.port(k) for k in kinds + ([] if self.ensemble.standalone else ["quorum", "election"])]

    def address(self, kind):
        return f"{self.host}:{self.port(kind)}"

    @property
    def plugin(self):
        return self.ensemble.plugin.get(self.id, True)


class Ensemble:
    """All servers under one directory."""

    def __init__(self, directory):
        self.dir = Path(directory).resolve()
        self.options, self.plugin, self.partitioned, self.net = Options(), {}, set(), None
        self.known = (self.dir / STATE_FILE).exists()
        if self.known:
            self._load()

    @classmethod
    def existing(cls, directory):
        ensemble = cls(directory)
        if not ensemble.known:
            raise SandboxError("NOSANDBOX", f"{directory} holds no sandbox", f"gk-sandbox start --dir {directory}")
        return ensemble

    def _load(self):
        try:
            state = json.loads((self.dir / STATE_FILE).read_text())
            names = {f.name for f in fields(Options)}
            self.options = Options(**{k: v for k, v in state["options"].items() if k in names})
            self.plugin = {int(k): v for k, v in state["plugin"].items()}
            self.partitioned = set(state["partitioned"])
        except (ValueError, KeyError, TypeError) as error:
            raise SandboxError("BADSTATE", f"{self.dir / STATE_FILE} is damaged: {error}",
                               "remove that file and start again with the same options: the data stays") from error
        if state.get("subnet"):
            self.use_net(state["subnet"])

    def use_net(self, subnet):
        from .net import Network  # only root with namespaces needs it
        self.net = Network(self.dir, subnet)

    def save(self):
        state = {"format": 1, "options": asdict(self.options), "plugin": self.plugin, "partitioned": sorted(self.partitioned),
                 "subnet": self.net.subnet if self.net else None}
        temporary = self.dir / (STATE_FILE + ".new")
        temporary.write_text(json.dumps(state, indent=1) + "\n")
        os.replace(temporary, self.dir / STATE_FILE)
        self.known = True

    @contextmanager
    def lock(self):
        """One changing command at a time; others wait for their turn."""
        self.dir.mkdir(parents=True, exist_ok=True)
        with open(self.dir / ".lock", "w") as handle:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise SandboxError("BUSY", f"another gk-sandbox is changing {self.dir}", "wait for it to end") from None
                    time.sleep(0.1)
            yield

    @property
    def count(self):
        return self.options.servers + self.options.observers

    @property
    def standalone(self):
        return self.count == 1

    @property
    def members(self):
        return [Server(self, i) for i in range(1, self.count + 1)]

    def member(self, ident):
        if not 1 <= ident <= self.count:
            raise SandboxError("NOSERVER", f"there is no server {ident} in {self.dir}", f"servers are 1 to {self.count}")
        return Server(self, ident)

    def connect(self, kind="client"):
        return ",".join(m.address(kind) for m in self.members)

    @property
    def keyring(self):
        return self.dir / "keyring"
