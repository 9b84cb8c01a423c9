#!/usr/bin/env python3
"""make bench-docs: puts the last results (build/bench) into docs/PERFORMANCE.md, between its markers, and the plots into docs/plots."""
import re
import shutil
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent / "groups")]

import figures  # noqa: E402
import report  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
BENCH, PAGE, PLOTS = ROOT / "build" / "bench", ROOT / "docs" / "PERFORMANCE.md", ROOT / "docs" / "plots"


def about(part):
    """The line below a table: what it was made of."""
    document = part.document
    repetitions = len({r["repetition"] for r in document["results"]})
    each = f", {repetitions} repetitions in each" if repetitions > 1 else ""
    return ["", f"{len(part.launches)} launches{each}, {document['seconds']} s for each figure, 8 connections, {document['took_s'] // 60} minutes in all."]


def sections():
    found = {}
    for part in report.load(BENCH):
        if part.name == "zpp":
            found["zpp"] = report.zpp_table(part) + about(part)
            continue
        found[part.name] = report.figure_table(part) + about(part)
        found[f"{part.name}-latency"] = report.latency_table(part, ("p50", "p99", "p999"))
        found[f"{part.name}-targets"] = report.target_table(part)
    for name in ("scale", "growth"):
        if (BENCH / f"{name}.md").exists():
            found[name] = (BENCH / f"{name}.md").read_text().strip().splitlines()
    return found | figures.sections(BENCH / "groups")


def main():
    text, found = PAGE.read_text(), sections()
    for name in re.findall(r"<!-- begin ([\w-]+) -->", text):
        if name not in found:
            print(f"docs: {name} stays as it is: build/bench has nothing new")
            continue
        body = "\n".join(found[name])
        text = re.sub(rf"(<!-- begin {name} -->\n).*?(<!-- end -->)", lambda m, body=body: f"{m[1]}{body}\n{m[2]}", text, flags=re.S)
    PAGE.write_text(text)
    PLOTS.mkdir(exist_ok=True)
    for plot in (*BENCH.glob("*.svg"), *(BENCH / "groups").glob("*.svg")):
        if plot.name in text:
            shutil.copy(plot, PLOTS)


if __name__ == "__main__":
    main()
