#!/usr/bin/env python3
"""Known answers for native/codec, from an implementation that shares no code with it (docs/FORMAT.md, from "Names" on), on top of the
primitives of gen_crypto.py and of what ZooKeeper's own classes said (java_*.txt, by GenJava.java). frames.txt comes from gen_frames.py.

usage: gen_codec.py            write the files
       gen_codec.py --check    compare them with what is there, and with the examples in docs/FORMAT.md; exit 1 when they differ
"""
import base64
import pathlib
import struct
import sys

import gen_crypto as g

HERE = pathlib.Path(__file__).resolve().parent
NAME, PAYLOAD, OLD, SEED = bytes(range(64)), bytes(range(0x40, 0x60)), bytes(range(0x60, 0x80)), bytes(range(0x80, 0xa0))
ZONE = bytes(range(0xa0, 0xb0))
PENDING, SESSION = g.derive(SEED, "pending", ZONE), g.derive(SEED, "session", ZONE)
PAYLOAD_ID, OLD_ID = 7, 3
OWN = "Written by tests/vectors/gen_codec.py, under the keys of tests/support/gk_rig.c."
NULL, PENDING_BIT, REENCRYPTED = 1, 2, 4
LIMITS, STATS = b"zookeeper_limits", b"zookeeper_stats"


def java_cases(name):
    """The cases of a file that GenJava.java wrote."""
    for case in (HERE / name).read_text().split("\n\n")[1:]:
        yield {k.strip(): v.strip() for k, v in (line.split("=", 1) for line in case.splitlines())}


SERVER = {bytes.fromhex(c["bytes"]): (bytes.fromhex(c["server"]), c["valid"] == "1") for c in java_cases("java_names.txt")}


def server_form(name):
    """What a server sends back for a name, and whether a node can be called so."""
    if name in SERVER:
        return SERVER[name]
    text = name.decode()  # a name that isn't UTF-8 must be in the table
    units = struct.unpack(f">{len(text.encode('utf-16-be')) // 2}H", text.encode("utf-16-be"))
    bad = any(u <= 0x1f or 0x7f <= u <= 0x9f or 0xd800 <= u <= 0xf8ff or u >= 0xfff0 for u in units)
    return b"".join(chr(u).encode("utf-8", "surrogatepass") for u in units), not bad and name not in (b"", b".", b"..")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


# --- names -----------------------------------------------------------------------------------------------------------------

class Node:
    """The node at the end of a path: the kinds and tags of docs/FORMAT.md, "Names"."""

    def __init__(self, prefixes=()):
        self.tag = self.child = ZONE
        self.kind, self.quota, self.depth = "root", False, 0
        self.prefixes, self.at = prefixes, ()

    def step(self, name):
        """Moves to the child called name and returns its stored form."""
        server, valid = server_form(name)
        if not valid or self.kind == "bad":
            return self.bad(server, valid)
        self.at += (name,)
        self.depth += 1
        kind, plain = self.kind_of(name)
        if kind == "plain":
            self.tag = self.child = bytes(16)
            self.kind = kind
            return name
        sealed = g.siv(NAME, [self.child], name)
        self.tag = sealed[:16]
        self.child = ZONE if kind == "quota-root" else self.tag
        self.kind, self.quota = kind, self.quota or kind == "quota-root"
        return name if plain else b64(sealed)

    def bad(self, server, valid):
        self.kind = "bad"
        if not server:
            return b""
        sealed = g.siv(NAME, [self.child], server)
        self.tag = self.child = sealed[:16]
        if self.quota and server in (LIMITS, STATS):
            return server
        return b64(sealed) if valid else b"\2" + b64(sealed) + (b"\0" if b"\0" in server else b"")

    def kind_of(self, name):
        if self.kind == "plain":
            return "plain", True
        if self.at == (b"zookeeper",):
            return "system", True
        if self.kind == "system" and name in (b"quota", b"config"):
            return "quota-root" if name == b"quota" else "config", True
        if self.quota:
            return {LIMITS: ("limits", True), STATS: ("stats", True)}.get(name, ("normal", False))
        inside = [p for p in self.prefixes if p[:len(self.at)] == self.at]
        return ("plain" if self.at in inside else "normal"), bool(inside)


def walk(path, prefixes=()):
    """A path's stored form, what a server would have sent back, and its node."""
    node = Node(prefixes)
    if path in (b"", b"/"):
        return path, path, node
    parts = path.split(b"/")
    relative = parts[0] != b""
    stored = [node.bad(server_form(parts[0])[0], False)] if relative else [b""]
    stored += [node.step(p) for p in parts[1:]]
    return b"/".join(stored), b"/".join(server_form(p)[0] for p in parts), node


def names_file():
    quota = b"/zookeeper/quota"
    paths = [b"/", b"", b"/a", b"/a/b", b"/a/b/c", b"/b/a", b"/app/config/db", "/naïve/文字".encode(), b"/with space/and.dots..", b"/locks/owners/node-17",
             b"/" + b"x" * 255, b"/" + b"/".join([b"d"] * 40), b"/...", b"/a/.b", b"/" + "\uffef".encode()]
    system = [b"/zookeeper", b"/zookeeper/config", b"/zookeeper/quota", b"/zookeeper/config/x", b"/zookeeper/other", b"/zookeeper/other/config",
              b"/a/zookeeper", b"/a/zookeeper/config", b"/zookeeperx", b"/config", b"/quota", b"/zookeeper_limits", b"/zookeeper/zookeeper_stats",
              b"/zookeeper/zookeeper", b"/zookeeper/config/" + LIMITS]
    mirror = [quota + p for p in (b"/a", b"/a/b", b"/a/b/c", b"/zookeeper_limits", b"/zookeeper_stats", b"/a/zookeeper_limits", b"/a/zookeeper_stats",
                                  b"/a/b/zookeeper_limits", b"/zookeeper", b"/zookeeper/quota", b"/zookeeper/config", b"/quota", b"/config", b"/config/x",
                                  b"/a/zookeeper_limits/x", b"/a/zookeeper_stats/zookeeper_limits")]
    bad = [b"//", b"/a/", b"/a//b", b"/.", b"/..", b"/a/./b", b"/a/../b", b"/a\1", b"/a/no/x\1", b"/\2", b"/a\0", b"/a\0/b", b"/\0", b"a", b"a/b", b"a/", b"zookeeper",
           b"zookeeper/config", "/\ue000".encode(), "/\U0001f600/x".encode(), b"/\x7f", b"/\xc2\x80", b"/\xff", b"/a/\xe1\x80/b", b"/zookeeper/quota/./zookeeper_limits",
           b"/zookeeper/quota/\1/zookeeper_stats", b"/./zookeeper", b"/zookeeper/", b"/plain\1", b"/\xf0\x90\x80/\xed\x80\xc0", b"/a/\t/"]
    cases = [((), p) for p in paths + system + mirror + bad]
    prefixes = ((b"plain",), (b"app", b"open", b"all"), (b"app", b"more"))
    cases += [(prefixes, p) for p in (b"/plain", b"/plain/x/y", b"/plainx", b"/app", b"/app/x", b"/app/open", b"/app/open/x", b"/app/open/all", b"/app/open/all/x", b"/app/more/z",
                                      b"/x/plain", b"/plain/./x", b"/plain/", b"/app/./more", b"/zookeeper/quota/plain", b"/zookeeper/quota/app/more", b"/zookeeper", b"/")]
    out = []
    for given, path in cases:
        stored, server, node = walk(path, given)
        case = [("path", path), ("stored", stored), ("server", server), ("kind", node.kind)]
        if given:
            case.insert(0, ("prefixes", ",".join("/" + "/".join(c.decode() for c in p) for p in given)))
        if node.kind != "bad":
            case += [("tag", node.tag), ("child tag", node.child), ("quota", int(node.quota)), ("depth", node.depth)]
        out.append(case)
    return g.text("Paths, and their stored forms. " + OWN, out)


EXAMPLE = b"/app/config/db"


# --- payloads --------------------------------------------------------------------------------------------------------------

def binding(node):
    return node.tag + (b"\1" if node.quota else b"")


def payload(key, ident, nonce, bound, data, flags=0, version=1):
    header = struct.pack(">BBI", version, flags, ident)
    return header + nonce + g.xaes(key, nonce, header + bound, data)


def example_payload():
    return payload(PAYLOAD, PAYLOAD_ID, bytes(range(0xe0, 0xf8)), binding(walk(EXAMPLE)[2]), b"jdbc:example")


def payloads_file():
    s, out = g.Stream("payloads"), []

    def case(title, path, data, stored, result="GK_OK", null=0):
        out.append([("case", title), ("path", path), ("null", null), ("data", data), ("stored", stored), ("result", result)])

    for path in (b"/", b"/a", b"/a/b", b"/zookeeper", b"/zookeeper/quota", b"/zookeeper/quota/a", b"/zookeeper/config/x"):
        for n in (0, 1, 15, 16, 100):
            data, nonce = s.take(n), s.take(24)
            case("payload", path, data, payload(PAYLOAD, PAYLOAD_ID, nonce, binding(walk(path)[2]), data))
    case("the example of docs/FORMAT.md", EXAMPLE, b"jdbc:example", example_payload())
    a, b, mirror = (walk(p)[2] for p in (b"/a", b"/b", b"/zookeeper/quota/a"))
    nonce, data = s.take(24), b"what /a holds"
    good = payload(PAYLOAD, PAYLOAD_ID, nonce, a.tag, data)
    case("null", b"/a", b"", payload(PAYLOAD, PAYLOAD_ID, nonce, a.tag, b"", NULL), null=1)
    case("re-encrypted", b"/a", data, payload(PAYLOAD, PAYLOAD_ID, nonce, a.tag, data, REENCRYPTED))
    case("null and re-encrypted", b"/a", b"", payload(PAYLOAD, PAYLOAD_ID, nonce, a.tag, b"", NULL | REENCRYPTED), null=1)
    case("a former key", b"/a", data, payload(OLD, OLD_ID, nonce, a.tag, data))
    wrong = {"pending": payload(PAYLOAD, PAYLOAD_ID, nonce, a.tag, data, PENDING_BIT), "unknown flag": payload(PAYLOAD, PAYLOAD_ID, nonce, a.tag, data, 8),
             "version 0": payload(PAYLOAD, PAYLOAD_ID, nonce, a.tag, data, 0, 0), "version 2": payload(PAYLOAD, PAYLOAD_ID, nonce, a.tag, data, 0, 2),
             "unknown key": payload(PAYLOAD, 8, nonce, a.tag, data), "another key's id": payload(PAYLOAD, OLD_ID, nonce, a.tag, data),
             "the seed's id": payload(SEED, 5, nonce, a.tag, data), "of another node": payload(PAYLOAD, PAYLOAD_ID, nonce, b.tag, data),
             "of the quota node": payload(PAYLOAD, PAYLOAD_ID, nonce, binding(mirror), data), "bound to nothing": payload(PAYLOAD, PAYLOAD_ID, nonce, b"", data),
             "another nonce": good[:6] + bytes(24) + good[30:], "flag changed": good[:1] + b"\4" + good[2:], "empty": b"", "header alone": good[:6],
             "no tag": good[:30], "short tag": payload(PAYLOAD, PAYLOAD_ID, nonce, a.tag, b"")[:-1], "plaintext": b"just some text that is long enough to be one of ours, or not"}
    for title, stored in wrong.items():
        case(title, b"/a", data, stored, "GK_ERR_AUTH")
    case("of the tree's node", b"/zookeeper/quota/a", data, good, "GK_ERR_AUTH")
    return g.text("Stored payloads of nodes. " + OWN, out)


# --- sequential creates ----------------------------------------------------------------------------------------------------

def sequence_file():
    s, out = g.Stream("sequence"), []
    label = g.var(b"groupkeeper v1 pending")

    def case(title, parent, prefix, number, data, null=0, result="GK_OK", **change):
        stored_parent, _, node = walk(parent)
        nonces = s.take(24), s.take(24)
        marker = g.xaes(change.get("key", PENDING), nonces[0], change.get("label", label) + change.get("bound", node.child), prefix)
        component = b"\1" + b64(nonces[0] + marker)
        flags = change.get("flags", PENDING_BIT | (NULL if null else 0))
        pending = payload(PAYLOAD, PAYLOAD_ID, nonces[1], change.get("data_bound", component), data, flags)
        base = b"" if parent == b"/" else parent
        final = base + b"/" + prefix + (b"%010d" % number)
        path = (b"" if parent == b"/" else stored_parent) + b"/" + component
        rows = [("case", title), ("path", base + b"/" + prefix), ("marked", path), ("pending", pending), ("number", number), ("result", result)]
        if result == "GK_OK":
            rows += [("final", final), ("stored", walk(final)[0]), ("null", null), ("data", data)]
        out.append(rows)

    case("in the root", b"/", b"x-", 0, b"data")
    case("a lock", b"/locks/one", b"lock-", 21, b"owner")
    case("no prefix", b"/a", b"", 1, b"")
    case("null", b"/a", b"n", 4294967, b"", 1)
    case("largest", b"/a", b"n", 2147483647, b"x")
    case("negative", b"/a", b"n", -2147483648, b"x")
    case("minus one", b"/a", b"n", -1, b"x")
    case("dots", b"/a", b"..", 7, b"x")
    case("one dot", b"/a", b".", 7, b"x")
    case("below /zookeeper", b"/zookeeper", b"quota", 3, b"x")
    case("below the quota root", b"/zookeeper/quota", b"zookeeper_limits", 3, b"x")
    case("long prefix", b"/a", b"p" * 300, 5, bytes(1000))
    case("another key", b"/a", b"n", 1, b"x", result="GK_ERR_AUTH", key=PAYLOAD)
    case("another label", b"/a", b"n", 1, b"x", result="GK_ERR_AUTH", label=g.var(b"groupkeeper v1 pendinG"))
    case("of another parent", b"/a", b"n", 1, b"x", result="GK_ERR_AUTH", bound=walk(b"/b")[2].child)
    case("a payload that isn't pending", b"/a", b"n", 1, b"x", result="GK_ERR_AUTH", flags=0)
    case("a payload of another create", b"/a", b"n", 1, b"x", result="GK_ERR_AUTH", data_bound=b"\1other")
    case("a payload of the parent", b"/a", b"n", 1, b"x", result="GK_ERR_AUTH", data_bound=walk(b"/a")[2].tag)
    case("a prefix that no name has", b"/a", b"n\1", 1, b"x", result="GK_ERR_AUTH")
    return g.text("Sequential creates on their way to the leader, and what it makes of them. " + OWN, out)


# --- sessions, quotas, hashing ---------------------------------------------------------------------------------------------

def sessions_file():
    out = []
    for c in java_cases("java_passwords.txt"):
        ident = bytes.fromhex(c["session"])
        ours = g.hmac256(SESSION, g.var(b"groupkeeper v1 session") + ident)[:16]
        out.append([("session", ident), ("stock", c["stock"]), ("ours", ours)])
    return g.text("Session passwords: stock's (java_passwords.txt) and ours. " + OWN, out)


def limits(node, text, nonce, count, count_hard, flags=0):
    sealed = payload(PAYLOAD, PAYLOAD_ID, nonce, binding(node), text, flags)
    n = len(sealed)
    words = struct.unpack(f">{(n + 7) // 8}q", sealed + bytes(-n % 8))
    head = f"count={count:+020d},bytes=-1=;countHardLimit={count_hard:+020d}"
    return (head + "".join(f";g{i:05x}={w:+020d}" for i, w in enumerate(words)) + ";" * (n % 8)).encode()


def limits_file():
    s, out = g.Stream("limits"), []
    texts = [(b"count=5,bytes=1000", 5, -1), (b"count=-1,bytes=-1;byteHardLimit=9000;countHardLimit=12", -1, 12), (b"", -1, -1), (b"not a quota", -1, -1),
             (b"count=9223372036854775807,countHardLimit=-9223372036854775808", 2 ** 63 - 1, -2 ** 63), (b"count=1,count=2", 2, -1), (b"count=0", 0, -1)]
    texts += [(b"c" * n, -1, -1) for n in range(1, 10)]
    for path in (b"/zookeeper/quota/a/zookeeper_limits", b"/zookeeper/quota/zookeeper_limits"):
        node = walk(path)[2]
        for text, count, hard in texts:
            out.append([("path", path), ("text", text), ("null", 0), ("stored", limits(node, text, s.take(24), count, hard)), ("result", "GK_OK")])
        out.append([("path", path), ("text", b""), ("null", 1), ("stored", limits(node, b"", s.take(24), -1, -1, NULL)), ("result", "GK_OK")])
    node, text = walk(b"/zookeeper/quota/a/zookeeper_limits")[2], b"count=5,bytes=1000"
    good = limits(node, text, s.take(24), 5, -1)
    for wrong in (b"", good[:71], good[:72], good[:-1], good + b";", good + b"0", text, good.replace(b"g00001", b"g00002"), limits(walk(b"/zookeeper/quota/b/zookeeper_limits")[2], text, s.take(24), 5, -1)):
        out.append([("path", b"/zookeeper/quota/a/zookeeper_limits"), ("text", text), ("null", 0), ("stored", wrong), ("result", "GK_ERR_AUTH")])
    return g.text("zookeeper_limits nodes. " + OWN, out)


def stats_file():
    texts = [(b"count=0,bytes=0", b"count=0,bytes=0"), (b"count=1,bytes=0", b"count=1,bytes=46"), (b"count=3,bytes=12", b"count=3,bytes=150"),
             (b"count=3,bytes=12;countHardLimit=7;byteHardLimit=9", b"count=3,bytes=150;countHardLimit=7;byteHardLimit=9"), (b"bytes=10,count=2", b"bytes=102,count=2"),
             (b"count=5", b"count=5"), (b"bytes=100", b"bytes=54"), (b"", b""), (b"count=-1,bytes=-1", b"count=-1,bytes=-47"), (b"bytes=1,bytes=2,count=1", b"bytes=1,bytes=48,count=1"),
             (b"count=200000000000000000,bytes=5", b"count=200000000000000000,bytes=9200000000000000005"),
             (b"count=3,bytes=+02", b"count=3,bytes=+0140"), (b"count=0,bytes=00", b"count=0,bytes=00"), (b"bytes=+9,count=1", b"bytes=+55,count=1")]
    wrong = [b"count", b"count=x", b"count=1,other=2", b"count=9223372036854775808", b"=", b"count=1,,=2", b"text"]
    return g.text("zookeeper_stats nodes: what clients see, and what is stored. " + OWN, [[("text", t), ("stored", s), ("result", "GK_OK")] for t, s in texts] +
                  [[("text", t), ("result", "GK_ERR_MALFORMED")] for t in wrong])


def siphash(key, data):
    """SipHash-2-4, Aumasson and Bernstein 2012, section 2."""
    mask = (1 << 64) - 1
    k = struct.unpack("<2Q", key)
    v = [k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d, k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573]

    def rounds(n):
        for _ in range(n):
            for a, b, c, d, r, q in ((0, 1, 2, 3, 13, 16), (2, 1, 0, 3, 17, 21)):
                v[a], v[c] = (v[a] + v[b]) & mask, (v[c] + v[d]) & mask
                v[b], v[d] = (v[b] << r | v[b] >> (64 - r)) & mask ^ v[a], (v[d] << q | v[d] >> (64 - q)) & mask ^ v[c]
                v[a] = (v[a] << 32 | v[a] >> 32) & mask

    data += bytes(-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for (word,) in struct.iter_unpack("<Q", data):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def siphash_file():
    key = bytes(range(16))
    out = [struct.pack("<Q", siphash(key, bytes(range(n)))) for n in range(64)]
    assert out[0].hex() == "310e0edd47db6f72" and out[1].hex() == "fd67dc93c539f874" and out[63].hex() == "724506eb4c328a95"
    cases = [[("key", key), ("in", bytes(range(n))), ("out", o)] for n, o in enumerate(out)]
    return g.text("SipHash-2-4: the 64 vectors of its authors (github.com/veorq/SipHash, vectors.h), computed anew. " + OWN, cases)


def examples():
    """What docs/FORMAT.md shows must stand there as it is computed here."""
    stored, _, node = walk(EXAMPLE)
    yield from (stored.decode(), node.tag.hex(), example_payload().hex())
    lock = next(c for c in sequence_file().split("\n\n") if "case = a lock" in c)
    fields = dict(line.split(" = ", 1) for line in lock.splitlines())
    yield from (bytes.fromhex(fields["marked"]).rpartition(b"\1")[2].decode(), fields["pending"], bytes.fromhex(fields["stored"]).decode())
    case = next(iter(java_cases("java_passwords.txt")))
    yield from (case["stock"], g.hmac256(SESSION, g.var(b"groupkeeper v1 session") + bytes.fromhex(case["session"]))[:16].hex())
    yield limits(walk(b"/zookeeper/quota/a/zookeeper_limits")[2], b"count=5,bytes=1000", g.Stream("limits").take(24), 5, -1).decode()
    yield from (walk(p)[0].decode().replace("\2", "\\u0002") for p in (b"/a/no/x\1", b"/a//b", b"/zookeeper/quota/app/config"))


def missing_examples():
    text = "".join((HERE.parent.parent / "docs" / "FORMAT.md").read_text().split())
    return [e for e in examples() if e not in text]


def main(args):
    files = {"siphash.txt": siphash_file(), "names.txt": names_file(), "payloads.txt": payloads_file(), "sequence.txt": sequence_file(),
             "sessions.txt": sessions_file(), "limits.txt": limits_file(), "stats.txt": stats_file()}
    if args not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    differ = [name for name, content in files.items() if args == ["--check"] and (HERE / name).read_text() != content]
    for name in differ:
        print(f"gen_codec.py: {name} differs", file=sys.stderr)
    missing = missing_examples() if args else []
    for example in missing:
        print(f"gen_codec.py: docs/FORMAT.md lacks {example}", file=sys.stderr)
    if not args:
        for name, content in files.items():
            (HERE / name).write_text(content)
    return 1 if differ or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
