"""A connection beside the comparison: the last zxid, alignment of the fixed nodes, cleaning up, as the superuser."""
from . import jute, proto, wire


class Control:
    def __init__(self, address, patience, superuser=None):
        self.conn = wire.Conn(address, patience)
        self.shake = self.conn.connect(timeout=60000)
        if not self.shake.session:
            raise ConnectionError(f'{address[0]}:{address[1]} gives no session')
        self.xid = 0
        self.superuser = superuser
        if superuser:
            self.call(100, [0, 'digest', superuser])

    def send(self, kind, fields):
        self.xid += 1
        self.conn.send(jute.frame(jute.put_int(self.xid) + jute.put_int(kind) + proto.encode(proto.REQUEST[kind], fields)))

    def answer(self):
        """(error, zxid, reader at the body)"""
        while True:
            raw = self.conn.next_frame()
            if raw is None:
                raise ConnectionError(f'control connection: {self.conn.state}')
            xid, zxid, err = jute.REPLY.unpack_from(raw)
            if xid != -1:
                return err, zxid, jute.Reader(raw, 16)

    def call(self, kind, fields):
        self.send(kind, fields)
        return self.answer()

    def zxid(self):
        """The last transaction that this server has applied."""
        return self.call(11, [])[1]

    def children(self, path):
        err, _, r = self.call(8, [path, 0])
        return [] if err else [jute.untext(n) for n in r.strings()]

    def stat(self, path):
        err, _, r = self.call(3, [path, 0])
        return None if err else r.stat()

    def end_session(self, conn, end):
        """Closes a session that the caller holds, over a connection of its own."""
        got = conn.connect(session=end.session, password=end.password, timeout=4000)
        if got.session:
            conn.send(jute.frame(jute.put_int(1) + jute.put_int(-11)))
            conn.drain_to_close(3.0)
        conn.close()

    def tree(self, path):
        """The path and all below it, parents first."""
        out, todo = [], [path]
        while todo:
            path = todo.pop()
            out.append(path)
            todo += [('' if path == '/' else path) + '/' + name for name in self.children(path)]
        return out

    def remove(self, path):
        """Deletes a subtree; returns what could not be deleted."""
        paths = self.tree(path)[::-1]
        left = []
        for start in range(0, len(paths), 200):
            part = paths[start:start + 200]
            for p in part:
                self.send(2, [p, -1])
            left += [p for p in part if self.answer()[0] not in (0, -101)]
        return left

    def standing(self, mark):
        """The children of the fixed nodes that are not from a run: what cleaning leaves alone."""
        return {(parent, name) for parent in FIXED for name in self.children(parent) if not name.lower().startswith(mark)}

    def clean(self, before):
        """Removes every child of the fixed nodes that did not stand there before, with all below it."""
        left = []
        for parent in reversed(FIXED):
            for name in self.children(parent):
                if (parent, name) not in before:
                    left += self.remove(('' if parent == '/' else parent) + '/' + name)
        return left

    def fixed(self, path):
        """(version, stored cversion, aversion, data length, children) of a node that is always there."""
        s = self.stat(path)
        return s[4], (s[5] + s[9]) // 2, s[6], s[8], s[9]

    def raise_to(self, path, version, cversion, aversion):
        """Spends versions until the node's counters are at least these."""
        now = self.fixed(path)
        err, _, r = self.call(4, [path, 0])
        data = r.buffer() if not err else b''
        for _ in range(version - now[0]):
            self.send(5, [path, None if data is None else data.decode('latin-1'), -1])
        for _ in range(max(0, version - now[0])):
            self.answer()
        base = '' if path == '/' else path
        for _ in range(cversion - now[1]):
            self.call(1, [base + '/gk-align', '', proto.OPEN, 0])
            self.call(2, [base + '/gk-align', -1])
        for _ in range(aversion - now[2]):
            self.call(7, [path, proto.OPEN, -1])

    def reset(self, path):
        """Empty data and the open ACL for `/` and the like."""
        s = self.stat(path)
        if s and s[8]:
            self.call(5, [path, '', -1])
        err, _, r = self.call(6, [path])
        if not err and r.acl() != [(31, b'world', b'anyone')]:
            self.call(7, [path, proto.OPEN, -1])

    def close(self):
        try:
            self.conn.send(jute.frame(jute.put_int(self.xid + 1) + jute.put_int(-11)))
            self.conn.drain_to_close(1.0)
        finally:
            self.conn.close()


FIXED = ('/', '/zookeeper', '/zookeeper/quota')


def align(a, b):
    """Brings the counters of the fixed nodes to the same values on both; says what can't be aligned."""
    for path in FIXED:
        a.reset(path)
        b.reset(path)
    problems = []
    for path in FIXED:
        one, two = a.fixed(path), b.fixed(path)
        top = [max(x, y) + (one[:3] != two[:3]) for x, y in zip(one, two)]   # both move, or one would keep zxid 0
        if max(t - min(x, y) for t, x, y in zip(top, one[:3], two[:3])) > 20000:
            problems.append(f'{path}: versions {one} and {two} are too far apart')
            continue
        for control, now in ((a, one), (b, two)):
            if list(now[:3]) != top[:3]:
                control.raise_to(path, *top[:3])
        if a.fixed(path)[:3] != b.fixed(path)[:3] or one[4] != two[4]:
            problems.append(f'{path}: {a.fixed(path)} on A, {b.fixed(path)} on B')
    return problems
