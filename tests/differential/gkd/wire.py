"""One TCP connection to one server: framing, the handshake, and reading until a known number of replies has come."""
import socket
import time

from . import jute, proto

MINUS_ONE = b'\xff\xff\xff\xff'
LIMIT = 64 << 20


class Handshake:
    """What a server answered to a ConnectRequest; `raw` is the frame, None when it closed instead."""

    def __init__(self, raw):
        self.raw = raw
        self.timeout = self.session = 0
        self.password = b''
        self.version = self.read_only = None
        if raw is None:
            return
        try:
            r = jute.Reader(raw)
            self.version, self.timeout, self.session, self.password = r.int(), r.int(), r.long(), r.buffer() or b''
            self.read_only = r.rest()
        except jute.Short:
            pass

    def shape(self):
        """What must be equal on both servers: all but the session id and the password."""
        if self.raw is None:
            return ('closed',)
        return ('connect', self.version, self.timeout, self.session != 0, len(self.password), any(self.password),
                self.read_only, len(self.raw))


class Conn:
    """`state` is 'open', 'closed' (by the server), 'timeout' (nothing came in time) or 'garbage' (no frame)."""

    def __init__(self, address, patience):
        self.patience = patience
        self.buf = b''
        self.pos = 0
        self.state = 'open'
        self.used = time.monotonic()
        self.sock = socket.create_connection(address, timeout=patience)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, payload, chunks=None):
        """chunks: sizes of the separate writes, repeated until all is sent."""
        try:
            if not chunks:
                self.sock.sendall(payload)
                return
            at, turn = 0, 0
            while at < len(payload):
                size = chunks[turn % len(chunks)]
                self.sock.sendall(payload[at:at + size])
                at, turn = at + size, turn + 1
        except OSError:
            pass                                    # a server that closed: the read tells

    def next_frame(self):
        buf, pos = self.buf, self.pos
        while True:
            have = len(buf) - pos
            if have >= 4:
                size = int.from_bytes(buf[pos:pos + 4], 'big', signed=True)
                if size < 0 or size > LIMIT:
                    self.state = 'garbage'
                    return None
                end = pos + 4 + size
                if len(buf) >= end:
                    self.buf, self.pos = buf, end
                    return buf[pos + 4:end]
            try:
                more = self.sock.recv(1 << 18)
            except TimeoutError:
                self.state = 'timeout'
            except OSError:
                self.state = 'closed'
            else:
                if more:
                    buf, pos = buf[pos:] + more, 0
                    continue
                self.state = 'closed'
            self.buf, self.pos = buf, pos
            return None

    def collect(self, replies):
        """All frames up to that many replies; events (xid -1) come in between and are not counted."""
        frames = []
        while replies > 0:
            got = self.next_frame()
            if got is None:
                break
            frames.append(got)
            if got[:4] != MINUS_ONE:
                replies -= 1
        return frames

    def collect_to(self, xid):
        """All frames up to the first one with that xid: for requests whose own xid is -1."""
        mark, frames = jute.put_int(xid), []
        while True:
            got = self.next_frame()
            if got is None:
                return frames
            frames.append(got)
            if got[:4] == mark:
                return frames

    def drain_to_close(self, wait):
        """Frames that come before the server closes; state stays 'open' when it does not."""
        frames = []
        self.sock.settimeout(wait)
        while self.state == 'open':
            got = self.next_frame()
            if got is not None:
                frames.append(got)
        if self.state == 'timeout':
            self.state = 'open'
        self.sock.settimeout(self.patience)
        return frames

    def connect(self, last_zxid=0, timeout=30000, session=0, password=b'\0' * 16, read_only=0, extra=b''):
        """`extra` goes out in the same write as the handshake."""
        self.send(proto.connect_request(last_zxid, timeout, session, password, read_only) + extra)
        return Handshake(self.next_frame())

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass
