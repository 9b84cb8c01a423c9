"""The ZooKeeper protocol in bytes, for tests: any request, well-formed or not, one connection at a time. A server is an address `host:port`."""
import socket
import ssl
import sys
import time
from dataclasses import dataclass, field

from gktest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "differential"))
from gkd import jute, proto  # noqa: E402  (needs the path above)

OPS = proto.CODES
OPEN = proto.OPEN
EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL, CONTAINER, TTL, TTL_SEQUENTIAL = 1, 2, 3, 4, 5, 6
DATAINCONSISTENCY = -3
MARSHALLINGERROR, UNIMPLEMENTED, BADARGUMENTS = -5, -6, -8
NONODE, NOAUTH, BADVERSION, NODEEXISTS, NOTEMPTY, AUTHFAILED = -101, -102, -103, -110, -111, -115
STAT_FIELDS = ("czxid", "mzxid", "ctime", "mtime", "version", "cversion", "aversion", "ephemeralOwner", "dataLength", "numChildren", "pzxid")


class Closed(Exception):
    """The server closed the connection, or nothing came in time."""


class Failure(Exception):
    """An error code in a reply."""

    def __init__(self, code, body=b""):
        super().__init__(proto.error_name(code))
        self.code, self.body = code, body


@dataclass
class Reply:
    """One reply. `values` are the record's fields, by proto.REPLY; None when it is an error."""
    xid: int
    zxid: int
    err: int
    values: list = None
    body: bytes = b""

    @property
    def name(self):
        return proto.error_name(self.err)

    def ok(self):
        """The first field, where there is one; raises on an error."""
        if self.err:
            raise Failure(self.err, self.body)
        return self.values[0] if self.values else None


@dataclass
class Event:
    type: str
    path: str
    state: int = field(default=3)


def stat_of(raw):
    return dict(zip(STAT_FIELDS, raw))


def _field(reader, kind):
    if kind == "s":
        return jute.untext(reader.buffer())
    if kind == "d":
        return reader.buffer()
    if kind == "t":
        return stat_of(reader.stat())
    if kind == "a":
        return [(perms, jute.untext(scheme), jute.untext(ident)) for perms, scheme, ident in reader.acl() or []]
    if kind == "i":
        return reader.int()
    if kind == "L":
        return [jute.untext(name) for name in reader.strings() or []]
    if kind == "M":
        return _results(reader)
    if kind == "w":
        return [(jute.untext(scheme), jute.untext(user)) for scheme, user in reader.vector(lambda: (reader.buffer(), reader.buffer())) or []]
    raise ValueError(kind)


def _results(reader):
    """A multi's results: (name of the operation, values), or ('error', code)."""
    found = []
    while True:
        kind, done, _ = reader.int(), reader.byte(), reader.int()
        if done:
            return found
        values = [_field(reader, k) for k in proto.RESULT[kind]]
        found.append(("error", values[0]) if kind == -1 else (proto.NAMES[kind], values))


class Raw:
    """One connection and its session. Events that come in are kept in `events`."""

    def __init__(self, address, session=0, password=bytes(16), timeout=10000, last_zxid=0, read_only=0, patience=20, tls=None, handshake=True):
        host, port = address.split(":")
        self.sock = socket.create_connection((host, int(port)), patience)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=host)
        self.asked, self.events, self.xid, self.buffer = [], [], 0, b""
        self.session = self.timeout = 0
        self.password = b""
        if handshake:
            try:
                self.connect(session, password, timeout, last_zxid, read_only)
            except Closed:
                self.sock.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()

    def connect(self, session=0, password=bytes(16), timeout=10000, last_zxid=0, read_only=0):
        """The session's id, 0 when the server refused."""
        self.send_bytes(proto.connect_request(last_zxid, timeout, session, password, read_only))
        reader = jute.Reader(self.frame())
        reader.int()
        self.timeout, self.session, self.password = reader.int(), reader.long(), reader.buffer()
        return self.session

    # ---- bytes ----

    def send_bytes(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Closed(str(error)) from error

    def _take(self, count):
        while len(self.buffer) < count:
            try:
                more = self.sock.recv(1 << 18)
            except OSError as error:
                raise Closed(str(error) or type(error).__name__) from error
            if not more:
                raise Closed("closed by the server")
            self.buffer += more
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def frame(self):
        return self._take(jute.INT.unpack(self._take(4))[0])

    def closed_by_server(self, seconds=5):
        """Whether the server closes now; what it sends before is thrown away."""
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(1 << 18):
                pass
            return True
        except TimeoutError:
            return False
        except OSError:
            return True

    def drop(self):
        """Cuts the connection; the session lives on until it times out."""
        self.sock.close()

    def close(self):
        """Closes the session."""
        try:
            self.call("closeSession")
        except Closed:
            pass
        self.drop()

    # ---- requests ----

    def send(self, op, *fields, body=None, xid=None):
        """Sends without waiting. op: a name, or a number with the record's bytes in body."""
        code = OPS.get(op, op)
        self.xid += 1
        xid = self.xid if xid is None else xid
        record = proto.encode(proto.REQUEST[code], fields) if body is None else body
        self.asked.append((xid, code))
        self.send_bytes(jute.frame(jute.put_int(xid) + jute.put_int(code) + record))
        return xid

    def reply(self):
        """The next reply; events before it are kept."""
        while True:
            data = self.frame()
            reader = jute.Reader(data)
            xid, zxid, err = jute.REPLY.unpack(reader.take(16))
            if xid == -1 and (not self.asked or self.asked[0][0] != -1):
                kind, state, path = reader.int(), reader.int(), jute.untext(reader.buffer())
                self.events.append(Event(proto.EVENTS.get(kind, str(kind)), path, state))
                continue
            code = next((code for asked, code in self.asked if asked == xid), None)
            if code is not None:
                self.asked.remove((xid, code))
            answer = Reply(xid, zxid, err, body=data[16:])
            if err == 0 and code is not None and reader.rest():
                answer.values = [_field(reader, kind) for kind in proto.REPLY.get(code, "")]
            return answer

    def call(self, op, *fields, **how):
        self.send(op, *fields, **how)
        return self.reply()

    def wait_event(self, seconds=10):
        """The next event; a ping is sent meanwhile, before whose answer it must have come."""
        deadline = time.monotonic() + seconds
        while not self.events:
            if time.monotonic() > deadline:
                raise AssertionError(f"no event within {seconds} s")
            self.call("ping", xid=-2)
            time.sleep(0.02)
        return self.events.pop(0)

    # ---- the usual ones; paths and data as in proto ----

    def create(self, path, data=b"", flags=0, acl=OPEN, op=None, ttl=None):
        """The created path, or raises Failure."""
        if op is None:
            op = "createTTL" if flags in (TTL, TTL_SEQUENTIAL) else "createContainer" if flags == CONTAINER else "create"
        fields = [path, text(data), acl, flags] + ([3600000 if ttl is None else ttl] if op == "createTTL" else [])
        return self.call(op, *fields).ok()

    def get(self, path, watch=0):
        """(data, stat)"""
        answer = self.call("getData", path, watch)
        answer.ok()
        return answer.values

    def get_all(self, parent):
        """Path -> (data, stat) of all children."""
        paths = [f"{parent.rstrip('/')}/{name}" for name in self.children(parent)]
        found = {}
        for begin in range(0, len(paths), 500):
            for path in paths[begin:begin + 500]:
                self.send("getData", path, 0)
            for path in paths[begin:begin + 500]:
                answer = self.reply()
                answer.ok()
                found[path] = answer.values
        return found

    def set(self, path, data, version=-1):
        return self.call("setData", path, text(data), version).ok()

    def delete(self, path, version=-1):
        self.call("delete", path, version).ok()

    def children(self, path, watch=0):
        return sorted(self.call("getChildren", path, watch).ok())

    def exists(self, path, watch=0):
        """The Stat, or None."""
        answer = self.call("exists", path, watch)
        return None if answer.err == NONODE else answer.ok()

    def multi(self, *ops):
        """Results as (operation, values); a failed multi is a list of ('error', code)."""
        return self.call("multi", list(ops)).ok()


def text(data):
    """proto's spelling of a payload: text of bytes 0..255, or None."""
    return data.decode("latin-1") if isinstance(data, bytes) else data


def part(op, *fields):
    """One operation of a multi, for Raw.multi."""
    return [OPS[op], list(fields)]


def part_create(path, data=b"", flags=0, op=None, ttl=3600000):
    if op is None:
        op = "createTTL" if flags in (TTL, TTL_SEQUENTIAL) else "createContainer" if flags == CONTAINER else "create"
    return part(op, path, text(data), OPEN, flags, *([ttl] if op == "createTTL" else []))


def tls_context(folder, cert="client"):
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    if cert:
        context.load_cert_chain(folder / f"{cert}.pem", folder / f"{cert}.key")
    return context


def word(address, command, seconds=10, tls=None):
    """The answer to a four-letter word."""
    host, port = address.split(":")
    sock = socket.create_connection((host, int(port)), seconds)
    if tls is not None:
        sock = tls.wrap_socket(sock, server_hostname=host)
    with sock:
        sock.sendall(command.encode())
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
    return answer.decode(errors="replace")


def metrics(address):
    """mntr's values, numbers as numbers."""
    found = {}
    for line in word(address, "mntr").splitlines():
        name, _, value = line.partition("\t")
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = value
    return found
