"""Hand-written cases. Each module has table(): it yields Case(name, make, ...); make(base) gives the operations."""
from .. import proto
from ..proto import OPEN  # noqa: F401  (the tables use it)


class Case:
    """flags: root (touches fixed nodes), quota (servers enforce quotas), plain (they don't), reaper (containers are looked
    for often), share (may run on the session of the case before), slow, standalone."""
    __slots__ = ('name', 'make', 'flags')

    def __init__(self, name, make, *flags):
        self.name, self.make, self.flags = name, make, frozenset(flags)


def req(kind, *given, s=0, **more):
    return {'op': 'req', 's': s, 't': kind, 'f': list(given), **more}


def create(path, data='', flags=0, acl=OPEN, kind=1, **more):
    return req(kind, path, data, acl, flags, **more)


def create2(path, data='', flags=0, acl=OPEN, **more):
    return create(path, data, flags, acl, 15, **more)


def container(path, data='', flags=4, acl=OPEN, **more):
    return create(path, data, flags, acl, 19, **more)


def ttl(path, data='', flags=5, ms=10 ** 9, acl=OPEN, **more):
    return req(21, path, data, acl, flags, ms, **more)


def delete(path, version=-1, **more):
    return req(2, path, version, **more)


def delete_container(path, **more):
    return req(20, path, **more)


def exists(path, watch=0, **more):
    return req(3, path, watch, **more)


def get(path, watch=0, **more):
    return req(4, path, watch, **more)


def put(path, data='', version=-1, **more):
    return req(5, path, data, version, **more)


def get_acl(path, **more):
    return req(6, path, **more)


def set_acl(path, acl, version=-1, **more):
    return req(7, path, acl, version, **more)


def ls(path, watch=0, **more):
    return req(8, path, watch, **more)


def ls2(path, watch=0, **more):
    return req(12, path, watch, **more)


def sync(path, **more):
    return req(9, path, **more)


def ping(x=-2, **more):
    return req(11, x=x, **more)


def multi(*parts, **more):
    return req(14, list(parts), **more)


def multi_read(*parts, **more):
    return req(22, list(parts), **more)


def add_watch(path, mode, **more):
    return req(106, path, mode, **more)


def remove_watches(path, kind, **more):
    return req(18, path, kind, **more)


def check_watches(path, kind, **more):
    return req(17, path, kind, **more)


def ephemerals(prefix, **more):
    return req(103, prefix, **more)


def count(path, **more):
    return req(104, path, **more)


def set_watches(ago, data=(), exist=(), child=(), **more):
    return req(101, -ago, list(data), list(exist), list(child), **{'x': -8, **more})


def set_watches2(ago, data=(), exist=(), child=(), persistent=(), recursive=(), **more):
    return req(105, -ago, list(data), list(exist), list(child), list(persistent), list(recursive), **{'x': -8, **more})


def auth(user, scheme='digest', **more):
    return req(100, 0, scheme, user, **{'x': -4, **more})


def who(**more):
    return req(107, **more)


def close(s=0):
    return req(-11, s=s, c=1)


def part(op):
    """An operation as a part of a multi."""
    return [op['t'], op['f']]


def parts(*ops):
    return [part(op) for op in ops]


def piped(*ops):
    """All in one segment."""
    for op in ops[:-1]:
        op['p'] = 1
    return list(ops)


def look(path):
    """What a client can see of a node and what is directly below it."""
    return piped(exists(path), get(path), ls2(path), get_acl(path), count(path))


__all__ = [n for n in dir() if not n.startswith('_')]
assert proto
