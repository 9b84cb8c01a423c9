"""Runs the hand-written cases: each on its own subtree, all of them, and tells every one that failed."""
import importlib
import sys
import time

from . import control, engine, show
from .cases import create

MODULES = ('basics', 'paths', 'order', 'multis', 'watches', 'sessions', 'framing', 'acls', 'quota', 'timed', 'root')


def wanted(args):
    for module in MODULES:
        for case in importlib.import_module(f'.cases.{module}', __package__).table():
            flags = case.flags
            if args.only and not any(text in case.name for text in args.only):
                continue
            if 'quota' in flags and not args.quota or 'plain' in flags and args.quota:
                continue
            if 'reaper' in flags and not args.reaper or args.reaper and not flags & {'reaper', 'reaper-safe'}:
                continue
            if 'root' in flags and args.no_root:
                continue
            if 'standalone' in flags and len(args.a) > 1:
                continue
            yield case


def names(args):
    return [case.name for case in wanted(args)]


class Directed:
    def __init__(self, run):
        self.run, self.args, self.engine = run, run.args, run.engine
        self.failed, self.passed = [], 0
        self.number = 0
        self.shared = False

    def fresh(self):
        """Everything new: control connections, alignment, a top-level node."""
        self.run.prepare()
        self.top = '/' + self.run.top()
        self.engine.run([create(self.top, s=90)])
        self.engine.run([{**create(self.top + '/x'), 's': 90, 't': -11, 'f': [], 'c': 1}])

    def one(self, case):
        e = self.engine
        self.number += 1
        base = f'{self.top}/c{self.number}'
        if 'share' not in case.flags or not self.shared:
            e.finish()
        self.shared = 'share' in case.flags
        if 'root' in case.flags:
            e.finish()
            problems = control.align(*(s.control for s in e.servers))
            if problems:
                raise engine.Stall('; '.join(problems))
        if not e.sessions or 'root' in case.flags:
            e.rebase()
        ops = case.make(base)
        e.run([create(base, 'base')])
        e.run(ops)
        for idx in list(e.sessions):
            e.barrier(idx)

    def all(self):
        start = self.told = time.monotonic()
        cases = list(wanted(self.args))
        try:
            self.fresh()
        except engine.Difference as diff:
            print('FAILED the first session\n' + show.difference(diff, []), flush=True)
            self.failed.append((cases[0], diff))
            return False
        for i, case in enumerate(cases):
            try:
                self.one(case)
                self.passed += 1
            except engine.Difference as diff:
                self.failed.append((case, diff))
                print(f'FAILED {case.name}\n' + show.difference(diff, case.make(f'{self.top}/c{self.number}')), flush=True)
                self.recover()
            except engine.Stall as stall:
                self.failed.append((case, None))
                print(f'FAILED {case.name}: nothing to compare: {stall}', flush=True)
                self.recover()
            if time.monotonic() - self.told > 2 and not self.args.quiet:
                self.told = time.monotonic()
                rate = (i + 1) / (self.told - start)
                self.run_say(f'{i + 1}/{len(cases)} cases, {rate:.0f} a second, ETA {(len(cases) - i) / rate:.0f} s, {len(self.failed)} failed')
        try:
            self.engine.finish()
        except engine.Difference as diff:
            print('FAILED the end\n' + show.difference(diff, []), flush=True)
            self.failed.append((cases[-1], diff))
        self.run.clean()
        return not self.failed

    def recover(self):
        """After a difference: nothing of it may reach the next case."""
        for wait in range(30):
            try:
                self.run.clean()
                self.fresh()
                self.number = 0
                return
            except (OSError, engine.Difference):
                for server in self.engine.servers:
                    server.control = None
                self.engine.sessions.clear()
                time.sleep(1)
        raise ConnectionError('a server does not come back')

    def run_say(self, text):
        print(f'gkdiff: {text}', file=sys.stderr, flush=True)

    def finish(self):
        """Runs all, tells the sum, writes the report."""
        good = self.all()
        self.run_say(f'hand-written cases: {self.passed} passed, {len(self.failed)} failed')
        if self.failed:
            print('failed cases:\n' + '\n'.join('  ' + case.name for case, _ in self.failed))
            self.run.write([{'what': f'{case.name}: {diff.what if diff else "stall"}', 'top': '', 'ops': case.make('/gkreplay'),
                             'a': [show.item(g) for g in diff.a] if diff else [], 'b': [show.item(g) for g in diff.b] if diff else []}
                            for case, diff in self.failed])
        return good


def run(run_):
    return Directed(run_).finish()
