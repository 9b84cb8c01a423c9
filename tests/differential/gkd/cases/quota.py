"""Quotas: the limit and stats nodes, what is counted, what is refused. Payloads count as the client sent them.

Contents of a stats node that do not parse, and a null one, stop a stock server at the next write below: they are left out.
"""
from . import *  # noqa: F403

HOME = '/zookeeper/quota'


def chain(b):
    out, at = [], HOME
    for name in b.split('/')[1:]:
        at += '/' + name
        out.append(create(at))
    return out


def quota(b, limits, stats='count=0,bytes=0'):
    return [*chain(b), create(HOME + b + '/zookeeper_limits', limits), create(HOME + b + '/zookeeper_stats', stats)]


def shown(b):
    h = HOME + b
    return [get(h + '/zookeeper_stats'), exists(h + '/zookeeper_stats'), get(h + '/zookeeper_limits'), ls2(h)]


def closely(b):
    s, t = HOME + b + '/zookeeper_stats', HOME + b + '/zookeeper_limits'
    return [op for p in (s, t) for op in (exists(p, 1), get(p, 1), ls2(p), ls2(p, 1), get_acl(p), ls(p), count(p), sync(p), multi_read(*parts(get(p), ls(p), get(b), get(p))), multi(*parts(req(13, p, 0))), multi(*parts(req(13, p, 9))), set_acl(p, OPEN), create(p + '/kid'), exists(p), delete(p), delete(p + '/kid'))] + [
        put(t, 'count=4,bytes=44'), put(t, 'count=4,bytes=44', 1), multi(*parts(put(t, 'count=4,bytes=45'), put(b, 'zz'))), put(s, 'count=4,bytes=50'), multi(*parts(put(s, 'count=4,bytes=45'))), *piped(exists(s, 1), put(b, ['q', 200]), exists(s, 1), get(s), exists(s)), ping()]


def work(b):
    """Writes below b, with the stats after each."""
    ops = [create(b + '/a', 'abc'), create(b + '/a/b', ['x', 100]), create(b + '/n', None), create(b + '/e', ''), create(b + '/s', 'q', 2), create(b + '/f', 'eph', 1), put(b + '/a', 'longer than before'),
           put(b + '/a', None), put(b + '/a/b', ''), put(b, 'root of it'), container(b + '/c', 'cc'), ttl(b + '/t', 'ttt'), delete(b + '/a/b'), delete(b + '/n'),
           multi(*parts(create(b + '/m', 'mm'), put(b + '/m', 'mmm'), delete(b + '/m'), create(b + '/m2', 'k'))), multi(*parts(create(b + '/w', 'ww'), delete(b + '/nope'))), set_acl(b + '/a', OPEN), delete_container(b + '/c')]
    out = []
    for op in ops:
        out += [op, get(HOME + b + '/zookeeper_stats')]
    return out


LIMITS = ['count=5,bytes=-1', 'count=-1,bytes=100', 'count=-1,bytes=-1', 'count=3,bytes=50', 'count=1000,bytes=100000', 'count=-1,bytes=-1=;countHardLimit=4', 'count=-1,bytes=-1=;byteHardLimit=60',
          'count=2,bytes=10=;byteHardLimit=120;countHardLimit=6', 'countHardLimit=5', 'byteHardLimit=110', 'bytes=5;count=2', 'count=0,bytes=0', 'count=-1,bytes=0=;byteHardLimit=0', 'count=-1,bytes=-1=;countHardLimit=0',
          'count=-1,bytes=-1=;byteHardLimit=7;countHardLimit=100;other=5', 'byteHardLimit=100;;count=3', 'count=,bytes=', '']


def table():
    for i, limits in enumerate(LIMITS):
        if limits == 'count=,bytes=':
            continue                                # an empty value has no part behind `=`: it does not parse
        yield Case(f'quota/limits/{i}', lambda b, t=limits: [*quota(b, t), *shown(b), *work(b), *shown(b), ls2(b), close(), get(HOME + b + '/zookeeper_stats')])
    for i, bad in enumerate(('x', 'count', 'count=x', '=', 'count=5,bytes', 'count=99999999999999999999', 'count=,bytes=', ' count=5', 'count= 5', 'count=5 ', '\xff\xfe', None, 'count=5,,bytes=7', ',', ';', 'count=5=6=7')):
        yield Case(f'quota/limits-bad/{i}', lambda b, t=bad: [*quota(b, t), *shown(b), create(b + '/a', 'abc'), put(b, 'x'), multi(*parts(create(b + '/z', 'q'))), delete(b + '/a'), put(HOME + b + '/zookeeper_limits', 'count=5,bytes=100'),
                                                              create(b + '/a', 'abc'), put(b, 'y'), *shown(b)])
    for i in range(len(closely('/b'))):
        yield Case(f'quota/closely/{i}', lambda b, n=i: [*quota(b, 'count=9,bytes=900'), closely(b)[n], *shown(b)])
        yield Case(f'quota/closely-later/{i}', lambda b, n=i: [*quota(b, 'count=9,bytes=900=;byteHardLimit=1000'), *[create(f'{b}/{k}', ['v', 30]) for k in range(5)], closely(b)[n], *shown(b)])
    yield Case('quota/existing-tree', lambda b: [create(b + '/a', 'aaaa'), create(b + '/a/b', ['z', 500]), create(b + '/n', None), *quota(b, 'count=-1,bytes=-1', 'count=77,bytes=88'), *shown(b), create(b + '/x', '12'), *shown(b)])
    yield Case('quota/nested', lambda b: [create(b + '/in', 'x'), *quota(b, 'count=10,bytes=1000'), create(HOME + b + '/in'), create(HOME + b + '/in/zookeeper_limits', 'count=2,bytes=5=;countHardLimit=3;byteHardLimit=20'), create(HOME + b + '/in/zookeeper_stats', ''),
                                          *[op for i in range(4) for op in (create(f'{b}/in/{i}', ['d', 6]), create(f'{b}/{i}', 'out'), get(HOME + b + '/in/zookeeper_stats'), get(HOME + b + '/zookeeper_stats'))]])
    yield Case('quota/stats-without-limits', lambda b: [*chain(b), create(HOME + b + '/zookeeper_stats', 'count=1,bytes=2'), get(HOME + b + '/zookeeper_stats'), create(b + '/a', 'x'), get(HOME + b + '/zookeeper_stats')])
    yield Case('quota/limits-without-stats', lambda b: [*chain(b), create(HOME + b + '/zookeeper_limits', 'count=1,bytes=1=;countHardLimit=1'), create(b + '/a', 'x'), create(b + '/b', 'x'), put(b, 'qqqq'), ls2(HOME + b)])
    yield Case('quota/removed', lambda b: [*quota(b, 'count=1,bytes=1=;countHardLimit=1'), create(b + '/a'), delete(HOME + b + '/zookeeper_limits'), create(b + '/b'), *shown(b), create(HOME + b + '/zookeeper_limits', 'count=9,bytes=9'), create(b + '/c', 'z'), *shown(b),
                                           delete(HOME + b + '/zookeeper_stats'), create(b + '/d', 'z'), create(HOME + b + '/zookeeper_stats'), *shown(b), delete(HOME + b + '/zookeeper_limits'), delete(HOME + b + '/zookeeper_stats'), delete(HOME + b), ls2(HOME + b)])
    yield Case('quota/changed', lambda b: [*quota(b, 'count=1,bytes=1'), create(b + '/a', 'abcd'), *[op for t in LIMITS if t != 'count=,bytes=' for op in (put(HOME + b + '/zookeeper_limits', t), get(HOME + b + '/zookeeper_limits'), create(b + '/s', 'dd', 2), put(b + '/a', 'xyz'), put(b + '/a', 'xyz12'))], *shown(b)])
    yield Case('quota/stats-written', lambda b: [*quota(b, 'count=9,bytes=90=;byteHardLimit=95'), put(HOME + b + '/zookeeper_stats', 'count=3,bytes=80'), get(HOME + b + '/zookeeper_stats'), create(b + '/a', 'abcde'), create(b + '/b', 'abcdefghijkl'), *shown(b)])
    yield Case('quota/watches', lambda b: [*quota(b, 'count=2,bytes=9'), get(HOME + b + '/zookeeper_stats', 1), ls(HOME + b, 1), exists(HOME + b + '/zookeeper_limits', 1), add_watch(HOME, 1), create(b + '/a', 'x', s=1), put(HOME + b + '/zookeeper_limits', 'count=3,bytes=9', s=1), delete(HOME + b + '/zookeeper_stats', s=1), ping()])
    yield Case('quota/versions', lambda b: [*quota(b, 'count=2,bytes=9'), *shown(b), *[put(HOME + b + '/zookeeper_limits', f'count={i},bytes=9', i) for i in range(3)], put(HOME + b + '/zookeeper_limits', 'count=1,bytes=1', 1), *shown(b), get_acl(HOME + b + '/zookeeper_limits'), count(HOME + b), count(HOME)])
    yield Case('quota/strange-names', lambda b: [create(b + '/é漢'), create(b + '/é漢/x'), *quota(b + '/é漢', 'count=3,bytes=9=;countHardLimit=4'), *[create(f'{b}/é漢/{i}', 'ab') for i in range(4)], *shown(b + '/é漢')])
    yield Case('quota/name-elsewhere', lambda b: [create(b + '/zookeeper_limits', 'x'), create(b + '/zookeeper_stats', 'y'), create(b + '/zookeeper_stats/z', 'q'), *look(b), put(b + '/zookeeper_limits', 'not a limit'), get(b + '/zookeeper_limits'), get(b + '/zookeeper_stats'), delete(b + '/zookeeper_limits'), create(b + '/zookeeper_limits', flags=2), ls2(b)])
    yield Case('quota/other-nodes', lambda b: [*chain(b), create(HOME + b + '/other', 'free', ), get(HOME + b + '/other'), put(HOME + b, 'data'), get(HOME + b), create(HOME + b + '/s-', flags=2), create(HOME + b + '/e', flags=1), ls2(HOME + b), ephemerals(HOME + b), create(HOME + b + '/zookeeper_limits-', '1', 2), ls2(HOME + b)])
    yield Case('quota/in-a-multi', lambda b: [multi(*parts(*chain(b), create(HOME + b + '/zookeeper_limits', 'count=-1,bytes=-1=;countHardLimit=4'), create(HOME + b + '/zookeeper_stats'), create(b + '/a', 'x'))), *shown(b), multi(*parts(create(b + '/b', 'x'), create(b + '/c', 'x'), create(b + '/d', 'x'))), *shown(b), create(b + '/e'), *shown(b)])
    for hard in (1, 2, 10, 45, 46, 100, 1000):
        yield Case(f'quota/to-the-byte/{hard}', lambda b, n=hard: [put(b, ''), *quota(b, f'count=-1,bytes=-1=;byteHardLimit={n}'), create(b + '/a', ['x', n - 1]), create(b + '/b', 'x'), create(b + '/c', 'x'), create(b + '/d', ''), create(b + '/e', None), put(b + '/a', ['x', n - 1]), put(b + '/b', 'xx'), put(b + '/b', ''), put(b + '/a', ['x', n]),
                                                                   put(b + '/a', ['x', n + 1]), *shown(b)])
