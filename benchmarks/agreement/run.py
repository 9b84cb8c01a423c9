#!/usr/bin/env python3
"""Key agreement by number of parties: what it computes and sends (build/bench/agreement/agreement.c, no network), as tables and as plots beside the
figures 5 and 6 of "Scaling secure group communication systems: beyond peer-to-peer" (the paper whose integrated architecture this is).

usage: run.py --program FILE --out FOLDER [--quick]      writes agreement.json, agreement.md, join-leave.png, merge-partition.png, groups.png
"""
import argparse
import json
import pathlib
import subprocess
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402 (the backend comes first)

SIZES = [1, 2, 3, 4, 5, 7, 9, 13, 16, 24, 32, 48, 64, 100, 200, 500, 1000]
QUICK = [1, 2, 3, 5, 9, 13, 32, 64]
SERVERS = 13  # as many as in the paper
GROUPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
# What the paper's text says (2003, 667 MHz, a local network, with its group communication): milliseconds, at about 100 members; 200 groups of 13.
PAPER = {"merge": (220, 90), "partition": (680, 60), "200 groups": (4000, 80)}


def measure(program, sizes, repeat):
    once = ["--repeat", "1"] + [str(n) for n in sizes if n > 64]
    done = subprocess.run([program, "--repeat", str(repeat)] + [str(n) for n in sizes if n <= 64] + once, capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [r for r in rows if "n" in r], rows[-1]["view_key_us"]


class Costs:
    def __init__(self, rows, view_us):
        self.view_us = view_us
        self.by = {p: {r["n"]: r for r in rows if r["protocol"] == p} for p in ("tgdh", "ckd")}

    def run(self, protocol, n):
        """Microseconds of a run among n, by interpolation between sizes that were measured."""
        known = sorted(self.by[protocol])
        n = min(max(n, known[0]), known[-1])
        low, high = max(k for k in known if k <= n), min(k for k in known if k >= n)
        a, b = (self.by[protocol][k]["critical_us"] for k in (low, high))
        return a if low == high else a + (b - a) * (n - low) / (high - low)


def curves(figure, costs, title, after, integrated):
    """One panel: what a change costs that leaves after(n) of n members."""
    sizes = [n for n in sorted(costs.by["tgdh"]) if n > 1]
    for protocol, style in (("tgdh", "o-"), ("ckd", "s--")):
        figure.plot(sizes, [costs.run(protocol, after(n)) / 1000 for n in sizes], style, label=f"layered, {protocol.upper()}", markersize=3)
    figure.plot(sizes, [integrated / 1000] * len(sizes), "k-", label="integrated")
    figure.set(title=title, xlabel="members", ylabel="ms of computation", xscale="log", yscale="log")
    figure.grid(True, which="both", alpha=0.3)


def save(figure, path):
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def plots(costs, out):
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    curves(left, costs, "join (paper: figure 5 a)", lambda n: n, costs.view_us)
    curves(right, costs, "leave (paper: figure 5 b)", lambda n: n - 1, costs.view_us)
    left.legend()
    save(figure, out / "join-leave.png")
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    for panel, title, after, key in ((left, f"merge of two halves, {SERVERS} servers (paper: figure 5 c)", lambda n: n, "merge"),
                                     (right, f"partition in halves, {SERVERS} servers (paper: figure 5 d)", lambda n: n // 2, "partition")):
        servers = SERVERS if key == "merge" else (SERVERS + 1) // 2
        curves(panel, costs, title, after, costs.run("tgdh", servers) + costs.view_us)
        panel.plot([100], [PAPER[key][0]], "rx", label="paper, layered (2003, with its network)")
        panel.plot([100], [PAPER[key][1]], "r+", label="paper, integrated")
    left.legend(fontsize=7)
    save(figure, out / "merge-partition.png")
    figure, panel = pyplot.subplots(figsize=(6, 4))
    layered, integrated = groups(costs)
    panel.plot(GROUPS, [x / 1000 for x in layered], "o-", label="layered, TGDH in each group of 13")
    panel.plot(GROUPS, [x / 1000 for x in integrated], "k-", label=f"integrated: one run of {SERVERS} servers, one HMAC a group")
    panel.plot([200], [PAPER["200 groups"][0]], "rx", label="paper, layered (2003, with its network)")
    panel.plot([200], [PAPER["200 groups"][1]], "r+", label="paper, integrated (about 50 times less)")
    panel.set(title="all groups after a change of servers (paper: figure 6)", xlabel="groups of 13 members", ylabel="ms of computation on each machine",
              xscale="log", yscale="log")
    panel.grid(True, which="both", alpha=0.3)
    panel.legend(fontsize=7)
    save(figure, out / "groups.png")


def groups(costs):
    """One member of each group on each of 13 machines, as in the paper: what one machine computes."""
    one = costs.by["tgdh"][13]["party_us"]
    return [one * g for g in GROUPS], [one + costs.view_us * g for g in GROUPS]


def table(costs):
    yield "| parties | | rounds | messages | bytes | X25519, most of one party: base, agreement | signatures checked by each | one party, ms | critical path, ms |"
    yield "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for n in sorted(costs.by["tgdh"]):
        for p in ("tgdh", "ckd"):
            r = costs.by[p][n]
            yield (f"| {n} | {p.upper()} | {r['rounds']} | {r['messages']} | {r['bytes']} | {r['x25519_base']}, {r['x25519_shared']} | {r['checks']} | "
                   f"{r['party_us'] / 1000:.2f} | {r['critical_us'] / 1000:.2f} |")
    layered, integrated = groups(costs)
    yield ""
    yield f"A view key (join, leave, each group after a change of servers): {costs.view_us:.2f} us."
    yield ""
    yield "| groups of 13 | layered, ms | integrated, ms | ratio |"
    yield "| ---: | ---: | ---: | ---: |"
    for g, a, b in zip(GROUPS, layered, integrated):
        yield f"| {g} | {a / 1000:.1f} | {b / 1000:.2f} | {a / b:.0f} |"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--program", required=True)
    options.add_argument("--out", required=True, type=pathlib.Path)
    options.add_argument("--quick", action="store_true")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    rows, view_us = measure(chosen.program, QUICK if chosen.quick else SIZES, 3 if chosen.quick else 5)
    (chosen.out / "agreement.json").write_text(json.dumps({"runs": rows, "view_key_us": view_us}, indent=1) + "\n")
    costs = Costs(rows, view_us)
    text = "\n".join(table(costs)) + "\n"
    (chosen.out / "agreement.md").write_text(text)
    plots(costs, chosen.out)
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
