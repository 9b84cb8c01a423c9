"""Kafka brokers, which keep topics, configurations and their controller's election in ZooKeeper, on an ensemble with the plugin and TLS between servers, and on a
stock one: a broker and the leader of the ensemble get a kill -9 on the way, and in the end a client reads the same tree from both."""
import re
import signal
import subprocess
import time
import unittest

import gktest
from gkraw import Raw
from gkserver import free_port
from gktest import ROOT, Sandbox
from gktree import Tree, same

JARS = ROOT / "build" / "deps" / "kafka-3.9.1"
MESSAGES = 200
PATIENCE = 120
# What differs from run to run: times, random ids, ports; who leads what, and how often that changed.
CHOSEN = {"leader", "leader_epoch", "isr", "controller_epoch", "brokerid", "timestamp", "host", "port", "endpoints"}


def shape(value):
    if isinstance(value, dict):
        return {TREE.masked(key): "<chosen>" if key in CHOSEN else shape(v) for key, v in value.items()}
    if isinstance(value, list):
        return sorted(value) if all(isinstance(item, int) for item in value) else [shape(item) for item in value]  # replicas: the first one is chosen at random
    return value


TREE = Tree({r"(salt|stored_key|server_key)=[^,\"]+": r"\1=<random>", r"[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])": "<uuid>", r"127\.0\.0\.1:\d+": "<address>",
             r"\d{10,}(?![\d\"])": "<number>"},
            r"^/(zookeeper|kafka/(controller_epoch|latest_producer_id_block|isr_change_notification|log_dir_event_notification))(/|$)", shape)


class Kafka(unittest.TestCase):
    maxDiff = None

    def java(self, heap, *command):
        return ["java", f"-Xmx{heap}m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{JARS}/*", *map(str, command)]

    def tool(self, name, *args, data=None):
        done = subprocess.run(self.java(128, name, *args), capture_output=True, text=True, check=False, input=data, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, f"{name} {args}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def topic(self, *args):
        return self.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.bootstrap, *args)

    def start(self, ident):
        with open(self.folder / f"broker{ident}.log", "ab") as log:
            broker = subprocess.Popen(self.java(384, "kafka.Kafka", self.folder / f"broker{ident}.properties"), stdout=log, stderr=log)
        self.addCleanup(broker.wait)
        self.addCleanup(broker.kill)
        self.brokers[ident] = broker

    def prepare(self, connect):
        self.ports = {ident: free_port() for ident in (1, 2)}
        self.bootstrap, self.brokers = ",".join(f"127.0.0.1:{p}" for p in self.ports.values()), {}
        for ident, port in self.ports.items():
            settings = {"broker.id": ident, "listeners": f"PLAINTEXT://127.0.0.1:{port}", "zookeeper.connect": f"{connect}/kafka", "log.dirs": self.folder / f"logs{ident}",
                        "offsets.topic.replication.factor": 2, "offsets.topic.num.partitions": 2, "transaction.state.log.num.partitions": 2,
                        "transaction.state.log.replication.factor": 2, "zookeeper.session.timeout.ms": 6000, "delete.topic.enable": "true",
                        "authorizer.class.name": "kafka.security.authorizer.AclAuthorizer", "super.users": "User:ANONYMOUS"}
            (self.folder / f"broker{ident}.properties").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))

    def logs(self):
        return "".join(f"{f.name}: {f.read_text(errors='replace')[-3000:]}\n" for f in self.folder.glob("*.log"))

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"{what}\n{self.logs()}")
            time.sleep(0.3)

    def ids(self, connect):
        """Brokers that are registered, as a client of ZooKeeper sees it."""
        with Raw(connect.split(",")[0], patience=30) as zk:
            return zk.children("/kafka/brokers/ids") if zk.exists("/kafka/brokers/ids") else []

    def gone(self, connect, path):
        with Raw(connect.split(",")[0], patience=30) as zk:
            return not zk.exists(path)

    def replicated(self, topic):
        return all(len(isr.split(",")) == 2 for isr in re.findall(r"Isr: ([\d,]*)", self.topic("--describe", "--topic", topic)))

    def produce(self, topic, numbers):
        self.tool("kafka.tools.ConsoleProducer", "--bootstrap-server", self.bootstrap,
                  "--topic", topic, "--producer-property", "acks=all", data="".join(f"{n}\n" for n in numbers))

    def consume(self, topic, n):
        got = self.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", self.bootstrap, "--topic", topic, "--group", "readers", "--from-beginning",
                        "--max-messages", n, "--timeout-ms", 60000)
        return sorted(map(int, got.split()))

    def run_on(self, plugin):
        sandbox = Sandbox(self)
        connect = sandbox.start("--servers", 3, "--plugin", plugin, "--tls", "on", "--jvm", "-Xmx384m")
        self.folder = sandbox.dir / "kafka"
        self.folder.mkdir()
        self.prepare(connect)
        for ident in self.ports:
            self.start(ident)
        self.until(lambda: self.ids(connect) == ["1", "2"], "both brokers")
        for topic in ("orders", "short-lived"):
            self.topic("--create", "--topic", topic, "--partitions", 3, "--replication-factor", 2)
        self.produce("orders", range(MESSAGES))
        victim = sandbox.leader()
        sandbox.run("kill", victim)
        self.topic("--create", "--topic", "while-a-server-is-down", "--partitions", 2, "--replication-factor", 2)
        sandbox.run("restart", victim)
        self.tool("kafka.admin.ConfigCommand", "--bootstrap-server", self.bootstrap, "--alter", "--topic", "orders", "--add-config", "retention.ms=3600000")
        self.tool("kafka.admin.ConfigCommand", "--bootstrap-server", self.bootstrap, "--alter", "--entity-type", "users", "--entity-name", "a user, with %",
                  "--add-config", "SCRAM-SHA-256=[password=secret]")
        self.tool("kafka.admin.AclCommand", "--bootstrap-server", self.bootstrap, "--add", "--allow-principal", "User:x", "--operation", "Read", "--topic", "while-a-server-is-down")
        self.brokers[2].send_signal(signal.SIGKILL)
        self.brokers[2].wait()
        self.until(lambda: self.ids(connect) == ["1"], "the ephemeral node of the broker that died goes")
        self.produce("orders", range(MESSAGES, 2 * MESSAGES))
        self.start(2)
        self.until(lambda: self.ids(connect) == ["1", "2"], "the broker is back")
        self.until(lambda: self.replicated("orders"), "it catches up")
        self.assertEqual(self.consume("orders", 2 * MESSAGES), list(range(2 * MESSAGES)))
        self.topic("--delete", "--topic", "short-lived")
        self.until(lambda: self.gone(connect, "/kafka/brokers/topics/short-lived"), "the topic is deleted")
        self.until(lambda: self.gone(connect, "/kafka/admin/delete_topics/short-lived"), "its deletion is done")
        self.until(lambda: all(self.replicated(t) for t in ("while-a-server-is-down", "__consumer_offsets")), "all is replicated")
        tree = TREE.of_all(self, connect)
        for broker in self.brokers.values():
            broker.terminate()
            self.assertEqual(broker.wait(PATIENCE), 143)
        self.assertEqual(self.ids(connect), [])
        return tree

    def test_the_same_tree(self):
        expected = self.run_on("off")
        seen = self.run_on("on")
        same(self, expected, seen)
        print(f"{len(expected)} nodes and their contents the same ... ", end="")


if __name__ == "__main__":
    gktest.main("kafka")
