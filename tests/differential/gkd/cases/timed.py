"""What happens by the clock: sessions that expire, containers and TTL nodes that are reaped."""
from . import *  # noqa: F403


def until(steps):
    """Waits until both servers have made that many transactions by themselves, no more and no fewer."""
    return {'op': 'settle', 'steps': steps}


def expire(s):
    return {'op': 'expire', 's': s}


def table():
    yield Case('expiry/ephemerals', lambda b: [create(b + '/e', flags=1, s=1), create(b + '/s-', flags=3, s=1), create(b + '/p', s=1), get(b + '/e', 1), ls(b, 1), add_watch(b, 1), expire(1), ping(), ls2(b), create(b + '/e', flags=1)], 'reaper-safe')
    yield Case('expiry/nothing', lambda b: [exists(b, s=1), expire(1), ls2(b)], 'reaper-safe')
    yield Case('expiry/then-new', lambda b: [create(b + '/e', flags=1, s=1), expire(1), create(b + '/e', flags=1, s=1), ls2(b), ephemerals(b, s=1)], 'reaper-safe')
    yield Case('expiry/many', lambda b: [*piped(*[create(f'{b}/é{i}', flags=1, s=1) for i in range(50)]), exists(b + '/é7', 1), expire(1), ping(), ls2(b)], 'reaper-safe')
    yield Case('reaper/container', lambda b: [container(b + '/c', 'x'), create(b + '/c/k'), get(b + '/c', 1), ls(b, 1), delete(b + '/c/k'), until(1), ping(), exists(b + '/c'), ls2(b)], 'reaper')
    yield Case('reaper/container-empty-stays', lambda b: [container(b + '/c', 'x'), until(0), exists(b + '/c')], 'reaper')
    yield Case('reaper/ttl', lambda b: [ttl(b + '/t', 'x', ms=1500), exists(b + '/t', 1), until(1), ping(), exists(b + '/t')], 'reaper')
    yield Case('reaper/ttl-sequential', lambda b: [ttl(b + '/t-', 'x', 6, 1500), add_watch(b, 1), until(1), ping(), ls2(b), create(b + '/t-', flags=2)], 'reaper')
    yield Case('reaper/ttl-with-child', lambda b: [ttl(b + '/t', 'x', ms=1500), create(b + '/t/k'), until(0), delete(b + '/t/k'), until(1), ls2(b)], 'reaper')
    yield Case('reaper/names', lambda b: [op for n in ('é', '漢' * 20, 'x' * 200, ' ') for op in (ttl(f'{b}/{n}', 'x', ms=1500), until(1))] + [ls2(b)], 'reaper')
    yield Case('reaper/in-a-multi', lambda b: [multi(*parts(container(b + '/c'), create(b + '/c/k'), delete(b + '/c/k'))), until(1), ls2(b)], 'reaper')
