"""The fixed nodes: `/`, `/zookeeper`, `/zookeeper/quota`, `/zookeeper/config`."""
from . import *  # noqa: F403


def mark(b):
    """A top-level name of this run: it is cleaned up like all the others."""
    return b.split('/')[1] + '-r'


def table():
    for path in ('/', '/zookeeper', '/zookeeper/quota'):
        for word, data in (('some', 'data'), ('empty', ''), ('null', None), ('long', ['x', 5000]), ('45', ['\1', 45])):
            yield Case(f'root/data/{path}/{word}', lambda b, p=path, d=data: [get(p), put(p, d), get(p), exists(p), ls2(p), put(p, 'again', 5), put(p, d, -1), get(p, 1), put(p, 'z', s=1), ping(), multi(*parts(put(p, d), req(13, p, -1))), get(p), multi_read(*parts(get(p))), put(p, ''), get(p)], 'root')
        yield Case(f'root/look/{path}', lambda b, p=path: [*look(p), ls(p), sync(p), delete(p), delete(p, 0), delete_container(p), create(p), create(p + '/'), create2(p, flags=1), multi(*parts(delete(p))), multi(*parts(create(p)))], 'root')
        yield Case(f'root/acl/{path}', lambda b, p=path: [get_acl(p), set_acl(p, [[31, 'world', 'anyone'], [1, 'ip', '127.0.0.1']]), get_acl(p), exists(p), set_acl(p, OPEN), get_acl(p), set_acl(p, []), set_acl(p, OPEN, 0), exists(p)], 'root')
        yield Case(f'root/watches/{path}', lambda b, p=path: [
            get(p, 1), ls(p, 1), create(p.rstrip('/') + '/' + mark(b), 'x', s=1), put(p, 'q', s=1), add_watch(p, 0), add_watch(p, 1), put(p.rstrip('/') + '/' + mark(b), 'y', s=1), put(p, 'r', s=1),
            delete(p.rstrip('/') + '/' + mark(b), s=1), ping(), check_watches(p, 3), check_watches(p, 4), check_watches(p, 5), remove_watches(p, 3), put(p, '', s=1), ping()], 'root')
        yield Case(f'root/children/{path}', lambda b, p=path: [op for f in (0, 1, 2, 3) for op in (
            create2(p.rstrip('/') + '/' + mark(b), 'd', f), ls2(p), exists(p), delete(p.rstrip('/') + '/' + mark(b)))] + [ls2(p), count(p), ephemerals(p), close()], 'root')
        yield Case(f'root/locked/{path}', lambda b, p=path: [auth('super:differential', s=2), set_acl(p, [[1, 'world', 'anyone']]), put(p, 'x'), create(p.rstrip('/') + '/' + mark(b)), ls2(p), get_acl(p), set_acl(p, OPEN), set_acl(p, OPEN, s=2), exists(p)], 'root')
    for path in ('/', ''):
        yield Case(f'root/alias/{path!a}', lambda b, p=path: [exists(p), get(p), ls(p), ls2(p), get_acl(p), count(p), sync(p), multi_read(*parts(get(p), ls(p))), exists(p, 1), get(p, 1), ls(p, 1), put('/', 'x', s=1), create('/' + mark(b), s=1), ping(), check_watches(p, 3),
                                                                 add_watch(p, 0), add_watch(p, 1), put('/', '', s=1), delete('/' + mark(b), s=1), ping(), set_watches(50, [p], [p], [p]), ping(), remove_watches(p, 3)], 'root')
    yield Case('root/multi', lambda b: [multi(*parts(create('/' + mark(b), 'x'), create('/' + mark(b) + '/y'), create('/' + mark(b) + '/s', flags=2), put('/', 'q'), req(13, '/', -1), create('/' + mark(b), flags=2))), ls2('/'), get('/'), put('/', '')], 'root')
    yield Case('root/sequence', lambda b: [create('/' + mark(b), flags=2), create('/' + mark(b), flags=3), create2('/' + mark(b) + '-', flags=2), multi(*parts(create('/' + mark(b), flags=2), create('/' + mark(b), flags=2))), ls2('/')], 'root')
    yield Case('root/sequence-and-failure', lambda b: piped(create('/' + mark(b), flags=2), multi(*parts(create('/' + mark(b), flags=2), delete('/none'))), create('/' + mark(b), flags=2), put('/', 'x'), create('/' + mark(b), flags=2), put('/', ''), ls2('/')), 'root')
    yield Case('root/counts', lambda b: [count('/'), create('/' + mark(b)), count('/'), create('/' + mark(b) + '/é'), count('/'), count('/' + mark(b)), count('/zookeeper'), count(''), create('/zookeeper/' + mark(b)), count('/zookeeper'), count('/')], 'root')
    yield Case('root/zookeeper-subtree', lambda b: [create('/zookeeper/' + mark(b), 'x'), *look('/zookeeper/' + mark(b)), create('/zookeeper/' + mark(b) + '/é', 'y', 1), create('/zookeeper/' + mark(b) + '/s-', 'y', 3), ephemerals('/zookeeper'), ls2('/zookeeper'), put('/zookeeper/' + mark(b), None),
                                                    get('/zookeeper/' + mark(b)), create('/zookeeper/quota/' + mark(b), 'z'), get('/zookeeper/quota/' + mark(b)), ls2('/zookeeper/quota'), container('/zookeeper/quota/' + mark(b) + '/c'), ls2('/zookeeper/quota/' + mark(b)), close()], 'root')
    yield Case('root/groupkeeper-names', lambda b: [f(p) for p in ('/groupkeeper', '/zookeeper/groupkeeper', '/zookeeper/groupkeeper/servers', '/zookeeper/groupkeeper/x/y') for f in (exists, get, ls, ls2, get_acl, count, delete, put, sync)] + [exists('/zookeeper/groupkeeper', 1), ls2('/zookeeper'), exists('/zookeeper'), count('/zookeeper'), count('/')], 'root')
    yield Case('root/names-like-the-fixed', lambda b: [create(b + n, 'x') for n in ('/zookeeper', '/zookeeper/quota', '/zookeeper/config', '/zookeeper/quota/zookeeper_stats')] + [*look(b + '/zookeeper'), *look(b + '/zookeeper/quota'), get(b + '/zookeeper/config'), delete(b + '/zookeeper/config'), ls2(b + '/zookeeper')])
