"""One standalone server as its operator starts it: a zoo.cfg, a class path, an exit code. For starts that are meant to fail."""
import functools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from gkraw import Closed, Raw
from gktest import ROOT, SANDBOX

FACTORY = "org.apache.zookeeper.server.GroupkeeperServerCnxnFactory"
LOGBACK = """<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%d %-5p [%t] %c{0}: %m%n</pattern></encoder></appender>
  <root level="INFO"><appender-ref ref="OUT"/></root>
</configuration>
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


@functools.cache
def environment():
    """What gk-sandbox says about Java and the class path."""
    with tempfile.TemporaryDirectory(prefix="gk-env-") as folder:
        return json.loads(subprocess.run([SANDBOX, "env", "--dir", folder, "--json"], capture_output=True, text=True, check=True).stdout)


def make_keyring(path):
    subprocess.run([ROOT / "build" / "bin" / "gk-admin", "keyring", "init", path], check=True, stdout=subprocess.DEVNULL)
    return path


class Server:
    """Not started by the constructor. Its folder is the test's; `keyring` names a file that isn't made here."""

    def __init__(self, test, plugin=True):
        self.holder = tempfile.TemporaryDirectory(prefix="gk-server-")
        test.addCleanup(self.holder.cleanup)
        test.addCleanup(self.kill)
        self.dir, self.plugin, self.process = Path(self.holder.name), plugin, None
        self.keyring, self.log, self.data = self.dir / "keyring", self.dir / "log", self.dir / "data"
        self.data.mkdir()
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"

    def start(self, *settings, properties=(), uid=None):
        env = environment()
        lines = [f"dataDir={self.data}", f"clientPort={self.port}", "clientPortAddress=127.0.0.1", "tickTime=500", "admin.enableServer=false",
                 "4lw.commands.whitelist=*", "extendedTypesEnabled=true"]
        if self.plugin:
            lines += [f"serverCnxnFactory={FACTORY}", f"zookeeper.groupkeeper.keyring={self.keyring}"]
        (self.dir / "zoo.cfg").write_text("\n".join([*lines, *settings]) + "\n")
        (self.dir / "logback.xml").write_text(LOGBACK)
        if uid is not None:
            for path in (self.dir, self.data):
                os.chown(path, uid, uid)
        user = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        classpath = env["GK_CLASSPATH"] if uid is None else self.readable_copy(env["GK_CLASSPATH"])
        command = [env["GK_JAVA"], "-Xmx256m", "-XX:TieredStopAtLevel=1", *properties, f"-Dlogback.configurationFile={self.dir / 'logback.xml'}", "-cp", classpath,
                   "org.apache.zookeeper.server.quorum.QuorumPeerMain", self.dir / "zoo.cfg"]
        self.begin = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir, start_new_session=True, **user)
        return self

    def readable_copy(self, classpath):
        """The checkout may lie where other users can't go."""
        folder = self.dir / "lib"
        folder.mkdir(exist_ok=True)
        for jar in classpath.split(":"):
            shutil.copy(jar, folder)
        return f"{folder}/*"

    def ends(self, seconds=30):
        """The exit code, and how long it took."""
        code = self.process.wait(seconds)
        return code, time.monotonic() - self.begin

    def serves(self, seconds=30):
        """A session; raises when none comes in time."""
        deadline = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                raise AssertionError(f"exit {self.process.returncode}:\n{self.output()[-3000:]}")
            try:
                return Raw(self.address)
            except (OSError, Closed):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def output(self):
        return self.log.read_text(errors="replace")

    def messages(self):
        """The plugin's own lines to the operator."""
        return [line for line in self.output().splitlines() if line.startswith("groupkeeper: error: ")]

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
