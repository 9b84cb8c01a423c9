"""Makes a failing sequence small: delta debugging over the operations, then each operation made plainer."""
import copy
import json
import time

from . import proto
from .engine import Difference, Stall


def retop(ops, old, new):
    """The same operations under another top-level name."""
    return json.loads(json.dumps(ops).replace(old, new))


class Shrinker:
    """replay(ops) runs on a clean tree and returns the Difference or None."""

    def __init__(self, replay, seconds, log):
        self.replay, self.until, self.log = replay, time.monotonic() + seconds, log
        self.runs = 0
        self.diff = None

    def fails(self, ops):
        self.runs += 1
        try:
            got = self.replay(ops)
        except Stall:
            return False
        if got is not None:
            self.diff = got
        return got is not None

    def late(self):
        return time.monotonic() > self.until

    def shrink(self, ops):
        """Returns (ops, Difference), or (ops, None) when it does not happen again."""
        for size in (12, 60, 300, 1500):
            if size < len(ops) and self.fails(ops[-size:]):
                ops = ops[-size:]
                break
        else:
            if not self.fails(ops):
                return ops, None
        ops = self.reduce(ops)
        ops = self.plainer(ops)
        ops = self.reduce(ops)
        best = self.diff
        if not self.fails(ops):
            self.diff = best
        return ops, self.diff

    def reduce(self, ops):
        parts = 2
        while len(ops) >= 2 and not self.late():
            size = max(1, len(ops) // parts)
            found = False
            at = len(ops)
            while at > 0 and not self.late():       # from the end: what matters is mostly late
                start = max(0, at - size)
                rest = ops[:start] + ops[at:]
                if rest and self.fails(rest):
                    ops, found = rest, True
                at = start
            self.log(f'{len(ops)} operations left after {self.runs} runs')
            if size == 1 and not found:
                break
            parts = parts if found and size > 1 else min(len(ops), parts * 2)
        return ops

    def plainer(self, ops):
        ops = copy.deepcopy(ops)
        for i in range(len(ops)):
            for change in CHANGES:
                if self.late():
                    return ops
                tried = copy.deepcopy(ops)
                if change(tried[i]) and tried != ops and self.fails(tried):
                    ops = tried
        return ops


def without(key):
    def change(op):
        return op.pop(key, None) is not None
    return change


def one_session(op):
    if op.get('s', 0) == 0:
        return False
    op['s'] = 0
    return True


def plain_field(types, new):
    def change(op):
        if op['op'] != 'req' or op['t'] not in proto.REQUEST or not op['f']:
            return False
        done = False
        for i, t in enumerate(proto.REQUEST[op['t']][:len(op['f'])]):
            if t == types and op['f'][i] != new:
                op['f'][i] = new
                done = True
        return done
    return change


def fewer_parts(op):
    if op['op'] != 'req' or op['t'] not in (14, 22) or not op['f'] or len(op['f'][0]) < 2:
        return False
    op['f'][0] = op['f'][0][1:]
    return True


def fewer_parts_end(op):
    if op['op'] != 'req' or op['t'] not in (14, 22) or not op['f'] or len(op['f'][0]) < 2:
        return False
    op['f'][0] = op['f'][0][:-1]
    return True


CHANGES = [one_session, without('p'), without('seg'), without('tail'), without('x'), plain_field('d', ''), plain_field('d', 'x'),
           plain_field('a', proto.OPEN), plain_field('b', 0), plain_field('S', []), *[fewer_parts] * 4, *[fewer_parts_end] * 4]

__all__ = ['Shrinker', 'retop', 'Difference']
