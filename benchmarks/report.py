#!/usr/bin/env python3
"""Tables (Markdown, JSON) and plots (SVG) from build/bench/raw/*.json."""
import json
import platform
import sys
from collections import defaultdict
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import cases  # noqa: E402
import stats  # noqa: E402

THROUGHPUT, CPU = "ops_per_s", "cpu_us_per_op"
LEAST_LAUNCHES = 8
# against what, figure, which limit for all mixes together, which for each mix, whether more is better
TARGETS = (("nio", THROUGHPUT, 1.60, 1.00), ("nio", CPU, 0.62, None), ("netty", THROUGHPUT, 1.12, 0.97), ("netty", CPU, 0.90, None), ("tuned", THROUGHPUT, 0.97, None))
LISTING_LIMIT = 0.90


class Part:
    """One part's results: figures by case, configuration and launch (the geometric mean over repetitions)."""

    def __init__(self, document):
        self.document, self.name, self.title = document, document["part"], document["title"]
        rows = defaultdict(list)
        self.latency = defaultdict(list)
        for r in document["results"]:
            for key in (THROUGHPUT, CPU):
                rows[r["case"], r["configuration"], key, r["launch"]].append(r[key])
            self.latency[r["case"], r["configuration"]].append(r["latency_us"])
        self.figures = {key: stats.geomean(values) for key, values in rows.items()}
        self.cases = list(dict.fromkeys(r["case"] for r in document["results"]))
        self.configurations = [c for c in cases.CONFIGURATIONS if any(r["configuration"] == c for r in document["results"])]
        self.launches = sorted({r["launch"] for r in document["results"]})

    def value(self, case, configuration, key):
        return stats.geomean([self.figures[case, configuration, key, n] for n in self.launches])

    def pairs(self, case, against, key):
        return [(self.figures[case, "encrypted", key, n], self.figures[case, against, key, n]) for n in self.launches]

    def ratio(self, case, against, key):
        return stats.ratio(self.pairs(case, against, key))

    def mixes(self):
        return [c for c in self.cases if c != cases.LISTING]

    def overall(self, against, key, mixes=None):
        mixes = mixes or self.mixes()
        return stats.overall([[(self.figures[m, "encrypted", key, n], self.figures[m, against, key, n]) for m in mixes] for n in self.launches])

    def percentile(self, case, configuration, which):
        return stats.geomean([max(v[which], 0.1) for v in self.latency[case, configuration]])


def span(r):
    return f"{r[0]:.2f} ({r[1]:.2f} to {r[2]:.2f})" if r[2] != float("inf") else f"{r[0]:.2f}"


def holds(r, key, limit):
    return r[2] <= limit if key == CPU else r[1] >= limit


def targets(part):
    """[{target, limit, measured, holds}]; holds is None with too few launches."""
    rows, enough = [], len(part.launches) >= LEAST_LAUNCHES

    def add(text, limit, r, key):
        rows.append({"target": text, "limit": limit, "ratio": r[0], "low": r[1], "high": r[2], "holds": holds(r, key, limit) if enough else None})

    for against, key, limit, each in TARGETS:
        if against not in part.configurations:
            continue
        label = cases.LABELS[against]
        what, sign = ("throughput", ">=") if key == THROUGHPUT else ("server CPU per operation", "<=")
        add(f"{what} / {label} {sign} {limit:.2f}, geometric mean of {len(part.mixes())} mixes", limit, part.overall(against, key), key)
        if each is not None:
            worst = min(part.mixes(), key=lambda m: part.ratio(m, against, key)[1])
            add(f"no mix's throughput / {label} below {each:.2f}; the lowest: {worst}", each, part.ratio(worst, against, key), key)
    for against in part.configurations:
        if cases.LISTING in part.cases and against != "encrypted":
            add(f"listings of 10,000 children / {cases.LABELS[against]} >= {LISTING_LIMIT:.2f}", LISTING_LIMIT, part.ratio(cases.LISTING, against, THROUGHPUT), THROUGHPUT)
    return rows


def target_table(part):
    lines = ["| target | measured (95 % interval) | holds |", "| --- | --- | --- |"]
    for row in targets(part):
        word = {True: "yes", False: "**no**", None: f"(fewer than {LEAST_LAUNCHES} launches)"}[row["holds"]]
        lines.append(f"| {row['target']} | {span((row['ratio'], row['low'], row['high']))} | {word} |")
    return lines


def figure_table(part):
    """Throughput and CPU of each configuration, and the ratios."""
    others = [c for c in part.configurations if c != "encrypted"]
    head = ["mix", *(f"{c}: op/s; us" for c in part.configurations), *(f"op/s to {c}" for c in others), *(f"CPU to {c}" for c in others)]
    lines = ["| " + " | ".join(head) + " |", "| --- " + "| ---: " * (len(head) - 1) + "|"]
    for case in part.cases:
        cells = [f"{part.value(case, c, THROUGHPUT):,.0f}; {part.value(case, c, CPU):.1f}" for c in part.configurations]
        cells += [span(part.ratio(case, c, key)) for key in (THROUGHPUT, CPU) for c in others]
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    cells = ["" for _ in part.configurations] + [f"**{span(part.overall(c, key))}**" for key in (THROUGHPUT, CPU) for c in others]
    lines.append(f"| **geometric mean of {len(part.mixes())} mixes** | " + " | ".join(cells) + " |")
    return lines


def latency_table(part, which=("p50", "p99")):
    head = ["mix", *(f"{c}: {', '.join(which)}" for c in part.configurations)]
    lines = ["| " + " | ".join(head) + " |", "| --- " + "| ---: " * (len(head) - 1) + "|"]
    for case in part.cases:
        lines.append(f"| {case} | " + " | ".join(", ".join(f"{part.percentile(case, c, w):,.0f}" for w in which) for c in part.configurations) + " |")
    return lines


def zpp_table(part):
    lines = ["| operation | payload | " + " | ".join(f"{c}, op/s" for c in part.configurations) + " | encrypted / nio |", "| --- | ---: " + "| ---: " * (len(part.configurations) + 1) + "|"]
    for case in part.cases:
        op, payload, mode = case.split()
        cells = [f"{stats.mean([r[THROUGHPUT] for r in part.document['results'] if r['case'] == case and r['configuration'] == c]):,.0f}" for c in part.configurations]
        lines.append(f"| {op}, {mode} | {payload} | " + " | ".join(cells) + f" | {span(part.ratio(case, 'nio', THROUGHPUT))} |")
    return lines


def cpu_model():
    try:
        return next(line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def summary(parts):
    """The JSON document: per part and case the values, ratios and percentiles; the targets."""
    document = {"machine": {"cpu": cpu_model(), "cores": len(__import__("os").sched_getaffinity(0)), "kernel": platform.release()}, "parts": {}}
    for part in parts:
        others = [c for c in part.configurations if c != "encrypted"]
        document["parts"][part.name] = {
            "title": part.title, "servers": part.document["servers"], "tls": part.document["tls"], "launches": len(part.launches), "seconds": part.document["seconds"],
            "cases": {case: {
                "configurations": {c: {"ops_per_s": part.value(case, c, THROUGHPUT), "cpu_us_per_op": part.value(case, c, CPU),
                                       "latency_us": {w: part.percentile(case, c, w) for w in ("p50", "p90", "p99", "p999", "max")}} for c in part.configurations},
                "ratios": {c: {key: dict(zip(("ratio", "low", "high"), part.ratio(case, c, key))) for key in (THROUGHPUT, CPU)} for c in others}} for case in part.cases},
            "overall": {c: {key: dict(zip(("ratio", "low", "high"), part.overall(c, key))) for key in (THROUGHPUT, CPU)} for c in others},
            "targets": targets(part)}
    return document


def finite(value):
    """JSON has no infinity: an interval of one launch has null ends."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and value in (float("inf"), float("-inf")) else value


def load(out):
    documents = [json.loads(path.read_text()) for path in sorted((out / "raw").glob("*.json"))]
    return sorted((Part(d) for d in documents), key=lambda part: list(cases.FULL).index(part.name))


def markdown(parts):
    lines = []
    for part in parts:
        lines += [f"## {part.title}", "", f"{len(part.launches)} launch(es), {part.document['seconds']} s for each figure, 8 connections, tmpfs.", ""]
        if part.name == "zpp":
            lines += zpp_table(part) + [""]
            continue
        if part.name == "standalone":
            lines += target_table(part) + [""]
        lines += [*figure_table(part), "", "Latency in microseconds:", "", *latency_table(part), ""]
    return "\n".join(lines)


def write(out):
    """Writes results.md, results.json and the plots to the folder; gives the Markdown."""
    import plots  # matplotlib isn't needed by those who only want the tables' functions
    parts = load(out)
    text = markdown(parts)
    (out / "results.md").write_text(text + "\n")
    (out / "results.json").write_text(json.dumps(finite(summary(parts)), indent=1) + "\n")
    for part in parts:
        if part.name == "zpp":
            plots.zpp(part, out)
        else:
            plots.ratios(part, out / f"{part.name}.svg")
    return text


if __name__ == "__main__":
    print(write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "build" / "bench"))
