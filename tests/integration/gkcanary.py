"""Every way in which a client's secrets get to a server. Each gets a canary of its own, so that a leak says where it came from."""
import secrets
import struct

from gkraw import OPEN, Closed, Failure, Raw, part, part_create, word
from gkraw import jute, proto


COMMON = f"c{secrets.token_hex(6)}"  # how all canaries of this process begin


class Canaries:
    """All ways through one server. `made` maps each canary to the way; `stored` are those that stock writes to its transaction log."""

    def __init__(self, address, label):
        self.address, self.label = address, label
        self.made, self.stored = {}, set()

    def new(self, what, stored=False):
        canary = COMMON + secrets.token_hex(4)
        self.made[canary] = f"{what} ({self.label})"
        if stored:
            self.stored.add(canary)
        return canary

    def release(self, quorum):
        """quorum: without cut-off writes, after one of which no stock ensemble commits any more (a standalone server does)."""
        with Raw(self.address) as zk:
            self.base = zk.create("/" + self.new("top", True))
            self.creates(zk)
            self.payloads(zk)
            self.multis(zk)
            self.quotas(zk)
            self.misses(zk)
            self.watches(zk)
            zk.close()
        self.malformed()
        if not quorum:
            self.malformed_writes()
        self.first_bytes()
        return self

    # ---- what is stored ----

    def creates(self, zk):
        for what, flags in (("plain", 0), ("ephemeral", 1), ("sequential", 2), ("ephemeral sequential", 3), ("container", 4), ("ttl", 5),
                            ("ttl sequential", 6)):
            zk.create(f"{self.base}/{self.new(what + ' name', True)}", self.new(what + " payload", True).encode(), flags)
        name, data = self.new("create2 name", True), self.new("create2 payload", True)
        zk.call("create2", f"{self.base}/{name}", data, OPEN, 0)
        zk.call("create2", f"{self.base}/{self.new('create2 prefix', True)}", data, OPEN, 2)
        deep = self.base
        for _ in range(5):
            deep = zk.create(f"{deep}/{self.new('deep', True)}")
        zk.create(f"{self.base}/\u00e4{self.new('unicode', True)}\u6f22")
        zk.create(self.base + "/" + self.new("long", True) * 12)
        zk.create("/zookeeper/" + self.new("below zookeeper", True), b"x")
        zk.create(self.base + "/d")
        zk.create(f"{self.base}/d/{self.new('deleted', True)}", b"")
        (name,) = zk.children(self.base + "/d")
        zk.delete(f"{self.base}/d/{name}")

    def payloads(self, zk):
        path = zk.create(self.base + "/data")
        zk.set(path, self.new("setData", True).encode())
        zk.set(path, self.new("long payload", True).encode() * 40000)
        zk.set(path, b"\xff" + self.new("binary payload", True).encode() + b"\0")
        zk.set(path, b"gone")
        zk.set("/", self.new("setData of /", True).encode())
        zk.set("/", b"")
        zk.call("setACL", path, [[31, "world", "anyone"]], -1)

    def multis(self, zk):
        one, two = (f"{self.base}/{self.new('multi', True)}" for _ in "12")
        zk.multi(part_create(one, self.new("multi payload", True).encode()), part_create(two, b"", 2),
                 part_create(one + "/" + self.new("multi child", True), b"", 2), part("setData", one, self.new("multi setData", True), -1),
                 part("check", one, -1), part_create(one + "/" + self.new("multi prefix", True), self.new("multi prefix payload", True).encode(), 2))
        zk.multi(part_create(f"{self.base}/{self.new('failed multi')}", self.new("failed multi payload").encode(), 2),
                 part("check", f"{self.base}/{self.new('failed multi check')}", 7), part("delete", f"{self.base}/{self.new('failed multi delete')}", 0))
        zk.call("multiRead", [part("getData", f"{self.base}/{self.new('multiRead')}", 0), part("getChildren", f"/{self.new('multiRead')}", 0)])

    def quotas(self, zk):
        name = self.new("quota name", True)
        zk.create("/" + name)
        home = zk.create("/zookeeper/quota/" + name)
        zk.create(home + "/zookeeper_limits", f"count=9,bytes=99,{self.new('limits key', True)}=1".encode())
        zk.create(home + "/zookeeper_stats", b"count=1,bytes=0")
        zk.create(f"/{name}/{self.new('below a quota', True)}", b"x" * 200)
        zk.set(home + "/zookeeper_limits", b"count=2,bytes=99,x=5")
        zk.call("setData", home + "/zookeeper_limits", "count=" + self.new("limits value"), -1)
        zk.call("setData", home + "/zookeeper_stats", f"count=1,{self.new('stats key')}=1", -1)
        zk.call("setData", home + "/zookeeper_stats", "count=1,bytes=0", -1)
        zk.create(home + "/" + self.new("beside limits", True), self.new("beside limits payload", True).encode())

    # ---- what fails ----

    def misses(self, zk):
        def missing(what):
            return f"{self.base}/{self.new(what)}"

        for op in ("exists", "getData", "getChildren", "getChildren2"):
            zk.call(op, missing(op + " of nothing"), 0)
        for op in ("getACL", "getAllChildrenNumber", "getEphemerals", "sync", "deleteContainer"):
            zk.call(op, missing(op + " of nothing"))
        zk.call("setData", missing("setData of nothing"), self.new("lost payload"), -1)
        zk.call("setACL", missing("setACL of nothing"), OPEN, -1)
        zk.call("delete", missing("delete of nothing"), -1)
        zk.call("create", missing("below nothing") + "/x/" + self.new("name below nothing"), self.new("payload below nothing"), OPEN, 2)
        zk.call("create", self.base, self.new("payload for what exists"), OPEN, 0)
        zk.call("create", missing("invalid acl"), self.new("payload with invalid acl"), [], 0)
        zk.call("create", missing("bad flags"), self.new("payload with bad flags"), OPEN, 77)
        zk.call("createTTL", missing("bad ttl"), self.new("payload with bad ttl"), OPEN, 5, -1)
        zk.call("setData", self.base, self.new("bad version"), 77)
        for what, form in (("no slash", "{}"), ("empty component", "/{}//x"), ("dot", "/{}/./x"), ("dots", "/{}/.."), ("control", "/{}\u0001"),
                           ("nul", "/{}\0x"), ("private use", "/{}\ue000"), ("trailing", "/{}/"), ("marker", "/\u0001{}"), ("bad marker", "/\u0002{}")):
            for op, rest in (("create", ["x", OPEN, 0]), ("create2", ["x", OPEN, 2]), ("setData", ["x", -1]), ("delete", [-1]), ("getData", [0]),
                             ("exists", [1]), ("getChildren2", [1]), ("sync", []), ("getACL", []), ("addWatch", [0]), ("setACL", [OPEN, -1])):
                zk.call(op, form.format(self.new(f"{op} {what}")), *rest)

    def watches(self, zk):
        path = f"{self.base}/{self.new('watched', True)}"
        zk.call("exists", path, 1)
        zk.call("addWatch", f"{self.base}/{self.new('addWatch')}", 1)
        zk.call("removeWatches", f"{self.base}/{self.new('removeWatches')}", 3)
        zk.call("checkWatches", f"{self.base}/{self.new('checkWatches')}", 1)
        lists = [[f"{self.base}/{self.new('setWatches')}"] for _ in range(5)]
        zk.call("setWatches", 0, *lists[:3], xid=-8)
        zk.call("setWatches2", 0, *lists, xid=-8)
        zk.create(path)
        zk.delete(path)

    # ---- what is no request ----

    def broken(self, body, code=None):
        """One frame on a connection of its own, in a session; then the connection ends. body begins with xid and type, or code is given."""
        try:
            with Raw(self.address, patience=2) as zk:
                zk.send_bytes(jute.frame(body if code is None else struct.pack(">ii", 1, code) + body))
                zk.sock.settimeout(0.3)
                zk.frame()
        except (Closed, OSError):
            pass

    def malformed_writes(self):
        whole = proto.encode("sdai", [f"/{self.new('truncated name')}", self.new("truncated payload"), OPEN, 0])
        for size in (3, 20, 26, 40, len(whole) - 1):
            for code in (1, 15, 19, 21, 5):
                self.broken(whole[:size], code)
        self.broken(jute.put_string("/x") + struct.pack(">i", 1 << 30) + self.new("length beyond the frame").encode(), 5)
        self.broken(struct.pack(">ibi", 55, 0, -1) + jute.put_string("/" + self.new("unknown in multi")), 14)
        self.broken(struct.pack(">ibi", 1, 0, -1) + jute.put_string("/" + self.new("cut multi")) + bytes(3), 14)
        self.broken(jute.put_string("/\u00e4" + self.new("bad utf-8"))[:-1] + b"\xff", 1)

    def malformed(self):
        whole = jute.put_string(f"/{self.new('truncated path')}") + bytes(4)
        for size in (3, 20, 24):
            for code in (3, 4, 8, 12, 101, 103, 104, 105, 106):
                self.broken(whole[:size], code)
        canary = self.new("length beyond the frame").encode()
        self.broken(struct.pack(">i", 1 << 20) + canary, 3)
        self.broken(struct.pack(">i", -7) + canary, 4)
        for code in (0, 13, 10, 57, 999, -1, 2147483647):
            self.broken(jute.put_string(f"/{self.new('opcode')}") + bytes(8), code)
        self.broken(struct.pack(">i", 1) + self.new("too short").encode()[:3])
        self.broken(jute.put_string("/" + self.new("trailing bytes")) + b"\0" + self.new("behind the record").encode(), 3)
        with Raw(self.address) as zk:
            zk.send_bytes(struct.pack(">iii", 1 << 19, 1, 1) + jute.put_string("/" + self.new("half a frame")))
        with Raw(self.address) as zk:
            zk.send_bytes(struct.pack(">iii", 1 << 24, 1, 1) + jute.put_string("/" + self.new("a frame too long")))
            zk.closed_by_server(1)
        with Raw(self.address) as zk:
            zk.send_bytes(struct.pack(">i", -1) + self.new("a negative length").encode())
            zk.closed_by_server(1)

    def first_bytes(self):
        for what, data in (("http", b"GET /%s HTTP/1.1\r\n\r\n"), ("behind a word", b"ruok%s"), ("no word", b"xxxx%s")):
            with Raw(self.address, handshake=False) as zk:
                zk.send_bytes(data % self.new(what).encode())
                zk.closed_by_server(1)
        for password in (self.new("password")[:16], self.new("long password") * 3):
            try:
                Raw(self.address, session=0x1234, password=password.encode()).drop()
            except (Closed, Failure):
                pass
        body = struct.pack(">iqiq", 0, 0, 9000, 0) + struct.pack(">i", 99) + self.new("cut handshake").encode()
        with Raw(self.address, handshake=False) as zk:
            zk.send_bytes(jute.frame(body))
            zk.closed_by_server(1)
        with Raw(self.address, handshake=False) as zk:
            zk.send_bytes(proto.connect_request(0, 9000, 0, bytes(16), 0)[:-1] + b"\0" + jute.frame(
                struct.pack(">ii", 1, 3) + proto.encode("sb", ["/" + self.new("with the handshake"), 0])))
            zk.closed_by_server(0.3)


def words_of(address):
    """The answers to all four-letter words that tell something."""
    return "".join(word(address, command) for command in ("conf", "cons", "dump", "envi", "srvr", "stat", "mntr", "wchs", "wchc", "wchp", "dirs", "isro"))
