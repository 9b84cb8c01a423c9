"""multi and multiRead: atomicity, sequence numbers, parts that depend on earlier parts, malformed headers."""
from . import *  # noqa: F403

END = 'ffffffff01ffffffff'


def raw_multi(*hexes, kind=14):
    return {'op': 'req', 's': 0, 't': kind, 'f': [], 'x': 5, 'raw': '00000005' + f'{kind:08x}' + ''.join(hexes)}


def table():
    yield Case('multi/empty', lambda b: [multi(), multi_read(), sync('/'), req(14, [['ffffffff', 0]][0:0]), raw_multi(), raw_multi(END), raw_multi(kind=22), raw_multi(END, kind=22)])
    yield Case('multi/all-kinds', lambda b: [
        multi(*parts(create(b + '/a', 'x'), create2(b + '/b', 'y'), container(b + '/c'), ttl(b + '/t'), create(b + '/e', flags=1), create2(b + '/s', flags=2),
                     put(b + '/a', 'z'), req(13, b + '/a', 1), delete(b + '/b'), create(b + '/c/x'))), ls2(b), *look(b + '/a'), *look(b + '/c'), close()])
    yield Case('multi/sequential-several', lambda b: [
        multi(*parts(*[create(b + '/s-', flags=2) for _ in range(5)])), multi(*parts(create(b + '/s-', flags=3), create2(b + '/t-', flags=2), create(b + '/u'), create(b + '/s-', flags=2))),
        ls2(b), create(b + '/s-', flags=2), ls2(b)])
    yield Case('multi/sequential-in-new-parent', lambda b: [
        multi(*parts(create(b + '/p'), create(b + '/p/s-', flags=2), create(b + '/p/s-', flags=2), create2(b + '/p/x'), create(b + '/p/s-', flags=2))), ls2(b + '/p'),
        multi(*parts(create(b + '/p/s-', flags=2), create(b + '/p/s-', flags=2)))])
    yield Case('multi/parent-again', lambda b: [
        multi(*parts(create(b + '/p'), create(b + '/p/s-', flags=2), delete(b + '/p/s-0000000000'), create(b + '/p/s-', flags=2), delete(b + '/p/s-0000000001'), delete(b + '/p'),
                     create(b + '/p', 'again'), create(b + '/p/s-', flags=2))), ls2(b + '/p'), get(b + '/p'), create(b + '/p/s-', flags=2)])
    yield Case('multi/sequential-parent', lambda b: [
        multi(*parts(create(b + '/q-', flags=2), create(b + '/q-0000000000/x'), create(b + '/q-0000000000/s', flags=2))), ls2(b), ls2(b + '/q-0000000000'),
        multi(*parts(create(b + '/q-', flags=2), create(b + '/q-0000000009/x'))), ls2(b), create(b + '/q-', flags=2)])
    yield Case('multi/sequential-then-failure', lambda b: [
        create(b + '/s-', flags=2), multi(*parts(create(b + '/s-', flags=2), create(b + '/s-', flags=2), create(b + '/none/x'))), create(b + '/s-', flags=2),
        *piped(multi(*parts(create(b + '/s-', flags=2), delete(b + '/none'))), create(b + '/s-', flags=2), multi(*parts(create(b + '/s-', flags=2), req(13, b, 9))), create(b + '/s-', flags=2)), ls2(b)])
    yield Case('multi/rollback-piped', lambda b: piped(
        create(b + '/p'), create(b + '/p/s-', flags=2), multi(*parts(create(b + '/p/s-', flags=2), delete(b + '/p'))), create(b + '/p/s-', flags=2),
        multi(*parts(delete(b + '/p/s-0000000000'), create(b + '/p/z'), req(13, b, 77))), delete(b + '/p/s-0000000000'), put(b + '/p', 'a'), multi(*parts(put(b + '/p', 'b'), put(b + '/p', 'c', 9))),
        put(b + '/p', 'd', 1), get(b + '/p'), ls2(b + '/p')))
    for at in range(5):
        for word, bad in (('nonode', lambda b: create(b + '/none/x')), ('exists', lambda b: create(b)), ('version', lambda b: put(b, 'x', 99)), ('notempty', lambda b: delete(b)),
                          ('acl', lambda b: create(b + '/x', acl=[])), ('path', lambda b: create(b + '/\x01')), ('slash', lambda b: delete('x')), ('check', lambda b: req(13, b, 3)),
                          ('noauth', lambda b: create(b + '/ro/x')), ('null', lambda b: delete(None)), ('ttl', lambda b: ttl(b + '/z', ms=0)), ('special', lambda b: delete('/'))):
            def make(b, i=at, f=bad):
                good = [create(b + '/a'), create(b + '/a/b', 'q'), put(b + '/a', 'r'), delete(b + '/a/b')]
                return [create(b + '/ro', acl=[[1, 'world', 'anyone']]), multi(*parts(*good[:i], f(b), *good[i:])), ls2(b), exists(b + '/a'), get(b), sync('/')]
            yield Case(f'multi/fails/{word}/at={at}', make, 'share')
    yield Case('multi/two-failures', lambda b: [multi(*parts(create(b + '/none/x'), create(b + '/none/y'), put(b, 'x'))), get(b)])
    yield Case('multi/checks', lambda b: [multi(*parts(req(13, b, 0), put(b, 'x', 0), req(13, b, 1), put(b, 'y', 1), req(13, b, 2))), get(b), multi(*parts(req(13, b, -1))), multi(*parts(req(13, b, 1)))])
    yield Case('multi/delete-and-create', lambda b: [create(b + '/x', 'old'), multi(*parts(delete(b + '/x'), create2(b + '/x', 'new'))), get(b + '/x'), ls2(b)])
    yield Case('multi/null-and-empty', lambda b: [multi(*parts(create(b + '/n', None), create(b + '/e', ''), create2(b + '/m', None), put(b, None))), get(b + '/n'), get(b + '/e'), get(b)])
    yield Case('multi/ephemeral-parent', lambda b: [multi(*parts(create(b + '/e', flags=1), create(b + '/e/x'))), create(b + '/e', flags=1), multi(*parts(create(b + '/e/s', flags=2))), ls2(b), close()])
    yield Case('multi/many', lambda b: [multi(*parts(*[create(f'{b}/n{i:04d}', str(i)) for i in range(500)])), ls2(b), multi(*parts(*[delete(f'{b}/n{i:04d}') for i in range(500)])), ls2(b)])
    yield Case('multi/many-sequential', lambda b: [multi(*parts(*[create(f'{b}/s', flags=2) for i in range(300)])), ls2(b)])
    yield Case('multi/mixed-kinds', lambda b: [multi(*parts(create(b + '/x'), get(b))), multi(*parts(get(b), create(b + '/x'))), multi(*parts(get(b))), multi(*parts(ls(b), get(b))),
                                               multi_read(*parts(create(b + '/x'))), multi_read(*parts(get(b), put(b))), multi_read(*parts(req(13, b, 0))), ls2(b), sync('/')])
    yield Case('multi/odd-types', lambda b: [
        multi(f'{k & 0xffffffff:08x}00ffffffff{len(b):08x}{b.encode().hex()}' + '00' * 9) for k in (0, 3, 6, 7, 9, 11, 12, 14, 16, 17, 20, 22, 99, 100, 107, -1, -10, -11)] + [multi([2, [b + '/x', -1]], [99, []]), sync('/')])
    yield Case('multi/bad-flags', lambda b: [multi(*parts(create(b + '/x'), create(b + '/y', flags=f))) for f in (7, 8, 99, -1)] + [
        multi([21, [b + '/t', '', OPEN, f, 10 ** 9]]) for f in (7, -1, 0, 1, 2, 3, 4)] + [ls2(b), sync('/')])
    yield Case('multi/header-fields', lambda b: [
        multi([1, [b + '/a', '', OPEN, 0], 0, 0]), multi([1, [b + '/b', '', OPEN, 0], 0, 77]), multi([1, [b + '/c', '', OPEN, 0], 0, -1], [1, [b + '/d', '', OPEN, 0], 1, -1]),
        multi([1, [b + '/e', '', OPEN, 0], 2, -1]), multi([-1, [], 1, -1], [1, [b + '/f', '', OPEN, 0]]), multi([-1, [], 0, -1]), ls2(b)])
    yield Case('multi/header-ends', lambda b: [raw_multi(h) for h in ('ff', 'ffffffff', 'ffffffff01', 'ffffffff01ffffff', 'ffffffff00ffffffff', '0000000001ffffffff', '7fffffff01ffffffff',
                                                                     '00000001010000000000', END + END, END + 'abcdef', '00000001')] + [sync('/')])
    yield Case('multi/bad-lengths', lambda b: [raw_multi(h) for h in (
        '00000002' '00' 'ffffffff' '7fffffff', '00000002' '00' 'ffffffff' '80000000', '00000002' '00' 'ffffffff' 'fffffffe', '00000001' '00' 'ffffffff' '00000002' '2f61' 'fffffffe',
        '00000001' '00' 'ffffffff' '00000002' '2f61' 'ffffffff' '7fffffff', '00000001' '00' 'ffffffff' '00000002' '2f61' 'ffffffff' 'fffffff0' '00000000' + END)] + [sync('/')])
    yield Case('multiRead/mix', lambda b: [create(b + '/a', 'x'), create(b + '/n', None), multi_read(*parts(get(b), get(b + '/a'), ls(b), get(b + '/n'), get(b + '/none'), ls(b + '/none'), get(''), get('x'), ls('x'))),
                                           multi_read([4, [b, 1]], [8, [b, 1]]), put(b, 'new', s=1), create(b + '/k', s=1), check_watches(b, 3), ping()])
    yield Case('multiRead/failing', lambda b: [multi_read(*parts(get(b + '/none'))), multi_read(*parts(ls(b + '/none'))), multi_read(*parts(get(None))), multi_read(*parts(get(b), get(None))), sync('/')])
    yield Case('multiRead/many', lambda b: [*[create(f'{b}/{i}', ['d', i]) for i in range(30)], multi_read(*parts(*[get(f'{b}/{i}') for i in range(40)], ls(b)))])
    yield Case('multi/quoted-names', lambda b: [multi(*parts(create(b + '/é'), create(b + '/é/漢'), create(b + '/é/漢/ ', 'x', 2), put(b + '/é', 'y'))), ls2(b + '/é'), ls2(b + '/é/漢')])
