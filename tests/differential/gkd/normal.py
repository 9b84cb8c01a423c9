"""Decoding of replies and events into comparable tuples, with exactly these masks: times, session ids, passwords, zxids
relative to the first, and the order of listings. Everything else stays as the bytes say."""
import bisect
import re
import time

from . import jute, proto

EVENT_XID = b'\xff\xff\xff\xff'
PORTS = re.compile(rb':\d{2,5}\b')

LONG_AGO = 10 ** 6


class Masks:
    """One server's view of zxids and sessions. zxids are counted from the last base before them."""

    def __init__(self):
        self.bases = [0]
        self.sessions = {}
        self.last_zxid = 0
        self.loose = set()                          # zxids of closes: the order of their events is a hash order
        self.now = time.time() * 1000
        self.lengths = True                         # dataLength counts; not for a stats node, see reply()

    def rebase(self, zxid):
        self.bases.append(zxid)
        self.last_zxid = zxid
        self.loose.clear()
        self.now = time.time() * 1000

    def forget(self, zxid, sessions=True):
        """Starts anew: whatever is older than this is only known to be old."""
        self.bases = [0]
        if sessions:
            self.sessions.clear()
        self.rebase(zxid)

    def zxid(self, value):
        base = self.bases[-1]
        if value >= base:
            return value - base
        if value <= 0:
            return ('zxid', value)
        at = bisect.bisect_right(self.bases, value) - 1
        return ('old', 0) if at == 0 else ('run', at, value - self.bases[at])

    def ago(self, n):
        """The zxid n transactions before the last. Not before the base: over a restart, sides differ in their transactions (sessions of those
        who wait for the server). What is longer ago than any test lasts is before everything."""
        before = self.last_zxid - n
        return before if n >= LONG_AGO else max(before, self.bases[-1])

    def time(self, value):
        if value and abs(value - self.now) < 864e5 * 30:
            return 'T'
        return value

    def owner(self, value):
        return self.sessions.get(value, value) if value else 0

    def stat(self, raw):
        c, m, ct, mt, version, cversion, aversion, owner, length, children, p = raw
        z, t = self.zxid, self.time
        return (z(c), z(m), t(ct), t(mt), version, cversion, aversion, self.owner(owner), length if self.lengths else 'L', children, z(p))


def results(r, masks):
    out = []
    while True:
        kind, done, err = r.int(), r.byte(), r.int()
        if done:
            return (*out, ('end', kind, done, err))
        if kind not in proto.RESULT:
            raise jute.Short(f'result type {kind}')
        out.append((kind, err) + fields(r, proto.RESULT[kind], masks))


def fields(r, types, masks):
    out = []
    for t in types:
        if t == 's' or t == 'd':
            out.append(r.buffer())
        elif t == 't':
            out.append(masks.stat(r.stat()))
        elif t == 'i':
            out.append(r.int())
        elif t == 'L':
            listing = r.strings()
            out.append(None if listing is None else tuple(sorted(listing, key=lambda n: n or b'')))
        elif t == 'a':
            out.append(tuple(r.acl() or ()))
        elif t == 'M':
            out.append(results(r, masks))
        elif t == 'w':
            out.append(tuple(r.vector(lambda: (r.buffer(), r.buffer())) or ()))
    return tuple(out)


def reply(raw, opcode, masks, config=False, stats=False):
    """(xid, zxid, err, fields..., rest). `config`: the node that lists servers, whose ports differ. `stats`: a quota's stats node, whose
    dataLength is the stored text's in replies that don't hold the data (docs/OPERATIONS.md, "Known differences to stock")."""
    masks.lengths = not stats
    if len(raw) < 16:
        return ('short', raw)
    xid, zxid, err = jute.REPLY.unpack_from(raw)
    if zxid > masks.last_zxid:
        masks.last_zxid = zxid
    head = (xid, masks.zxid(zxid) if zxid else 0, err)
    if len(raw) == 16:
        return head
    r = jute.Reader(raw, 16)
    try:
        body = fields(r, proto.REPLY.get(opcode, ''), masks)
    except jute.Short as why:
        return (*head, 'undecodable', str(why), raw[16:])
    if config:
        body = without_ports(body)
    rest = raw[r.pos:]
    return (*head, *body, ('rest', rest)) if rest else (*head, *body)


def without_ports(value):
    """/zookeeper/config names the servers' ports, which no two ensembles on one machine share."""
    if isinstance(value, bytes):
        return PORTS.sub(b':P', value)
    return tuple(map(without_ports, value)) if isinstance(value, tuple) else value


def event(raw, masks):
    """('event', zxid, err, type, state, path, rest)."""
    try:
        r = jute.Reader(raw)
        xid, zxid, err = r.int(), r.long(), r.int()
        kind, state, path = r.int(), r.int(), r.buffer()
    except jute.Short as why:
        return ('event', 'undecodable', str(why), raw)
    when = masks.zxid(zxid)
    return ('event', ('loose', when) if zxid in masks.loose else when, err, kind, state, path, r.rest())


def settle(events):
    """Events of one close sorted where they stand together; all others keep their places."""
    out, run = [], []
    for e in events:
        if type(e[1]) is tuple and e[1][0] == 'loose':
            run.append(e)
            continue
        out += sorted(run, key=repr)
        run = []
        out.append(e)
    return out + sorted(run, key=repr)
