"""A seeded source of operations. It looks at A's replies to know what exists, so that most operations meet something.

Each episode draws its own habits (which operations, how deep, how many sessions), because a uniform mixture never goes
far in any direction.
"""
from . import corpus, proto, gen_multi

# a body of these that does not parse stops a stock ensemble for good (README, "Stock bugs met")
WEDGING = {1, 2, 5, 7, 15, 16, 19, 20, 21}
LAST, ALONE = 1, 2                                  # may end a pipeline; must not be in one


class Generator:
    def __init__(self, rng, top, sessions, quota=False, root=True, ensemble=False):
        self.rng, self.top, self.base = rng, top, '/' + top
        self.sessions = sessions
        self.quota, self.root, self.ensemble = quota, root, ensemble
        self.nodes, self.where = [], {}
        self.add(self.base)
        self.backlog = []
        self.limit = rng.choice((20, 60, 200, 500))
        self.depth_bias = rng.random() * 0.8
        self.strange = rng.choice((0.02, 0.1, 0.4))
        self.odd = rng.choice((0.0, 0.02, 0.08))
        self.calm = rng.random() < 0.3              # an episode of plain use only
        self.burst = 1 if quota else rng.choice((2, 10, 30, 60, 60, 120))
        table = [
            (14, self.create), (4, self.create2), (2, self.container), (2, self.ttl), (5, self.delete), (1, self.delete_container),
            (8, self.exists), (10, self.get_data), (9, self.set_data), (3, self.get_acl), (2, self.set_acl), (6, self.get_children),
            (6, self.get_children2), (2, self.sync), (7, self.multi), (3, self.multi_read), (2, self.set_watches), (2, self.set_watches2),
            (4, self.add_watch), (2, self.remove_watches), (2, self.check_watches), (2, self.get_ephemerals), (2, self.count_children),
            (1, self.who_am_i), (1, self.auth), (0.15, self.sasl), (0.3, self.reconfig), (2, self.ping), (0.5, self.bounce), (0.25, self.close),
            (0.012, self.expire), (0.2, self.unknown), (0.8, self.mangled), (8 if quota else 1.2, self.quota_node), (0.8 if root else 0, self.root_op),
            (0.12, self.bad_frame), (0.5, self.check),
        ]
        spiky = {self.expire, self.bad_frame, self.unknown, self.bounce, self.close}
        self.makers, self.weights, total = [], [], 0.0
        for weight, make in table:
            if self.calm and weight < 1:
                continue
            total += weight * (rng.choice((0.5, 1, 2)) if make in spiky else rng.choice((0.15, 1, 1, 3)))
            self.makers.append(make)
            self.weights.append(total)

    # ---- what exists

    def add(self, path):
        if path not in self.where:
            self.where[path] = len(self.nodes)
            self.nodes.append(path)

    def drop(self, path):
        at = self.where.pop(path, None)
        if at is None or path == self.base:
            if path == self.base and at is not None:
                self.where[path] = at
            return
        last = self.nodes.pop()
        if last != path:
            self.nodes[at] = last
            self.where[last] = at

    def learn(self, op, got):
        kind = op['t']
        if kind in (14, 22):
            if got[2] == 0 and len(got) > 3 and isinstance(got[3], tuple):
                for sub, res in zip((o for o in op['f'][0] if isinstance(o, list)), got[3]):
                    self.settle(sub[0], sub[1], res[1], res[2] if len(res) > 2 else None)
        elif len(got) > 2 and op.get('f'):
            self.settle(kind, op['f'], got[2], got[3] if len(got) > 3 else None)

    def settle(self, kind, given, err, first):
        if err == 0:
            if kind in (1, 15, 19, 21) and isinstance(first, bytes):
                path = first.decode('utf-8', 'surrogateescape')
                if path.startswith(self.base + '/'):
                    self.add(path)
            elif kind in (2, 20):
                self.drop(given[0])
        elif err == -101 and kind in (2, 3, 4, 5, 8, 12) and given[0] in self.where:
            self.drop(given[0])

    # ---- choices

    def node(self):
        nodes = self.nodes
        r = self.rng.random()
        if r < self.depth_bias:
            return nodes[-1 - int(self.rng.random() ** 2 * len(nodes))]
        return nodes[int(self.rng.random() * len(nodes))]

    def name(self):
        rng = self.rng
        if rng.random() >= self.strange:
            return corpus.PLAIN[int(rng.random() * len(corpus.PLAIN))]
        r = rng.random()
        if r < 0.7:
            return rng.choice(corpus.STRANGE)
        if r < 0.85:
            return corpus.lookalike(rng)
        return rng.choice(corpus.REFUSED)

    def path(self, fresh=0.15):
        """Mostly an existing node, sometimes a child that may or may not exist, sometimes nonsense."""
        r = self.rng.random()
        if r < self.odd:
            return self.odd_path()
        if r < self.odd + fresh:
            return self.node() + '/' + self.name()
        return self.node()

    def odd_path(self):
        rng = self.rng
        if rng.random() < 0.15 and self.root:
            return rng.choice(corpus.SPECIAL)
        path = rng.choice(corpus.odd_paths(self.node()))
        return path if self.root or path not in corpus.SPECIAL else self.base

    def new_path(self):
        rng = self.rng
        if rng.random() < self.odd:
            path = self.odd_path()
            return self.base + '/o' if path == '' or path == '/' else path
        if len(self.nodes) > self.limit and rng.random() < 0.8:
            return self.node()
        return self.node() + '/' + self.name()

    def acl(self):
        r = self.rng.random()
        if r < 0.9 or self.calm:
            return proto.OPEN
        got = self.rng.choice(corpus.ACLS if r < 0.97 else corpus.BAD_ACLS)
        return [] if got is None and self.ensemble else got     # null in a multi: see WEDGING

    def version(self):
        r = self.rng.random()
        return -1 if r < 0.6 else self.rng.choice((0, 1, 2, 3, -2, 2147483647, -2147483648))

    def watch(self):
        r = self.rng.random()
        return 0 if r < 0.55 else (1 if r < 0.97 else 2)

    # ---- batches

    def batch(self):
        rng = self.rng
        if self.backlog:
            return [self.backlog.pop(0)]
        s = int(rng.random() * self.sessions)
        size = 1 if self.burst == 1 else 1 + int(rng.random() ** 1.5 * self.burst)
        out = []
        while len(out) < size:
            make = rng.choices(self.makers, cum_weights=self.weights)[0]
            got = make()
            if isinstance(got, tuple):
                op, mode = got
            else:
                op, mode = got, 0
            op['s'] = s
            if op['op'] == 'req' and 'x' not in op and rng.random() < 0.02 and mode != ALONE and not self.calm:
                op['x'] = rng.choice((0, -2, -4, -8, -3, -2147483648, 2147483647, 1, 7))
            if mode == 0 and op['t'] != 11 and not self.calm and rng.random() < 0.004:
                op['x'] = -1                        # its reply looks like an event
            if mode == ALONE or op.get('x') == -1 and op['t'] != 11:
                if out:
                    out[-1].pop('p', None)
                out.append(op)
                break
            if mode == LAST:
                out.append(op)
                break
            op['p'] = 1
            out.append(op)
        out[-1].pop('p', None)
        if rng.random() < 0.01 and out[0]['op'] == 'req':
            out[0]['seg'] = rng.choice(([1], [3], [4, 1], [1, 2, 3, 5, 8], [7, 100]))
        return out

    # ---- single operations

    def req(self, kind, *given, **more):
        return {'op': 'req', 't': kind, 'f': list(given), **more}

    def create(self, kind=1):
        rng = self.rng
        r = rng.random()
        flags = 0 if r < 0.55 else (1 if r < 0.7 else (2 if r < 0.85 else (3 if r < 0.97 else rng.choice((4, 5, 6, 7, -1, 256, 99)))))
        return self.req(kind, self.new_path(), corpus.payload(rng), self.acl(), flags)

    def create2(self):
        return self.create(15)

    def container(self):
        r = self.rng.random()
        flags = 4 if r < 0.8 else self.rng.choice((0, 1, 2, 3, 5, 9))
        got = self.req(19, self.new_path(), corpus.payload(self.rng), self.acl(), flags)
        return (got, LAST) if flags in (1, 3) else got

    def ttl(self):
        rng = self.rng
        flags = rng.choice((5, 5, 5, 6, 6, 0, 1, 2, 4, 9))
        ttl = rng.choice((10 ** 9, 10 ** 9, 1099511627775, 0, -1, 1099511627776, -2 ** 63, 2 ** 63 - 1))
        if flags not in (5, 6):
            ttl = abs(ttl) % 2 ** 63                # a negative one with these flags kills a stock server
        return self.req(21, self.new_path(), corpus.payload(rng), self.acl(), flags, ttl)

    def delete(self):
        path = self.path(0.1)
        return self.req(2, self.base + '/n0' if path == self.base else path, self.version())

    def delete_container(self):
        path = self.path(0.1)
        return self.req(20, self.base + '/n1' if path == self.base or path is None and self.ensemble else path)

    def exists(self):
        return self.req(3, self.path(0.4), self.watch())

    def get_data(self):
        return self.req(4, self.path(), self.watch())

    def set_data(self):
        path = self.path(0.08)
        if path in ('/', '', '/zookeeper', '/zookeeper/quota') and not self.root:
            path = self.base
        return self.req(5, path, corpus.payload(self.rng), self.version())

    def get_acl(self):
        return self.req(6, self.path())

    def set_acl(self):
        path = self.path(0.05)
        if path in ('/', '/zookeeper', '/zookeeper/quota', self.base):
            return self.req(7, path, proto.OPEN, self.version()), LAST
        return self.req(7, path, self.rng.choice(corpus.ACLS + corpus.BAD_ACLS) if self.rng.random() < 0.6 else proto.OPEN,
                        self.version()), LAST

    def get_children(self):
        return self.req(8, self.path(), self.watch())

    def get_children2(self):
        return self.req(12, self.path(), self.watch())

    def sync(self):
        return self.req(9, self.path())

    def multi(self):
        return self.req(14, gen_multi.writes(self))

    def multi_read(self):
        return self.req(22, gen_multi.reads(self))

    def paths(self, most=5):
        return [self.path(0.3) for _ in range(int(self.rng.random() ** 2 * most))]

    def set_watches(self):
        return self.req(101, -int(self.rng.random() ** 3 * 200), self.paths(), self.paths(), self.paths(),
                        **({'x': -8} if self.rng.random() < 0.8 else {}))

    def set_watches2(self):
        return self.req(105, -int(self.rng.random() ** 3 * 200), self.paths(), self.paths(), self.paths(), self.paths(3), self.paths(3),
                        **({'x': -8} if self.rng.random() < 0.8 else {}))

    def add_watch(self):
        r = self.rng.random()
        return self.req(106, self.path(0.2), 0 if r < 0.45 else (1 if r < 0.95 else self.rng.choice((2, -1, 99))))

    def watch_type(self):
        return self.rng.choice((1, 2, 3, 3, 4, 5, 0, 6))

    def remove_watches(self):
        return self.req(18, self.path(0.2), self.watch_type())

    def check_watches(self):
        return self.req(17, self.path(0.2), self.watch_type())

    def get_ephemerals(self):
        rng = self.rng
        r = rng.random()
        if r < 0.3:
            prefix = rng.choice(('/', '', None, ' ', ' / ', '/zookeeper', '//', '\x00'))
        else:
            prefix = self.path()
            if prefix and r < 0.6:
                prefix = prefix[:rng.randrange(len(prefix) + 1)]     # a string prefix, not a path
        return self.req(103, prefix)

    def count_children(self):
        return self.req(104, '/' if self.root and self.rng.random() < 0.1 else self.path())

    def who_am_i(self):
        return self.req(107)

    def auth(self):
        rng = self.rng
        r = rng.random()
        x = -4 if rng.random() < 0.8 else rng.choice((5, 0, -2))
        if r < 0.75 or self.calm:
            return self.req(100, 0, 'digest', rng.choice(corpus.USERS), x=x), ALONE
        if r < 0.85:
            return self.req(100, 7, 'ip', 'whatever', x=x), ALONE
        scheme = rng.choice(('nosuch', '', None, 'world', 'auth', 'sasl', 'super'))
        return self.req(100, 0, scheme, 'x', x=x, c=1), ALONE

    def sasl(self):
        return self.req(102, self.rng.choice(('', 'garbage', '\x00' * 30))), ALONE

    def reconfig(self):
        rng = self.rng
        return self.req(16, rng.choice((None, 'server.9=127.0.0.1:1:2;3', 'x')), rng.choice((None, '1', 'y')), rng.choice((None, None, 'server.1=z')),
                        rng.choice((-1, 0, 12345)))

    def ping(self):
        return self.req(11, x=self.rng.choice((-2, -2, -2, 0, 5, -1, -7, 2147483647)))

    def check(self):
        return {'op': 'check'}, ALONE

    def bounce(self):
        how = self.rng.choice(('drop', 'drop', 'move', 'overlap', 'overlap', 'badpw', 'shortpw', 'longpw', 'nullpw', 'zeropw', 'ahead', 'unknown', 'old'))
        return {'op': 'bounce', 'how': how}, ALONE

    def close(self):
        return self.req(-11, c=1), LAST

    def expire(self):
        return {'op': 'expire'}, ALONE

    def unknown(self):
        kind = self.rng.choice((0, 10, 13, 23, 50, 99, 108, 200, -1, -12, 2147483647, -2147483648))
        return self.req(kind, *(['/' + self.top, -1] if kind == 13 else []), c=1), ALONE

    def mangled(self):
        """A body cut short, or one with more behind it."""
        rng = self.rng
        kind = rng.choice((1, 2, 3, 4, 5, 6, 8, 9, 12, 14, 15, 17, 18, 19, 20, 22, 101, 103, 104, 105, 106))
        make = {1: self.create, 2: self.delete, 3: self.exists, 4: self.get_data, 5: self.set_data, 6: self.get_acl, 8: self.get_children,
                9: self.sync, 12: self.get_children2, 14: self.multi, 15: self.create2, 17: self.check_watches, 18: self.remove_watches,
                19: self.container, 20: self.delete_container, 22: self.multi_read, 101: self.set_watches, 103: self.get_ephemerals,
                104: self.count_children, 105: self.set_watches2, 106: self.add_watch}[kind]
        got = make()
        op = got[0] if isinstance(got, tuple) else got
        if rng.random() < 0.5 or self.ensemble and kind in WEDGING:
            op['tail'] = rng.randbytes(rng.randrange(1, 20)).hex()
        else:
            op['cut'] = rng.randrange(8, 60)
        return op, LAST

    def bad_frame(self):
        rng = self.rng
        return {'op': 'raw', 'bytes': [rng.choice(('ffffffff', '80000000', '00100000', '7fffffff', '0000000700000001000000', '00000004ffffffff'))],
                'c': 1}, ALONE

    # ---- the tree's fixed places

    def quota_node(self):
        rng = self.rng
        below = self.rng.choice((self.base, self.base, self.node()))
        if not corpus_quota_safe(below):
            below = self.base
        home = '/zookeeper/quota' + below
        r = rng.random()
        if r < 0.3:
            todo = []
            at = '/zookeeper/quota'
            for part in below.split('/')[1:]:
                at += '/' + part
                todo.append(self.req(1, at, '', proto.OPEN, 0))
            limits = rng.choice(('count=5,bytes=-1', 'count=-1,bytes=100', 'count=3,bytes=50=;byteHardLimit=60;countHardLimit=4',
                                 'count=-1,bytes=-1=;byteHardLimit=200', 'count=-1,bytes=-1=;countHardLimit=6', 'count=1000,bytes=100000'))
            todo.append(self.req(1, home + '/zookeeper_limits', limits, proto.OPEN, 0))
            todo.append(self.req(1, home + '/zookeeper_stats', 'count=0,bytes=0', proto.OPEN, 0))
            for op in todo:
                op['s'] = 0
            self.backlog += todo[1:]
            return todo[0], LAST
        if r < 0.55:
            return self.req(rng.choice((3, 4)), home + rng.choice(('/zookeeper_stats', '/zookeeper_limits', '')), self.watch())
        if r < 0.7:
            return self.req(5, home + '/zookeeper_limits', rng.choice(
                ('count=7,bytes=-1', 'count=-1,bytes=300=;byteHardLimit=400', 'count=2,bytes=10', 'count=-1,bytes=-1=;countHardLimit=9', 'x', None, '')), -1), LAST
        if r < 0.85:
            return self.req(rng.choice((8, 12, 104)), rng.choice((home, '/zookeeper/quota/' + self.top)), *([0] if r < 0.8 else [0]))
        return self.req(2, home + rng.choice(('/zookeeper_stats', '/zookeeper_limits', '')), -1), LAST

    def root_op(self):
        rng = self.rng
        r = rng.random()
        own = '/' + self.top + '-r' + rng.choice(('', 'a', 'b-'))
        if r < 0.25:
            return self.req(rng.choice((1, 15)), own, corpus.payload(rng), self.acl(), rng.choice((0, 1, 2, 3)))
        if r < 0.4:
            return self.req(2, own, -1)
        if r < 0.6:
            return self.req(rng.choice((3, 4, 8, 12)), rng.choice(corpus.SPECIAL + [own]), self.watch())
        if r < 0.7:
            return self.req(5, rng.choice(('/', '/', '/zookeeper', '/zookeeper/quota', '')), corpus.payload(rng), self.version()), LAST
        if r < 0.78:
            return self.req(6, rng.choice(corpus.SPECIAL))
        if r < 0.84:
            return self.req(2, rng.choice(corpus.SPECIAL), -1)
        if r < 0.9:
            return self.req(1, '/zookeeper/' + self.top + rng.choice(('', '/x')), corpus.payload(rng), self.acl(), rng.choice((0, 1, 2)))
        if r < 0.95:
            return self.req(106, rng.choice(('/', '/', '/zookeeper', '')), rng.choice((0, 1)))
        return self.req(9, rng.choice(corpus.SPECIAL))


def corpus_quota_safe(path):
    """Quota nodes only below paths whose components stock's prefix tree takes as they are."""
    return all(part.strip() == part and part.isascii() and len(part) < 100 for part in path.split('/')[1:])
