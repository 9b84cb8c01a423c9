#!/usr/bin/env python3
"""A proxy in front of a stock server that misbehaves in one chosen way: what the differential tester must notice.

usage: misbehave.py --to HOST:PORT --mode MODE [--listen HOST:PORT] [--rate 0.2]
example: misbehave.py --to 127.0.0.1:2181 --mode wrong-length        (prints the port it listens on)
         misbehave.py --list
"""
import argparse
import os
import random
import selectors
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from gkd import jute  # noqa: E402

STAT = jute.STAT
CREATES = (1, 15, 19, 21)
READS_STAT = {3: 0, 5: 0, 7: 0}                     # opcode -> where the Stat stands in the body


def frame(body):
    return struct.pack('>i', len(body)) + body


def stat_at(kind, body):
    """The offset of the Stat in a successful reply, or None."""
    try:
        r = jute.Reader(body, 16)
        if kind in (15, 19, 21, 4):
            r.buffer()
        elif kind == 6:
            r.acl()
        elif kind == 12:
            r.strings()
        elif kind not in READS_STAT:
            return None
        at = r.pos
        r.stat()
        return at
    except jute.Short:
        return None


def change_stat(index, delta):
    def mode(proxy, kind, body):
        at = stat_at(kind, body)
        if at is None:
            return [body]
        stat = list(STAT.unpack_from(body, at))
        stat[index] += delta
        return [body[:at] + STAT.pack(*stat) + body[at + STAT.size:]]
    return mode


def listing(change):
    """change(list of names) -> list, for the replies that list names."""
    def mode(proxy, kind, body):
        if kind not in (8, 12, 103) or len(body) == 16:
            return [body]
        r = jute.Reader(body, 16)
        names = r.strings()
        new = change(list(names))
        return [body[:16] + struct.pack('>i', len(new)) + b''.join(map(jute.put_buffer, new)) + body[r.pos:]]
    return mode


def sequence(proxy, kind, body):
    """The number at the end of a created path, one too high."""
    if kind not in CREATES or len(body) == 16:
        return [body]
    r = jute.Reader(body, 16)
    path = r.buffer()
    if not path[-10:].isdigit() or proxy.flags not in (2, 3, 6):
        return [body]
    path = path[:-10] + b'%010d' % (int(path[-10:]) + 1)
    return [body[:16] + jute.put_buffer(path) + body[r.pos:]]


def null_as_empty(proxy, kind, body):
    return [body[:16] + b'\0\0\0\0' + body[20:]] if kind == 4 and body[16:20] == jute.NULL else [body]


def truncate(proxy, kind, body):
    if kind != 4 or len(body) == 16:
        return [body]
    r = jute.Reader(body, 16)
    data = r.buffer()
    return [body[:16] + jute.put_buffer(data[:-1]) + body[r.pos:]] if data else [body]


def change_data(proxy, kind, body):
    """The last byte of what is read."""
    if kind != 4 or len(body) == 16:
        return [body]
    r = jute.Reader(body, 16)
    data = r.buffer()
    return [body[:16] + jute.put_buffer(data[:-1] + bytes([data[-1] ^ 1])) + body[r.pos:]] if data else [body]


def error_code(proxy, kind, body):
    return [body[:12] + struct.pack('>i', -8) + body[16:]] if body[12:16] == struct.pack('>i', -101) else [body]


def zxid_back(proxy, kind, body):
    zxid = struct.unpack_from('>q', body, 4)[0]
    return [body[:4] + struct.pack('>q', zxid - 1) + body[12:]] if zxid > 1 else [body]


def ping_xid(proxy, kind, body):
    return [struct.pack('>i', proxy.xid) + body[4:]] if kind == 11 else [body]


def acl_perms(proxy, kind, body):
    if kind != 6 or len(body) < 24:
        return [body]
    perms = struct.unpack_from('>i', body, 20)[0]
    return [body[:20] + struct.pack('>i', perms ^ 16) + body[24:]]


def drop_answer_body(proxy, kind, body):
    return [body[:16]] if kind == 106 else [body]


def swap(proxy, kind, body):
    """Two replies of one pipeline in the other order."""
    if proxy.held is None and proxy.waiting > 0 and kind != -11:
        proxy.held = body
        return []
    if proxy.held is not None:
        held, proxy.held = proxy.held, None
        return [body, held]
    return [body]


def multi_result(proxy, kind, body):
    """A failed multi whose later parts say OK instead of RUNTIMEINCONSISTENCY."""
    return [body.replace(struct.pack('>iBi', -1, 0, -2) + struct.pack('>i', -2), struct.pack('>iBi', -1, 0, 0) + struct.pack('>i', 0))] if kind == 14 else [body]


def tail(proxy, kind, body):
    return [body + b'\0'] if len(body) == 16 and body[12:16] == b'\0\0\0\0' and kind == 2 else [body]


REPLY = {
    'sequence-off-by-one': sequence, 'swapped-replies': swap, 'wrong-data-length': change_stat(8, 1), 'wrong-num-children': change_stat(9, 1), 'wrong-version': change_stat(4, -1),
    'wrong-cversion': change_stat(5, 1), 'wrong-pzxid': change_stat(10, -1), 'owner-lost': change_stat(7, 1), 'null-as-empty': null_as_empty, 'truncated-data': truncate, 'changed-data': change_data,
    'missing-child': listing(lambda n: n[1:] if len(n) > 1 else n), 'extra-child': listing(lambda n: n + [b'extra'] if n else n),
    'ciphertext-child': listing(lambda n: n[:-1] + [b'kQ3xYb0mZ2ZrT1hWdU5vT2dB'] if n else n), 'wrong-error': error_code, 'zxid-back': zxid_back, 'ping-xid': ping_xid, 'acl-perms': acl_perms,
    'no-addwatch-body': drop_answer_body, 'multi-results': multi_result, 'trailing-byte': tail,
}
EVENT = {
    'event-dropped': lambda body: [], 'event-twice': lambda body: [body, body],
    'event-path': lambda body: [body[:24] + jute.put_buffer(jute.Reader(body, 24).buffer() + b'x')],
    'event-type': lambda body: [body[:16] + struct.pack('>i', struct.unpack_from('>i', body, 16)[0] % 4 + 1) + body[20:]],
    'event-zxid': lambda body: [body[:4] + struct.pack('>q', -1) + body[12:]],
}
OTHER = ('event-late', 'unknown-stays-open', 'oversized-accepted', 'session-timeout', 'closes-at-random', 'auth-lost', 'old-handshake-longer')
MODES = [*REPLY, *EVENT, *OTHER]


class Pipe:
    """One client connection: parses both directions by frame, and changes what comes back."""

    def __init__(self, client, to, mode, rate, rng):
        self.client, self.mode, self.rate, self.rng = client, mode, rate, rng
        self.server = socket.create_connection(to)
        for s in (client, self.server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked, self.up, self.down = [], b'', b''
        self.greeted = self.asked_hello = False
        self.raw = False
        self.held = None
        self.late = []
        self.xid = self.flags = 0
        self.waiting = 0

    def run(self):
        select = selectors.DefaultSelector()
        select.register(self.client, selectors.EVENT_READ, self.from_client)
        select.register(self.server, selectors.EVENT_READ, self.from_server)
        try:
            while all(key.data() for key, _ in select.select()):
                pass
        except OSError:
            pass
        for s in (self.client, self.server):
            s.close()

    def from_client(self):
        more = self.client.recv(1 << 18)
        if not more:
            return False
        self.up += more
        out = b''
        while len(self.up) >= 4 and not self.raw:
            size = struct.unpack_from('>i', self.up)[0]
            if size < 0 or size > 1048575:
                if self.mode == 'oversized-accepted' and 0 < size < 4 << 20:
                    if len(self.up) < 4 + size:
                        break
                    body = self.up[4:4 + size]
                    self.up = self.up[4 + size:]
                    self.client.sendall(frame(body[:4] + b'\0' * 12 + b'\0' * 68))
                    continue
                self.raw = True                     # the server's business from here on
                break
            if len(self.up) < 4 + size:
                break
            out += self.request(self.up[4:4 + size])
            self.up = self.up[4 + size:]
        if self.raw:
            out, self.up = out + self.up, b''
        if out:
            self.server.sendall(out)
        return True

    def request(self, body):
        if not self.asked_hello:
            self.asked_hello = True
            return frame(body)
        if len(body) < 8:
            return frame(body)
        xid, kind = struct.unpack_from('>ii', body)
        if self.mode == 'unknown-stays-open' and kind in (0, 10, 13, 23, 50, 99, 108, 200):
            self.client.sendall(frame(struct.pack('>iqi', xid, -1, -6)))
            return b''
        if self.mode == 'auth-lost' and kind == 100:
            self.client.sendall(frame(struct.pack('>iqi', xid, 0, 0)))
            return b''
        flags = struct.unpack('>i', body[-4:])[0] if kind in (1, 15, 19) and len(body) >= 20 else 0
        self.asked.append((xid, kind, flags))
        self.waiting += 1
        return frame(body)

    def from_server(self):
        more = self.server.recv(1 << 18)
        if not more:
            return False
        self.down += more
        out = b''
        while len(self.down) >= 4:
            size = struct.unpack_from('>i', self.down)[0]
            if size < 0 or size > 64 << 20:
                out, self.down = out + self.down, b''
                break
            if len(self.down) < 4 + size:
                break
            for body in self.answer(self.down[4:4 + size]):
                out += frame(body)
            self.down = self.down[4 + size:]
        if out:
            self.client.sendall(out)
        return not (self.mode == 'closes-at-random' and self.rng.random() < self.rate / 50 and self.greeted)

    def answer(self, body):
        if not self.greeted:
            self.greeted = True
            if self.mode == 'session-timeout' and len(body) >= 36:
                return [body[:4] + struct.pack('>i', struct.unpack_from('>i', body, 4)[0] + 1) + body[8:]]
            if self.mode == 'old-handshake-longer' and len(body) == 36:
                return [body + b'\0']
            return [body]
        if len(body) < 16:
            return [body]
        xid = struct.unpack_from('>i', body)[0]
        if xid == -1 and not any(x == -1 for x, _, _ in self.asked[:1]):
            return self.event(body)
        at = next((i for i, (x, k, _) in enumerate(self.asked) if x == xid or k == 11 and xid == -2), 0)
        if not self.asked:
            return [body]
        self.xid, kind, self.flags = self.asked.pop(at)
        self.waiting -= 1
        out = [body]
        act = REPLY.get(self.mode)
        if act and (self.held is not None or self.rng.random() < self.rate):
            out = act(self, kind, body)
        late, self.late = self.late, []
        return out + late

    def event(self, body):
        hit = self.rng.random() < self.rate
        if self.mode == 'event-late' and hit:
            self.late.append(body)
            return []
        act = EVENT.get(self.mode)
        return act(body) if act and hit else [body]


class Proxy:
    """Listens until closed; each connection has a thread of its own."""

    def __init__(self, to, mode, listen=('127.0.0.1', 0), rate=0.2, seed=1):
        self.to, self.mode, self.rate, self.rng = to, mode, rate, random.Random(seed)
        self.socket = socket.create_server(listen)
        self.address = self.socket.getsockname()[:2]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            try:
                pipe = Pipe(client, self.to, self.mode, self.rate, self.rng)
            except OSError:
                client.close()
                continue
            threading.Thread(target=pipe.run, daemon=True).start()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


def main():
    p = argparse.ArgumentParser(description='A proxy that misbehaves in one way.', epilog='example: misbehave.py --to 127.0.0.1:2181 --mode truncated-data')
    p.add_argument('--to', metavar='HOST:PORT')
    p.add_argument('--mode', choices=[*MODES, 'none'])
    p.add_argument('--listen', metavar='HOST:PORT', default='127.0.0.1:0')
    p.add_argument('--rate', type=float, default=0.2, help='how often it misbehaves where it could (default 0.2)')
    p.add_argument('--list', action='store_true')
    args = p.parse_args()
    if args.list:
        print('\n'.join(MODES))
        return 0
    if not args.to or not args.mode:
        p.error('--to and --mode are needed')
    split = [a.rsplit(':', 1) for a in (args.to, args.listen)]
    proxy = Proxy((split[0][0], int(split[0][1])), args.mode, (split[1][0], int(split[1][1])), args.rate)
    print(proxy.address[1], flush=True)
    threading.Event().wait()
    return 0


if __name__ == '__main__':
    sys.exit(main())
