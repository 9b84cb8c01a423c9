#!/usr/bin/env python3
"""Each way of misbehave.py must be caught: by the random operations, by the hand-written cases, and, with nothing wrong
in between, by neither.

usage: test_misbehave.py [--mode MODE]...        example: test_misbehave.py --mode truncated-data
"""
import argparse
import contextlib
import io
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import misbehave  # noqa: E402
from gkd import cli, servers  # noqa: E402

# what only a hand-written case meets, or meets soon enough
CASES = {
    'oversized-accepted': ['limit/over/1000'], 'old-handshake-longer': ['handshake/readOnly'], 'unknown-stays-open': ['unknown-opcode/99'], 'session-timeout': ['handshake/timeout'],
    'auth-lost': ['acl/auth'], 'acl-perms': ['acl/version'], 'null-as-empty': ['payload'], 'sequence-off-by-one': ['modes/sequence'], 'multi-results': ['multi/fails/nonode'],
}
RANDOM_BLIND = {'oversized-accepted'}               # frames that big are no part of the random mixture


def gkdiff(a, b, *more):
    """(exit status, output) of a gkdiff in this process."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = cli.main(['--a', f'{a[0]}:{a[1]}', '--b', f'{b[0]}:{b[1]}', '--quiet', '--patience', '3', '--close-wait', '0.4', '--shrink-seconds', '0', *more])
    return status, out.getvalue()


def caught_by_random(a, b, mode):
    proxy = misbehave.Proxy(b, mode)
    try:
        return gkdiff(a, proxy.address, '--ops', '12000', '--episode', '1500', '--seed', '3', '--no-root')
    finally:
        proxy.close()


def caught_by_cases(a, b, mode):
    proxy = misbehave.Proxy(b, mode, rate=1.0)
    only = [x for text in CASES.get(mode, ['life/stat', 'watches/exists/setData', 'watches/one-on-many', 'piped/all']) for x in ('--only', text)]
    try:
        return gkdiff(a, proxy.address, '--no-root', *only)
    finally:
        proxy.close()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--mode', action='append', choices=[*misbehave.MODES, 'none'])
    p.add_argument('--verbose', action='store_true')
    args = p.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix='gkdiff-') as work:
        base = servers.free_base(2)
        keys, jvm = servers.settings()
        pair = []
        try:
            for number, name in enumerate('ab'):
                pair.append(servers.start(f'{work}/{name}', 'off', base + 600 * number, keys, jvm))
            a, b = (p.entries[0] for p in pair)
            for mode in args.mode or [*misbehave.MODES, 'none']:
                start = time.monotonic()
                random_status, random_text = caught_by_random(a, b, mode)
                case_status, case_text = caught_by_cases(a, b, mode)
                want = 0 if mode == 'none' else 1
                good = case_status == want and (random_status == want or mode in RANDOM_BLIND)
                passed, failed = passed + good, failed + (not good)
                print(f'{"ok    " if good else "FAILED"} {mode}: random {"caught" if random_status else "passed"}, cases {"caught" if case_status else "passed"} ({time.monotonic() - start:.1f} s)', flush=True)
                if args.verbose or not good:
                    print(random_text[-1500:], case_text[-1500:])
        finally:
            for one in pair:
                one.stop()
    print(f'MISBEHAVE: {passed} passed, {failed} failed, 0 skipped')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
