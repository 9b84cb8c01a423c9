#!/usr/bin/env python3
"""Known answers for native/group's runs, the servers' nodes and view keys (docs/FORMAT.md), from an implementation that shares no code with it, and
first inputs of the fuzz target that reads them.

usage: gen_agreement.py            write runs.txt, servers.txt, views.txt and tests/fuzz/corpus/agreement
       gen_agreement.py --check    compare them with what is there; exit 1 when they differ
"""
import hashlib
import pathlib
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

import gen_crypto as g

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE.parent / "fuzz" / "corpus" / "agreement"
OWN = "Written by tests/vectors/gen_agreement.py."
TGDH, CKD = 1, 2


def label(name):
    return g.var(b"groupkeeper v1 " + name)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def base(scalar):
    return X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes_raw()


def shared(scalar, point):
    return X25519PrivateKey.from_private_bytes(scalar).exchange(X25519PublicKey.from_public_bytes(point))


def sign(secret, message):
    return Ed25519PrivateKey.from_private_bytes(secret).sign(message)


def public(secret):
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


class Party:
    def __init__(self, s, ident):
        self.id, self.nonce, self.secret, self.leaf = ident, s.take(32), s.take(32), s.take(32)
        self.public = public(self.secret)


class Run:
    """All of a run, by one who knows everybody's secrets."""

    def __init__(self, protocol, ensemble, parties):
        self.protocol, self.parties = protocol, parties
        self.id = sha(label(b"run"), ensemble, *(struct.pack(">Q", p.id) + p.nonce for p in parties))
        self.values, self.owner, self.nodes = {}, {}, {}

    def agree(self, name, node, secret, peer, left, right):
        prk = g.hmac256(label(name), shared(secret, peer))
        return g.expand(prk, self.id + struct.pack(">I", node) + left + right, 32)

    def tgdh(self, node=1, lo=0, hi=None):
        """The key of a node; values and owners on the way."""
        hi = len(self.parties) if hi is None else hi
        mid = lo + (hi - lo + 1) // 2
        if hi - lo == 1:
            key, self.nodes[lo] = self.parties[lo].leaf, node
        else:
            left, right = self.tgdh(2 * node, lo, mid), self.tgdh(2 * node + 1, mid, hi)
            key = self.agree(b"tgdh", node, left, base(right), base(left), base(right))
        if node > 1:
            self.values[node], self.owner[node] = base(key), lo if hi - lo == 1 else mid - 1
        return key

    def ckd(self, root):
        """The first party sends root to the others."""
        for i, p in enumerate(self.parties):
            self.values[i + 1], self.owner[i + 1], self.nodes[i] = base(p.leaf), i, i + 1
        first, wraps = self.values[1], b""
        for i in range(1, len(self.parties)):
            bk = self.values[i + 1]
            wraps += g.xaes(self.agree(b"ckd", i + 1, self.parties[0].leaf, bk, first, bk), bytes(24), self.id, root)
        self.values[len(self.parties) + 1], self.owner[len(self.parties) + 1] = wraps, 0
        return root

    def finish(self, root):
        self.hash = sha(label(b"transcript"), bytes([self.protocol]), self.id, struct.pack(">I", len(self.parties)),
                        *(struct.pack(">Q", p.id) + p.nonce + p.public for p in self.parties),
                        *(struct.pack(">I", n) + g.var(v) for n, v in sorted(self.values.items())))
        self.ks = g.derive(root, "K_s", self.hash)
        confirm = g.derive(self.ks, "agree confirm", b"")
        self.messages = []
        for i, p in enumerate(self.parties):
            own = sorted((n for n in self.values if self.owner[n] == i), reverse=self.protocol == TGDH)
            said = [(n, self.values[n]) for n in own] + [(0, g.hmac256(confirm, struct.pack(">Q", p.id) + self.hash))]
            self.messages.append([self.message(p, seq, node, payload) for seq, (node, payload) in enumerate(said)])

    def message(self, p, seq, node, payload):
        body = label(b"run message") + bytes([self.protocol]) + self.id + struct.pack(">QII", p.id, seq, node) + g.var(payload)
        return body + sign(p.secret, body)


def make_run(s, protocol, n):
    ensemble = s.take(16)
    run = Run(protocol, ensemble, [Party(s, 3 + 5 * i) for i in range(n)])
    run.ensemble = ensemble
    run.finish(run.tgdh() if protocol == TGDH else run.ckd(s.take(32)))
    return run


def runs_file():
    s = g.Stream("runs")
    cases = []
    for protocol, sizes in ((TGDH, (1, 2, 3, 4, 5, 7, 8, 13)), (CKD, (2, 3, 6))):
        for n in sizes:
            run = make_run(s, protocol, n)
            case = [("protocol", protocol), ("parties", n), ("ensemble", run.ensemble), ("run", run.id), ("hash", run.hash), ("ks", run.ks)]
            for i, p in enumerate(run.parties):
                case += [("id", p.id), ("nonce", p.nonce), ("identity", p.secret), ("leaf", p.leaf), ("node", run.nodes[i]),
                         ("messages", len(run.messages[i]))] + [("message", m) for m in run.messages[i]]
            cases.append(case)
    return g.text("Runs of TGDH (protocol 1) and CKD (2), whole. " + OWN, cases)


def record(ident, nonce, reason, seed_id, fingerprint, secret, ensemble, zone, seed):
    body = label(b"server record") + struct.pack(">Q", ident) + nonce + struct.pack(">BI", reason, seed_id) + fingerprint + public(secret)
    body += g.hmac256(g.derive(seed, "server", zone), ensemble + body)
    return body + sign(secret, body)


def current(run):
    return label(b"agreement") + run.id + run.hash + struct.pack(">H", len(run.parties)) + \
        b"".join(struct.pack(">Q", p.id) + p.nonce for p in run.parties)


def servers_file():
    s = g.Stream("servers")
    cases = []
    for i in range(7):
        fields = {"id": 1 + i * 1000003, "nonce": s.take(32), "reason": 1 + i, "seed id": 5 + i, "fingerprint": s.take(8), "identity": s.take(32),
                  "ensemble": s.take(16), "zone": s.take(16), "seed": s.take(32)}
        cases.append(list(fields.items()) + [("record", record(*fields.values()))])
    for n in (1, 3, 64):
        run = make_run(s, TGDH, n)
        cases.append([("parties", n), ("run", run.id), ("hash", run.hash)] + [x for p in run.parties for x in (("id", p.id), ("nonce", p.nonce))] +
                     [("current", current(run))])
    return g.text("Records of servers, and agreement/current. " + OWN, cases)


def views_file():
    s = g.Stream("views")
    cases = []
    for i in range(8):
        run = make_run(s, TGDH, 1 + i % 3)
        tag, czxid, pzxid = s.take(16), 0x100000001 + i, [0, 0x100000002, 2**63 - 1, 2**64 - 1][i % 4]
        parts = label(b"view key") + run.ensemble + tag + struct.pack(">QQ", czxid, pzxid) + run.hash[:8]
        cases.append([("ensemble", run.ensemble), ("ks", run.ks), ("hash", run.hash), ("current", current(run)), ("tag", tag), ("czxid", czxid),
                      ("pzxid", pzxid), ("key", g.hmac256(run.ks, parts)), ("key id", run.hash[:8] + struct.pack(">Q", pzxid))])
    return g.text("Keys of views. " + OWN, cases)


def corpus():
    """The first byte: 0 agreement/current, 1 a record, 2 a message of a run, 3 a server's node (tests/fuzz/fuzz_agreement.c)."""
    s = g.Stream("agreement corpus")
    run, ckd = make_run(s, TGDH, 3), make_run(s, CKD, 3)
    yield "current", b"\0" + current(run)
    made = record(7, s.take(32), 1, 1, s.take(8), s.take(32), s.take(16), s.take(16), s.take(32))
    yield "record", b"\1" + made
    for i, m in enumerate(run.messages[0] + ckd.messages[0]):
        yield f"message-{i}", b"\2" + m
    yield "node", b"\3" + made + b"".join(g.var(m) for m in run.messages[0])


def main(args):
    if args not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    files = {HERE / "runs.txt": runs_file().encode(), HERE / "servers.txt": servers_file().encode(), HERE / "views.txt": views_file().encode()}
    files.update({CORPUS / name: data for name, data in corpus()})
    differ = [path for path, content in files.items() if args and (not path.exists() or path.read_bytes() != content)]
    for path in differ:
        print(f"gen_agreement.py: {path.name} differs", file=sys.stderr)
    if not args:
        CORPUS.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            path.write_bytes(content)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
