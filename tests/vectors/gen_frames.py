#!/usr/bin/env python3
"""Known answers for native/codec's sessions: a client's request, what goes on to the server of it, the server's answer, and what comes back to
the client, each without its length. Built here record by record (zookeeper.jute) on top of gen_codec.py; for requests whose stored form
holds a nonce, only the answer is given.

usage: gen_frames.py            write frames.txt
       gen_frames.py --check    compare it with what is there; exit 1 when it differs
"""
import struct
import sys

import gen_codec as c
import gen_crypto as g

STREAM = g.Stream("frames")
XID, ZXID = 77, 0x100000002
CREATE, DELETE, EXISTS, GET_DATA, SET_DATA, GET_ACL, SET_ACL, GET_CHILDREN, SYNC, PING, GET_CHILDREN2, CHECK, MULTI, CREATE2, RECONFIG, CHECK_WATCHES, \
    REMOVE_WATCHES, CREATE_CONTAINER, DELETE_CONTAINER, CREATE_TTL, MULTI_READ = list(range(1, 10)) + list(range(11, 23))
SET_WATCHES, GET_EPHEMERALS, COUNT, SET_WATCHES2, ADD_WATCH, WHO_AM_I, CLOSE = 101, 103, 104, 105, 106, 107, -11


def i32(v):
    return struct.pack(">i", v)


def i64(v):
    return struct.pack(">q", v)


def buf(b):
    return i32(-1) if b is None else i32(len(b)) + b


def vec(items):
    return i32(-1) if items is None else i32(len(items)) + b"".join(buf(i) for i in items)


def stored(path):
    return None if path is None else c.walk(path)[0]


def stat(length, children=3):
    return i64(11) + i64(12) + i64(1700000000001) + i64(1700000000002) + i32(4) + i32(5) + i32(6) + i64(0) + i32(length) + i32(children) + i64(13)


def sealed(path, data, flags=0):
    node = c.walk(path)[2]
    return c.payload(c.PAYLOAD, c.PAYLOAD_ID, STREAM.take(24), c.binding(node), data or b"", flags | (c.NULL if data is None else 0))


def head(op):
    return i32(XID) + i32(op)


def ok(body=b"", err=0, xid=XID):
    return i32(xid) + i64(ZXID) + i32(err) + body


ACL = i32(1) + i32(31) + buf(b"world") + buf(b"anyone")
OUT = []


def case(title, request, to_server, answer, reply):
    row = [("case", title), ("request", request)] + ([("stored", to_server)] if to_server is not None else [])
    OUT.append(row + [("answer", answer), ("reply", reply)])


def one_path(title, op, path, tail, answer, reply):
    """An operation whose record is a path and something that passes as it is."""
    case(title, head(op) + buf(path) + tail, head(op) + buf(stored(path)) + tail, ok(answer), ok(reply))


def reads():
    h = 46
    for path in (b"/app/one", b"/", b"/zookeeper", b"/zookeeper/quota/app", "/naïve".encode()):
        for watch in (b"\0", b"\1"):
            one_path("exists", EXISTS, path, watch, stat(100), stat(100 - h))
        for data in (b"some data", b"", None):
            n = len(data or b"")
            one_path("getData", GET_DATA, path, b"\1", buf(sealed(path, data)) + stat(n + h), buf(data) + stat(n))
        kids = [b"one", b"two", "drei \u2603".encode()]
        names = [c.walk(path.rstrip(b"/") + b"/" + k)[0].rsplit(b"/", 1)[1] for k in kids]
        one_path("getChildren", GET_CHILDREN, path, b"\0", vec(names), vec(kids))
        one_path("getChildren2", GET_CHILDREN2, path, b"\0", vec(names) + stat(h), vec(kids) + stat(0))
        one_path("one child is nobody's", GET_CHILDREN2, path, b"\0", vec(names[:1] + [b"stranger"] + names[1:]) + stat(h), vec(kids) + stat(0))
        one_path("getACL", GET_ACL, path, b"", ACL + stat(h + 5), ACL + stat(5))
        one_path("setACL", SET_ACL, path, ACL + i32(-1), stat(h + 5), stat(5))
        one_path("getAllChildrenNumber", COUNT, path, b"", i32(9), i32(9))
        one_path("sync", SYNC, path, b"", buf(stored(path)), buf(path))
        one_path("addWatch", ADD_WATCH, path, i32(1), i32(0), i32(0))
        for op in (DELETE, CHECK_WATCHES, REMOVE_WATCHES):
            one_path("a path and a number", op, path, i32(-1), b"", b"")
        one_path("deleteContainer", DELETE_CONTAINER, path, b"", b"", b"")
        for err in (-101, -110, -4):
            case("an error", head(EXISTS) + buf(path) + b"\0", head(EXISTS) + buf(stored(path)) + b"\0", ok(b"", err), ok(b"", err))
    for path in (b"/", b"/zookeeper", b"/zookeeper/quota"):
        one_path("made by ZooKeeper itself", GET_DATA, path, b"\0", buf(b"") + stat(0), buf(b"") + stat(0))
    one_path("config", GET_DATA, b"/zookeeper/config", b"\0", buf(b"server.1=x\nversion=0") + stat(20), buf(b"server.1=x\nversion=0") + stat(20))
    one_path("children of /", GET_CHILDREN, b"/", b"\0", vec([b"zookeeper", stored(b"/a")[1:]]), vec([b"zookeeper", b"a"]))
    one_path("children of /zookeeper", GET_CHILDREN, b"/zookeeper", b"\0", vec([b"config", b"quota"]), vec([b"config", b"quota"]))
    quota = b"/zookeeper/quota/a"
    one_path("children of a quota node", GET_CHILDREN, quota, b"\0", vec([c.LIMITS, c.STATS]), vec([c.LIMITS, c.STATS]))
    one_path("no children", GET_CHILDREN, b"/a", b"\0", vec([]), vec([]))
    one_path("a null vector", GET_CHILDREN, b"/a", b"\0", vec(None), vec(None))
    text = c.limits(c.walk(quota + b"/" + c.LIMITS)[2], b"count=5,bytes=7", STREAM.take(24), 5, -1)
    one_path("limits", GET_DATA, quota + b"/" + c.LIMITS, b"\0", buf(text) + stat(len(text)), buf(b"count=5,bytes=7") + stat(15))
    one_path("limits, exists", EXISTS, quota + b"/" + c.LIMITS, b"\0", stat(len(text)), stat(15))
    one_path("stats", GET_DATA, quota + b"/" + c.STATS, b"\0", buf(b"count=3,bytes=150") + stat(17), buf(b"count=3,bytes=12") + stat(16))
    # whose length doesn't follow from the stored one: an exists without a watch reads the text
    path = quota + b"/" + c.STATS
    case("stats, exists", head(EXISTS) + buf(path) + b"\0", head(GET_DATA) + buf(stored(path)) + b"\0", ok(buf(b"count=3,bytes=150") + stat(17)), ok(stat(16)))


def refused():
    """Payloads that can't be opened: DATAINCONSISTENCY, and nothing else."""
    request, to_server = head(GET_DATA) + buf(b"/a") + b"\0", head(GET_DATA) + buf(stored(b"/a")) + b"\0"
    good = sealed(b"/a", b"data of /a")
    for title, data in (("tampered", good[:-1] + bytes([good[-1] ^ 1])), ("of another node", sealed(b"/b", b"data of /b")), ("plaintext", b"x" * 60), ("empty", b""),
                        ("null", None), ("pending", sealed(b"/a", b"x", c.PENDING_BIT)), ("later version", b"\2" + good[1:]), ("unknown key", good[:5] + b"\x09" + good[6:])):
        case(title, request, to_server, ok(buf(data) + stat(len(data or b""))), ok(b"", -3))
    for title, body in (("cut", (buf(good) + stat(56))[:-1]), ("a wrong length", i32(-2) + good + stat(56))):
        case(title, request, to_server, ok(body), ok(b"", -3))
    case("sync says another path", head(SYNC) + buf(b"/a"), head(SYNC) + buf(stored(b"/a")), ok(buf(b"/plaintext")), ok(b"", -3))


def writes():
    for op, tail in ((CREATE, b""), (CREATE2, b""), (CREATE_CONTAINER, b""), (CREATE_TTL, i64(1000))):
        flags = {CREATE_CONTAINER: 4, CREATE_TTL: 5}.get(op, 0)
        more = b"" if op == CREATE else stat(46 + 4)
        plain = b"" if op == CREATE else stat(4)
        for sequential, final in ((False, b"/app/one"), (True, b"/app/one0000000012")):
            f = {0: 2, 4: 2, 5: 6}[flags] if sequential else flags
            request = head(op) + buf(b"/app/one") + buf(b"data") + ACL + i32(f) + tail
            case("a create", request, None, ok(buf(stored(final)) + more), ok(buf(final) + plain))
            case("a create that fails", request, None, ok(b"", -110), ok(b"", -110))
    case("setData", head(SET_DATA) + buf(b"/app") + buf(b"data") + i32(-1), None, ok(stat(50)), ok(stat(4)))
    case("setData of null", head(SET_DATA) + buf(b"/app") + buf(None) + i32(-1), None, ok(stat(46)), ok(stat(0)))


def part(op, record, done=0, err=-1):
    return i32(op) + bytes([done]) + i32(err) + record


END = part(-1, b"", 1)


def multis():
    paths = (b"/a", b"/a/b")
    tail = i32(3)
    request = b"".join(part(op, buf(p) + tail) for p in paths for op in (DELETE, CHECK)) + END
    to_server = b"".join(part(op, buf(stored(p)) + tail) for p in paths for op in (DELETE, CHECK)) + END
    done = part(DELETE, b"", 0, 0) + part(CHECK, b"", 0, 0)
    case("multi", head(MULTI) + request, head(MULTI) + to_server, ok(done + done + END), ok(done + done + END))
    failed = part(-1, i32(0), 0, 0) + part(-1, i32(-103), 0, -103) + part(-1, i32(-2), 0, -2) * 2
    case("multi that fails", head(MULTI) + request, head(MULTI) + to_server, ok(failed + END), ok(failed + END))
    case("multi of nothing", head(MULTI) + END, head(MULTI) + END, ok(END), ok(END))
    creates = part(CREATE, buf(b"/a/x-") + buf(b"data") + ACL + i32(2)) + part(CREATE2, buf(b"/a/y") + buf(None) + ACL + i32(0)) + \
        part(SET_DATA, buf(b"/a") + buf(b"new") + i32(0)) + part(CREATE_TTL, buf(b"/a/t") + buf(b"") + ACL + i32(5) + i64(9)) + END
    answer = part(CREATE, buf(stored(b"/a/x-0000000007")), 0, 0) + part(CREATE2, buf(stored(b"/a/y")) + stat(46), 0, 0) + part(SET_DATA, stat(49), 0, 0) + \
        part(CREATE_TTL, buf(stored(b"/a/t")) + stat(46), 0, 0) + END
    reply = part(CREATE, buf(b"/a/x-0000000007"), 0, 0) + part(CREATE2, buf(b"/a/y") + stat(0), 0, 0) + part(SET_DATA, stat(3), 0, 0) + \
        part(CREATE_TTL, buf(b"/a/t") + stat(0), 0, 0) + END
    case("multi of creates", head(MULTI) + creates, None, ok(answer), ok(reply))
    request = part(GET_DATA, buf(b"/a") + b"\0") + part(GET_CHILDREN, buf(b"/") + b"\0") + part(GET_DATA, buf(b"/a/b") + b"\0") + END
    to_server = part(GET_DATA, buf(stored(b"/a")) + b"\0") + part(GET_CHILDREN, buf(b"/") + b"\0") + part(GET_DATA, buf(stored(b"/a/b")) + b"\0") + END
    one, other = sealed(b"/a", b"data of /a"), sealed(b"/a/b", b"and of b")
    kids = part(GET_CHILDREN, vec([b"zookeeper", stored(b"/a")[1:]]), 0, 0)
    kids_plain = part(GET_CHILDREN, vec([b"zookeeper", b"a"]), 0, 0)
    broken, missing = part(-1, i32(-3), 0, -3), part(-1, i32(-101), 0, -101)
    first = part(GET_DATA, buf(one) + stat(56), 0, 0)
    first_plain = part(GET_DATA, buf(b"data of /a") + stat(10), 0, 0)
    last = part(GET_DATA, buf(other) + stat(54), 0, 0)
    last_plain = part(GET_DATA, buf(b"and of b") + stat(8), 0, 0)
    for title, a, r in (("multiRead", first + kids + last, first_plain + kids_plain + last_plain), ("one is missing", first + kids + missing, first_plain + kids_plain + missing),
                        ("two are exchanged", last + kids + first, broken + kids_plain + broken)):
        case(title, head(MULTI_READ) + request, head(MULTI_READ) + to_server, ok(a + END), ok(r + END))


def others():
    a, b = [b"/a", b"/b/c"], [b"/", b"/zookeeper/config", None, b"/bad\1"]
    case("setWatches", head(SET_WATCHES) + i64(5) + vec(a) + vec(b) + vec([]), head(SET_WATCHES) + i64(5) + vec(map_stored(a)) + vec(map_stored(b)) + vec([]), ok(), ok())
    case("setWatches2", head(SET_WATCHES2) + i64(5) + vec(a) + vec(None) + vec([]) + vec(b) + vec(a),
         head(SET_WATCHES2) + i64(5) + vec(map_stored(a)) + vec(None) + vec([]) + vec(map_stored(b)) + vec(map_stored(a)), ok(), ok())
    owned = [b"/app/one", b"/app", b"/b/app", b"/app2/x", "/é".encode()]
    for prefix, want in ((b"/app", [owned[0], owned[1], owned[3]]), (b"/app/", [owned[0]]), (b"/", owned), (b" / ", owned), (b"", owned), (b"  ", owned), (b"app", []), (b" /app", []),
                         (b"/b", [owned[2]]), (b"/app/one/", []), ("/é".encode()[:2], []), ("/é".encode(), [owned[4]])):
        case("getEphemerals", head(GET_EPHEMERALS) + buf(prefix), head(GET_EPHEMERALS) + buf(b"/"), ok(vec(map_stored(owned))), ok(vec(want)))
    case("getEphemerals of null", head(GET_EPHEMERALS) + buf(None), head(GET_EPHEMERALS) + buf(None), ok(vec(map_stored(owned))), ok(vec(owned)))
    case("one ephemeral is nobody's", head(GET_EPHEMERALS) + buf(b"/app"), head(GET_EPHEMERALS) + buf(b"/"),
         ok(vec([b"/stranger"] + map_stored(owned) + [b"/zookeeper/stranger"])), ok(vec([owned[0], owned[1], owned[3]])))
    case("closeSession", head(CLOSE), head(CLOSE), ok(), ok())
    case("closeSession with more", head(CLOSE) + b"more", head(CLOSE), ok(), ok())
    who = vec([])[:0] + i32(1) + buf(b"ip") + buf(b"127.0.0.1")
    case("whoAmI", head(WHO_AM_I), head(WHO_AM_I), ok(who), ok(who))
    config = buf(b"server.1=h:1:2") + buf(None) + buf(None) + i64(-1)
    case("reconfig", head(RECONFIG) + config, head(RECONFIG) + config, ok(buf(b"server.1=h:1:2") + stat(14)), ok(buf(b"server.1=h:1:2") + stat(14)))
    for op, record in ((SYNC, buf(None)), (ADD_WATCH, buf(None) + i32(0)), (EXISTS, buf(None) + b"\0")):
        case("a null path", head(op) + record, head(op) + record, ok(b"", -5), ok(b"", -5))


def map_stored(paths):
    return [stored(p) for p in paths]


def main(args):
    for section in (reads, refused, writes, multis, others):
        section()
    text = g.text("Requests and replies. Written by tests/vectors/gen_frames.py, under the keys of tests/support/gk_rig.c.", OUT)
    if args not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if args:
        return (c.HERE / "frames.txt").read_text() != text
    (c.HERE / "frames.txt").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
