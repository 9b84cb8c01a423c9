"""What a server is started with: Java, class path, plugin, keyring, command line."""
import os
import shutil
import subprocess
from pathlib import Path

from . import ROOT, SandboxError

JAR = ROOT / "build" / "groupkeeper.jar"
ADMIN = ROOT / "build" / "bin" / "gk-admin"
PLUGIN_FACTORY = "org.apache.zookeeper.server.GroupkeeperServerCnxnFactory"
MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"


def java():
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(str(Path(home) / "bin" / "java")) if home else None
    found = found or shutil.which("java")
    if not found:
        raise SandboxError("NOJAVA", "no java found", "run 'make deps', or set JAVA_HOME")
    return found


def zookeeper_home(version):
    return ROOT / "build" / "deps" / f"zookeeper-{version}"


def need_zookeeper(version):
    """Fetches another version of ZooKeeper when it's asked for the first time."""
    if any(zookeeper_home(version).glob("zookeeper-[0-9]*.jar")):
        return
    done = subprocess.run([ROOT / "mk" / "deps" / "maven.sh", "zookeeper", version], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise SandboxError("NOZOOKEEPER", f"ZooKeeper {version} is not there: {lines[-1] if lines else 'no message'}", "run 'make deps'")


def need_plugin(ensemble):
    """The jar must be built; a keyring is made when there is none."""
    if not JAR.exists():
        raise SandboxError("NOPLUGIN", f"{JAR} is not built", "run 'make', or give --plugin off")
    need_keyring(ensemble)


def need_keyring(ensemble):
    if ensemble.keyring.exists():
        return
    if not ADMIN.exists():
        raise SandboxError("NOADMIN", f"{ADMIN} is not built, so no keyring can be made", "run 'make', or give --plugin off")
    done = subprocess.run([ADMIN, "keyring", "init", ensemble.keyring], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError("KEYRING", f"gk-admin keyring init failed: {done.stderr.strip()}", f"look at {ensemble.keyring}")


def classpath(ensemble, plugin, expand=False):
    home = zookeeper_home(ensemble.options.zk_version)
    parts = sorted(str(p) for p in home.glob("*.jar")) if expand else [f"{home}/*"]
    return ":".join(parts + ([str(JAR)] if plugin else []) + ensemble.options.classpath_add)


def plugin_properties(ensemble):
    """The plugin's settings in zoo.cfg's words."""
    settings = {"serverCnxnFactory": PLUGIN_FACTORY, "groupkeeper.keyring": str(ensemble.keyring)}
    if ensemble.options.netns and not ensemble.options.tls and not ensemble.standalone:
        settings["groupkeeper.insecure-quorum"] = "true"
    return settings


def server_command(server):
    ensemble = server.ensemble
    enter = ensemble.net.enter(ensemble.net.namespace(server.id)) if ensemble.net else []
    options = ensemble.options.jvm or ["-Xmx512m"]
    return enter + [java(), *options, f"-Dlogback.configurationFile={server.dir / 'logback.xml'}",
                    "-cp", classpath(ensemble, server.plugin), MAIN, str(server.cfg)]


def environment(ensemble):
    """What another program needs to start a server with the plugin itself."""
    need_keyring(ensemble)
    properties = plugin_properties(ensemble)
    tls = ensemble.options.tls and ensemble.known
    return {
        "GK_JAR": str(JAR),
        "GK_CLASSPATH": classpath(ensemble, True, expand=True),
        "GK_JAVA": java(),
        "GK_JVM_PROPS": " ".join(f"-Dzookeeper.{key}={value}" for key, value in properties.items()),
        "GK_KEYRING": str(ensemble.keyring),
        "GK_CONNECT": ensemble.connect() if ensemble.known else "",
        "GK_CONNECT_SECURE": ensemble.connect("secure") if tls else "",
        "GK_TLS": str(ensemble.dir / "tls") if tls else "",
    }
