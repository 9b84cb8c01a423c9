"""Which error comes first when several things are wrong."""
from .. import corpus
from . import *  # noqa: F403

LOCKED = [[0, 'world', 'anyone']]
READ = [[1, 'world', 'anyone']]


def table():
    yield from creates()
    yield from writes()
    yield from zxids()


def creates():
    """All combinations of wrongs: each pair shows which one wins."""
    wrongs = {
        'flags': {'flags': 99}, 'acl': {'acl': []}, 'null-acl': {'acl': None}, 'bad-acl': {'acl': [[31, 'nosuch', 'x']]}, 'noslash': {'path': 'x'},
        'nul': {'path': '/x\0'}, 'no-parent': {'path': '/none/x'}, 'no-parent-bad': {'path': '/none/x\x01'}, 'noauth': {'path': '/locked/x'},
        'noauth-bad': {'path': '/locked/x\x01'}, 'bad': {'path': '/x\x01'}, 'slash': {'path': '/kid/'}, 'exists': {'path': '/kid'}, 'ephemeral-parent': {'path': '/eph/x'},
        'ephemeral-parent-bad': {'path': '/eph/.'}, 'null-path': {'path': None}, 'empty-path': {'path': ''}, 'root': {'path': '/'},
    }
    names = list(wrongs)
    for i, one in enumerate(names):
        for two in names[i:]:
            mix = {**wrongs[one], **wrongs[two]}
            if one != two and len(mix) == 1:
                continue
            for kind, word in ((1, 'create'), (15, 'create2'), (19, 'createContainer'), (21, 'createTTL')):
                def make(b, m=mix, k=kind):
                    path = m.get('path', '/new')
                    if path not in (None, '', '/', 'x'):
                        path = b + path
                    flags = m.get('flags', {19: 4, 21: 5}.get(k, 0))
                    op = req(k, path, 'd', m.get('acl', OPEN), flags, *([10 ** 9] if k == 21 else []))
                    seq = req(k, path, 'd', m.get('acl', OPEN), {21: 6}.get(k, 2)) if path != '/' else exists(b)
                    if k == 21 and path != '/':
                        seq['f'].append(10 ** 9)
                    return [create(b + '/kid'), create(b + '/eph', flags=1), create(b + '/locked', acl=READ), op, seq,
                            multi([k, op['f']]), ls2(b), delete(b + '/eph')]
                yield Case(f'order/{word}/{one}+{two}', make, 'share', *(['root'] if mix.get('path') == '/' else []), *(['standalone'] if 'null-acl' in (one, two) else []))


def writes():
    yield Case('order/setData', lambda b: [
        create(b + '/l', acl=READ), put(b + '/l', 'x'), put(b + '/l', 'x', 5), put(b + '/none', 'x', 5), put(b + '/\x01', 'x'), put(b + '/none/', 'x'), put(b, 'x', 7)])
    yield Case('order/delete', lambda b: [
        create(b + '/p', acl=[[23, 'world', 'anyone']]), create(b + '/p/x'), create(b + '/p/x/y'), delete(b + '/p/x', 9), delete(b + '/p/none'), delete(b + '/p/x/'),
        create(b + '/q'), create(b + '/q/r'), delete(b + '/q', 9), delete(b + '/q'), delete(b + '/q', 0), delete(b + '/none/x'), delete(b + '/q/\x01'), delete(b + '/q\0', 9)])
    yield Case('order/setACL', lambda b: [
        create(b + '/l', acl=[[15, 'world', 'anyone']]), set_acl(b + '/l', OPEN, 9), set_acl(b + '/l', []), set_acl(b + '/none', []), set_acl(b + '/none', OPEN, 9),
        set_acl(b + '/\x01', []), set_acl(b + '/\x01', OPEN), set_acl(b, OPEN, 9), set_acl(b, corpus.BAD_ACLS[5], 9), set_acl(None, []), set_acl('', [])])
    yield Case('order/check', lambda b: [create(b + '/l', acl=[[30, 'world', 'anyone']])] + [
        multi([13, [p, v]]) for p in (b, b + '/l', b + '/none', b + '/\x01', b + '/', None, '') for v in (-1, 0, 9)])
    yield Case('order/reads', lambda b: [create(b + '/l', acl=[[30, 'world', 'anyone']])] + [
        f(b + '/l') for f in (exists, get, ls, ls2, get_acl, count)] + [multi_read(*parts(get(b + '/l'), ls(b + '/l'))), exists(b + '/l', 1), get(b + '/l', 1)])
    yield Case('order/deleteContainer', lambda b: [
        create(b + '/p', acl=LOCKED), container(b + '/c'), create(b + '/c/x'), create(b + '/e', flags=1), delete_container(b + '/c'), delete_container(b + '/e'),
        delete_container(b + '/p'), delete_container(b + '/none'), delete_container(b + '/none/x'), delete_container(b + '/'), delete_container('/zookeeper')])


def zxids():
    """What consumes a zxid: a sync after each tells."""
    bad = [
        create('/none/x'), create('x'), create(None), req(1, '/x', 'd', OPEN), delete('/none'), delete(None), put('/none'), set_acl('/none', OPEN), multi(),
        multi([13, ['/none', 0]]), {**multi(), 'cut': 8}, {**multi(), 'cut': 12}, get('/none'), exists('/none'), sync('/'), add_watch('/none', 9), req(16, None, None, None, -1),
        delete_container('/none'), ephemerals('/'), who(), auth('x:y'), req(102, 'junk'), set_watches(0), req(105, 0, [], [], [], [], [], x=-8), check_watches('/none', 1),
        multi_read([4, ['/none', 0]]), multi_read([3, ['/none', 0]]), count('/none'),
    ]
    for i, op in enumerate(bad):
        yield Case(f'order/zxid/{i}', lambda b, o=op: [sync('/'), dict(o), sync('/'), {**o, **({'cut': 9} if o['t'] not in (11, 107) else {})}, sync('/'),
                                                      create(b + '/x'), sync('/')], 'standalone')
