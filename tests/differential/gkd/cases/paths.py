"""Every odd path with every operation that takes a path."""
from .. import corpus
from . import *  # noqa: F403

ABSOLUTE = [None, '', '/', '//', '//x', '//x/y', '//.', '///', 'relative', 'relative/x', './x', '../x', 'a/b/c', '.', '..', '/.', '/..', '/./x', '\0', '/\0', '/zookeeper', '/zookeeper/', '/zookeeper/quota',
            '/zookeeper/quota/', '/zookeeper/config', '/zookeeper/config/x', '/nosuch', '/nosuch/x', '/nosuch/', '/nosuch//x', ' ', '/ /x', '\udcff', '/\udcff/x']


def below(b):
    tail = b.rsplit('/', 1)[1]
    return {
        'slash-end': b + '/', 'two-slashes-end': b + '//', 'slash-inside': b + '//x', 'three': b + '///x', 'slash-first': '/' + b, 'no-slash': b[1:],
        'dot': b + '/.', 'dotdot': b + '/..', 'dot-inside': b + '/./x', 'dotdot-inside': b + '/../' + tail, 'dotdot-end-name': b + '/x..', 'dot-name': b + '/.x',
        'three-dots': b + '/...', 'dotdot-name': b + '/..x', 'nul-end': b + '\0', 'nul-name': b + '/\0', 'nul-inside': b + '/x\0y', 'nul-first': '\0' + b,
        'missing': b + '/none', 'missing-parent': b + '/none/x', 'missing-slash': b + '/none/', 'missing-bad': b + '/none/x\x01', 'child': b + '/kid',
        'child-slash': b + '/kid/', 'child-of-leaf': b + '/kid/x', 'u+0001': b + '/\x01', 'u+001f': b + '/a\x1f', 'u+0020': b + '/ ', 'u+007f': b + '/\x7f',
        'u+009f': b + '/\x9f', 'u+00a0': b + '/\xa0', 'u+d7ff': b + '/\ud7ff', 'u+e000': b + '/\ue000', 'u+f8ff': b + '/\uf8ff', 'u+f900': b + '/\uf900',
        'u+ffef': b + '/\uffef', 'u+fff0': b + '/\ufff0', 'u+fffd': b + '/\ufffd', 'u+ffff': b + '/\uffff', 'astral': b + '/\U0001f600', 'astral-last': b + '/\U0010ffff',
        'bad-utf8': b + '/\udcff', 'bad-utf8-inside': b + '/a\udc80b', 'cut-utf8': b + '/\udce6\udcbc', 'overlong-slash': b + '/\udcc0\udcaf', 'surrogate': b + '/\udced\udca0\udc80',
        'beyond-unicode': b + '/\udcf5\udc80\udc80\udc80', 'bad-parent': b + '/\udcff/x', 'ctl-parent': b + '/\x01/x', 'newline': b + '/a\nb', 'bom': b + '/\ufeff',
        'long': b + '/' + 'x' * 5000, 'long-deep': b + '/y' * 500, 'upper': b.upper(), 'space-end': b + ' ', 'space-first': ' ' + b,
    }


def uses(b, p):
    """name -> operations on path p; b has a child `kid`."""
    out = {
        'create': [create(p, 'd'), exists(p)], 'create2': [create2(p, 'd')], 'createContainer': [container(p, 'd')], 'createTTL': [ttl(p, 'd')],
        'ephemeral': [create(p, 'd', 1)], 'delete': [delete(p)], 'deleteContainer': [delete_container(p)], 'exists': [exists(p), exists(p, 1)],
        'getData': [get(p), get(p, 1)], 'setData': [put(p, 'x'), put(p, 'x', 99)], 'getACL': [get_acl(p)], 'setACL': [set_acl(p, OPEN), set_acl(p, [])],
        'getChildren': [ls(p), ls(p, 1)], 'getChildren2': [ls2(p)], 'sync': [sync(p)], 'getEphemerals': [ephemerals(p)], 'getAllChildrenNumber': [count(p)],
        'addWatch': [add_watch(p, 0), add_watch(p, 1), check_watches(p, 3), check_watches(p, 4), check_watches(p, 5), remove_watches(p, 4), check_watches(p, 3),
                     remove_watches(p, 3), remove_watches(p, 3)],
        'checkWatches': [check_watches(p, k) for k in range(0, 7)], 'removeWatches': [remove_watches(p, k) for k in range(0, 7)],
        'setWatches-data': [set_watches(50, data=[b, p])], 'setWatches-exist': [set_watches(50, exist=[p, b])], 'setWatches-child': [set_watches(50, child=[b, p])],
        'setWatches-new': [set_watches(0, [p], [p], [p])], 'setWatches2': [set_watches2(0, [p], [p], [p], [p], [p]), check_watches(p, 3), check_watches(p, 4)],
        'multi-create': [multi(*parts(create(b + '/m'), create(p)))], 'multi-delete': [multi(*parts(create(b + '/m'), delete(p)))],
        'multi-setData': [multi(*parts(create(b + '/m'), put(p, 'x')))], 'multi-check': [multi(*parts(create(b + '/m')), [13, [p, -1]]), multi([13, [p, 7]])],
        'multiRead': [multi_read(*parts(get(b), get(p), ls(p), get(b)))],
    }
    if p != '':
        out['sequential'] = [create(p, 'd', 2), create(p, 'd', 3)]
        out['multi-sequential'] = [multi(*parts(create(b + '/m'), create(p, 'd', 2), create(p, 'd', 2)))]
    return out


WATCHING = {'exists', 'getData', 'getChildren', 'addWatch', 'setWatches-data', 'setWatches-exist', 'setWatches-child', 'setWatches-new', 'setWatches2'}


def table():
    for word in below('/b'):
        for use in uses('/b', below('/b')[word]):
            yield Case(f'paths/{use}/{word}', lambda b, w=word, u=use: [
                create(b + '/kid'), *uses(b, below(b)[w])[u], ls2(b), exists(b + '/kid'), put(b, 'y'), delete(b + '/kid')], *(['share'] if use not in WATCHING else []))
    for path in ABSOLUTE:
        for use in uses('/b', path):
            fixed = path is None or path in ('', '/', '/zookeeper', '/zookeeper/quota') or 'sequential' in use
            yield Case(f'paths/{use}/absolute/{path!a}', lambda b, p=path, u=use: [*uses(b, p)[u], ls2(b), ping()], *(['root'] if fixed else []), *(['standalone'] if path is None and use == 'deleteContainer' else []))
    for i, name in enumerate(corpus.REFUSED):
        yield Case(f'paths/refused/{i}', lambda b, n=name: [
            create(f'{b}/{n}'), create(f'{b}/x{n}y', flags=2), exists(f'{b}/{n}'), put(f'{b}/{n}', 'x'), create(f'{b}/{n}/z'), ls2(b)], 'share')
