"""ZooKeeper's files as an attacker with the disk sees them: snapshots and transaction logs, read, changed and written back with all checksums
right. Formats: org.apache.zookeeper.server.persistence of ZooKeeper 3.9 (FileSnap, FileTxnLog), digests as in DigestCalculator."""
import struct
import zlib
from dataclasses import dataclass, field, replace

from gkraw import jute

SNAPSHOT_MAGIC, LOG_MAGIC = b"ZKSN", b"ZKLG"
STAT = struct.Struct(">qqqqiiiqq")
STAT_NAMES = ("czxid", "mzxid", "ctime", "mtime", "version", "cversion", "aversion", "ephemeralOwner", "pzxid")
SEAL = 13  # Adler-32 as a long, and the string "/"
CREATE, DELETE, SET_DATA, SET_ACL, CREATE2, MULTI, ERROR = 1, 2, 5, 7, 15, 14, -1


@dataclass
class Node:
    path: str
    data: bytes
    acl: int
    stat: dict

    @property
    def parent(self):
        return self.path.rpartition("/")[0]

    @property
    def name(self):
        return self.path.rpartition("/")[2]

    def digest(self):
        """DigestCalculator.calculateDigest, version 4: what lies below /zookeeper doesn't count."""
        if self.path.startswith("/zookeeper/"):
            return 0
        s = self.stat
        numbers = struct.pack(">qqqqqiiiq", s["czxid"], s["mzxid"], s["pzxid"], s["ctime"], s["mtime"], s["version"], s["cversion"], s["aversion"],
                              s["ephemeralOwner"])
        return zlib.crc32(numbers, zlib.crc32(self.data or b"", zlib.crc32(jute.text(self.path))))


@dataclass
class Snapshot:
    sessions: list
    acls: list
    nodes: list
    digest: tuple = None      # (zxid, version, digest)
    last_zxid: int = None

    @classmethod
    def parse(cls, data):
        r = jute.Reader(data)
        if r.take(4) != SNAPSHOT_MAGIC:
            raise ValueError("no snapshot")
        r.take(12)
        sessions = [(r.long(), r.int()) for _ in range(r.int())]
        acls = [(r.long(), r.acl()) for _ in range(r.int())]
        nodes = []
        while (path := jute.untext(r.buffer())) != "/":
            payload, acl = r.buffer(), r.long()
            nodes.append(Node(path, payload, acl, dict(zip(STAT_NAMES, STAT.unpack(r.take(STAT.size))))))
        made = cls(sessions, acls, nodes)
        cls._check_seal(data, r)
        if len(r.rest()) in (20 + SEAL, 20 + SEAL + 8 + SEAL):
            made.digest = (r.long(), r.int(), r.long())
            cls._check_seal(data, r)
        if len(r.rest()) == 8 + SEAL:
            made.last_zxid = r.long()
            cls._check_seal(data, r)
        if r.rest():
            raise ValueError(f"{len(r.rest())} unknown bytes at the end")
        return made

    @staticmethod
    def _check_seal(data, r):
        expected = zlib.adler32(data[:r.pos])
        if (r.long(), r.buffer()) != (expected, b"/"):
            raise ValueError("a seal is wrong")

    def tree_digest(self):
        total = sum(node.digest() for node in self.nodes) & (1 << 64) - 1
        return total - (1 << 64) if total >> 63 else total

    def dump(self, seals_right=True):
        out = bytearray(SNAPSHOT_MAGIC + struct.pack(">iq", 2, -1) + jute.put_int(len(self.sessions)))
        for session, timeout in self.sessions:
            out += jute.put_long(session) + jute.put_int(timeout)
        out += jute.put_int(len(self.acls))
        for number, entries in self.acls:
            out += jute.put_long(number) + jute.put_int(len(entries))
            for perms, scheme, ident in entries:
                out += jute.put_int(perms) + jute.put_buffer(scheme) + jute.put_buffer(ident)
        for node in self.nodes:
            out += jute.put_string(node.path) + jute.put_buffer(node.data) + jute.put_long(node.acl)
            out += STAT.pack(*(node.stat[name] for name in STAT_NAMES))
        out += jute.put_string("/")

        def seal():
            out.extend(jute.put_long(zlib.adler32(out) ^ (not seals_right)) + jute.put_string("/"))
        seal()
        if self.digest:
            out += jute.put_long(self.digest[0]) + jute.put_int(self.digest[1]) + jute.put_long(self.tree_digest())
            seal()
        if self.last_zxid is not None:
            out += jute.put_long(self.last_zxid)
            seal()
        return bytes(out)

    # ---- what an attacker does ----

    def find(self, path):
        return next(node for node in self.nodes if node.path == path)

    def below(self, path):
        """The node and all below it."""
        return [node for node in self.nodes if node.path == path or node.path.startswith(path + "/")]

    def move(self, path, to):
        for node in self.below(path):
            node.path = to + node.path[len(path):]
        self.sort()

    def copy(self, path, to):
        self.nodes += [replace(node, path=to + node.path[len(path):], stat=dict(node.stat)) for node in self.below(path)]
        self.sort()

    def plant(self, like, path, data):
        self.nodes.append(replace(like, path=path, data=data, stat=dict(like.stat)))
        self.sort()

    def copy_node(self, node, path):
        self.plant(node, path, node.data)

    def remove(self, path):
        gone = self.below(path)
        self.nodes = [node for node in self.nodes if node not in gone]

    def sort(self):
        """Parents before children, as a server expects it."""
        self.nodes.sort(key=lambda node: node.path.count("/"))


@dataclass
class Txn:
    """One record of a transaction log. Of those that tests change, `body` is a dict; of all others bytes."""
    client: int
    cxid: int
    zxid: int
    time: int
    type: int
    body: object
    digest: bytes = b""
    extra: dict = field(default_factory=dict)

    @classmethod
    def parse(cls, data):
        r = jute.Reader(data)
        made = cls(r.long(), r.int(), r.long(), r.long(), r.int(), None)
        if made.type in (CREATE, CREATE2):
            made.body = {"path": jute.untext(r.buffer()), "data": r.buffer(), "acl": r.acl(), "ephemeral": r.byte(), "cversion": r.int()}
        elif made.type == DELETE:
            made.body = {"path": jute.untext(r.buffer())}
        elif made.type == SET_DATA:
            made.body = {"path": jute.untext(r.buffer()), "data": r.buffer(), "version": r.int()}
        else:
            made.body = r.take(len(r.rest()))
        made.digest = r.rest()
        return made

    def dump(self):
        body = self.body
        if isinstance(body, dict):
            packed = jute.put_string(body["path"])
            if self.type in (CREATE, CREATE2):
                packed += jute.put_buffer(body["data"]) + jute.put_int(len(body["acl"]))
                packed += b"".join(jute.put_int(p) + jute.put_buffer(s) + jute.put_buffer(i) for p, s, i in body["acl"])
                packed += bytes([body["ephemeral"]]) + jute.put_int(body["cversion"])
            elif self.type == SET_DATA:
                packed += jute.put_buffer(body["data"]) + jute.put_int(body["version"])
            body = packed
        head = jute.put_long(self.client) + jute.put_int(self.cxid) + jute.put_long(self.zxid) + jute.put_long(self.time) + jute.put_int(self.type)
        return head + body + self.digest


class Log:
    """A transaction log. Digests of the tree are kept as they are; `strip` takes them out, which a server accepts."""

    def __init__(self, data):
        r = jute.Reader(data)
        if r.take(4) != LOG_MAGIC:
            raise ValueError("no transaction log")
        self.head, self.txns = r.take(12), []
        while len(r.rest()) >= 12:
            checksum, record = r.long(), r.buffer()
            if not record:
                break
            if checksum != zlib.adler32(record) or r.take(1) != b"B":
                raise ValueError("a checksum is wrong")
            self.txns.append(Txn.parse(record))

    def dump(self):
        out = bytearray(LOG_MAGIC + self.head)
        for txn in self.txns:
            record = txn.dump()
            out += jute.put_long(zlib.adler32(record)) + jute.put_buffer(record) + b"B"
        return bytes(out)

    def strip(self):
        for txn in self.txns:
            txn.digest = b""

    def find(self, path, kinds=(CREATE, CREATE2)):
        return next(txn for txn in self.txns if txn.type in kinds and txn.body["path"] == path)

    def append(self, kind, body):
        """One more transaction behind all others, of nobody's session."""
        last = self.txns[-1]
        self.txns.append(Txn(last.client, last.cxid + 1, last.zxid + 1, last.time + 1, kind, body))


def newest(folder, prefix):
    """The newest snapshot.* or log.* of a server's version-2 folder."""
    return max(folder.glob(prefix + ".*"), key=lambda path: int(path.name.rpartition(".")[2], 16))
