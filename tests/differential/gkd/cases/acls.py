"""ACLs: what is accepted, what is shown, who may do what."""
from .. import corpus
from . import *  # noqa: F403

ALICE = corpus.digest_id('alice:secret')


def table():
    for i, acl in enumerate(corpus.ACLS + corpus.BAD_ACLS):
        for user in (None, 'alice:secret'):
            yield Case(f'acl/create/{i}/{"known" if user else "unknown"}', lambda b, a=acl, u=user: ([auth(u)] if u else []) + [
                create(b + '/x', 'd', acl=a), get_acl(b + '/x'), get(b + '/x'), put(b + '/x', 'e'), create(b + '/x/y'), ls2(b + '/x'), delete(b + '/x/y'), set_acl(b + '/x', a), get_acl(b + '/x'),
                get(b + '/x', s=1), put(b + '/x', 'f', s=1), get_acl(b + '/x', s=1), create2(b + '/s', 'd', 2, acl=a), container(b + '/c', acl=a), ttl(b + '/t', acl=a), multi(*parts(create(b + '/m', acl=a))),
                set_acl(b, a), get_acl(b), exists(b), ls2(b)], *(['standalone'] if acl is None else []))
    for perms in range(0, 32):
        yield Case(f'acl/perms/{perms}', lambda b, p=perms: [
            create(b + '/x', 'd', acl=[[31, 'world', 'anyone']]), create(b + '/x/k'), set_acl(b + '/x', [[p, 'world', 'anyone']]), get(b + '/x', 1), put(b + '/x', 'e'), ls(b + '/x', 1), ls2(b + '/x'), create(b + '/x/l'),
            delete(b + '/x/k'), get_acl(b + '/x'), exists(b + '/x', 1), count(b + '/x'), multi(*parts(req(13, b + '/x', -1))), multi(*parts(put(b + '/x', 'f'))), multi(*parts(create(b + '/x/m'))),
            multi_read(*parts(get(b + '/x'), ls(b + '/x'))), set_acl(b + '/x', OPEN), get_acl(b + '/x'), delete(b + '/x')], 'share')
    yield Case('acl/digest-hidden', lambda b: [create(b + '/x', acl=[[31, 'digest', ALICE], [1, 'world', 'anyone']]), get_acl(b + '/x'), auth('alice:secret', s=1), get_acl(b + '/x', s=1), put(b + '/x', 'q'), put(b + '/x', 'q', s=1)])
    yield Case('acl/auth-expands', lambda b: [create(b + '/x', acl=[[31, 'auth', '']]), auth('alice:secret'), create(b + '/x', acl=[[31, 'auth', '']]), get_acl(b + '/x'), auth('bob:hunter2'),
                                              create(b + '/y', acl=[[31, 'auth', ''], [1, 'world', 'anyone']]), get_acl(b + '/y'), set_acl(b + '/y', [[3, 'auth', 'zzz']]), get_acl(b + '/y'), get(b + '/x', s=1), get(b + '/y', s=1)])
    yield Case('acl/auth-lost-on-reconnect', lambda b: [auth('alice:secret'), create(b + '/x', acl=[[31, 'auth', '']]), get(b + '/x'), {'op': 'bounce', 's': 0, 'how': 'drop'}, get(b + '/x'), who(), auth('alice:secret'), get(b + '/x')])
    yield Case('acl/superuser', lambda b: [create(b + '/x', acl=[[0, 'world', 'anyone']]), get(b + '/x'), auth('super:differential', s=1), who(s=1), get(b + '/x', s=1), put(b + '/x', 'q', s=1), set_acl(b + '/x', OPEN, s=1), get(b + '/x')])
    yield Case('acl/superuser-config', lambda b: [auth('super:differential'), get('/zookeeper/config'), create('/zookeeper/config/x'), delete('/zookeeper/config/x'), delete('/zookeeper/config'), get_acl('/zookeeper/config'), delete('/zookeeper'), delete('/')], 'standalone')
    yield Case('acl/vector-lengths', lambda b: [{'op': 'req', 's': 0, 't': 7, 'f': [], 'x': 9, 'raw': '0000000900000007' + f'{len(b):08x}' + b.encode().hex() + tail} for tail in (
        'ffffffff' 'ffffffff', 'fffffffe' 'ffffffff', '80000000' 'ffffffff', '7fffffff', '00000001' '0000001f' 'ffffffff' 'ffffffff' 'ffffffff', '00000000' 'ffffffff', '00000002' '0000001f')] + [get_acl(b)], 'standalone')
    yield Case('acl/many-entries', lambda b: [create(b + '/x', acl=[[1, 'digest', f'u{i}:{i}'] for i in range(300)]), get_acl(b + '/x'), auth('super:differential', s=1), get_acl(b + '/x', s=1)])
    yield Case('acl/unicode-ids', lambda b: [create(b + '/x', acl=[[31, 'digest', 'é漢:\U0001f600'], [31, 'world', 'anyone'], [1, 'digest', '\udcff:x']]), get_acl(b + '/x')])
    yield Case('acl/version', lambda b: [set_acl(b, OPEN, v) for v in (-1, 0, 1, 2, -2)] + [exists(b), get_acl(b)])
    yield Case('acl/ephemeral-and-sequence', lambda b: [auth('alice:secret'), create(b + '/e-', flags=3, acl=[[31, 'auth', '']]), get_acl(b + '/e-0000000000'), get_acl(b + '/e-0000000000', s=1), ls2(b, s=1), delete(b + '/e-0000000000', s=1)])
    yield Case('acl/delete-needs-parent', lambda b: [create(b + '/p', acl=[[23, 'world', 'anyone']]), create(b + '/p/x'), delete(b + '/p/x'), delete_container(b + '/p/x'), container(b + '/p/c'), delete_container(b + '/p/c'), multi(*parts(delete(b + '/p/x')))])
