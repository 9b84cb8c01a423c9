#!/usr/bin/env python3
"""Runs the suites of tests/suites.txt in order and adds their results up.

A suite is a command whose output has a line `NAME: N passed, N failed, N skipped` (the last one counts). Its output goes to
build/test/NAME.log; shown are one line a suite, the reason of each skip, and the end of the log of a suite that failed.
"""
import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / "build" / "test"
SUMMARY = re.compile(r"^(?P<name>[\w-]+): (\d+) passed, (\d+) failed, (\d+) skipped\s*$")
SKIP = re.compile(r"^\s*(SKIP|skip|skipped)\b[: ]")
TAIL_LINES = 40
# A suite that takes this many times what it should hangs, on however slow a machine.
PATIENCE, LEAST_PATIENCE = 10, 900


def read_suites(path):
    """Lines `NAME SECONDS COMMAND...`; # begins a comment."""
    suites = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        parts = line.split(None, 2)
        if len(parts) != 3 or not parts[1].isdigit():
            sys.exit(f"run_suites: error: SUITES: {path}:{number} is not 'NAME SECONDS COMMAND' (hint: see the top of that file)")
        suites.append((parts[0], int(parts[1]), shlex.split(parts[2])))
    return suites


def environment():
    """A make inside a suite is a make of its own, not one that takes its job slots or flags from the make which runs us."""
    inner = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    return inner | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


def run_command(name, expected, command, verbose):
    """Returns the exit code (None after a hang) and the log's lines."""
    log_path = LOGS / f"{name}.log"
    limit = max(LEAST_PATIENCE, PATIENCE * expected)
    with open(log_path, "wb") as log:
        try:
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       env=environment(), start_new_session=True)
        except OSError as error:
            return 127, [f"{command[0]}: {error}"]
        try:
            code = follow(process, log_path, limit, verbose)
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGTERM)
            raise
    return code, log_path.read_text(errors="replace").splitlines()


def follow(process, log_path, limit, verbose):
    deadline = time.monotonic() + limit
    with open(log_path, "rb") as log:
        while True:
            code = process.poll()
            if verbose:
                sys.stdout.buffer.write(log.read())
                sys.stdout.flush()
            if code is not None:
                return code
            if time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return None
            time.sleep(0.1)


def judge(name, code, lines):
    """(passed, failed, skipped, what is wrong beyond single failures)"""
    found = [m for m in map(SUMMARY.match, lines) if m]
    if code is None:
        return 0, 1, 0, "it hung and was killed"
    if not found:
        return 0, 1, 0, f"it printed no line '{name}: N passed, N failed, N skipped' (exit {code})"
    passed, failed, skipped = (int(found[-1][i]) for i in (2, 3, 4))
    if code and not failed:
        return passed, 1, skipped, f"it ended with exit {code} though no test failed"
    if passed + failed + skipped == 0:
        return 0, 1, 0, "it ran no test"
    return passed, failed, skipped, ""


def show(name, width, expected, seconds, result, lines, verbose):
    passed, failed, skipped, problem = result
    print(f"  {name:<{width}}  {passed:>5} passed, {failed} failed, {skipped} skipped  {seconds:6.1f} s (about {expected} s expected)", flush=True)
    for line in lines if skipped else []:
        if SKIP.match(line):
            print(f"    {line.strip()}")
    if failed and not verbose:
        print("\n".join(f"    | {line}" for line in lines[-TAIL_LINES:]))
    if problem:
        print(f"    {name}: {problem}")
    if failed:
        print(f"    the whole log: {(LOGS / name).relative_to(ROOT)}.log", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="example: tests/run_suites.py unit sandbox")
    parser.add_argument("--suites", type=Path, default=ROOT / "tests" / "suites.txt", help="the list of suites")
    parser.add_argument("--verbose", action="store_true", help="show the suites' output as it comes")
    parser.add_argument("only", nargs="*", metavar="NAME", help="run these suites only")
    args = parser.parse_args()
    suites = read_suites(args.suites)
    unknown = set(args.only) - {name for name, _, _ in suites}
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(name for name, _, _ in suites)}")
    suites = [suite for suite in suites if not args.only or suite[0] in args.only]
    LOGS.mkdir(parents=True, exist_ok=True)
    width = max(len(name) for name, _, _ in suites)
    totals = [0, 0, 0]
    for name, expected, command in suites:
        begin = time.monotonic()
        code, lines = run_command(name, expected, command, args.verbose)
        result = judge(name, code, lines)
        show(name, width, expected, time.monotonic() - begin, result, lines, args.verbose)
        totals = [a + b for a, b in zip(totals, result)]
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
