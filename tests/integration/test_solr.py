"""Solr Cloud, whose queues and elections parse names and sequence numbers, on an ensemble with the plugin and TLS between servers, and on a stock one:
the leader gets a kill -9 midway, and in the end a client reads the same tree from both."""
import json
import os
import subprocess
import unittest

import gktest
from gkserver import free_port
from gktest import ROOT, Sandbox
from gktree import Tree, same

JARS = ROOT / "build" / "deps" / "solr-9.6.1"
CLASSES = ROOT / "build" / "apps"


def shape(value):
    """JSON without what a run made up: maps that are keyed by a replica's name become sorted lists, and which replica leads is a race."""
    if isinstance(value, dict):
        if any(key.startswith("core_node") for key in value):
            return sorted((TREE.masked(json.dumps(shape(v), sort_keys=True)) for v in value.values()))
        return {key: shape(v) for key, v in value.items() if key not in ("leader", "node_name", "base_url", "shared_storage", "creationTimeMillis")}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return value


# What differs from run to run: sessions, ports, times, random names, and how often something was tried again. Then queues of work that is done, and their
# counters: how many entries were needed depends on when the leader died.
TREE = Tree({r"\d{10,}": "<number>", r"0x[0-9a-f]+": "<id>", r"127\.0\.0\.1:\d+_solr": "<node>", r"127\.0\.0\.1:\d+": "<address>",
             r"core_node\d+": "<core_node>", r"_replica_n\d+": "<replica>", r"n_\d{10}": "<sequence>"},
            r"^/(zookeeper|overseer/(queue|collection-queue-work|queue-work|collection-map-(running|completed|failure)|async_ids)"
            r"|overseer_elect/election|collections/[^/]+/(leader_elect|leaders|terms)|live_nodes|node_roles)(/|$)", shape)


class SolrCloud(unittest.TestCase):
    def run_on(self, plugin):
        sandbox = Sandbox(self)
        connect = sandbox.start("--servers", 3, "--plugin", plugin, "--tls", "on", "--jvm", "-Xmx384m")
        folder = sandbox.dir / "solr"
        folder.mkdir()
        command = ["java", "-Xmx768m", "-cp", f"{CLASSES}:{JARS}/*", f"-Dsolr.install.dir={folder}", "-Dsolr.data.home=", "SolrApp", connect, folder, str(free_port())]
        with open(folder / "log", "wb") as log:
            app = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder)
        self.addCleanup(app.wait)
        self.addCleanup(app.kill)
        steps = []
        for line in app.stdout:
            if not line.startswith("SOLR "):
                continue
            steps.append(line.removeprefix("SOLR ").strip())
            if steps[-1] == "midway":
                victim = sandbox.leader()
                app.stdin.write("\n")
                app.stdin.flush()
                sandbox.run("kill", victim)
                sandbox.run("restart", victim)
            elif steps[-1] == "done":
                break
        if steps[-1:] != ["done"]:
            raise AssertionError(f"plugin {plugin}: {steps}\n{(folder / 'log').read_text(errors='replace')[-4000:]}")
        tree = TREE.of_all(self, connect)
        app.stdin.write("\n")
        app.stdin.flush()
        app.stdout.read()
        self.assertEqual(app.wait(60), 0)
        return steps, tree

    def test_the_same_tree(self):
        steps, expected = self.run_on("off")
        seen_steps, seen = self.run_on("on")
        self.assertEqual(seen_steps, steps)
        same(self, expected, seen)
        print(f"{len(steps)} steps, {len(expected)} nodes and their contents the same ... ", end="")


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    gktest.main("solr")
