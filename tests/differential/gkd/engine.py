"""Runs operations against both servers, in lock step, and compares all that comes back.

One batch = requests of one session, pipelined. The next batch is sent when all replies of this one have come from both
servers, so the order of everything is fixed: events that a batch causes on other connections stand before those
connections' next replies, and are compared there.
"""
import time

from . import jute, normal, proto, session, wire
from .control import Control

SENTINEL = 0x7ffffff0
# setACL, closeSession, createContainer: until the leader has applied these, its records of outstanding changes say something else than
# its tree will (the old ACL, the old number of children, another owner), so the outcome of the next write is a race
LEADER_LAGS = {7, -11, 19}


class Difference(Exception):
    """The two servers did not do the same. `a` and `b` are what each did, comparable; `raw_a`, `raw_b` the frames."""

    def __init__(self, what, batch, a, b, raw_a=None, raw_b=None, at=None):
        super().__init__(what)
        self.what, self.batch, self.a, self.b = what, batch, a, b
        self.raw_a, self.raw_b, self.at = raw_a, raw_b, at


class Stall(Exception):
    """Neither server answered: nothing was compared."""


class Server:
    """One side: where it can be entered, what is masked, and a control connection of its own."""

    def __init__(self, name, entries, patience):
        self.name, self.entries, self.patience = name, entries, patience
        self.masks = normal.Masks()
        self.control, self.taps = None, []
        self.before = None                          # what stood below the fixed nodes when the run began

    def dial(self, entry):
        return wire.Conn(self.entries[entry % len(self.entries)], self.patience)

    def open_control(self, superuser):
        self.close_control()
        self.control = Control(self.entries[0], self.patience, superuser)
        self.taps = [self.control] + [Control(entry, self.patience) for entry in self.entries[1:]]

    def close_control(self):
        taps, self.taps, self.control = self.taps, [], None
        for tap in taps:
            tap.close()

    def zxid(self):
        """The last transaction; in an ensemble the last that any of its servers has applied."""
        return max(tap.zxid() for tap in self.taps)

    def catch_up(self, entry):
        """Until that server has applied all that was seen elsewhere. A sync would not do: on a leader it is no barrier."""
        tap = self.taps[entry % len(self.taps)]
        limit = time.monotonic() + self.patience
        while tap.zxid() < self.masks.last_zxid:
            if time.monotonic() > limit:
                raise Stall(f'{self.name}: server {entry} does not catch up')


class Engine:
    def __init__(self, a, b, patience=15.0, superuser=None, close_wait=3.0):
        self.servers = (Server('A', a, patience), Server('B', b, patience))
        self.patience, self.superuser, self.close_wait = patience, superuser, close_wait
        self.sessions = {}
        self.count = 0
        self.last_entry = None
        self.quorum = max(len(a), len(b)) > 1
        self.on_reply = None                        # called with (op, comparable reply of A)
        self.restart_hook = None
        self.at_once = False                        # sessions have worked at the same time: zxids differ by the order of a race
        self.strict = False                         # quotas are enforced by what the leader has applied
        self.checked = time.monotonic()
        self.generation = 0

    # ---- life cycle

    def begin(self):
        """Fresh control connections, zxids counted from here."""
        for server in self.servers:
            server.open_control(self.superuser)
        self.rebase()

    def rebase(self, forget=True):
        for server in self.servers:
            zxid = server.zxid()
            self.at_once = False
            if forget:
                server.masks.forget(zxid)
            else:
                server.masks.rebase(zxid)

    def abandon(self):
        """Closes all sessions on both sides without comparing; for after a difference, too."""
        for live in list(self.sessions.values()):
            for end, server in zip(live.ends, self.servers):
                if end.session:
                    server.control.end_session(server.dial(live.entry), end)
                end.conn.close()
        self.sessions.clear()

    def finish(self):
        """Compares what is still under way, and closes every session, compared, too."""
        for idx in list(self.sessions):
            self.barrier(idx)
        for idx in list(self.sessions):
            self.run([{'op': 'req', 's': idx, 't': -11, 'f': [], 'c': 1}])

    # ---- operations

    def run(self, ops):
        """ops: dictionaries (README: operations). Raises Difference at the first one."""
        batch, index = [], None
        for op in ops:
            kind = op['op']
            if kind == 'req':
                if batch and index != op['s']:
                    self.flush(index, batch)
                    batch = []
                index = op['s']
                batch.append(op)
                if not op.get('p'):
                    self.flush(index, batch)
                    batch = []
                continue
            if batch:
                self.flush(index, batch)
                batch = []
            getattr(session, 'do_' + kind)(self, op)
            self.count += 1
        if batch:
            self.flush(index, batch)

    def live(self, index):
        got = self.sessions.get(index)
        return got if got else session.open_session(self, index, {})

    def encode(self, op, xid, server):
        if 'raw' in op:
            body = bytes.fromhex(op['raw'])
        else:
            kind, given = op['t'], op['f']
            if kind in (101, 105):
                given = [server.masks.last_zxid + given[0], *given[1:]]
            body = jute.put_int(xid) + jute.put_int(kind) + proto.encode(proto.REQUEST.get(kind, ''), given)
        if 'cut' in op:
            body = body[:op['cut']]
        if 'tail' in op:
            body += bytes.fromhex(op['tail'])
        return jute.frame(body)

    def payloads(self, live, batch):
        """The bytes for A and for B; the same object where nothing depends on the server."""
        a, b = self.servers
        out_a, out_b, split = [], [], False
        for op in batch:
            xid = op.get('x')
            if xid is None:
                live.xid = xid = live.xid + 1 if live.xid < SENTINEL - 1 else 1
            got = self.encode(op, xid, a)
            out_a.append(got)
            if op['t'] in (101, 105):
                split = True
                got = self.encode(op, xid, b)
            out_b.append(got)
        one = b''.join(out_a)
        return one, (b''.join(out_b) if split else one)

    def flush(self, index, batch):
        live = self.live(index)
        if self.at_once:
            self.at_once = False
            for server in self.servers:
                last = server.zxid()
                server.masks.forget(last + 1, sessions=False)
                server.masks.last_zxid = last
        if self.quorum and self.last_entry != live.entry:
            for server in self.servers:
                server.catch_up(live.entry)
        self.last_entry = live.entry
        if batch[0]['t'] in (100, 102) and live.xid:
            self.barrier(index)                     # these are answered at once and may overtake an event under way
        special = batch[0].get('x') == -1 and batch[0]['t'] != 11
        pay = self.payloads(live, batch)
        if special:
            mark = jute.frame(jute.put_int(SENTINEL) + jute.put_int(9) + jute.put_string('/'))
            pay = (pay[0] + mark, pay[1] + mark)
        chunks = batch[0].get('seg')
        need = sum(op.get('n', 1) for op in batch)
        for end, payload in zip(live.ends, pay):
            end.conn.send(payload, chunks)
        frames = [end.conn.collect_to(SENTINEL) if special else end.conn.collect(need) for end in live.ends]
        if batch[-1].get('c'):
            for end, got in zip(live.ends, frames):
                got += end.conn.drain_to_close(self.close_wait)
        live.used = time.monotonic()
        self.count += len(batch)
        self.compare(live, batch, frames, special)
        if self.quorum and (self.strict or batch[-1]['t'] in LEADER_LAGS):
            for server in self.servers:
                for entry in range(len(server.entries)):
                    server.catch_up(entry)
        if live.ends[0].conn.state != 'open':
            session.after_close(self, live, batch)
        if live.used - self.checked > 1.0:
            self.keep_alive(live.used)

    def decode(self, batch, frames, masks, special):
        """Comparable tuples in order. For a request with xid -1 the last such frame is its reply: events come before."""
        out, at, events = [], 0, False
        last = batch[-1]
        if last['t'] == -11 and frames and len(frames[-1]) >= 16:
            masks.loose.add(jute.REPLY.unpack_from(frames[-1])[1])
        reply_at = -1
        if special:
            reply_at = max((i for i, raw in enumerate(frames) if raw[:4] == normal.EVENT_XID), default=-1)
        for i, raw in enumerate(frames):
            if raw[:4] == normal.EVENT_XID and i != reply_at:
                out.append(normal.event(raw, masks))
                events = True
                continue
            op = batch[at] if at < len(batch) else {'t': 9, 'f': ['/']}
            if last.get('any'):                     # auth overtakes: the xid tells whose reply it is
                op = next((o for o in batch if o['x'] == int.from_bytes(raw[:4], 'big')), op)
            at += 1
            config = self.quorum and op['t'] in (4, 16, 22) and 'zookeeper/config' in str(op['f'])
            stats = op['t'] in (3, 6, 7, 12) and 'zookeeper_stats' in str(op['f'])
            out.append(normal.reply(raw, op['t'], masks, config, stats))
        if events and masks.loose:
            out = settle_all(out)
        return out

    def compare(self, live, batch, frames, special):
        a, b = self.servers
        got_a = self.decode(batch, frames[0], a.masks, special)
        got_b = self.decode(batch, frames[1], b.masks, special)
        if batch[0].get('any'):
            got_a, got_b = sorted(got_a, key=repr), sorted(got_b, key=repr)
        state_a, state_b = (end.conn.state for end in live.ends)
        if got_a != got_b:
            at = next((i for i, pair in enumerate(zip(got_a, got_b)) if pair[0] != pair[1]), min(len(got_a), len(got_b)))
            raise Difference('a frame differs', batch, got_a[at:at + 1] or [state_a], got_b[at:at + 1] or [state_b],
                             frames[0], frames[1], at)
        if state_a != state_b:
            raise Difference('one server closed, the other did not', batch, [state_a], [state_b], frames[0], frames[1])
        if state_a in ('timeout', 'garbage'):
            raise Stall(f'{state_a} on both after {describe(batch)}')
        if self.on_reply and 'raw_op' not in batch[0]:
            at = 0
            for got in got_a:
                if got[0] != 'event' and at < len(batch):
                    self.on_reply(batch[at], got)
                    at += 1

    def barrier(self, index):
        """A ping, compared: all events before it are compared, too."""
        self.flush(index, [{'op': 'req', 's': index, 't': 11, 'f': [], 'x': -2}])

    def keep_alive(self, now):
        self.checked = now
        for server in self.servers:
            for tap in server.taps:
                tap.zxid()
        for idx, live in list(self.sessions.items()):
            if now - live.used > live.ends[0].timeout / 4000.0:
                self.barrier(idx)


def settle_all(items):
    """settle() for each stretch of events between replies."""
    out, run = [], []
    for item in items:
        if item[0] == 'event':
            run.append(item)
        else:
            out += normal.settle(run)
            run = []
            out.append(item)
    return out + normal.settle(run)


def describe(batch):
    return ', '.join(proto.NAMES.get(op['t'], str(op['t'])) for op in batch[:6])
