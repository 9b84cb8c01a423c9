"""Names, paths, payloads and ACLs worth trying."""
import base64
import hashlib

PLAIN = [f'n{i}' for i in range(24)] + ['lock-', 'member', 'a', 'b', 'c', 'q', 'queue-', 'x']
# valid names that an encoding, a separator or a special case could trip over
STRANGE = [
    'z', '0', '-', '_', '=', '~', ' ', '  ', ' a', 'a ', '...', '.a', 'a.', '..a', 'a..', '....', '%2F', '\\', '"', "'", '*', '?', '{}',
    'zookeeper', 'quota', 'config', 'zookeeper_stat', 'groupkeeper', '0000000001', '-0000000001', 'x0000000000', '2147483647',
    'é', 'e\u0301', '漢字', 'ß', '\u0130', '\ud7ff', '\uf900', '\uffef', '\u00a0', '\u200b', '\u2028', '\u202e', '\u0300', '\u00ad',
    'AAAAAAAAAAAAAAAAAAAAAA', 'AAAAAAAAAAAAAAAAAAAAAA==', 'Zm9vYmFy', 'c2VjcmV0LXRhZy0xNi1ieXRlcw', 'x' * 250, '漢' * 83, '-' * 24,
    'A' * 22, 'A' * 23, 'A' * 24, 'A' * 25, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_', 'y' * 239, 'y' * 240,
]
# components that stock refuses when a node is created
REFUSED = [
    '\x01', 'a\x01', '\x1f', '\x7f', '\x9f', 'a\x85', '\ue000', '\ue0ff', '\uf8ff', '\ufff0', '\ufffd', '\uffff', '\U0001f600',
    '\U00010000', '\udc80', '\udcff', 'a\udcc3', '\udced\udca0\udc80', '\udcc0\udcaf', '\udcf5\udc80\udc80\udc80', '.', '..', '\x00', 'a\x00b',
]


def lookalike(rng):
    """A name as an encoded one looks: base64url of a tag and a ciphertext."""
    raw = rng.randbytes(16 + rng.randrange(1, 24))
    return base64.urlsafe_b64encode(raw).decode().rstrip('=')


def odd_paths(base):
    """Paths around an existing node that are no proper path, or only just one."""
    tail = base.rsplit('/', 1)[-1]
    return [
        None, '', '/', '//', base + '/', base[1:], '/' + base, base + '//', base + '//x', base + '/.', base + '/..', base + '/./x',
        base + '/../' + tail, base + '/..x', base + '/.x', base + '/x.', base + '/x..', base + '\x00', base + '/\x00', '\x00', '\x00' + base,
        base + '/x\x00y', 'relative', './' + tail, '../' + tail, '.', '..', ' ' + base, base + ' ', base.upper(), base + '/' + 'x' * 4000,
        '/' + '/'.join('d' * 50), base + '/\udcff', '\udcff', base + '/x\udcc3(', base + '\ue000', base + '/\ufff0', base + '/\U0001f4a9',
        base + '/a\x1fb', base + '/\x7f', base + '/\x9f', base + '/\xa0', base + '/\ud7ff', '/zookeeper/config/' + tail, '/zookeeper' + base,
    ]


SPECIAL = ['/', '', '/zookeeper', '/zookeeper/quota', '/zookeeper/config']

USERS = ['alice:secret', 'bob:hunter2', 'carol:', 'nocolon', 'a:b:c', ':', '']


def digest_id(user):
    name = user.split(':', 1)[0]
    return name + ':' + base64.b64encode(hashlib.sha1(user.encode()).digest()).decode()


ACLS = [
    [[31, 'world', 'anyone']], [[31, 'auth', '']], [[1, 'world', 'anyone']], [[31, 'digest', digest_id('alice:secret')]],
    [[31, 'digest', digest_id('bob:hunter2')], [1, 'world', 'anyone']], [[31, 'ip', '127.0.0.1']], [[31, 'ip', '127.0.0.0/8']],
    [[31, 'ip', '10.0.0.0/8'], [5, 'world', 'anyone']], [[23, 'world', 'anyone']], [[15, 'world', 'anyone']], [[27, 'world', 'anyone']],
    [[29, 'world', 'anyone'], [2, 'digest', digest_id('alice:secret')]], [[31, 'world', 'anyone'], [31, 'world', 'anyone']],
    [[31, 'auth', 'ignored'], [31, 'world', 'anyone']], [[-1, 'world', 'anyone']], [[63, 'world', 'anyone']], [[31, 'ip', '::1'], [31, 'world', 'anyone']],
]
BAD_ACLS = [
    [], None, [[31, 'world', 'someone']], [[31, 'nosuch', 'x']], [[31, 'digest', 'nocolon']], [[31, 'digest', 'a:b:c']], [[31, 'ip', 'no.address']],
    [[31, 'ip', '127.0.0.1/33']], [[31, 'ip', '']], [[31, '', '']], [[31, None, 'x']], [[31, 'world', None]], [[31, 'auth', None]], [[31, 'super', '']],
    [[31, 'world', 'anyone'], [31, 'digest', 'bad']], [[31, 'x509', 'CN=x']], [[31, 'sasl', 'x']], [[31, 'digest', None]], [[31, 'WORLD', 'anyone']],
]


def payload(rng):
    kind = rng.random()
    if kind < 0.08:
        return None
    if kind < 0.2:
        return ''
    if kind < 0.75:
        return rng.randbytes(rng.randrange(1, 40)).decode('latin-1')
    if kind < 0.95:
        return [chr(rng.randrange(256)), rng.randrange(1, 1500)]
    if kind < 0.998:
        return [rng.randbytes(3).decode('latin-1'), rng.randrange(1, 6000)]
    return [rng.randbytes(7).decode('latin-1'), rng.randrange(1, 40000)]
