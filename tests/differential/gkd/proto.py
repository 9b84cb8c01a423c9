"""Opcodes, the fields of requests and replies, error names; and the encoder from an operation's fields to bytes."""
from . import jute

NAMES = {
    0: 'notification', 1: 'create', 2: 'delete', 3: 'exists', 4: 'getData', 5: 'setData', 6: 'getACL', 7: 'setACL',
    8: 'getChildren', 9: 'sync', 11: 'ping', 12: 'getChildren2', 13: 'check', 14: 'multi', 15: 'create2', 16: 'reconfig',
    17: 'checkWatches', 18: 'removeWatches', 19: 'createContainer', 20: 'deleteContainer', 21: 'createTTL',
    22: 'multiRead', 100: 'auth', 101: 'setWatches', 102: 'sasl', 103: 'getEphemerals', 104: 'getAllChildrenNumber',
    105: 'setWatches2', 106: 'addWatch', 107: 'whoAmI', -10: 'createSession', -11: 'closeSession', -1: 'error',
}
CODES = {name: code for code, name in NAMES.items()}

# s string, d buffer, a acl vector, i int, l long, b bool, S strings, m operations of a multi,
# z zxid given relative to the last one seen (differs per server)
REQUEST = {
    1: 'sdai', 2: 'si', 3: 'sb', 4: 'sb', 5: 'sdi', 6: 's', 7: 'sai', 8: 'sb', 9: 's', 11: '', 12: 'sb', 13: 'si', 14: 'm',
    15: 'sdai', 16: 'sssl', 17: 'si', 18: 'si', 19: 'sdai', 20: 's', 21: 'sdail', 22: 'm', 100: 'isd', 101: 'zSSS',
    102: 'd', 103: 's', 104: 's', 105: 'zSSSSS', 106: 'si', 107: '', -11: '', -10: 'i',
}
FIELD_NAMES = {
    1: 'path data acl flags', 2: 'path version', 3: 'path watch', 4: 'path watch', 5: 'path data version', 6: 'path',
    7: 'path acl version', 8: 'path watch', 9: 'path', 11: '', 12: 'path watch', 13: 'path version', 14: 'ops',
    15: 'path data acl flags', 16: 'joining leaving members config', 17: 'path type', 18: 'path type',
    19: 'path data acl flags', 20: 'path', 21: 'path data acl flags ttl', 22: 'ops', 100: 'type scheme auth',
    101: 'zxid data exist child', 102: 'token', 103: 'prefix', 104: 'path',
    105: 'zxid data exist child persistent recursive', 106: 'path mode', 107: '', -11: '', -10: 'timeout',
}
# s string, d buffer, t Stat, a acl vector, i int, L strings in any order, w client infos, M multi's results
REPLY = {
    1: 's', 3: 't', 4: 'dt', 5: 't', 6: 'at', 7: 't', 8: 'L', 9: 's', 12: 'Lt', 14: 'M', 15: 'st', 16: 'dt', 19: 'st',
    21: 'st', 22: 'M', 102: 'd', 103: 'L', 104: 'i', 106: 'i', 107: 'w',
}
RESULT = {1: 's', 15: 'st', 2: '', 13: '', 5: 't', -1: 'i', 8: 'L', 4: 'dt'}

ERRORS = {
    0: 'OK', -1: 'SYSTEMERROR', -2: 'RUNTIMEINCONSISTENCY', -3: 'DATAINCONSISTENCY', -4: 'CONNECTIONLOSS',
    -5: 'MARSHALLINGERROR', -6: 'UNIMPLEMENTED', -7: 'OPERATIONTIMEOUT', -8: 'BADARGUMENTS', -12: 'UNKNOWNSESSION',
    -13: 'NEWCONFIGNOQUORUM', -14: 'RECONFIGINPROGRESS', -100: 'APIERROR', -101: 'NONODE', -102: 'NOAUTH',
    -103: 'BADVERSION', -108: 'NOCHILDRENFOREPHEMERALS', -110: 'NODEEXISTS', -111: 'NOTEMPTY', -112: 'SESSIONEXPIRED',
    -113: 'INVALIDCALLBACK', -114: 'INVALIDACL', -115: 'AUTHFAILED', -118: 'SESSIONMOVED', -119: 'NOTREADONLY',
    -120: 'EPHEMERALONLOCALSESSION', -121: 'NOWATCHER', -122: 'REQUESTTIMEOUT', -123: 'RECONFIGDISABLED',
    -124: 'SESSIONCLOSEDREQUIRESASLAUTH', -125: 'QUOTAEXCEEDED', -127: 'THROTTLEDOP',
}
EVENTS = {-1: 'None', 1: 'NodeCreated', 2: 'NodeDeleted', 3: 'NodeDataChanged', 4: 'NodeChildrenChanged'}

OPEN = [[31, 'world', 'anyone']]


def data_bytes(value):
    """Payloads in operations: None, text of bytes 0..255, or [text, count] for a repetition."""
    if value is None:
        return None
    if isinstance(value, list):
        return value[0].encode('latin-1') * value[1]
    return value.encode('latin-1')


def put_multi(ops):
    """ops: [type, fields] or [type, fields, done, err]; a string is raw hex in that place."""
    out = []
    for op in ops:
        if isinstance(op, str):
            out.append(bytes.fromhex(op))
            continue
        done, err = (op[2], op[3]) if len(op) > 2 else (0, -1)
        out.append(jute.put_int(op[0]) + jute.put_bool(done) + jute.put_int(err))
        out.append(encode(REQUEST.get(op[0], ''), op[1]))
    out.append(b'\xff\xff\xff\xff\x01\xff\xff\xff\xff')
    return b''.join(out)


ENCODE = {
    's': jute.put_string, 'd': lambda v: jute.put_buffer(data_bytes(v)), 'a': jute.put_acl, 'i': jute.put_int,
    'l': jute.put_long, 'b': jute.put_bool, 'S': jute.put_strings, 'm': put_multi, 'z': jute.put_long,
}


def encode(types, fields):
    return b''.join([ENCODE[t](v) for t, v in zip(types, fields)])


def connect_request(last_zxid, timeout, session, password, read_only, version=0):
    """read_only None: the handshake of clients before 3.4, without that byte."""
    body = jute.put_int(version) + jute.put_long(last_zxid) + jute.put_int(timeout) + jute.put_long(session)
    body += jute.put_buffer(password)
    if read_only is not None:
        body += jute.put_bool(read_only)
    return jute.frame(body)


def error_name(code):
    return ERRORS.get(code, str(code))
