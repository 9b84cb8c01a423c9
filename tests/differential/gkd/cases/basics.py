"""Each operation as it is meant, names and payloads, all create modes."""
from .. import corpus
from . import *  # noqa: F403


def table():
    yield from modes()
    yield from names()
    yield from payloads()
    yield from life()


def modes():
    for kind, word in ((1, 'create'), (15, 'create2'), (19, 'createContainer')):
        for flags in (0, 1, 2, 3, 4, 5, 6, 7, 8, 255, -1, -2147483648):
            yield Case(f'modes/{word}/flags={flags}', lambda b, k=kind, f=flags: [
                create(b + '/x', 'd', f, kind=k), ls2(b), exists(b + '/x'), exists(b + '/x0000000000'), create(b + '/x', 'd', f, kind=k), ls2(b),
                create(b + '/x/y'), create(b + '/x0000000000/y'), delete_container(b + '/x'), delete_container(b + '/x0000000000'), ls2(b), close()])
    for flags in (0, 1, 2, 3, 4, 5, 6, 7, -1):
        for ms in (1, 10 ** 9, 1099511627775, 1099511627776, 0, 2 ** 63 - 1) + ((-1, -2 ** 63) if flags in (5, 6, 7) else ()):
            yield Case(f'modes/createTTL/flags={flags}/ttl={ms}', lambda b, f=flags, m=ms: [
                ttl(b + '/x', 'd', f, m), ls2(b), exists(b + '/x'), exists(b + '/x0000000000')], 'share')
    for flags in range(-1, 8):
        yield Case(f'modes/multi/flags={flags}', lambda b, f=flags: [
            multi(*[[k, [b + f'/k{k}', 'd', OPEN, f]] for k in (1, 15, 19)]), ls2(b), multi([21, [b + '/t', 'd', OPEN, f, 10 ** 9]]),
            multi([21, [b + '/u', 'd', OPEN, f, -1]]), ls2(b), close()])
    yield Case('modes/sequence', lambda b: [create(b + '/s-', flags=2) for _ in range(3)] + [
        delete(b + '/s-0000000001'), create(b + '/s-', flags=2), create(b + '/', flags=2), create(b + '/.', flags=2), create(b + '/..', flags=2),
        create(b + '/plain'), create2(b + '/t', flags=3), ls2(b), create(b + '/../s', flags=2), create(b + '//s', flags=2), ls2(b),
        create(b + '/0000000009', flags=0), create(b + '/', flags=2), create(b + '/', flags=2), ls2(b)])
    yield Case('modes/sequence-meets-a-node', lambda b: [
        create(b + '/x0000000001'), create(b + '/x', flags=2), create(b + '/x', flags=2), ls2(b), create(b + '/x', flags=2), ls2(b)])
    yield Case('modes/sequence-long-prefix', lambda b: [create(b + '/' + 'p' * n, flags=2) for n in (1, 15, 16, 17, 100, 250, 1000)] + [ls2(b)])
    yield Case('modes/sequence-looks-like-one', lambda b: [create(b + '/' + n, flags=2) for n in
                                                           ('0000000000', '-', '%010d', 'x-0000000001', '漢', 'é')] + [ls2(b)])
    yield Case('modes/sequence-in-each-child', lambda b: [create(f'{b}/{i}') for i in range(3)] + [
        create(f'{b}/{i}/e-', flags=3) for i in range(3) for _ in range(3)] + [ls2(f'{b}/{i}') for i in range(3)] + [ephemerals(b), close()])


def names():
    for i, name in enumerate(corpus.STRANGE):
        yield Case(f'names/{i}/{name[:20]!a}', lambda b, n=name: [
            create(f'{b}/{n}', 'data'), create(f'{b}/{n}/{n}', 'below'), create(f'{b}/{n}/{n}', flags=2), *look(f'{b}/{n}'), *look(b),
            create(f'{b}/{n}'), put(f'{b}/{n}', 'new'), delete(f'{b}/{n}'), delete(f'{b}/{n}/{n}', 0), ls(f'{b}/{n}'), count(b)], 'share')
    for length in (1, 2, 15, 16, 17, 31, 32, 33, 100, 239, 240, 241, 250, 255, 256, 1000, 10000, 100000):
        yield Case(f'names/length={length}', lambda b, n=length: [create(f'{b}/{"n" * n}', 'd'), *look(b), *look(f'{b}/{"n" * n}'),
                                                                  create(f'{b}/{"n" * n}/{"m" * n}', flags=1), ephemerals(b), sync(f'{b}/{"n" * n}')])
    yield Case('names/deep', lambda b: [create(b + '/d' * n, str(n)) for n in range(1, 41)] + [*look(b + '/d' * 40), count(b), delete(b + '/d' * 40),
                                                                                                ls2(b + '/d' * 39)])
    yield Case('names/many-children', lambda b: piped(*[create(f'{b}/child-{i:05d}', str(i)) for i in range(300)], ls2(b), ls(b), count(b)))
    yield Case('names/case-and-normal-form', lambda b: [create(f'{b}/{n}') for n in ('a', 'A', 'é', 'e\u0301', 'ﬁ', 'fi', 'ﾊ', 'ハ')] + [ls2(b)])
    yield Case('names/own-encoding-of-another', lambda b: [
        create(b + '/AAAAAAAAAAAAAAAAAAAAAAA'), create(b + '/' + 'A' * 22), exists(b + '/' + 'A' * 24), create(b + '/__________________________8'), ls2(b),
        create(b + '/\u0001'), create(b + '/\u0001', flags=2), create(b + '/x\u0001', flags=2), ls2(b)])


def payloads():
    for word, data in (('null', None), ('empty', ''), ('one', 'x'), ('zero', '\0'), ('binary', ''.join(map(chr, range(256)))), ('1k', ['ab', 512]),
                       ('64k', ['x', 65536]), ('500k', ['payload ', 62500]), ('ff', ['\xff', 45]), ('version1', '\x01\x00' + '\x00' * 44), ('45', ['\x01', 45]),
                       ('46', ['\x01', 46])):
        yield Case(f'payload/{word}', lambda b, d=data: [
            create(b + '/x', d), get(b + '/x'), exists(b + '/x'), create2(b + '/y', 'old'), put(b + '/y', d), get(b + '/y'), ls2(b + '/y'),
            create(b + '/s', d, 2), create(b + '/e', d, 1), get(b + '/e'), container(b + '/c', d), get(b + '/c'), ttl(b + '/t', d), get(b + '/t'),
            multi(*parts(create(b + '/m', d), create(b + '/n-', d, 2), put(b + '/m', d))), get(b + '/m'),
            multi_read(*parts(get(b + '/m'), get(b + '/x'), get(b + '/none'), ls(b))), get(b + '/s0000000002')])
    yield Case('payload/changes', lambda b: [op for d in (None, '', 'a', None, 'bc', '', ['z', 3000], None) for op in (put(b, d), get(b), exists(b))])


def life():
    yield Case('life/stat', lambda b: [
        create2(b + '/a', 'x'), exists(b + '/a'), put(b + '/a', 'yy'), create(b + '/a/b'), exists(b + '/a'), set_acl(b + '/a', OPEN), exists(b + '/a'),
        delete(b + '/a/b'), exists(b + '/a'), exists(b), delete(b + '/a', 1), exists(b), create2(b + '/a', 'new'), get(b + '/a')])
    yield Case('life/versions', lambda b: [put(b, 'x', v) for v in (0, 0, 1, -1, 5, -2, 2147483647, -2147483648)] + [
        set_acl(b, OPEN, v) for v in (0, 0, 1, -1, 5, -2)] + [create(b + '/v'), delete(b + '/v', 3), delete(b + '/v', -2), delete(b + '/v', 0)])
    yield Case('life/ephemerals', lambda b: [
        create(b + '/e1', flags=1), create(b + '/e2', flags=3), create(b + '/e1/x'), ephemerals(b), ephemerals('/'), create(b + '/f', flags=1, s=1),
        ephemerals(b, s=1), exists(b + '/e1', s=1), delete(b + '/e1', s=1), ephemerals(None), close(), ls2(b, s=1), close(1), ls2(b, s=2)])
    yield Case('life/ephemerals-prefix', lambda b: [create(b + '/' + n, flags=1) for n in ('aa', 'ab', 'b', 'aab')] + [create(b + '/aa-dir'), create(b + '/aa-dir/z', flags=1)] + [
        ephemerals(p) for p in (b, b + '/', b + '/a', b + '/aa', b + '/aa/', b + '/aa-', b + '/aa-dir', b + '/aa-dir/', b + '/x', b[:-1], b[:3], '/', '', ' ', ' / ', None, '//', b + '//', '.', 'aa')])
    yield Case('life/containers', lambda b: [
        container(b + '/c', 'x'), exists(b + '/c'), delete_container(b + '/c'), container(b + '/c'), create(b + '/c/x'), delete_container(b + '/c'),
        delete(b + '/c/x'), delete_container(b + '/c'), exists(b + '/c'), delete_container(b + '/c'), create(b + '/p'), delete_container(b + '/p'), create(b + '/e', flags=1),
        delete_container(b + '/e'), ttl(b + '/t'), delete_container(b + '/t'), delete_container('/'), delete_container('')])
    yield Case('life/counts', lambda b: [create(b + '/a'), create(b + '/a/b'), create(b + '/a/b/c'), create(b + '/ab'), create(b + '/ab/x'), count(b), count(b + '/a'),
                                         count(b + '/ab'), count(b + '/a/'), count(b + '/none'), count('/none'), count(None)])
    yield Case('life/sync', lambda b: [sync(b), sync('/'), sync(''), sync(None), sync('x'), sync(b + '/none'), sync(b + '/\0')])
    yield Case('life/whoAmI', lambda b: [who(), auth('alice:secret'), who(), auth('bob:x'), auth('alice:other'), auth('nocolon'), auth(''), auth(':'), auth('a:b:c'), who()])
    yield Case('life/reconfig', lambda b: [req(16, j, l, n, v) for j in (None, 'server.9=127.0.0.1:1:2;3', 'bad', '') for l in (None, '1', 'x')
                                           for n in (None, 'server.1=x') for v in (-1, 0)] + [ping(), sync('/')], 'standalone')
    yield Case('life/config', lambda b: [exists('/zookeeper/config'), get('/zookeeper/config'), ls2('/zookeeper/config'), get_acl('/zookeeper/config'),
                                         put('/zookeeper/config', 'x'), delete('/zookeeper/config'), create('/zookeeper/config/x'), set_acl('/zookeeper/config', OPEN)], 'standalone')
    yield Case('life/two-sessions', lambda b: [create(b + '/a'), get(b + '/a', s=1), put(b + '/a', 'q', s=1), get(b + '/a'), delete(b + '/a', s=1), exists(b + '/a')])
