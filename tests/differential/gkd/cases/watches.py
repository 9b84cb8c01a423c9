"""Every kind of watch with everything that could trigger it, by another session and by its own."""
from . import *  # noqa: F403


def kinds():
    """name -> operations that set the watch on node n (child of b)."""
    return {
        'exists': lambda b, n: [exists(n, 1)], 'getData': lambda b, n: [get(n, 1)], 'getChildren': lambda b, n: [ls(n, 1)], 'getChildren2': lambda b, n: [ls2(n, 1)],
        'persistent': lambda b, n: [add_watch(n, 0)], 'recursive': lambda b, n: [add_watch(n, 1)], 'recursive-parent': lambda b, n: [add_watch(b, 1)],
        'parent-children': lambda b, n: [ls(b, 1)], 'parent-persistent': lambda b, n: [add_watch(b, 0)], 'data+children': lambda b, n: [get(n, 1), ls(n, 1)],
        'exists+persistent': lambda b, n: [exists(n, 1), add_watch(n, 0)], 'persistent+recursive': lambda b, n: [add_watch(n, 0), add_watch(n, 1)],
        'persistent+recursive-parent': lambda b, n: [add_watch(n, 0), add_watch(b, 1)], 'all': lambda b, n: [exists(n, 1), ls(n, 1), add_watch(n, 0), add_watch(n, 1), add_watch(b, 0), add_watch(b, 1)],
        'setWatches': lambda b, n: [set_watches(0, [n], [n], [n])], 'setWatches-parent': lambda b, n: [set_watches(0, [b], [b], [b])],
        'setWatches2': lambda b, n: [set_watches2(0, [n], [], [n], [n], [n])], 'setWatches2-persistent': lambda b, n: [set_watches2(0, persistent=[n, b])],
        'setWatches2-recursive': lambda b, n: [set_watches2(0, recursive=[n, b])], 'grandchild-exists': lambda b, n: [exists(n + '/k/g', 1), get(n + '/k', 1)],
        'removed': lambda b, n: [exists(n, 1), add_watch(n, 0), remove_watches(n, 3)], 'removed-data': lambda b, n: [get(n, 1), ls(n, 1), remove_watches(n, 2)],
        'removed-persistent': lambda b, n: [exists(n, 1), add_watch(n, 0), add_watch(n, 1), remove_watches(n, 4)], 'multiRead': lambda b, n: [multi_read([4, [n, 1]], [8, [n, 1]])],
    }


def triggers():
    """name -> (the node exists before, operations by session s)."""
    return {
        'create': (0, lambda b, n, s: [create(n, s=s)]), 'create2': (0, lambda b, n, s: [create2(n, s=s)]), 'create-ephemeral': (0, lambda b, n, s: [create(n, flags=1, s=s)]),
        'create-container': (0, lambda b, n, s: [container(n, s=s)]), 'create-ttl': (0, lambda b, n, s: [ttl(n, s=s)]), 'create-sequential': (0, lambda b, n, s: [create(n, flags=2, s=s)]),
        'create-delete': (0, lambda b, n, s: [create(n, s=s), delete(n, s=s), create(n, s=s)]), 'multi-create': (0, lambda b, n, s: [multi(*parts(create(n), create(n + '/k'), put(n, 'x')), s=s)]),
        'multi-failing': (0, lambda b, n, s: [multi(*parts(create(n), create(b)), s=s)]), 'setData': (1, lambda b, n, s: [put(n, 'x', s=s), put(n, 'x', s=s)]),
        'setData-fails': (1, lambda b, n, s: [put(n, 'x', 99, s=s)]), 'delete': (1, lambda b, n, s: [delete(n, s=s)]), 'deleteContainer': (2, lambda b, n, s: [delete_container(n, s=s)]),
        'child': (1, lambda b, n, s: [create(n + '/k', s=s), create(n + '/l', s=s), delete(n + '/k', s=s)]), 'grandchild': (1, lambda b, n, s: [create(n + '/k', s=s), create(n + '/k/g', s=s), put(n + '/k/g', 'x', s=s), delete(n + '/k/g', s=s)]),
        'setACL': (1, lambda b, n, s: [set_acl(n, OPEN, s=s)]), 'sibling': (1, lambda b, n, s: [create(b + '/other', s=s), put(b + '/other', 'x', s=s), delete(b + '/other', s=s)]),
        'child-sequential': (1, lambda b, n, s: [create(n + '/s-', flags=2, s=s), create(n + '/s-', flags=3, s=s)]), 'multi-mixed': (1, lambda b, n, s: [multi(*parts(put(n, 'x'), create(n + '/k'), delete(n + '/k'), delete(n), create(n, 'y')), s=s)]),
        'parent-data': (1, lambda b, n, s: [put(b, 'x', s=s)]),
    }


def table():
    for word, setting in kinds().items():
        for what, (before, act) in triggers().items():
            for s in (1, 0):
                def make(b, k=setting, pre=before, a=act, who_=s):
                    n = b + '/n'
                    first = [] if not pre else ([create(n, 'v')] if pre == 1 else [container(n)])
                    return first + k(b, n) + a(b, n, who_) + [ping(), *a(b, n, who_), ping(), check_watches(n, 3), check_watches(b, 3), check_watches(n, 2)]
                yield Case(f'watches/{word}/{what}/{"other" if s else "own"}', make)
        yield Case(f'watches/{word}/close-of-owner', lambda b, k=setting: [create(b + '/n', flags=1, s=1), create(b + '/m', flags=1, s=1), *k(b, b + '/n'), close(1), ping(), ls(b)])
        yield Case(f'watches/{word}/lost-on-reconnect', lambda b, k=setting: [create(b + '/n'), *k(b, b + '/n'), {'op': 'bounce', 's': 0, 'how': 'drop'}, put(b + '/n', 'x', s=1), check_watches(b + '/n', 3), ping()])
        yield Case(f'watches/{word}/types', lambda b, k=setting: [create(b + '/n'), *k(b, b + '/n')] + [check_watches(b + '/n', t) for t in range(0, 7)] + [
            op for t in (1, 2, 4, 5, 3) for op in (remove_watches(b + '/n', t), check_watches(b + '/n', 3))])
        yield Case(f'watches/{word}/both-sessions', lambda b, k=setting: [create(b + '/n'), *k(b, b + '/n'), *[{**o, 's': 1} for o in k(b, b + '/n')], put(b + '/n', 'x', s=2), delete(b + '/n', s=1), ping(), ping(s=1)])
    yield from set_watches_now()
    yield from filtered()
    yield Case('watches/pipelined', lambda b: piped(create(b + '/a'), get(b + '/a', 1), put(b + '/a', '1'), ls(b, 1), exists(b + '/b', 1), create(b + '/b'), get(b + '/b', 1), ls2(b, 1), delete(b + '/b'), ping(), add_watch(b, 1),
                                                  create(b + '/c'), put(b + '/c', 'q'), create(b + '/c/s', flags=2), sync(b)))
    yield Case('watches/bool-bytes', lambda b: [get(b, 2), put(b, 'x', s=1), check_watches(b, 2), get(b, 255), put(b, 'x', s=1), ping()])
    yield Case('watches/many-on-one', lambda b: [get(b, 1, s=s) for s in range(6)] + [put(b, 'x', s=7)] + [ping(s=s) for s in range(6)])
    yield Case('watches/one-on-many', lambda b: [create(f'{b}/n{i}') for i in range(40)] + [get(f'{b}/n{i}', 1) for i in range(40)] + [multi(*parts(*[put(f'{b}/n{i}', 'x') for i in range(40)]), s=1), ping()])
    yield Case('watches/close-many', lambda b: [create(f'{b}/n{i}', flags=1, s=1) for i in range(30)] + [get(f'{b}/n{i}', 1) for i in range(30)] + [add_watch(b, 1), close(1), ping(), ls2(b)])
    yield Case('watches/strange-names', lambda b: [add_watch(b, 1)] + [op for n in ('é', ' ', '...', 'A' * 24, '漢' * 50, 'x' * 250) for op in (create(f'{b}/{n}', s=1), put(f'{b}/{n}', 'y', s=1), delete(f'{b}/{n}', s=1))] + [ping()])


def set_watches_now():
    """setWatches fires at once for what changed since the given zxid."""
    for ago in (0, 1, 2, 3, 5, 1000):
        for kind in (101, 105):
            def make(b, a=ago, k=kind):
                lists = [[b + '/a', b + '/none', b + '/d'], [b + '/a', b + '/none'], [b, b + '/a', b + '/none']]
                op = req(k, -a, *lists, *([[b + '/a', b + '/none'], [b]] if k == 105 else []), x=-8)
                return [create(b + '/a'), create(b + '/d'), put(b + '/a', 'x'), create(b + '/a/k'), delete(b + '/d'), op, put(b + '/a', 'y', s=1), create(b + '/none', s=1), ping(), check_watches(b + '/a', 3)]
            yield Case(f'watches/setWatches-now/{kind}/{ago}', make)
    yield Case('watches/setWatches-odd', lambda b: [
        req(101, 0, None, [], [], x=-8), req(101, 0, [], None, [], x=-8), req(101, 0, [b], [None], [b], x=-8), check_watches(b, 3), req(101, 0, [None], [], [], x=-8), req(105, 0, [], [], [], None, [], x=-8),
        req(105, 0, [], [], [], [None], [], x=-8), req(105, 0, [b, b, b], [b, b], [b, b], [b, b], [b, b], x=-8), req(101, -10 ** 9, [b], [], [b], x=7), ping()])
    yield Case('watches/setWatches-many', lambda b: [set_watches(0, [f'{b}/{i}' for i in range(500)], [f'{b}/{i}' for i in range(500)], []), create(b + '/7', s=1), ping()])


def filtered():
    """Events are not shown to who may not read the node."""
    for word, acl in (('none', [[4, 'world', 'anyone']]), ('digest', [[31, 'digest', 'alice:' + 'x' * 10]]), ('read', [[31, 'world', 'anyone']]), ('ip', [[31, 'ip', '127.0.0.1']])):
        yield Case(f'watches/filtered/{word}', lambda b, a=acl: [
            exists(b + '/n', 1), add_watch(b, 1), add_watch(b + '/n', 0), create(b + '/n', acl=a, s=1), put(b + '/n', 'x', s=1), create(b + '/n/k', s=1), delete(b + '/n/k', s=1), delete(b + '/n', s=1), ping()])
        yield Case(f'watches/filtered-later/{word}', lambda b, a=acl: [create(b + '/n'), get(b + '/n', 1), ls(b + '/n', 1), set_acl(b + '/n', a, s=1), create(b + '/n/k', s=1), put(b + '/n', 'x', s=1), ping(), delete(b + '/n/k', s=1), delete(b + '/n', s=1), ping()])
