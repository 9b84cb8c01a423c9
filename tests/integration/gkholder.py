"""A session that lives through everything that happens to its servers."""
import time

from gkload import CUT_OFF
from gkraw import OPEN, Closed, Raw


class Holder:
    """A session that must live through everything, kept as the Java client keeps its own: reconnect with id and password, then setWatches
    for all that hasn't fired. It has an ephemeral node."""

    def __init__(self, number, addresses):
        self.addresses, self.turn, self.last, self.armed = addresses, number, 0, {}
        self.zk, self.session, self.password, self.fired = None, 0, bytes(16), []
        self.path = self.call("create", "/live/e-", str(number), OPEN, 3).ok()
        self.czxid = self.call("exists", self.path, 0).ok()["czxid"]

    def call(self, op, *fields, **how):
        """On a server that lives, sooner or later."""
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.zk is None:
                    self.zk = self.again()
                answer = self.zk.call(op, *fields, **how)
                self.last = max(self.last, answer.zxid)
                self.collect()
                if answer.err not in CUT_OFF:
                    return answer
            except (OSError, Closed):
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"session {self.session:#x} finds no server")
            if self.zk:
                self.collect()
                self.zk.drop()
            self.zk = None
            time.sleep(0.1)

    def again(self):
        self.turn += 1
        zk = Raw(self.addresses[self.turn % len(self.addresses)], self.session, self.password, timeout=600000, last_zxid=self.last, patience=8)
        if self.session and zk.session != self.session:
            raise AssertionError(f"session {self.session:#x} is gone: {zk.session:#x}")
        self.session, self.password = zk.session, zk.password
        by_kind = [[path for path, kind in self.armed.items() if kind == wanted] for wanted in ("data", "exist", "child")]
        zk.call("setWatches", self.last, *by_kind, xid=-8)
        return zk

    def collect(self):
        for event in self.zk.events:
            self.fired.append((event.type, event.path))
            kind = {"NodeDataChanged": "data", "NodeCreated": "exist", "NodeChildrenChanged": "child"}[event.type]
            if self.armed.get(event.path) == kind:
                del self.armed[event.path]
        self.zk.events.clear()

    def arm(self):
        """A data, an exists and a child watch."""
        self.fired.clear()
        for kind, op, path in (("data", "getData", "/watched"), ("exist", "exists", "/watched/new"), ("child", "getChildren", "/parent")):
            self.call(op, path, 1)
            self.armed[path] = kind

    def expect(self, *events):
        deadline = time.monotonic() + 60
        while len(self.fired) < len(events) and time.monotonic() < deadline:
            self.call("ping", xid=-2)
            time.sleep(0.05)
        self.call("sync", "/")
        return sorted(self.fired) == sorted(events)
