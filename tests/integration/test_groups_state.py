"""What a leader leaves to the next one, what many groups have in common, requests that get lost: in the ensemble of test_groups.py."""
import signal
import time

import gktest
from gkgroups import MEMBER, Process, wait
from gkrelay import Relay
from kazoo.client import KazooClient
from test_groups import Ensemble


class Connected(Ensemble):
    def connected(self):
        zk = KazooClient(self.connect)
        zk.start()
        self.addCleanup(zk.stop)
        return zk


class LostRequests(Connected):
    """A member's state file says that it asked: its next process finds out what became of that."""

    def asked(self, *how, answered=False):
        """A member that asked while no controller answered; its request is there still, or answered when it is gone."""
        w = self.world("a")
        w.admin("group", "create", "g", "--admit", "token", "--admit", "manual", "--period", "0s")
        zk, base = self.connected(), f"{w.root}/groups/g"
        how = how or ("--token-file", w.token("g"))
        w.controllers["a"].kill(signal.SIGSTOP)
        self.assertIn(b"TIMEOUT", w.join("g", "one", *how, check=False, wait_s=1).stderr)
        requests = zk.get_children(f"{base}/requests")
        self.assertEqual(len(requests), 1)
        if not answered:
            zk.delete(f"{base}/requests/{requests[0]}")
        w.controllers["a"].kill(signal.SIGCONT)
        wait(lambda: not zk.get_children(f"{base}/requests"), "an answer")
        return w, zk, base, how

    def is_in(self, w, epoch, members=1):
        info = w.show("g")
        self.assertEqual((info["epoch"], info["members"], info["pending"]), (epoch, members, 0))
        self.assertEqual(w.follow("g", "one").has(epoch)["fingerprint"], info["fingerprint"])

    def joins_through_relay(self, cut_at):
        """A member on its way to join, behind a relay that cuts off whatever begins with cut_at."""
        w = self.world("a")
        w.admin("group", "create", "g", "--admit", "token", "--period", "0s")
        host, _, port = self.connect.split(",")[0].partition(":")
        relay = Relay((host, int(port)), cut_at=cut_at)
        token = w.token("g")
        first = Process(w, "first", [MEMBER, "join", "g", "--as", "one", "--state", w.dir / "one.state", "--wait", "30s", "--connect", relay.address,
                                     "--root", w.root, "--token-file", token])
        wait(lambda: relay.dead, "what is cut off")
        return w, token, relay, first

    def test_killed_before_it_was_sent(self):
        w, token, _, first = self.joins_through_relay(b"GKJ1")
        first.kill()
        self.assertEqual(self.connected().get_children(f"{w.root}/groups/g/requests"), [])
        self.assertIn(b"STATE", w.tool("run", "g", "--state", w.dir / "one.state", check=False).stderr)
        w.join("g", "one", "--token-file", token)
        self.is_in(w, 2)

    def test_a_slow_server(self):
        """The group is read again until --wait is over; one read has five seconds."""
        w, _, relay, first = self.joins_through_relay(b"/groups/g/genesis")
        time.sleep(6)
        relay.cut_at = None
        relay.heal()
        self.assertEqual(first.process.wait(30), 0, first.err.read_text())
        self.is_in(w, 2)

    def test_removed(self):
        w, _, _, how = self.asked()
        w.join("g", "one", *how)
        self.is_in(w, 2)

    def test_admitted_and_the_answer_is_gone(self):
        """It is a member: no second admission, no token, no new key."""
        w, zk, base, _ = self.asked(answered=True)
        for name in wait(lambda: zk.get_children(f"{base}/replies"), "a reply"):
            zk.delete(f"{base}/replies/{name}")
        w.join("g", "one", "--trust", w.trust("g"))
        self.is_in(w, 2)

    def test_waits_for_approval_and_the_word_is_gone(self):
        w = self.world("a")
        w.admin("group", "create", "g", "--admit", "manual", "--period", "0s")
        zk, base, how = self.connected(), f"{w.root}/groups/g", ("--trust", w.trust("g"))
        for seconds in (1, 5):
            self.assertIn(b"PENDING", w.join("g", "one", *how, check=False, wait_s=seconds).stderr)
            for name in zk.get_children(f"{base}/replies"):
                zk.delete(f"{base}/replies/{name}")
        self.assertEqual([p["state"] for p in w.admin("member", "list", "g")], ["pending"])
        w.admin("member", "approve", "g", "one")
        for name in wait(lambda: zk.get_children(f"{base}/replies"), "a reply"):
            zk.delete(f"{base}/replies/{name}")
        w.join("g", "one", *how)
        self.is_in(w, 2)


class State(Connected):
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

    @staticmethod
    def sealed_to(zk, w):
        """The newest state key's index, and to how many controllers it is sealed (docs/FORMAT.md, GKS1)."""
        index = max(map(int, zk.get_children(f"{w.root}/controllers/state-keys")))
        body = zk.get(f"{w.root}/controllers/state-keys/{index}")[0].partition(b"GKS1")[2]
        return index, int.from_bytes(body[12:14], "big")

    def removed(self, which):
        """One of two controllers is taken out of the authority: the other one leads, under a state key of its own, and rekeys, so that what the former one
        still signs is of the past."""
        w = self.world("a", "b")
        w.admin("group", "create", "g", "--admit", "token", "--period", "0s")
        one = w.member("g", "one")
        epoch, leader = w.show("g")["epoch"], w.leader()
        standby = "ab".replace(leader, "")
        out, stays = (leader, standby) if which == "leader" else (standby, leader)
        zk = self.connected()
        wait(lambda: self.sealed_to(zk, w)[1] == 2, "a state key for both")
        keys = self.sealed_to(zk, w)[0]
        w.admin("controller", "remove", w.dir / f"{out}.key.pub")
        one.has(epoch + 1)
        self.assertEqual(w.admin("controller", "status")["leader"], stays)
        self.assertEqual(w.role(out)["role"], "standby")
        self.assertEqual(self.sealed_to(zk, w), (keys + 1, 1))
        time.sleep(1)
        self.assertEqual(w.show("g")["epoch"], epoch + 1, "once")
        w.controllers[stays].kill()
        w.start(stays)  # reads what the former one left
        w.join("g", "two")
        self.assertEqual(one.has(epoch + 2)["fingerprint"], w.show("g")["fingerprint"])
        return w, zk, stays, keys

    def test_the_leader_is_removed(self):
        """And writes where state keys belong: neither the highest number nor the next one keeps the others from leading and from making theirs."""
        w, zk, stays, keys = self.removed("leader")
        w.controllers[stays].kill()
        for index in (keys + 2, 4000000000):
            zk.create(f"{w.root}/controllers/state-keys/{index}", b"not a state key")
        w.start(stays, "--rotate", "4s")
        w.join("g", "three")

        def made():
            index, controllers = self.sealed_to(zk, w)
            return keys + 2 <= index < 4000000000 and controllers == 1
        wait(made, "a state key in the squatter's place")
        w.admin("group", "rekey", "g")

    def test_a_standby_is_removed(self):
        self.removed("standby")

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
