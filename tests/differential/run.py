#!/usr/bin/env python3
"""Starts a stock server and one with the plugin (or a stock one again), runs the hand-written cases and the random operations against
both, and prints at the end `DIFFERENTIAL: N passed, N failed, N skipped` (cases and random episodes).

examples:
  run.py                                       what `make test` runs: all parts, 100,000 operations with those of the cases
  run.py --ops 10000000 --parts main --seed 7  a soak
  run.py --against stock                       the tester itself: nothing may differ
  run.py --servers 3 --observers 1 --parts main --ops 50000 --with-restarts
"""
import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from gkd import cli, directed, servers  # noqa: E402

REPORTS = servers.ROOT / 'build' / 'differential'
# part: (settings, gkdiff's options, share of the random operations)
CHUNK = 500000                                      # random operations on one pair of servers: bounds their logs on disk
PARTS = {
    'main': ({}, [], 0.9),
    'quota': ({'enforce_quota': True}, ['--quota', '--only', 'quota/', '--only', 'multi/', '--only', 'payload/', '--only', 'modes/'], 0.1),
    'reaper': ({'container_ms': 200}, ['--reaper', '--only', ''], 0.0),
}


def parser():
    p = argparse.ArgumentParser(description='Stock against plugin, byte for byte.', epilog=__doc__.split('\n\n', 1)[1], formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--ops', type=int, default=60000, help='random operations, over all parts (default 60000)')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--parts', default='main,quota,reaper', help='of main, quota, reaper (default: all)')
    p.add_argument('--against', choices=('plugin', 'stock'), default='plugin', help='what stands on side B')
    p.add_argument('--servers', type=int, default=1, choices=(1, 3), help='1: standalone; 3: an ensemble, sessions spread over all servers')
    p.add_argument('--observers', type=int, default=0)
    p.add_argument('--entry', type=int, action='append', metavar='N', help='enter only at the N-th server, from 0 (repeatable)')
    p.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', help='a line of zoo.cfg for both sides (stock gets none of groupkeeper.*)')
    p.add_argument('--with-restarts', action='store_true', help='now and then restart both sides, kill -9 or orderly, under open sessions')
    p.add_argument('--restart-every', type=int, default=5000, metavar='N', help='operations between restarts')
    p.add_argument('--no-directed', action='store_true', help='random operations only')
    p.add_argument('--sessions', type=int, default=0)
    p.add_argument('--log-level', default='OFF', help='of the servers (default OFF: they would log each failing request)')
    p.add_argument('--keep', action='store_true', help='keep the servers\' folder, and say where it is')
    p.add_argument('--quiet', action='store_true')
    return p


class Pair:
    """Two sets of servers with the same settings."""

    def __init__(self, args, work, kind):
        tick = 100 if args.servers == 1 and not args.observers else 500
        keys, jvm = servers.settings(tick=tick, heap='1g' if tick == 100 else '512m', extra=args.set, **kind)
        base = servers.free_base(2)
        self.sides = []
        try:
            for name, plugin, offset in (('a', 'off', 0), ('b', 'on' if args.against == 'plugin' else 'off', 600)):
                self.sides.append(servers.start(f'{work}/{name}', plugin, base + offset, keys, jvm, args.servers, args.observers, args.log_level))
                if args.set:
                    servers.settle(self.sides[-1].entries[0])
        except BaseException:
            self.stop()
            raise

    def addresses(self):
        return [x for flag, side in zip(('--a', '--b'), self.sides) for x in (flag, ','.join(f'{h}:{p}' for h, p in side.entries))]

    def restart(self, op):
        for side in self.sides:
            side.restart(op.get('hard', True))

    def stop(self):
        for side in self.sides:
            side.stop()


def part(args, name, ops, work):
    """(passed, failed, operations) of one part, on fresh servers for each half million of operations."""
    passed = failed = done = 0
    seed, cases = args.seed, not args.no_directed
    while cases or done < ops:
        good, bad, count = once(args, name, min(CHUNK, ops - done), work, seed, cases)
        passed, failed, done, seed, cases = passed + good, failed + bad, done + min(CHUNK, ops - done), seed + 1, False
        print(f'{name}: {passed} passed, {failed} failed, {count} operations', flush=True)
        if failed:
            break
    return passed, failed


def once(args, name, ops, work, seed, with_cases):
    kind, options, _ = PARTS[name]
    pair = Pair(args, f'{work}/{name}', kind)
    report = REPORTS / f'{name}-{seed}'
    try:
        argv = [*pair.addresses(), '--seed', str(seed), '--ops', str(ops), '--sessions', str(args.sessions), '--restart-every', str(args.restart_every), *options]
        argv += [x for n in args.entry or [] for x in ('--entry', str(n))] + (['--quiet'] if args.quiet else [])
        given = cli.parser().parse_args(argv)
        run = cli.Run(given)
        if args.with_restarts:
            run.engine.restart_hook = pair.restart
        passed = failed = 0
        if with_cases:
            given.report = f'{report}-cases.json'
            cases = directed.Directed(run)
            cases.finish()
            passed, failed = cases.passed, len(cases.failed)
        if ops:
            given.report = f'{report}-random.json'
            good = run.random()
            passed, failed = passed + run.episodes, failed + (not good)
        if run.restarts:
            print(f'{name}: {run.restarts} restarts', flush=True)
        for side, word in zip(pair.sides, 'AB'):
            if not side.alive():
                print(f'{name}: a server of side {word} is not alive at the end')
                failed += 1
        return passed, failed, run.engine.count
    finally:
        for server in run.engine.servers if 'run' in locals() else []:
            try:
                server.close_control()
            except OSError:
                pass
        pair.stop()
        shutil.rmtree(f'{work}/{name}', ignore_errors=True)


def main():
    args = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('run.py: error: TERMINATED: by a signal (hint: the servers are stopped)'))
    REPORTS.mkdir(parents=True, exist_ok=True)
    names = [n for n in args.parts.split(',') if n]
    if unknown := set(names) - set(PARTS):
        print(f'run.py: error: PART: {", ".join(unknown)} (hint: {", ".join(PARTS)})', file=sys.stderr)
        return 2
    total = sum(PARTS[n][2] for n in names) or 1
    work = tempfile.mkdtemp(prefix='gkdiff-')
    passed = failed = 0
    start = time.monotonic()
    try:
        for name in names:
            try:
                good, bad = part(args, name, int(args.ops * PARTS[name][2] / total), work)
            except (RuntimeError, OSError, ConnectionError, cli.engine.Stall) as error:
                print(f'{name}: error: {error}', flush=True)
                good, bad = 0, 1
            passed, failed = passed + good, failed + bad
    finally:
        if args.keep:
            print(f'the servers\' folder: {work}')
        else:
            shutil.rmtree(work, ignore_errors=True)
    print(f'{time.monotonic() - start:.0f} s; reports of differences: {Path(os.path.relpath(REPORTS, servers.ROOT))}')
    print(f'DIFFERENTIAL: {passed} passed, {failed} failed, 0 skipped')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
