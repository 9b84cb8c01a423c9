#!/usr/bin/env python3
"""Outside test suites on stock Netty and on the plugin, told apart by one jar and some properties. What passes on stock must pass on the
plugin. A table goes to build/conformance/report.md and to stdout; the last line is `CONFORMANCE: N passed, N failed, N skipped`:
passed on both; passed on stock only; excluded, each with its reason from exclusions.txt."""
import argparse
import json
import sys
import time
from collections import namedtuple
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from suites import capi, curator, goclient, kazoo, zkcli, zookeeper  # noqa: E402
from suites.common import OUT, SIDES, Exclusions, Result, say  # noqa: E402

SUITES = (zookeeper, zkcli, kazoo, curator, goclient, capi)
TITLES = {"zookeeper": "Apache ZooKeeper 3.9.5, Java server tests", "zkcli": "zkCli, all commands", "kazoo": "kazoo 2.11.0",
          "curator": "Curator 5.9.0, framework and recipes", "go-zookeeper": "Go client go-zookeeper/zk 1.0.4", "capi": "C client, all zoo_* calls"}
Verdict = namedtuple("Verdict", "tests stock plugin excluded differences again uncounted")


def run_suite(suite, full, only):
    if hasattr(suite, "run_sides"):
        return suite.run_sides(SIDES, full, only)
    return tuple(suite.run_side(side, full, only) for side in SIDES)


def judge(name, stock, plugin, exclusions):
    """What counts is what passes on stock. An excluded test may fail on the plugin only in the way that its exclusion names."""
    good = {test for test, result in stock.items() if result.status == "passed"}
    same, excluded, differences = set(), {}, {}
    for test in sorted(good):
        result = plugin.get(test, Result("failed", "it was not run"))
        reason = exclusions.reason(name, test, result.message)
        if result.status == "passed":
            same.add(test)
        elif reason:
            excluded[test] = reason
        else:
            differences[test] = result.message or result.status
    again = sorted(test for test in same if plugin[test].again or stock[test].again)
    uncounted = {test: f"{result.status} on stock: {result.message}" for test, result in stock.items() if test not in good}
    return Verdict(len(stock), len(good), len(same), excluded, differences, again, uncounted)


def table(verdicts):
    yield "| Suite | Tests | Passed on stock | Passed on plugin | Excluded | Differences |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name, v in verdicts.items():
        yield f"| {TITLES[name]} | {v.tests} | {v.stock} | {v.plugin} | {len(v.excluded)} | {len(v.differences)} |"
    total = [sum(values) for values in zip(*((v.tests, v.stock, v.plugin, len(v.excluded), len(v.differences)) for v in verdicts.values()))]
    yield "| **all** | " + " | ".join(map(str, total)) + " |"


def details(verdicts):
    for title, field in (("Differences", "differences"), ("Excluded, each with its reason", "excluded"),
                         ("Not counted, for they don't pass on stock either", "uncounted")):
        yield f"\n## {title}\n"
        lines = [f"- {name}: `{test}`: {why}" for name, v in verdicts.items() for test, why in getattr(v, field).items()]
        yield "\n".join(lines or ["none"])
    yield "\n## Passed at a second attempt only (on either side)\n"
    yield "\n".join([f"- {name}: `{test}`" for name, v in verdicts.items() for test in v.again] or ["none"])


def save(name, sides):
    (OUT / f"{name}.json").write_text(json.dumps([{test: vars(result) for test, result in side.items()} for side in sides], indent=1))


def load(name):
    return tuple({test: Result(**fields) for test, fields in side.items()} for side in json.loads((OUT / f"{name}.json").read_text()))


def main():
    parser = argparse.ArgumentParser(description="Run outside test suites on stock Netty and on the plugin, and compare.",
                                     epilog="example: tests/conformance/conformance.py --only test.ClientTest zookeeper")
    parser.add_argument("--full", action="store_true", help="all classes of the lists, not those for about 30 minutes alone")
    parser.add_argument("--only", action="append", default=[], metavar="PART", help="this class, file or pattern of the suite alone")
    parser.add_argument("--report", action="store_true", help="run nothing: make the report from the last results of each suite")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(TITLES)} (all)")
    args = parser.parse_args()
    unknown = set(args.suites) - set(TITLES)
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(TITLES)}")
    OUT.mkdir(parents=True, exist_ok=True)
    exclusions, verdicts, begin = Exclusions(), {}, time.monotonic()
    for suite in SUITES:
        if args.suites and suite.NAME not in args.suites:
            continue
        if not args.report:
            say(f"{TITLES[suite.NAME]}: stock first, then the plugin")
            save(suite.NAME, run_suite(suite, args.full, args.only))
        if (OUT / f"{suite.NAME}.json").exists():
            verdicts[suite.NAME] = judge(suite.NAME, *load(suite.NAME), exclusions)
    lines = list(table(verdicts))
    report = "\n".join(["# Outside suites, on stock Netty and on the plugin", "", *lines, *details(verdicts)]) + "\n"
    (OUT / "report.md").write_text(report)
    print("\n".join(lines))
    for name, v in verdicts.items():
        for test, why in v.differences.items():
            print(f"DIFFERENCE: {name}: {test}: {why}")
        for test, why in v.excluded.items():
            print(f"SKIP: {name}: {test}: {why}")
    print(f"{(time.monotonic() - begin) / 60:.0f} minutes; the whole report: {OUT / 'report.md'}")
    failed = sum(len(v.differences) for v in verdicts.values())
    print(f"CONFORMANCE: {sum(v.plugin for v in verdicts.values())} passed, {failed} failed, "
          f"{sum(len(v.excluded) for v in verdicts.values())} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
