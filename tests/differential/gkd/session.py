"""Sessions of the run, each held on both servers; and the operations that are about connections instead of requests."""
import time

from . import jute, wire


class End:
    """One server's side of a session."""

    def __init__(self, conn, shake):
        self.conn = conn
        self.session, self.password, self.timeout = shake.session, shake.password, shake.timeout


class Live:
    def __init__(self, index, entry, ends):
        self.index, self.entry, self.ends = index, entry, ends
        self.xid = 0
        self.used = time.monotonic()


def differ(engine, what, op, a, b, raw=(None, None)):
    from .engine import Difference
    if a != b:
        raise Difference(what, [op], [a], [b], [raw[0]] if raw[0] else [], [raw[1]] if raw[1] else [], 0)


def engine_stall(text):
    from .engine import Stall
    return Stall(text)


def shake(engine, entry, op, **how):
    """Connects to both; `how`: values, or functions of the server's number."""
    conns, shakes = [], []
    for number, server in enumerate(engine.servers):
        conn = server.dial(entry)
        shakes.append(conn.connect(**{k: v(number) if callable(v) else v for k, v in how.items()}))
        conns.append(conn)
    differ(engine, 'the handshake differs', op, shakes[0].shape(), shakes[1].shape(), (shakes[0].raw, shakes[1].raw))
    return conns, shakes


def open_session(engine, index, op):
    """Options of `open`: timeout, ro (0, 1 or None for the old handshake), ahead (lastZxidSeen beyond the last)."""
    entry = op.get('entry', index)
    ahead = op.get('ahead')
    how = {'timeout': op.get('timeout', 600000 if engine.restart_hook else 30000), 'read_only': op.get('ro', 0)}
    if ahead is not None:
        how['last_zxid'] = lambda n: max(0, engine.servers[n].zxid() + ahead)
    if 'password' in op:
        how['password'] = None if op['password'] is None else bytes.fromhex(op['password'])
    conns, shakes = shake(engine, entry, op or {'op': 'open', 's': index}, **how)
    if not shakes[0].session:
        for conn in conns:
            conn.close()
        return None
    engine.generation += 1
    for server, got in zip(engine.servers, shakes):
        server.masks.sessions[got.session] = ('session', index, engine.generation)
    live = Live(index, entry, [End(c, s) for c, s in zip(conns, shakes)])
    engine.sessions[index] = live
    learn_zxid(engine, index)
    return live


def learn_zxid(engine, index):
    """In an ensemble: a new session is a transaction that other servers may not have applied; its ping tells which."""
    if engine.quorum:
        engine.last_entry = engine.sessions[index].entry
        engine.barrier(index)


def do_open(engine, op):
    if op['s'] not in engine.sessions:
        open_session(engine, op['s'], op)


def do_check(engine, op):
    """Compares what is pending on one session."""
    if op['s'] in engine.sessions:
        engine.barrier(op['s'])


def reconnect(engine, live, op, **how):
    """Attaches the session to new connections with its own password; the server must give the same session back."""
    given = {'session': lambda n: live.ends[n].session, 'password': lambda n: live.ends[n].password,
             'timeout': live.ends[0].timeout, **how}
    conns, shakes = shake(engine, live.entry, op, **given)
    if not shakes[0].session:
        for conn in conns:
            conn.close()
        engine.sessions.pop(live.index, None)
        return
    if op.get('how') == 'overlap':
        wait_closed(engine, live, op)
    for end, conn, got in zip(live.ends, conns, shakes):
        end.conn.close()
        end.conn, end.timeout = conn, got.timeout
        differ(engine, 'the session id changed', op, got.session == end.session, True)
        differ(engine, 'the password changed', op, got.password == end.password, True)
    live.used = time.monotonic()
    if engine.quorum:
        engine.last_entry = None


def after_close(engine, live, batch):
    """The servers closed this connection: a closed session is gone, any other is taken up again."""
    if any(o['t'] == -11 for o in batch):
        for end in live.ends:
            end.conn.close()
        engine.sessions.pop(live.index, None)
        return
    reconnect(engine, live, {'op': 'reconnect', 's': live.index, 'after': batch[-1]})


def wait_closed(engine, live, op):
    """Both old connections must end now, with the same frames before."""
    frames = [end.conn.drain_to_close(engine.close_wait) for end in live.ends]
    differ(engine, 'frames before the close differ', op, [f[16:] for f in frames[0]], [f[16:] for f in frames[1]],
           (b''.join(frames[0]), b''.join(frames[1])))
    differ(engine, 'the old connection was not closed on both', op, live.ends[0].conn.state, live.ends[1].conn.state)


def do_bounce(engine, op):
    """how: drop, move (to the next server), overlap, badpw, shortpw, longpw, nullpw, zeropw, ahead, unknown, old."""
    live = engine.live(op['s'])
    engine.barrier(live.index)
    how = op['how']
    sid = {'session': lambda n: live.ends[n].session}
    if how == 'drop':
        for end in live.ends:
            end.conn.close()
        reconnect(engine, live, op)
    elif how == 'move':
        for end in live.ends:
            end.conn.close()
        live.entry += 1
        reconnect(engine, live, op)
    elif how in ('overlap', 'old'):
        reconnect(engine, live, op, **({'read_only': None} if how == 'old' else {}))
    elif how == 'unknown':
        conns, _ = shake(engine, live.entry, op, session=0x1234567890ab, password=b'\1' * 16)
        for conn in conns:
            conn.close()
    elif how == 'ahead':
        conns, _ = shake(engine, live.entry, op, last_zxid=lambda n: engine.servers[n].zxid() + 1000, **sid,
                         password=lambda n: live.ends[n].password)
        for conn in conns:
            conn.close()
        engine.barrier(live.index)                  # the old connection lives on
    else:
        wrong = {
            'badpw': lambda n: bytes(b ^ 1 for b in live.ends[n].password),
            'shortpw': lambda n: live.ends[n].password[:8], 'longpw': lambda n: live.ends[n].password + b'\0',
            'nullpw': lambda n: None, 'zeropw': lambda n: b'\0' * 16,
        }[how]
        conns, _ = shake(engine, live.entry, op, **sid, password=wrong)
        for conn in conns:
            conn.close()
        wait_closed(engine, live, op)
        reconnect(engine, live, op)


def do_expire(engine, op):
    """The session's timeout is made as short as the server allows, then both servers must end it by themselves."""
    live = engine.live(op['s'])
    engine.barrier(live.index)
    before = [server.zxid() for server in engine.servers]
    if engine.quorum:
        time.sleep(1.5)                             # learners report touches with a delay, each with its own timeout
    reconnect(engine, live, op, timeout=1)
    for end in live.ends:
        end.conn.close()
    limit = time.monotonic() + live.ends[0].timeout / 1000.0 * 3 + 5
    steps = [None, None]
    for number, server in enumerate(engine.servers):
        while time.monotonic() < limit and steps[number] is None:
            now = server.zxid()
            if now > before[number]:
                steps[number] = now - before[number]
                server.masks.loose.add(now)
                server.masks.last_zxid = now
            else:
                time.sleep(0.02)
    engine.sessions.pop(live.index, None)
    engine.last_entry = None                        # whoever is asked next may not have applied it yet
    differ(engine, 'the session did not expire alike', op, steps[0], steps[1])
    if steps[0] is None:
        raise engine_stall('the session did not expire on either server')


def do_raw(engine, op):
    """Bytes as they are, in no frame of ours: hex, and [hex, count] for repetitions. n: replies to wait for."""
    live = engine.live(op['s'])
    engine.barrier(live.index)
    payload = b''.join(bytes.fromhex(p) if isinstance(p, str) else bytes.fromhex(p[0]) * p[1] for p in op['bytes'])
    batch = [{'op': 'req', 's': op['s'], 't': t, 'f': []} for t in op.get('types', [])] or [{'t': 3, 'f': []}]
    frames = []
    for end in live.ends:
        end.conn.send(payload, op.get('seg'))
    for end in live.ends:
        got = end.conn.collect(op.get('n', 0))
        if op.get('c'):
            got += end.conn.drain_to_close(engine.close_wait)
        frames.append(got)
    if op.get('connect'):                           # a client may ask for createSession: the answer has no header
        shapes = [[wire.Handshake(f).shape() for f in got] for got in frames]
        differ(engine, 'the answer to createSession differs', op, shapes[0], shapes[1])
        frames = [[], []]
    engine.compare(live, [{**b, 'raw_op': op} for b in batch], frames, False)
    if live.ends[0].conn.state != 'open':
        after_close(engine, live, [{'t': 0}])


def do_hello(engine, op):
    """A connection of its own that starts with these bytes: odd handshakes, four-letter words."""
    payload = b''.join(bytes.fromhex(p) if isinstance(p, str) else bytes.fromhex(p[0]) * p[1] for p in op['bytes'])
    out = []
    for server in engine.servers:
        conn = server.dial(op.get('entry', 0))
        conn.send(payload, op.get('seg'))
        if op.get('text'):
            out.append((read_all(conn, op.get('wait', 3.0)), conn.state))
        else:
            got = [conn.next_frame()] if op.get('n', 0) else []
            if op.get('c'):
                got += conn.drain_to_close(engine.close_wait)
            seen = [wire.Handshake(f) for f in got]
            out.append(([s.shape() for s in seen], conn.state))
            for s in seen:
                if s.session:
                    server.control.end_session(server.dial(0), End(conn, s))
        conn.close()
    differ(engine, 'the answer to a handshake differs', op, out[0], out[1])


def read_all(conn, wait):
    conn.sock.settimeout(wait)
    out = b''
    while True:
        try:
            more = conn.sock.recv(65536)
        except TimeoutError:
            conn.state = 'timeout'
            return out
        except OSError:
            more = b''
        if not more:
            conn.state = 'closed'
            return out
        out += more


def do_early(engine, op):
    """A new session whose first requests go out in the same segment as the handshake."""
    body = b''.join(jute.frame(bytes.fromhex(r)) for r in op['requests'])
    out = []
    for server in engine.servers:
        conn = server.dial(op.get('entry', 0))
        got = conn.connect(extra=body)
        frames = conn.collect(len(op['requests']))
        out.append((got.shape(), [f[:4] + f[12:16] for f in frames], conn.state))
        server.control.end_session(server.dial(0), End(conn, got))
        conn.close()
    differ(engine, 'early requests differ', op, out[0], out[1])


def do_restart(engine, op):
    """Both servers are stopped and started (kill -9 or orderly) by the runner; sessions are taken up again."""
    if not engine.restart_hook:
        return
    for idx in list(engine.sessions):
        engine.barrier(idx)
    for server in engine.servers:
        server.close_control()
    engine.restart_hook(op)
    for server in engine.servers:
        server.open_control(engine.superuser)
    engine.rebase(forget=False)
    for live in list(engine.sessions.values()):
        for end in live.ends:
            end.conn.close()
        reconnect(engine, live, op)


def do_settle(engine, op):
    """Both servers must make `steps` transactions by themselves: containers and TTL nodes that are reaped."""
    before = [server.masks.last_zxid for server in engine.servers]   # of the last reply: nothing has been missed since
    limit = time.monotonic() + (12.0 if op['steps'] else 1.5)
    steps = [0, 0]
    while time.monotonic() < limit and (not op['steps'] or min(steps) < op['steps']):
        time.sleep(0.05)
        steps = [server.zxid() - was for server, was in zip(engine.servers, before)]
    for server in engine.servers:
        server.masks.last_zxid = server.zxid()
        server.masks.loose.add(server.masks.last_zxid)
    engine.last_entry = None
    differ(engine, 'the servers did not act alike by themselves', op, steps[0], steps[1])
    for idx in list(engine.sessions):
        engine.barrier(idx)
    if steps[0] != op['steps']:
        raise engine_stall(f'{steps[0]} transactions where {op["steps"]} were expected')


def do_par(engine, op):
    """Batches of several sessions at the same time: parallel.py."""
    from . import parallel
    parallel.do_par(engine, op)
