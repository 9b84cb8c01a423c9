"""gkdiff: the command line."""
import argparse
import json
import os
import random
import sys
import time

from . import control, engine, gen, parallel, show, shrink

EXAMPLE = '''example:
  gkdiff --a 127.0.0.1:2181 --b 127.0.0.1:2182 --ops 100000 --seed 7
  gkdiff --a 127.0.0.1:2181 --b 127.0.0.1:2182 --directed --only watch
  gkdiff --a 127.0.0.1:2181 --b 127.0.0.1:2182 --replay report.json

exit status: 0 no difference, 1 a difference (shrunk and shown on stdout), 2 usage'''


def address(text):
    host, _, port = text.rpartition(':')
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f'{text!r} is not HOST:PORT')
    return host, int(port)


def addresses(text):
    return [address(part) for part in text.split(',')]


def parser():
    p = argparse.ArgumentParser(prog='gkdiff', description='Runs the same operations against two ZooKeeper servers and compares every byte.',
                                epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--a', type=addresses, required=True, metavar='H:P[,H:P]', help='the reference; several: one ensemble, sessions enter in turn')
    p.add_argument('--b', type=addresses, required=True, metavar='H:P[,H:P]', help='the server under test')
    p.add_argument('--entry', type=int, action='append', metavar='N', help='enter only at the N-th address of each list (repeatable)')
    p.add_argument('--ops', type=int, default=20000, help='random operations (default 20000)')
    p.add_argument('--seed', type=int, default=1, help='all randomness comes from this (default 1)')
    p.add_argument('--sessions', type=int, default=0, metavar='K', help='interleaved sessions (default: 1 to 6, drawn per episode)')
    p.add_argument('--episode', type=int, default=2500, metavar='N', help='operations before the tree is cleaned (default 2500)')
    p.add_argument('--parallel', type=float, default=0.2, metavar='SHARE', help='episodes in which sessions work at the same time, each on its own subtree (default 0.2)')
    p.add_argument('--directed', action='store_true', help='the hand-written cases first, all of them, then the random ones')
    p.add_argument('--only', metavar='TEXT', action='append', help='only the hand-written cases whose name contains TEXT, no random ones')
    p.add_argument('--list', action='store_true', help='print the names of the hand-written cases')
    p.add_argument('--quota', action='store_true', help='the servers enforce quotas')
    p.add_argument('--reaper', action='store_true', help='the servers look for empty containers several times a second')
    p.add_argument('--no-root', action='store_true', help='leave `/` and `/zookeeper` alone (servers that are not fresh)')
    p.add_argument('--superuser', metavar='USER:PASSWORD', default='super:differential', help='digest of the superuser on both; for cleaning up')
    p.add_argument('--restart-hook', metavar='COMMAND', help='run now and then; must restart both servers')
    p.add_argument('--restart-every', type=int, default=20000, metavar='N', help='operations between restarts (default 20000)')
    p.add_argument('--report', metavar='FILE', help='write differences as JSON; --replay reads it')
    p.add_argument('--replay', metavar='FILE', help='run the operations of a report instead')
    p.add_argument('--shrink-seconds', type=float, default=90)
    p.add_argument('--close-wait', type=float, default=5.0, metavar='SECONDS', help='wait that long for a connection to be closed')
    p.add_argument('--patience', type=float, default=15.0, metavar='SECONDS', help='wait that long for a reply')
    p.add_argument('--quiet', action='store_true', help='no progress on stderr')
    return p


class Progress:
    def __init__(self, total, quiet):
        self.total, self.quiet = total, quiet
        self.start = self.shown = time.monotonic()

    def show(self, done, what):
        now = time.monotonic()
        if self.quiet or now - self.shown < 2:
            return
        self.shown = now
        rate = done / max(now - self.start, 0.001)
        eta = (self.total - done) / rate if rate else 0
        print(f'gkdiff: {done}/{self.total} operations, {rate:.0f} ops/s, ETA {eta:.0f} s, {what}', file=sys.stderr, flush=True)

    def say(self, text):
        if not self.quiet:
            print(f'gkdiff: {text}', file=sys.stderr, flush=True)


class Run:
    def __init__(self, args):
        self.args = args
        if args.entry:
            args.a, args.b = [[side[n] for n in args.entry] for side in (args.a, args.b)]
        self.engine = engine.Engine(args.a, args.b, args.patience, args.superuser, args.close_wait)
        self.left, self.done = set(), 0
        self.restarts = self.episodes = 0
        if args.restart_hook:
            self.engine.restart_hook = lambda op: os.system(args.restart_hook)
        self.root = not args.no_root
        self.engine.strict = args.quota

    # ---- a clean start for each sequence

    def top(self):
        return 'gk' + os.urandom(4).hex()

    def prepare(self):
        e = self.engine
        e.begin()
        a, b = (s.control for s in e.servers)
        for server in e.servers:
            if server.before is None:
                server.before = server.control.standing('gk')
                server.control.clean(server.before)
        if self.root:
            problems = control.align(a, b)
            if problems:
                self.root = False
                print('gkdiff: leaving `/` alone: ' + '; '.join(problems), file=sys.stderr)
        e.rebase()

    def clean(self):
        e = self.engine
        for server in e.servers:
            if not server.control or server.control.conn.state != 'open':
                server.open_control(e.superuser)
        e.abandon()
        if any(server.before is None for server in e.servers):
            return
        for server in e.servers:
            left = server.control.clean(server.before)
            for path in ('/', '/zookeeper', '/zookeeper/quota'):
                server.control.reset(path)
            fresh = set(left) - self.left
            if fresh:
                self.left |= fresh
                print(f'gkdiff: {server.name}: could not remove {sorted(fresh)[:3]} ({len(fresh)} nodes)', file=sys.stderr)

    def replay(self, ops, top):
        """Runs operations made for another top-level name; returns the Difference or None."""
        new = self.top()
        self.prepare()
        self.engine.on_reply = None
        try:
            self.engine.run(shrink.retop(ops, top, new) if top else ops)
            self.engine.finish()
        except engine.Difference as diff:
            return diff
        finally:
            self.clean()
        return None

    # ---- random episodes

    def episode(self, number, size, progress):
        """Returns None, or (operations, top, Difference)."""
        args, e = self.args, self.engine
        rng = random.Random(f'{args.seed}/{number}')
        if rng.random() < args.parallel and not args.quota and not e.quorum:
            return parallel.episode(self, rng, size, progress)
        top = self.top()
        sessions = args.sessions or rng.choice((1, 2, 3, 4, 6))
        source = gen.Generator(rng, top, sessions, args.quota, self.root, e.quorum)
        log = []
        self.prepare()
        e.on_reply = source.learn
        start = e.count
        try:
            first = [{'op': 'req', 's': 0, 't': 1, 'f': ['/' + top, '', [[31, 'world', 'anyone']], 0]}]
            log += first
            e.run(first)
            while e.count - start < size:
                batch = source.batch()
                if e.restart_hook and (self.done + e.count - start) // args.restart_every > self.restarts:
                    self.restarts += 1
                    batch = [{'op': 'restart', 'hard': rng.random() < 0.5}]
                log += batch
                e.run(batch)
                progress.show(self.done + e.count - start, f'episode {number}')
            e.finish()
        except engine.Difference as diff:
            return log, top, diff
        finally:
            e.on_reply = None
            self.done += e.count - start
            self.clean()
        return None

    def random(self):
        args = self.args
        progress = Progress(args.ops, args.quiet)
        number = 0
        while self.done < args.ops:
            got = self.episode(number, min(args.episode, args.ops - self.done), progress)
            if got:
                self.failed(*got, progress)
                return False
            number += 1
        elapsed = time.monotonic() - progress.start
        self.episodes = number
        progress.say(f'{self.done} operations in {number} episodes, {elapsed:.1f} s, {self.done / elapsed:.0f} ops/s, no difference')
        return True

    def failed(self, ops, top, diff, progress):
        progress.say(f'difference after {len(ops)} operations of the episode; shrinking')
        small = shrink.Shrinker(lambda o: self.replay(o, top), self.args.shrink_seconds, progress.say)
        less, again = small.shrink(ops)
        if again is None:
            print('(did not happen again when replayed; the sequence is as it was)')
            less, again = ops, diff
        print(show.difference(again, less), flush=True)
        self.write([{'what': again.what, 'top': top, 'seed': self.args.seed, 'ops': less,
                     'a': [show.item(g) for g in again.a], 'b': [show.item(g) for g in again.b]}])

    def write(self, found):
        if self.args.report:
            with open(self.args.report, 'w') as f:
                json.dump({'format': 1, 'differences': found}, f, indent=1)
                f.write('\n')


def main(argv=None):
    args = parser().parse_args(argv)
    if args.list or args.directed or args.only:
        from . import directed
        if args.list:
            print('\n'.join(directed.names(args)))
            return 0
    run = Run(args)
    try:
        if args.replay:
            with open(args.replay) as f:
                found = json.load(f)['differences']
            bad = 0
            for entry in found:
                diff = run.replay(entry['ops'], entry['top'])
                print(show.difference(diff, entry['ops']) if diff else f'no difference: {entry["what"]}')
                bad += diff is not None
            return 1 if bad else 0
        good = True
        if args.directed or args.only:
            good = directed.run(run)
        if not args.only and args.ops > 0:
            good = run.random() and good
        return 0 if good else 1
    except engine.Stall as stall:
        print(f'gkdiff: error: STALL: {stall} (hint: is each server alive?)', file=sys.stderr)
        return 1
    except (ConnectionError, TimeoutError, OSError) as lost:
        print(f'gkdiff: error: UNREACHABLE: {lost} (hint: check --a and --b)', file=sys.stderr)
        return 1
    finally:
        for server in run.engine.servers:
            try:
                server.close_control()
            except OSError:
                pass
