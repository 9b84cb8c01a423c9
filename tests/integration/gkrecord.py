"""What a run of the group key service leaves behind, as one JSON document that gkchaos.py judges: every epoch message that any server's transaction log
ever held (those that were truncated later, too), who took the fencing token when, what lies in ZooKeeper at the end, what members and controllers
printed, and members' state files with their keys. Formats: docs/FORMAT.md, "Groups"."""
import base64
import hashlib
import json
import struct
import threading
import zlib
from dataclasses import dataclass, replace

from gkraw import jute
from gkstore import CREATE, CREATE2, LOG_MAGIC, MULTI, SET_DATA

HEAD = struct.Struct(">4s16sQQQQIIIBBQ32s32s")
OP, ROW = struct.Struct(">BQ"), struct.Struct(">QQ48s")
ADD, REMOVE, DERIVE = 1, 2, 3


def sha(data):
    return hashlib.sha256(data).digest()


@dataclass
class Message:
    """An epoch message (GKE1)."""
    magic: bytes
    group: bytes
    epoch: int
    by: int  # the controller epoch
    authority: int
    issued_ms: int
    max_age: int
    ring: int
    members: int
    reason: int
    flags: int
    root: int
    prev: bytes
    salt: bytes
    ops: list       # (ADD, REMOVE or DERIVE, node)
    wraps: list     # (node, under, wrapped)
    confirm: bytes
    signer: bytes
    signature: bytes

    @classmethod
    def parse(cls, data):
        at = HEAD.size
        rows = []
        for row in (OP, ROW):
            n = struct.unpack_from(">I", data, at)[0]
            rows.append([row.unpack_from(data, at + 4 + i * row.size) for i in range(n)])
            at += 4 + n * row.size
        made = cls(*HEAD.unpack_from(data), *rows, data[at:at + 32], data[at + 32:at + 48], data[at + 48:])
        if made.magic != b"GKE1" or len(made.signature) != 64:
            raise ValueError("no epoch message")
        return made

    def body(self):
        rows = b"".join(struct.pack(">I", len(rows)) + b"".join(row.pack(*r) for r in rows) for row, rows in ((OP, self.ops), (ROW, self.wraps)))
        return HEAD.pack(self.magic, self.group, self.epoch, self.by, self.authority, self.issued_ms, self.max_age, self.ring, self.members, self.reason,
                         self.flags, self.root, self.prev, self.salt) + rows

    def dump(self):
        return self.body() + self.confirm + self.signer + self.signature

    def but(self, **changes):
        return replace(self, **changes)


# --- transaction logs -----------------------------------------------------------------------------------------------------------------

def records(data):
    """The records of a transaction log as bytes, up to the first that isn't whole: a server may be writing it, or was killed meanwhile."""
    r = jute.Reader(data)
    if r.take(4) != LOG_MAGIC:
        return
    r.take(12)
    while len(data) - r.pos >= 12:
        try:
            checksum, record = r.long(), r.buffer()
            if not record or r.take(1) != b"B" or checksum != zlib.adler32(record):
                return
        except jute.Short:
            return
        yield record


def writes(record):
    """(zxid, path, data, version) of each node that a transaction makes (version 0) or sets, in a multi or not. A multi that failed wrote nothing."""
    r = jute.Reader(record)
    r.take(12)
    zxid = r.long()
    r.take(8)
    kind = r.int()
    parts = [(kind, record[r.pos:])]
    if kind == MULTI:
        parts = [(r.int(), r.buffer()) for _ in range(r.int())]
    for kind, body in parts:
        r = jute.Reader(body)
        if kind in (CREATE, CREATE2, SET_DATA):
            path, data = jute.untext(r.buffer()), r.buffer()
            yield zxid, path, data, r.int() if kind == SET_DATA else 0


class Collector:
    """Reads servers' transaction logs as often as it is asked to. Thread-safe."""

    def __init__(self, folder, root, group):
        self.folder, self.fence, self.epochs, self.keks = folder, f"{root}/controllers/epoch", *(f"{root}/groups/{group}/{what}/" for what in ("epochs", "members"))
        self.marks = [path.encode() for path in (self.fence, self.epochs, self.keks)]
        self.lock, self.found, self.sizes = threading.Lock(), {}, {}

    def look(self, *servers):
        with self.lock:
            for server in servers:
                for log in sorted((self.folder / f"server-{server}").glob("data*/version-2/log.*")):
                    self._log(server, log)

    def _log(self, server, log):
        data = log.read_bytes().rstrip(b"\0")
        if self.sizes.get(log) == (len(data), zlib.adler32(data)):
            return
        self.sizes[log] = len(data), zlib.adler32(data)
        for record in records(data + bytes(16)):
            if any(mark in record for mark in self.marks):
                for zxid, path, value, version in writes(record):
                    if path == self.fence or path.startswith((self.epochs, self.keks)):
                        self.found.setdefault((zxid, path, value, version), set()).add(server)

    def document(self):
        epochs, claims, keks = [], [], []
        for (zxid, path, value, version), servers in sorted(self.found.items(), key=lambda item: item[0][:2]):
            where = {"zxid": zxid, "servers": sorted(servers)}
            if path == self.fence:
                claims.append({**where, "version": version, "id": (value or b"").decode()})
            elif path.startswith(self.keks):
                keks += [{"zxid": zxid, "message": base64.b64encode(value).decode()}] if value else []  # made empty, with its member
            else:
                message = value[4:4 + struct.unpack_from(">I", value)[0]]  # what is behind it is for controllers alone
                epochs.append({**where, "epoch": int(path.rpartition("/")[2]), "message": base64.b64encode(message).decode()})
        return {"epochs": epochs, "claims": claims, "keks": keks}


# --- members --------------------------------------------------------------------------------------------------------------------------

def member_state(data):
    """Epoch, hash of its message, and keys from leaf to root, of an unsealed state file; None when it holds no keys."""
    at = 6 + struct.unpack_from(">H", data, 4)[0]
    if data[:4] != b"GKM1" or data[at:at + 8] != b"GKM1\1\0\0\0":
        raise ValueError("no unsealed state of a member")
    r = jute.Reader(data, at + 8)

    def number(fmt):
        return struct.unpack(fmt, r.take(struct.calcsize(fmt)))[0]

    def maybe(size):
        return r.take(size) if r.byte() else None
    for _ in range(2):
        r.take(number(">H"))
    r.take(33)
    maybe(33)           # genesis
    if r.byte():        # authority
        r.take(52)
        for _ in range(2):
            r.take(32 * number(">H"))
        r.take(64)
    maybe(32)           # identity
    r.take(33)
    maybe(32)           # the key for a reply
    epoch = number(">Q")
    r.take(9 * 8 + 8)
    message = r.take(32)
    r.take(32)
    maybe(32)           # the KEK
    r.take(1)
    if not r.byte():
        return None
    path = [[number(">Q"), r.take(32).hex()]]
    for _ in range(number(">H")):
        path.append([number(">Q"), r.take(32).hex()])
    return {"epoch": epoch, "hash": message.hex(), "path": path}


def public_key(pem):
    """An Ed25519 public key in PEM: its last 32 bytes."""
    return base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-----")))[-32:].hex()


def events(lines):
    """What the checker wants of a member's lines."""
    return [{k: line[k] for k in ("event", "epoch", "fingerprint", "via", "from", "to", "reason") if k in line} for line in lines]


def load(path):
    return json.loads(path.read_text())


def save(record, path):
    path.write_text(json.dumps(record, separators=(",", ":")) + "\n")
