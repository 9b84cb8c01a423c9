"""Operations of multi and multiRead: plain ones, and the patterns where earlier parts change what later ones meet."""
from . import corpus, proto


def create(g, path, flags=0, kind=1):
    return [kind, [path, corpus.payload(g.rng), proto.OPEN, flags]]


def one(g):
    rng = g.rng
    r = rng.random()
    if r < 0.4:
        return [rng.choice((1, 1, 15)), [g.new_path(), corpus.payload(rng), g.acl(), rng.choice((0, 0, 0, 1, 2, 2, 3))]]
    if r < 0.55:
        return [5, [g.path(0.05), corpus.payload(rng), g.version() if rng.random() < 0.3 else -1]]
    if r < 0.7:
        path = g.path(0.05)
        return [2, [g.base + '/n2' if path == g.base else path, g.version() if rng.random() < 0.3 else -1]]
    if r < 0.85:
        return [13, [g.path(0.05), rng.choice((-1, -1, 0, 1, 2))]]
    if r < 0.9:
        return [19, [g.new_path(), corpus.payload(rng), g.acl(), 4]]
    if r < 0.95:
        return [21, [g.new_path(), corpus.payload(rng), g.acl(), rng.choice((5, 6)), 10 ** 9]]
    return [rng.choice((1, 15, 19)), [g.new_path(), corpus.payload(rng), g.acl(), rng.choice((0, 4, 5, 6, 7, -1))]]


def pattern(g):
    """Sequences with a parent made, unmade and made again; several sequential creates under one parent."""
    rng = g.rng
    parent = g.node() + '/' + rng.choice(('m0', 'm1', 'm2'))
    r = rng.random()
    if r < 0.3:
        ops = [create(g, parent)] + [create(g, parent + '/s-', rng.choice((2, 3))) for _ in range(rng.randrange(1, 5))]
    elif r < 0.55:
        ops = [create(g, parent), create(g, parent + '/k'), [2, [parent + '/k', -1]], [2, [parent, -1]], create(g, parent), create(g, parent + '/s', 2)]
    elif r < 0.75:
        at = g.node()
        ops = [create(g, at + '/q-', 2, rng.choice((1, 15))) for _ in range(rng.randrange(2, 6))]
    elif r < 0.85:
        ops = [create(g, parent), [5, [parent, corpus.payload(rng), 0]], [5, [parent, corpus.payload(rng), 1]], [13, [parent, 2]], [2, [parent, 2]]]
    else:
        ops = [[2, [g.base + '/m0', -1]], create(g, g.base + '/m0'), create(g, g.base + '/m0/t-', 2)]
    if rng.random() < 0.25:
        ops.insert(rng.randrange(len(ops) + 1), rng.choice(([13, [g.base, 99]], [2, [g.base + '/none', -1]], create(g, g.base + '/none/x'))))
    return ops


def writes(g):
    rng = g.rng
    r = rng.random()
    if r < 0.35:
        return pattern(g)
    ops = [one(g) for _ in range(int(rng.random() ** 2 * 9))]
    if r > 0.98 and not g.calm:
        ops.insert(rng.randrange(len(ops) + 1), rng.choice(([8, [g.node(), 0]], [9, [g.node()]], [99, []], [7, [g.node(), proto.OPEN, -1]], [2, [None, -1]],
                                                             [14, [[]]], [1, [g.new_path(), '', proto.OPEN, 0], 1, 0], [-1, []], '00')))
    return ops


def reads(g):
    rng = g.rng
    ops = []
    for _ in range(int(rng.random() ** 2 * 7)):
        kind = rng.choice((4, 8))
        ops.append([kind, [g.path(0.2), g.watch()]])
    if rng.random() > 0.97 and not g.calm:
        ops.append(rng.choice(([3, [g.node(), 0]], [1, [g.node() + '/x', '', proto.OPEN, 0]], [12, [g.node(), 0]])))
    return ops
