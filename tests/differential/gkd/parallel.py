"""Sessions that work at the same time, each on a subtree of its own, so that what each one sees is still fixed.

A round = one pipelined batch per session, all on their way at once. Which zxid a write gets is a race between the sessions, so zxids
are compared by whose they are: the n-th write of this session. Header zxids of reads are not compared.
"""
import time

from . import gen, jute, normal
from .engine import Difference, Stall

WRITES = {1, 2, 5, 7, 14, 15, 19, 20, 21}
ONLY_ALONE = {'set_watches', 'set_watches2', 'auth', 'sasl', 'reconfig', 'bounce', 'close', 'expire', 'unknown', 'mangled', 'quota_node', 'root_op', 'bad_frame', 'check'}


class Own:
    """Masks for one session on one side: its own writes are numbered."""

    def __init__(self, masks, start):
        self.masks, self.start = masks, start
        self.numbers = {}
        self.last_zxid = 0
        self.loose = frozenset()
        self.time, self.owner = masks.time, masks.owner

    def learn(self, batch, frames):
        replies = [f for f in frames if f[:4] != normal.EVENT_XID]
        for op, raw in zip(batch, replies):
            if op['t'] in WRITES and len(raw) >= 16:
                self.numbers.setdefault(jute.REPLY.unpack_from(raw)[1], len(self.numbers))

    def zxid(self, value):
        if value in self.numbers:
            return ('own', self.numbers[value])
        return self.masks.zxid(value) if value <= self.start else ('later',)

    def stat(self, raw):
        return normal.Masks.stat(self, raw)


class Source(gen.Generator):
    """Operations that look at nothing outside of the session's own subtree."""

    def __init__(self, rng, top):
        super().__init__(rng, top, 1, root=False, ensemble=True)
        self.burst = rng.choice((4, 20, 60))
        makers, weights, last = [], [], 0.0
        for make, total in zip(self.makers, self.weights):
            if make.__name__ not in ONLY_ALONE:
                makers.append(make)
                weights.append((weights[-1] if weights else 0.0) + total - last)
            last = total
        self.makers, self.weights = makers, weights

    def odd_path(self):
        path = super().odd_path()
        return path if path and path.startswith(self.base + '/') else self.base + '/odd'

    def get_ephemerals(self):
        return self.req(103, self.base)

    def batch_for(self, index):
        out = [op for op in self.batch() if op.get('x') is None or op['t'] == 11] or [self.req(11)]
        for op in out:
            op['s'] = index
            op['p'] = 1
        return out


def own(engine, index):
    live = engine.live(index)
    if not hasattr(live, 'masks'):
        live.masks = [Own(server.masks, server.masks.last_zxid) for server in engine.servers]
    return live


def do_par(engine, op):
    """One round: op['lists'] has one batch per session."""
    lives = [own(engine, batch[0]['s']) for batch in op['lists'] if batch]
    batches = [batch for batch in op['lists'] if batch]
    for live, batch in zip(lives, batches):
        for end, payload in zip(live.ends, engine.payloads(live, batch)):
            end.conn.send(payload)
    for live, batch in zip(lives, batches):
        frames = [end.conn.collect(len(batch)) for end in live.ends]
        got = []
        for raw, masks in zip(frames, live.masks):
            masks.learn(batch, raw)
            got.append(blur(batch, engine.decode(batch, raw, masks, False)))
        states = [end.conn.state for end in live.ends]
        if got[0] != got[1]:
            at = next((i for i, pair in enumerate(zip(*got)) if pair[0] != pair[1]), min(map(len, got)))
            raise Difference('a frame differs, with sessions at work at the same time', batch, got[0][at:at + 1] or [states[0]], got[1][at:at + 1] or [states[1]],
                             frames[0], frames[1], at)
        if states[0] != states[1]:
            raise Difference('one server closed, the other did not', batch, [states[0]], [states[1]], frames[0], frames[1])
        if states[0] != 'open':
            raise Stall(f'{states[0]} on both')
        if engine.on_reply:
            for one, reply in zip(batch, (g for g in got[0] if g[0] != 'event')):
                engine.on_reply(one, reply)
        engine.count += len(batch)
        live.used = time.monotonic()
    engine.at_once = True
    engine.count -= 1                               # run() counts the round, too


def blur(batch, items):
    """The zxid in the header of a read is whichever write of anybody came last."""
    out, at = [], 0
    for item in items:
        if item[0] == 'event':
            out.append(item)
            continue
        op = batch[at] if at < len(batch) else {'t': 0}
        at += 1
        out.append(item if op['t'] in WRITES else (item[0], None, *item[2:]))
    return out


def episode(run, rng, size, progress):
    """Like Run.episode: None, or (operations, top, Difference). At the end everything is read again in order."""
    e, top = run.engine, run.top()
    sessions = rng.choice((2, 3, 4, 8))
    sources = [Source(rng, f'{top}/s{i}') for i in range(sessions)]
    log = []
    run.prepare()
    e.on_reply = lambda op, got: sources[op['s']].learn(op, got)
    start = e.count
    try:
        first = [{'op': 'req', 's': 0, 't': 1, 'f': ['/' + path, '', [[31, 'world', 'anyone']], 0]} for path in [top] + [f'{top}/s{i}' for i in range(sessions)]]
        first += [{'op': 'req', 's': i, 't': 11, 'f': []} for i in range(sessions)]
        log += first
        e.run(first)
        while e.count - start < size:
            step = [{'op': 'par', 'lists': [source.batch_for(i) for i, source in enumerate(sources)]}]
            log += step
            e.run(step)
            progress.show(run.done + e.count - start, f'{sessions} sessions at once')
        last = [{'op': 'req', 's': 0, 't': t, 'f': [path] + ([0] if t in (4, 12) else []), 'p': 1} for source in sources for path in source.nodes for t in (4, 12, 6)]
        log += last
        e.run(last)
        e.finish()
    except Difference as diff:
        return log, top, diff
    finally:
        e.on_reply = None
        run.done += e.count - start
        run.clean()
    return None
