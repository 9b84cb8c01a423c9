"""gk-sandbox itself, on real stock servers."""
import json
import logging
import os
import shlex
import socket
import subprocess
import unittest
from pathlib import Path

from kazoo.client import KazooClient

import gktest
from gktest import SANDBOX, Sandbox

COMMANDS = "start status stop heal env kill pause resume partition logs restart".split()


def client(test, connect, **options):
    made = KazooClient(hosts=connect, timeout=10, **options)
    made.start(timeout=20)
    test.addCleanup(made.close)
    test.addCleanup(made.stop)
    return made


def words(host, port, word=b"ruok"):
    with socket.create_connection((host, port), 2) as sock:
        sock.sendall(word)
        return sock.recv(100)


class CommandLine(unittest.TestCase):
    def call(self, *args):
        return subprocess.run([SANDBOX, *args], capture_output=True, text=True, check=False)

    def test_help_has_an_example(self):
        for command in COMMANDS:
            done = self.call(command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""), command)
            self.assertIn(f"gk-sandbox {command}", done.stdout.split("example:")[1])
        self.assertRegex(self.call("--version").stdout, r"^gk-sandbox \d+\.\d+\.\d+\n$")

    def test_usage_errors_are_exit_2(self):
        for args in (["start"], ["bogus"], [], ["kill", "--dir", "/tmp/x"], ["start", "--dir", "/tmp/x", "--tls", "maybe"],
                     ["start", "--dir", "/tmp/x", "--set", "novalue"], ["start", "--dir", "/tmp/x", "--base-port", "80"]):
            done = self.call(*args)
            self.assertEqual((done.returncode, done.stdout), (2, ""), args)
            self.assertRegex(done.stderr, r"^gk-sandbox: error: USAGE: .* \(hint: .*\)\n$")

    def test_nothing_there(self):
        sandbox = Sandbox(self)
        self.assertEqual(sandbox.run("stop").returncode, 0)
        for command, *rest in (["status"], ["kill", "1"], ["logs", "1"], ["restart", "1"]):
            done = sandbox.run(command, *rest, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"^gk-sandbox: error: NOSANDBOX: ")


class Standalone(unittest.TestCase):
    def test_life(self):
        sandbox = Sandbox(self)
        connect = sandbox.start("--servers", 1, "--plugin", "off", "--factory", "nio", "--set", "autopurge.purgeInterval=0",
                                "--jvm", "-Xmx200m", "--jvm", "-Dgk.test=1")
        host, port = connect.split(":")
        self.assertEqual(host, "127.0.0.1")
        entry = sandbox.server(1)
        self.assertEqual({**entry, "pid": 0}, {"id": 1, "pid": 0, "state": "running", "mode": "standalone", "plugin": False,
                                               "client": connect, "secure": None, "admin": f"127.0.0.1:{int(port) + 400}"})
        home = sandbox.dir / "server-1"
        self.assertTrue(all((home / name).exists() for name in ("zoo.cfg", "data", "datalog", "log", "pid")))
        self.assertIn("autopurge.purgeInterval=0\n", (home / "zoo.cfg").read_text())
        line = Path(f"/proc/{entry['pid']}/cmdline").read_bytes()
        self.assertIn(b"-Dgk.test=1\0", line)
        self.assertEqual(os.getsid(entry["pid"]), entry["pid"], "a session of its own")
        self.assertEqual(sandbox.start(), connect, "a second start finds everything running")
        self.assertEqual(sandbox.server(1)["pid"], entry["pid"])
        done = sandbox.run("start", "--set", "tickTime=900", check=False)
        self.assertEqual((done.returncode, "RUNNING" in done.stderr), (1, True))

        client(self, connect).create("/kept", b"over a stop")
        self.assertEqual(json.loads(sandbox.run("stop", "--json").stdout), {"stopped": [1]})
        self.assertEqual(json.loads(sandbox.run("stop", "--json").stdout), {"stopped": []})
        self.assertEqual((sandbox.server(1)["state"], sandbox.server(1)["pid"]), ("stopped", None))
        self.assertEqual(sandbox.start(), connect)
        self.assertEqual(client(self, connect).get("/kept")[0], b"over a stop")
        self.assertNotIn("autopurge", (home / "zoo.cfg").read_text(), "--set holds for one start")
        self.assertIn("binding to port", sandbox.run("logs", 1).stdout)

    def test_a_start_that_fails_says_why_and_leaves_nothing(self):
        sandbox = Sandbox(self)
        base = ["--servers", 1, "--plugin", "off", "--base-port", 31700]
        done = sandbox.run("start", *base, "--set", "tickTime=often", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('NumberFormatException: For input string: "often"', done.stderr)
        self.assertIn(str(sandbox.dir / "server-1" / "log" / "zookeeper.log"), done.stderr)
        self.assertEqual(sandbox.server(1)["state"], "stopped")
        with socket.create_server(("127.0.0.1", 31701)):
            done = sandbox.run("start", *base, check=False)
        self.assertRegex(done.stderr, r"^gk-sandbox: error: PORT: port 31701 of server 1 is in use")
        done = sandbox.run("start", *base, "--jvm", "-Xmx1x", check=False)
        self.assertIn("Invalid maximum heap size: -Xmx1x", done.stderr)

    def test_another_programs_pid_is_never_killed(self):
        sandbox = Sandbox(self)
        sandbox.start("--servers", 1, "--plugin", "off")
        pid = sandbox.server(1)["pid"]
        sandbox.run("kill", 1)
        bystander = subprocess.Popen(["sleep", "60"])
        self.addCleanup(bystander.wait)
        self.addCleanup(bystander.kill)
        (sandbox.dir / "server-1" / "pid").write_text(f"{bystander.pid}\n")
        self.assertNotEqual(pid, bystander.pid)
        self.assertEqual(sandbox.run("kill", 1, check=False).returncode, 1)
        sandbox.run("stop")
        self.assertIsNone(bystander.poll())


class Ensemble(unittest.TestCase):
    def test_tls_observer_and_faults(self):
        sandbox = Sandbox(self)
        connect = sandbox.start("--servers", 3, "--observers", 1, "--tls", "on", "--plugin", "off")
        self.assertEqual(sorted(sandbox.modes()), ["follower", "follower", "leader", "observer"])
        self.assertEqual(sandbox.modes()[3], "observer")
        tls = sandbox.dir / "tls"
        secure = ",".join(entry["secure"] for entry in sandbox.status()["servers"])
        over_tls = client(self, secure, use_ssl=True, ca=str(tls / "ca.pem"), certfile=str(tls / "client.pem"), keyfile=str(tls / "client.key"))
        over_tls.create("/a", b"1")
        config = (sandbox.dir / "server-1" / "zoo.cfg").read_text()
        self.assertIn("sslQuorum=true\n", config)

        old = sandbox.leader()
        sandbox.run("kill", old)
        self.assertEqual(sandbox.server(old)["state"], "stopped")
        sandbox.wait(lambda servers: any(s["mode"] == "leader" for s in servers))
        self.assertEqual(over_tls.retry(over_tls.get, "/a")[0], b"1")
        sandbox.run("restart", old)
        self.assertEqual(sandbox.server(old)["mode"], "follower")

        sandbox.run("pause", old)
        self.assertEqual((sandbox.server(old)["state"], sandbox.server(old)["mode"]), ("paused", "none"))
        sandbox.run("resume", old)
        sandbox.wait(lambda servers: servers[old - 1]["mode"] == "follower")
        first, second = [i for i in (1, 2, 3) if i != old]
        sandbox.run("kill", first)
        sandbox.run("kill", second)
        self.assertIn("no quorum yet", sandbox.run("kill", old) and sandbox.run("restart", old).stdout)
        sandbox.run("restart", first)
        self.assertEqual(len(connect.split(",")), 4)
        self.assertEqual(client(self, connect.split(",")[old - 1]).get("/a")[0], b"1")

    def test_what_reconfig_wrote_survives_a_restart(self):
        sandbox = Sandbox(self)
        options = ["--set", "reconfigEnabled=true", "--set", "skipACL=yes"]
        connect = sandbox.start("--servers", 1, "--observers", 1, "--plugin", "off", *options)
        zk = client(self, connect.split(",")[0])
        zk.reconfig(joining=None, leaving="2", new_members=None)
        self.assertNotIn(b"server.2", zk.get("/zookeeper/config")[0])
        sandbox.run("kill", 2)
        sandbox.run("restart", 1)
        self.assertNotIn(b"server.2", client(self, connect.split(",")[0]).get("/zookeeper/config")[0])


class Plugin(unittest.TestCase):
    def test_a_server_without_it_sees_what_the_disk_holds(self):
        sandbox = Sandbox(self)
        connect = sandbox.start("--servers", 3, "--plugin", "on").split(",")
        self.assertEqual((sandbox.dir / "keyring").stat().st_mode & 0o777, 0o600)
        client(self, connect[0]).create("/plain-name", b"plain data")
        self.assertIn("plugin off", sandbox.run("restart", 1, "--plugin", "off").stdout)
        self.assertEqual([entry["plugin"] for entry in sandbox.status()["servers"]], [False, True, True])
        self.assertNotIn("plain-name", client(self, connect[0]).get_children("/"))
        self.assertIn("plain-name", client(self, connect[1]).get_children("/"))
        sandbox.run("kill", 1)
        self.assertIn("plugin on", sandbox.run("restart", 1, "--plugin", "on").stdout)
        zk = client(self, connect[0])
        zk.sync("/")
        self.assertEqual(zk.get("/plain-name")[0], b"plain data")

    def test_its_own_reason_is_shown(self):
        done = Sandbox(self).run("start", "--servers", 1, "--set", "groupkeeper.keyrin=/x", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^gk-sandbox: error: DIED: server 1 ended: groupkeeper: error: .*groupkeeper\.keyring")


@unittest.skipIf(os.geteuid(), "network namespaces need root")
class Namespaces(unittest.TestCase):
    def test_partition_cuts_peers_but_not_clients(self):
        sandbox = Sandbox(self)
        connect = sandbox.start("--servers", 3, "--plugin", "off", "--netns")
        self.assertNotIn("127.0.0.1", connect)
        old = sandbox.leader()
        sandbox.run("partition", old)
        self.assertEqual(sandbox.server(old)["state"], "partitioned")
        sandbox.wait(lambda servers: any(s["mode"] == "leader" for s in servers if s["id"] != old) and servers[old - 1]["mode"] == "none")
        host, port = connect.split(",")[old - 1].split(":")
        self.assertEqual(words(host, int(port)), b"imok")
        self.assertEqual(json.loads(sandbox.run("heal", "--json").stdout), {"healed": [old]})
        sandbox.wait(lambda servers: servers[old - 1]["mode"] == "follower" and servers[old - 1]["state"] == "running")
        sandbox.run("stop")
        names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
        addresses = [subprocess.run(["nsenter", f"--net=/run/netns/{name}", "ip", "addr"], capture_output=True, text=True, check=False).stdout
                     for name in names if name.startswith("gk")]
        self.assertFalse(any(host + "/" in text for text in addresses), "stop removes the namespaces")


class Environment(unittest.TestCase):
    def test_env_is_shell(self):
        sandbox = Sandbox(self)
        connect = sandbox.start("--servers", 1, "--plugin", "off")
        sandbox.keyring = sandbox.dir / "keyring"
        if not sandbox.keyring.exists():
            sandbox.keyring.write_text("a keyring that env finds and leaves alone")
        script = sandbox.run("env").stdout + 'printf "%s\\n" "$GK_CONNECT" "$GK_KEYRING" "$GK_JVM_PROPS"; "$GK_JAVA" -version'
        lines = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True).stdout.splitlines()
        self.assertEqual(lines[:2], [connect, str(sandbox.keyring)])
        self.assertEqual(shlex.split(lines[2]), [
            "-Dzookeeper.serverCnxnFactory=org.apache.zookeeper.server.GroupkeeperServerCnxnFactory",
            f"-Dzookeeper.groupkeeper.keyring={sandbox.keyring}"])
        values = json.loads(sandbox.run("env", "--json").stdout)
        jars = values["GK_CLASSPATH"].split(":")
        self.assertEqual(jars[-1], values["GK_JAR"])
        self.assertTrue(all(Path(jar).exists() for jar in jars[:-1]))
        self.assertIn("zookeeper-3.9.5.jar", [Path(jar).name for jar in jars])


if __name__ == "__main__":
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)
    gktest.main("sandbox")
