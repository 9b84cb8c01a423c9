"""Readers of a server-keyed group on each of five servers while members come and are evicted, leaders are killed, servers paused and cut off from
each other: the key's bytes are a function of the key id, and nobody gets a key who isn't a member. GK_CHURN: joins and evictions (2000). A run prints what it has seen."""
import os
import threading
import time
import unittest

import gktest
from gkraw import EPHEMERAL, NOAUTH, NODEEXISTS, NONODE, Closed, Failure, Raw
from gktest import Sandbox
from test_serverkeys import ADMIN, CONNECTIONLOSS, KEYS, MEMBER, MINE, RECORD, View, certificate, tls_context, x509

CHANGES = int(os.environ.get("GK_CHURN", "2000"))
SERVERS = 5
READERS = [f"reader{i}" for i in range(SERVERS)]
GUESTS = [f"guest{i}" for i in range(SERVERS)]


class Client:
    """A session on one server that comes back after each fault, to that server, with its own identity."""

    def __init__(self, address, tls, name):
        self.address, self.tls, self.name, self.zk = address, tls_context(tls, name), name, None
        self.session, self.password = 0, bytes(16)

    def call(self, op, *fields):
        """A reply, or None when the connection failed; then the operation may have been done or not."""
        try:
            if self.zk is None:
                self.zk = Raw(self.address, tls=self.tls, timeout=60000, session=self.session, password=self.password, patience=5)
                self.session, self.password = self.zk.session, self.zk.password
                if self.session == 0:
                    self.zk, self.password = None, bytes(16)
                    return None
            return self.zk.call(op, *fields)
        except (OSError, Closed):
            self.zk = None
            time.sleep(0.05)
            return None

    def until(self, op, *fields, fine=()):
        """Tries until there is an answer that is no failure of the connection."""
        while True:
            answer = self.call(op, *fields)
            if answer is not None and answer.err not in (CONNECTIONLOSS,):
                if answer.err and answer.err not in fine:
                    raise Failure(answer.err)
                return answer


class Churn(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox(self)
        self.sandbox.start("--servers", 3, "--observers", 2, "--tls", "on", "--netns", "--set", "groupkeeper.agreement=on", "--jvm", "-Xmx300m")
        self.tls = self.sandbox.dir / "tls"
        for name in READERS + GUESTS:
            certificate(self.tls, name)
        status = self.sandbox.status()["servers"]
        self.secure, self.plain = [s["secure"] for s in status], [s["client"] for s in status]
        self.keys, self.members, self.wrong = {}, {}, []  # id -> key, and who has had it
        self.counts = dict(reads=0, later=0, refused=0, plain=0, changes=0, kills=0, pauses=0, cuts=0)
        self.lock, self.stop = threading.Lock(), threading.Event()

    def note(self, what):
        with self.lock:
            self.wrong.append(what)

    def got(self, who, data):
        view = View(data)
        with self.lock:
            self.counts["reads"] += 1
            if self.keys.setdefault(view.id, view.key) != view.key:
                self.wrong.append(f"{who}: key id {view.id.hex()} has other bytes")
            if len(self.keys) > 1 and sum(key == view.key for key in self.keys.values()) > 1:
                self.wrong.append(f"{who}: two key ids have the same bytes")
        return view

    def read_on(self, index):
        """A member on one server, reading all the time; beside it somebody on the plain port."""
        client = Client(self.secure[index], self.tls, READERS[index])
        session = None
        while not self.stop.is_set():
            if client.session != session or session is None:
                client.until("create", f"{self.group}/{READERS[index]}", "", MINE, EPHEMERAL, fine=(NODEEXISTS,))
                session = client.session
            answer = client.call("getData", f"{KEYS}{self.group}/{READERS[index]}", 0)
            if answer is None:
                continue
            if answer.err == 0:
                self.got(READERS[index], answer.values[0])
            elif answer.err == CONNECTIONLOSS:
                with self.lock:
                    self.counts["later"] += 1
                time.sleep(0.01)
            elif answer.err != NONODE:  # NONODE: this server hasn't seen the join yet
                self.note(f"{READERS[index]}: {answer.name}")
            time.sleep(0.002)

    def kill(self, leader):
        self.sandbox.run("kill", leader)
        self.stop.wait(1)
        self.mend()

    def mend(self):
        """Starts who doesn't run, however often that takes: on a busy machine a server may need more than the sandbox's minute."""
        while True:
            stopped = [s["id"] for s in self.sandbox.status()["servers"] if s["state"] == "stopped"]
            if not stopped or self.stop.is_set():
                return
            self.sandbox.run("restart", stopped[0], check=False)

    def pause(self, _):
        victim = 1 + self.counts["pauses"] % SERVERS
        self.sandbox.run("pause", victim)
        self.stop.wait(2)
        self.sandbox.run("resume", victim)

    def cut(self, leader):
        """The leader and the others in turn; clients still reach a server that is cut off."""
        self.sandbox.run("partition", leader if self.counts["cuts"] % 2 else 1 + self.counts["cuts"] // 2 % SERVERS)
        self.stop.wait(4)
        self.sandbox.run("heal")

    def faults(self):
        while True:
            for name, fault in (("kills", self.kill), ("pauses", self.pause), ("cuts", self.cut)):
                if self.stop.wait(8):
                    return
                try:
                    self.mend()
                    fault(self.sandbox.leader())
                    self.counts[name] += 1
                except (ValueError, AssertionError) as e:  # no leader at this moment
                    print(f"(faults: {name}: {str(e)[-300:]}) ", end="", flush=True)

    def acl(self, guest=None):
        return x509(ADMIN) + x509(*READERS, *([guest] if guest else []), perms=MEMBER)

    def visit(self, admin, guest, client):
        """A guest is let in, joins, reads, is evicted, and then reads no more: not on the server whose state is past its eviction."""
        admin.until("setACL", self.group, self.acl(guest), -1)
        client.until("sync", self.group)
        child = f"{self.group}/{guest}"
        # stock doesn't see a setACL in a write that is prepared before it is applied
        while client.until("create", child, "", MINE, EPHEMERAL, fine=(NODEEXISTS, NOAUTH)).err == NOAUTH:
            admin.until("setACL", self.group, self.acl(guest), -1)
        answer = client.call("getData", KEYS + child, 0)
        if answer is not None and answer.err == 0:
            self.got(guest, answer.values[0])
        out = admin.until("setACL", self.group, self.acl(), -1).zxid
        gone = admin.until("delete", child, -1, fine=(NONODE,)).zxid
        for _ in range(3):
            answer = client.call("getData", KEYS + child, 0)
            if answer is None:
                continue
            if answer.err == 0:
                view = self.got(guest, answer.values[0])
                if answer.zxid >= out or view.view >= gone:
                    self.note(f"{guest} has got the view {view.view:x} at {answer.zxid:x}, evicted at {out:x}, gone at {gone:x}")
            elif answer.err in (NOAUTH, NONODE):
                with self.lock:
                    self.counts["refused"] += 1
        self.counts["changes"] += 2

    def on_the_plain_port(self, index, child):
        try:
            with Raw(self.plain[index], patience=2) as zk:
                if zk.call("getData", KEYS + child, 0).err != NOAUTH:
                    self.note("a key on the plain port")
                self.counts["plain"] += 1
        except (OSError, Closed):
            pass

    def test_churn(self):
        admin = Client(self.secure[0], self.tls, ADMIN)
        admin.until("create", "/churn", "", x509(ADMIN), 0)
        self.group = "/churn/members"
        admin.until("create", self.group, RECORD, self.acl(), 0, fine=(NODEEXISTS,))
        threads = [threading.Thread(target=self.read_on, args=(i,)) for i in range(SERVERS)] + [threading.Thread(target=self.faults)]
        for thread in threads:
            thread.start()
        guests = [Client(self.secure[i], self.tls, guest) for i, guest in enumerate(GUESTS)]
        try:
            while self.counts["changes"] < CHANGES and not self.wrong:
                index = self.counts["changes"] // 2 % SERVERS
                self.visit(admin, GUESTS[index], guests[index])
                if index == 0:
                    self.on_the_plain_port(self.counts["changes"] // 10 % SERVERS, f"{self.group}/{READERS[0]}")
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(60)
            print(f"{self.counts}, {len(self.keys)} key ids ... ", end="")
        self.assertEqual(self.wrong, [])
        self.assertEqual(len(set(self.keys.values())), len(self.keys))
        self.assertGreater(self.counts["reads"], CHANGES / 2)
        self.assertGreater(self.counts["refused"], CHANGES / 4)


if __name__ == "__main__":
    gktest.main("SERVERKEYS-CHURN")
