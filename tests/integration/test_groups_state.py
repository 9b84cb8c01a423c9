"""What a leader leaves to the next one, and what many groups have in common: in the ensemble of test_groups.py."""
import time

import gktest
from gkgroups import wait
from kazoo.client import KazooClient
from test_groups import Ensemble


class State(Ensemble):
    def connected(self):
        zk = KazooClient(self.connect)
        zk.start()
        self.addCleanup(zk.stop)
        return zk

    def test_killed_after_a_snapshot(self):
        """The leader dies when the newest epoch has its snapshot, which the other one must neither take for a squatter nor leave lying there."""
        w = self.world("a", "b")
        w.admin("group", "create", "g", "--admit", "token", "--period", "0s", "--ring", "8", "--max-age", "3s")
        one = w.member("g", "one")
        zk = self.connected()

        def snapshot():
            return max(int(name.split("-")[0]) for name in zk.get_children(f"{w.root}/groups/g/state"))
        for _ in range(2):
            before = snapshot()
            while snapshot() == before:
                w.admin("group", "rekey", "g")
                time.sleep(0.02)
            self.assertEqual(snapshot(), w.show("g")["epoch"])
            old = w.leader()
            w.controllers[old].kill()
            w.leader(but=old)
            w.start(old)
            self.assertEqual(w.join("g", f"m{before}").returncode, 0)
            self.assertEqual(len(zk.get_children(f"{w.root}/groups/g/state")), 1)
        w.admin("group", "rekey", "g")
        one.has(w.show("g")["epoch"])

    def test_many_groups(self):
        """Signs of life of many groups are written together: one whose node is gone doesn't take the others with it, nor does a takeover."""
        w = self.world("a", "b")
        names = [f"g{i}" for i in range(40)]
        for name in names:
            w.admin("group", "create", name, "--admit", "token", "--period", "0s", "--max-age", "3s")
        zk = self.connected()
        zk.delete(f"{w.root}/groups/{names[0]}/fresh")

        def beats():
            return {name: zk.exists(f"{w.root}/groups/{name}/fresh").version for name in names[1:]}
        for _ in range(2):
            before = beats()
            wait(lambda before=before: all(n > before[name] + 1 for name, n in beats().items()), "signs of life of all others")
            old = w.leader()
            w.controllers[old].kill()
            w.leader(but=old)
            w.start(old)
        self.assertEqual(w.join(names[-1], "one").returncode, 0)
        w.admin("group", "rekey", names[0])


if __name__ == "__main__":
    gktest.main("groups-state")
