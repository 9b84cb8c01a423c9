"""Bytes: bodies cut at each length, trailing bytes, frames at the limit, requests split and joined."""
from .. import gen, jute, proto
from . import *  # noqa: F403

LIMIT = 1048575


def samples(b):
    """One good request of each opcode."""
    return {
        'create': create(b + '/new', 'data'), 'create2': create2(b + '/new', 'data'), 'createContainer': container(b + '/new', 'data'), 'createTTL': ttl(b + '/new', 'data'), 'sequential': create(b + '/new', 'data', 2),
        'delete': delete(b + '/kid'), 'deleteContainer': delete_container(b + '/con'), 'exists': exists(b + '/kid', 1), 'getData': get(b + '/kid', 1), 'setData': put(b + '/kid', 'data'), 'getACL': get_acl(b + '/kid'),
        'setACL': set_acl(b + '/kid', OPEN), 'getChildren': ls(b, 1), 'getChildren2': ls2(b, 1), 'sync': sync(b), 'reconfig': req(16, 'a', 'b', 'c', 1), 'multi': multi(*parts(create(b + '/m', 'd'), put(b + '/kid', 'e'), req(13, b, -1), delete(b + '/kid'))),
        'multiRead': multi_read(*parts(get(b), ls(b))), 'checkWatches': check_watches(b, 3), 'removeWatches': remove_watches(b, 3), 'setWatches': set_watches(0, [b], [b + '/n'], [b]),
        'setWatches2': set_watches2(0, [b], [b + '/n'], [b], [b], [b]), 'getEphemerals': ephemerals(b), 'getAllChildrenNumber': count(b), 'addWatch': add_watch(b, 1), 'whoAmI': who(), 'ping': ping(3),
    }


def body(op):
    return 8 + len(proto.encode(proto.REQUEST[op['t']], op['f']))


def state(b):
    return [create(b + '/kid', 'k'), container(b + '/con')]


def table():
    for word in samples('/gk00000000/c1234'):
        size = body(samples('/gk00000000/c1234')[word])
        for cut in range(8, size):
            alone = ['standalone'] if samples('/gk')[word]['t'] in gen.WEDGING else []
            yield Case(f'cut/{word}/{cut}', lambda b, w=word, c=cut: [*state(b), {**samples(b)[w], 'cut': c}, ping(), ls2(b), get(b + '/kid')], 'share', *alone)
        for tail in ('00', 'ff', '00000001', 'ffffffffffffffff', '61' * 100):
            yield Case(f'tail/{word}/{len(tail) // 2}', lambda b, w=word, t=tail: [*state(b), {**samples(b)[w], 'tail': t}, ping(), ls2(b), get(b + '/kid')])
        yield Case(f'split/{word}', lambda b, w=word: [*state(b), {**samples(b)[w], 'seg': [1]}, ping(), ls2(b)])
        yield Case(f'split-header/{word}', lambda b, w=word: [*state(b), {**samples(b)[w], 'seg': [4, 8, 4, 1, 100]}, ping(), ls2(b)])
        yield Case(f'piped/{word}', lambda b, w=word: [*state(b), *piped(*[samples(b)[w] for _ in range(5)]), ping(), ls2(b)])
    for cut in range(0, 8):
        yield Case(f'cut/header/{cut}', lambda b, c=cut: [create(b + '/e', flags=1), {'op': 'raw', 's': 0, 'bytes': [f'{c:08x}' + '0000000100000003'[:2 * c]] + (['00'] if c == 0 else []), 'c': 1}, exists(b + '/e')])
    for raw in ('ffffffff', '80000000', 'fffffffe', '7fffffff', '00100000', '00100001', '01000000'):
        yield Case(f'frame/{raw}', lambda b, r=raw: [create(b + '/e', flags=1), {'op': 'raw', 's': 0, 'bytes': [r], 'c': 1}, exists(b + '/e')])
    yield Case('piped/all', lambda b: [*state(b), *piped(*[op for w, op in samples(b).items() if w != 'setACL']), ls2(b)])
    yield Case('piped/all-split', lambda b: [*state(b), {**exists(b), 'p': 1, 'seg': [7]}, *piped(*[op for w, op in samples(b).items() if w != 'setACL']), ls2(b)])
    yield Case('piped/many', lambda b: [*piped(*[op for i in range(150) for op in (create(f'{b}/n{i}', str(i)), get(f'{b}/n{i}', 1), put(f'{b}/n{i}', 'x'), ls(b))][:590]), ls2(b)])
    yield Case('piped/pings', lambda b: piped(*[ping(i) for i in range(-20, 20)], exists(b)))
    yield from limits()
    yield from lengths()


def limits():
    for frame in (LIMIT - 1, LIMIT):
        def fill(op, field, total):
            op['f'][field] = ''
            op['f'][field] = ['x', total - body(op)]
            return op
        for word, make in (('create', lambda b: create(b + '/x')), ('create2', lambda b: create2(b + '/x')), ('sequential', lambda b: create(b + '/x', flags=2)), ('ephemeral', lambda b: create(b + '/x', flags=1)), ('container', lambda b: container(b + '/x')), ('ttl', lambda b: ttl(b + '/x'))):
            yield Case(f'limit/{word}/{frame}', lambda b, m=make, n=frame, f=fill: [f(m(b), 1, n), exists(b + '/x'), ls2(b), get(b + '/x'), get(b + '/x0000000000'), delete(b + '/x'), delete(b + '/x0000000000')], 'slow')
        yield Case(f'limit/setData/{frame}', lambda b, n=frame, f=fill: [f(put(b), 1, n), get(b), exists(b), put(b, 'small'), get(b)], 'slow')
        yield Case(f'limit/piped/{frame}', lambda b, n=frame, f=fill: [*piped(f(put(b), 1, n), get(b), f(put(b), 1, n), exists(b)), put(b, 'x')], 'slow')
        yield Case(f'limit/long-path/{frame}', lambda b, n=frame: [exists(b + '/' + 'n' * (n - 14 - len(b))), ping(), exists(b + '/n' * ((n - 13 - len(b)) // 2)), ping()], 'slow')
        yield Case(f'limit/multi/{frame}', lambda b, n=frame: [multi_of(b, n, 3), get(b + '/00002'), ls2(b)], 'slow')
    for over in (1, 2, 1000):
        yield Case(f'limit/over/{over}', lambda b, o=over: [create(b + '/e', flags=1), {**put(b, ['x', LIMIT + o - 20 - len(b)]), 'c': 1, 'n': 0}, get(b), exists(b + '/e')], 'slow')
    yield Case('limit/many-small-parts', lambda b: [multi_of(b, LIMIT), ls2(b), count(b), *[multi(*parts(*[delete(f'{b}/{i:05d}') for i in range(start, min(start + 3000, parts_of(b, LIMIT)))])) for start in range(0, parts_of(b, LIMIT), 3000)], ls2(b)], 'slow')
    yield Case('limit/big-listing', lambda b: [multi(*parts(*[create(f'{b}/{"long-name-" * 20}{i + 900 * k:05d}') for i in range(900)])) for k in range(6)] + [ls(b), ls2(b), count(b)] + [
        multi(*parts(*[delete(f'{b}/{"long-name-" * 20}{i + 900 * k:05d}') for i in range(900)])) for k in range(6)] + [exists(b)], 'slow')
    yield Case('limit/big-reads', lambda b: [create(f'{b}/{i}', ['z', 900000]) for i in range(4)] + [multi_read(*parts(*[get(f'{b}/{i}') for i in range(4)]))] + [delete(f'{b}/{i}') for i in range(4)], 'slow')


def one_part(b):
    return 9 + 4 + len(b) + 6 + 4 + 4 + 4 + 4 + 5 + 4 + 6 + 4


def parts_of(b, size):
    return (size - 8 - 9) // one_part(b)


def multi_of(b, size, number=None):
    """A multi of many creates whose frame has exactly this size: the last one's data fills it up."""
    number = number or parts_of(b, size)
    spare = size - 8 - 9 - number * one_part(b)
    ops = [create(f'{b}/{i:05d}') for i in range(number)]
    ops[-1]['f'][1] = ['f', spare]
    op = multi(*parts(*ops))
    assert body(op) == size, (body(op), size)
    return op


def lengths():
    """String and buffer lengths that lie."""
    for word, op in (('exists', lambda b: exists(b)), ('setData', lambda b: put(b, 'x')), ('create', lambda b: create(b + '/x')), ('delete', lambda b: delete(b + '/x')), ('getChildren', lambda b: ls(b)), ('sync', lambda b: sync(b)),
                     ('addWatch', lambda b: add_watch(b, 0)), ('getEphemerals', lambda b: ephemerals(b)), ('deleteContainer', lambda b: delete_container(b + '/x')), ('getAllChildrenNumber', lambda b: count(b))):
        for length in (-2, -1, 0, 1, 2 ** 31 - 1, -2 ** 31, 1048575, 2097150, 2097151):
            def make(b, o=op, n=length):
                good = o(b)
                whole = jute.put_int(77) + jute.put_int(good['t']) + proto.encode(proto.REQUEST[good['t']], good['f'])
                return [{'op': 'req', 's': 0, 't': good['t'], 'f': [], 'x': 77, 'raw': (whole[:8] + jute.put_int(n) + whole[12:]).hex()}, ping(), exists(b)]
            yield Case(f'length/{word}/{length}', make, *(['standalone'] if op('/gk')['t'] in gen.WEDGING else []))
    for length in (-2, -1, 0, 1, 2 ** 31 - 1, -2 ** 31, 2097151):
        yield Case(f'length/data/{length}', lambda b, n=length: [{'op': 'req', 's': 0, 't': 5, 'f': [], 'x': 77, 'raw': (jute.put_int(77) + jute.put_int(5) + jute.put_string(b) + jute.put_int(n) + b'x' + jute.put_int(-1)).hex()}, get(b)], 'standalone')
        yield Case(f'length/vector/{length}', lambda b, n=length: [{'op': 'req', 's': 0, 't': 101, 'f': [0], 'x': -8, 'raw': (jute.put_int(-8) + jute.put_int(101) + jute.put_long(0) + jute.put_int(n) + jute.put_string(b) + jute.put_int(0) * 2).hex()}, ping(), check_watches(b, 3)])
