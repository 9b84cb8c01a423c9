"""Handshakes, reconnects, xids, authentication, unknown opcodes, close."""
import struct

from . import *  # noqa: F403
from .. import proto


def hello(*chunks, **more):
    return {'op': 'hello', 'bytes': list(chunks), **more}


def shake(last=0, timeout=30000, session=0, password=b'\0' * 16, read_only=0, version=0, cut=None, tail=b''):
    """A ConnectRequest as hex; cut: the body shortened (and its length with it)."""
    body = proto.connect_request(last, timeout, session, password, read_only, version)[4:] + tail
    body = body[:cut] if cut is not None else body
    return (struct.pack('>i', len(body)) + body).hex()


def table():
    yield from handshakes()
    yield from reconnects()
    yield from xids()
    yield from auths()
    yield from ends()


def handshakes():
    for timeout in (0, -1, 1, 199, 200, 201, 4000, 30000, 599999, 600000, 600001, 2147483647, -2147483648):
        yield Case(f'handshake/timeout={timeout}', lambda b, t=timeout: [hello(shake(timeout=t), n=1), {'op': 'open', 's': 3, 'timeout': t}, ping(s=3)])
    for version in (1, -1, 2147483647):
        yield Case(f'handshake/version={version}', lambda b, v=version: [hello(shake(version=v), n=1)])
    for size in (None, 0, 1, 8, 15, 17, 100, 100000, 1048575 - 45 + 16):
        yield Case(f'handshake/password={size}', lambda b, n=size: [hello(shake(password=None if n is None else b'p' * n), n=1)])
    yield Case('handshake/frame=1048575', lambda b: [hello(shake(password=b'p' * (1048575 - 29)), n=1)])
    yield Case('handshake/frame=1048576', lambda b: [hello(shake(password=b'p' * (1048576 - 29)), c=1)])
    for cut in range(1, 45):
        yield Case(f'handshake/cut={cut}', lambda b, c=cut: [hello(shake(cut=c), n=int(c == 44), c=int(c != 44))])
    for tail in (b'\0', b'\1\2\3', b'x' * 50, b'y' * 5000):
        yield Case(f'handshake/tail={len(tail)}', lambda b, t=tail: [hello(shake(tail=t), n=1), hello(shake(tail=t, read_only=None), n=1)])
    for flag in (None, 0, 1, 2, 255):
        yield Case(f'handshake/readOnly={flag}', lambda b, f=flag: [hello(shake(read_only=f), n=1), {'op': 'open', 's': 4, 'ro': f}, get(b, s=4), create(b + '/e', flags=1, s=4), close(4), ls(b)])
    for session in (1, -1, 0x1234567890ab, 2 ** 63 - 1, -2 ** 63, 0x100000000000001):
        for password in (b'\0' * 16, None, b'', b'x' * 16):
            yield Case(f'handshake/unknown-session={session:#x}/{len(password or b"") if password is not None else None}', lambda b, s=session, p=password: [hello(shake(session=s, password=p), n=1, c=1)])
    for ahead in (1, 1000, 2 ** 62):
        yield Case(f'handshake/ahead={ahead}', lambda b, a=ahead: [{'op': 'open', 's': 5, 'ahead': a}, ping()])
    yield Case('handshake/level', lambda b: [{'op': 'open', 's': 5, 'ahead': 0}, ping(s=5), {'op': 'open', 's': 6, 'ahead': -5}, ping(s=6)])
    yield Case('handshake/zxid-negative', lambda b: [hello(shake(last=-1), n=1), hello(shake(last=-2 ** 63), n=1)])
    for word, raw in (('negative', 'ffffffff'), ('min', '80000000'), ('huge', '7fffffff'), ('limit', '00100000'), ('http', b'GET / HTTP/1.0\r\n\r\n'.hex()), ('tls', '16030100'), ('tls-hello', '160301020001000200'),
                      ('one-byte-frame', '0000000141'), ('zeros', '00' * 48)):
        yield Case(f'handshake/frame/{word}', lambda b, r=raw: [hello(r, c=1)])
    for seg in ([1], [3], [4, 1], [4, 44, 1], [20, 7]):
        yield Case(f'handshake/split={seg}', lambda b, g=seg: [hello(shake(), n=1, seg=g), hello(shake(read_only=None), n=1, seg=g)])
    yield Case('handshake/early-requests', lambda b: [{'op': 'early', 'requests': [
        '0000000100000003' + f'{len(b):08x}' + b.encode().hex() + '00', 'fffffffe0000000b', '0000000200000004' + f'{len(b):08x}' + b.encode().hex() + '01', '000000030000006b']}])
    for word in ('ruok', 'isro', 'gtmk', 'xxxx', 'abcd'):
        yield Case(f'handshake/four-letters/{word}', lambda b, w=word: [hello(w.encode().hex(), text=1, wait=1.0)] if w not in ('xxxx', 'abcd') else [hello(w.encode().hex(), c=1)])
    yield Case('handshake/four-letters/split', lambda b: [hello(b'ruok'.hex(), text=1, wait=1.0, seg=[1])])
    yield Case('handshake/four-letters/later', lambda b: [ping(), {'op': 'raw', 's': 0, 'bytes': [b'ruok'.hex()], 'c': 1}, ping()])
    yield Case('handshake/twice', lambda b: [{'op': 'raw', 's': 0, 'bytes': [shake()], 'n': 1, 'types': [0], 'c': 1}, ping()])


def reconnects():
    for how in ('drop', 'overlap', 'badpw', 'shortpw', 'longpw', 'nullpw', 'zeropw', 'ahead', 'unknown', 'old'):
        yield Case(f'reconnect/{how}', lambda b, h=how: [
            create(b + '/e', 'x', 1), get(b + '/e', 1), auth('alice:secret'), {'op': 'bounce', 's': 0, 'how': h}, who(), ephemerals(b), get(b + '/e', s=1), put(b + '/e', 'y', s=1), ping(),
            {'op': 'bounce', 's': 0, 'how': h}, create(b + '/f', flags=3), ls2(b), close(), ls2(b, s=1)])
    yield Case('reconnect/often', lambda b: [op for i in range(8) for op in ({'op': 'bounce', 's': 0, 'how': 'overlap'}, create(b + '/e-', flags=3), {'op': 'bounce', 's': 0, 'how': 'drop'})] + [ephemerals(b)])
    yield Case('reconnect/setWatches', lambda b: [create(b + '/a'), get(b + '/a', 1), exists(b + '/n', 1), ls(b, 1), {'op': 'bounce', 's': 0, 'how': 'drop'}, put(b + '/a', 'x', s=1), create(b + '/n', s=1),
                                                  set_watches(5, [b + '/a'], [b + '/n'], [b]), ping(), delete(b + '/a', s=1), ping()])


def xids():
    for xid in (0, -1, -2, -3, -4, -8, -9, -2147483648, 2147483647, 1):
        for word, op in (('create', lambda b: create(b + '/x', 'd')), ('sequential', lambda b: create2(b + '/x', 'd', 2)), ('exists', lambda b: exists(b)), ('getData', lambda b: get(b, 1)), ('missing', lambda b: get(b + '/none')),
                         ('setData', lambda b: put(b, 'q')), ('ls', lambda b: ls(b, 1)), ('multi', lambda b: multi(*parts(put(b, 'z'), req(13, b, -1)))), ('multi-fails', lambda b: multi(*parts(put(b, 'z'), delete(b + '/none')))),
                         ('multiRead', lambda b: multi_read(*parts(get(b)))), ('sync', lambda b: sync(b)), ('setWatches', lambda b: set_watches(0, [b])), ('getEphemerals', lambda b: ephemerals(b)),
                         ('addWatch', lambda b: add_watch(b, 0)), ('delete', lambda b: delete(b + '/none')), ('getACL', lambda b: get_acl(b)), ('whoAmI', lambda b: who()), ('short', lambda b: {**get(b), 'cut': 10}),
                         ('bad', lambda b: create(b + '/\x01'))):
            yield Case(f'xid/{xid}/{word}', lambda b, x=xid, o=op: [create(b + '/k'), get(b, 1), put(b, '1', s=1), {**o(b), 'x': x}, put(b, '2', s=1), {**o(b), 'x': x}, ping(), get(b)])
        yield Case(f'xid/{xid}/ping', lambda b, x=xid: [ping(x), ping(x), exists(b)])
        yield Case(f'xid/{xid}/auth', lambda b, x=xid: [auth('u:p', x=x), who(), auth('v:p', x=x), exists(b)] if x != -1 else [ping()])
        yield Case(f'xid/{xid}/close', lambda b, x=xid: [{**close(), 'x': x}, exists(b)] if x != -1 else [ping()])
        yield Case(f'xid/{xid}/unknown', lambda b, x=xid: [req(99, x=x, c=1), exists(b)] if x != -1 else [ping()])
    yield Case('xid/duplicates-piped', lambda b: piped(*[{**op, 'x': 7} for op in (create(b + '/a', 'x'), get(b + '/a'), ls2(b), multi_read(*parts(get(b))), put(b, 'y'), exists(b + '/a'), create(b + '/s', flags=2), sync(b), get_acl(b))]))
    yield Case('xid/backwards-piped', lambda b: piped(*[{**op, 'x': 100 - i} for i, op in enumerate((create(b + '/a', 'x'), get(b + '/a'), ping(5), ls2(b), ping(-1), put(b, 'y'), delete(b + '/a'), get(b + '/a')))]))
    yield Case('xid/special-piped', lambda b: piped(*[{**op, 'x': x} for x in (-2, -4, -8, 0) for op in (create(b + f'/a{x}', 'x'), get(b), ls(b), ping(3), exists(b))]))


def auths():
    for scheme in ('nosuch', '', None, 'world', 'auth', 'super', 'sasl', 'x509', 'DIGEST', 'key', 'x' * 1000):
        yield Case(f'auth/{scheme!a}'[:40], lambda b, n=scheme: [create(b + '/e', flags=1), auth('a:b', n, c=1), exists(b + '/e'), who()])
    for user in ('alice:secret', 'nocolon', '', ':', 'a:', ':b', 'a:b:c', 'é:ü', '\xff:\xfe', 'super:wrong', 'super:differential'):
        yield Case(f'auth/digest/{user!a}', lambda b, u=user: [auth(u), who(), create(b + '/x', acl=[[31, 'auth', '']]), get_acl(b + '/x'), auth(u), who()])
    yield Case('auth/digest/null', lambda b: [auth(None, c=1), exists(b)])
    yield Case('auth/ip', lambda b: [auth('10.1.2.3', 'ip'), who(), auth(None, 'ip'), who()])
    yield Case('auth/type-field', lambda b: [req(100, t, 'digest', 'a:b', x=-4) for t in (0, 1, -1, 2147483647)] + [who()])
    yield Case('auth/short', lambda b: [{**auth('a:b'), 'cut': c, 'c': 1, 'n': 0} for c in (8, 12, 16, 22, 26, 28)] + [exists(b)])
    yield Case('auth/long', lambda b: [auth('u:' + 'p' * 100000), who()])
    yield Case('auth/in-a-pipeline', lambda b: [{**op, 'any': 1, 'x': 10 + i} for i, op in enumerate(piped(
        create(b + '/a'), auth('x:y'), get(b), put(b, 'q'), auth('z:y'), get(b + '/a'), ls2(b)))] + [who()])
    for token in ('', 'garbage', '\0' * 100, None, 'x' * 10000):
        yield Case(f'sasl/{len(token) if token is not None else None}', lambda b, t=token: [req(102, t, **({'c': 1, 'n': 0} if t is None else {})), exists(b), req(102, t, **({'c': 1, 'n': 0} if t is None else {})), who()])
    yield Case('sasl/short', lambda b: [{**req(102, 'abcdef'), 'cut': c, 'c': 1, 'n': 0} for c in (8, 10, 12, 15)] + [exists(b)])


def ends():
    for kind in (0, 10, 13, 23, 24, 50, 98, 99, 108, 109, 110, 1000, -1, -2, -9, -12, 2147483647, -2147483648, 257, 65537, 0x01000000):
        yield Case(f'unknown-opcode/{kind}', lambda b, k=kind: [create(b + '/e', flags=1), req(k, *([b, -1] if k == 13 else []), c=1), exists(b + '/e'), {**req(k, c=1), 'tail': '00000001'}, exists(b + '/e')])
    yield Case('unknown-opcode/createSession', lambda b: [{'op': 'raw', 's': 0, 'bytes': ['0000000c' '00000005' 'fffffff6' '00007530'], 'connect': 1, 'n': 1}, ping()], 'standalone')
    yield Case('unknown-opcode/createSession-short', lambda b: [req(-10, 0, cut=8), ping()], 'standalone')
    yield Case('close/plain', lambda b: [create(b + '/e', flags=1), close(), exists(b + '/e')])
    yield Case('close/tail', lambda b: [{**close(), 'tail': '0011223344'}, exists(b)])
    yield Case('close/after-a-pipeline', lambda b: [*piped(create(b + '/e', flags=1), create(b + '/s', flags=3), get(b), ls2(b), put(b, 'x')), ls2(b)])
    yield Case('close/pipelined', lambda b: [*piped(create(b + '/e', flags=1), create(b + '/s', flags=3), get(b, 1), put(b, 'x'), close()), ls2(b)])
    yield Case('close/ephemerals-and-watch', lambda b: [create(b + '/e', flags=1, s=1), create(b + '/e/x'), get(b + '/e', 1), ls(b, 1), exists(b + '/f', 1), close(1), ping(), ls2(b)])
    yield Case('close/many-ephemerals', lambda b: [*piped(*[create(f'{b}/e{i}', flags=1, s=1) for i in range(200)]), ephemerals(b, s=1), close(1), ls2(b)])
    yield Case('close/nested-ephemerals', lambda b: [create(b + '/d'), create(b + '/d/e', flags=1, s=1), create(b + '/f', flags=1, s=1), add_watch(b, 1), close(1), ping(), ls2(b + '/d'), ls2(b)])
