"""Jute as ZooKeeper speaks it: big-endian integers, strings and buffers behind a signed length.

Strings are held as `str` with surrogateescape, so that any byte sequence survives, or as None (length -1).
"""
import struct

INT = struct.Struct('>i')
LONG = struct.Struct('>q')
REPLY = struct.Struct('>iqi')
STAT = struct.Struct('>qqqqiiiqiiq')
NULL = b'\xff\xff\xff\xff'


class Short(Exception):
    """The bytes end before the field does."""


def text(value):
    return value.encode('utf-8', 'surrogateescape')


def untext(raw):
    return None if raw is None else raw.decode('utf-8', 'surrogateescape')


def put_int(value):
    return INT.pack(value)


def put_long(value):
    return LONG.pack(value)


def put_bool(value):
    return bytes((int(value) & 255,))


def put_buffer(value):
    return NULL if value is None else INT.pack(len(value)) + value


def put_string(value):
    if value is None:
        return NULL
    raw = value.encode('utf-8', 'surrogateescape')
    return INT.pack(len(raw)) + raw


def put_strings(values):
    if values is None:
        return NULL
    return INT.pack(len(values)) + b''.join(map(put_string, values))


def put_acl(entries):
    """A list of (permissions, scheme, id)."""
    if entries is None:
        return NULL
    out = [INT.pack(len(entries))]
    for perms, scheme, ident in entries:
        out += (INT.pack(perms), put_string(scheme), put_string(ident))
    return b''.join(out)


def frame(body):
    return INT.pack(len(body)) + body


class Reader:
    """A bounded cursor; every read beyond the end raises Short."""
    __slots__ = ('buf', 'pos')

    def __init__(self, buf, pos=0):
        self.buf = buf
        self.pos = pos

    def take(self, count):
        if count < 0 or count > len(self.buf) - self.pos:
            raise Short(f'{count} bytes wanted at {self.pos}, {len(self.buf) - self.pos} left')
        start = self.pos
        self.pos = start + count
        return self.buf[start:self.pos]

    def int(self):
        return INT.unpack(self.take(4))[0]

    def long(self):
        return LONG.unpack(self.take(8))[0]

    def byte(self):
        return self.take(1)[0]

    def buffer(self):
        size = self.int()
        return None if size == -1 else self.take(size)

    def stat(self):
        return STAT.unpack(self.take(STAT.size))

    def vector(self, read):
        count = self.int()
        if count == -1:
            return None
        if count < 0 or count > len(self.buf):
            raise Short(f'vector of {count}')
        return [read() for _ in range(count)]

    def acl(self):
        return self.vector(lambda: (self.int(), self.buffer(), self.buffer()))

    def strings(self):
        return self.vector(self.buffer)

    def rest(self):
        return self.buf[self.pos:]
