#!/usr/bin/env python3
"""Counts the native core's instructions for one operation, by callgrind, and compares them with a baseline."""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BASELINE = HERE / "baseline.json"
COUNT = 200      # calls that are averaged
GROWTH = 1.05
PAYLOADS = {"getData": (0, 128, 1024, 16384), "getData-again": (0, 128, 1024, 16384), "setData": (0, 128, 1024, 16384), "create": (0, 1024), "exists": (0,), "delete": (0,),
            "getChildren": (100, 10000), "getChildren+1-1": (100, 10000), "getChildren-new": (100, 10000), "component": (0,), "bare": (128, 1024, 16384)}
PHASES = {"bare": ("measured_bare",), "component": ("measured_component", "measured_primitives")}


def count(program, op, payload, phase):
    with tempfile.NamedTemporaryFile() as out:
        calls = COUNT if payload < 10000 else COUNT // 20
        run = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", f"--toggle-collect={phase}", program, op,
                              str(payload), str(calls)], capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found:
        sys.exit(f"count.py: error: CALLGRIND: {run.stderr[-500:]} (hint: is valgrind installed? make deps)")
    return round(int(found[1]) / calls)


def measure(program):
    rows = [(op, payload, phase) for op, payloads in PAYLOADS.items() for payload in payloads
            for phase in PHASES.get(op, ("measured_request", "measured_reply"))]
    result = {}
    for i, (op, payload, phase) in enumerate(rows, 1):
        print(f"\r  {i} of {len(rows)}: {op} {payload} {phase.removeprefix('measured_'):10}", end="", file=sys.stderr, flush=True)
        result[f"{op} {payload} {phase.removeprefix('measured_')}"] = count(program, op, payload, phase)
    print(file=sys.stderr)
    return result


def table(now, before):
    lines = ["| operation | payload (children) | part | instructions | baseline | ratio |", "| --- | ---: | --- | ---: | ---: | ---: |"]
    for key, n in now.items():
        op, payload, part = key.split()
        old = before.get(key)
        lines.append(f"| {op} | {payload} | {part} | {n} | {old or ''} | {f'{n / old:.3f}' if old else ''} |")
    return "\n".join(lines) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__, epilog="example: make bench-native")
    p.add_argument("--program", required=True)
    p.add_argument("--out", required=True, type=pathlib.Path)
    p.add_argument("--update", action="store_true", help="write the baseline anew")
    o = p.parse_args()
    before = json.loads(BASELINE.read_text()) if BASELINE.exists() and not o.update else {}
    now = measure(o.program)
    o.out.mkdir(parents=True, exist_ok=True)
    (o.out / "native.json").write_text(json.dumps(now, indent=1) + "\n")
    (o.out / "native.md").write_text(table(now, before))
    print(table(now, before), end="")
    if o.update:
        BASELINE.write_text(json.dumps(now, indent=1) + "\n")
        return
    grown = [key for key, n in now.items() if key in before and n > before[key] * GROWTH]
    missing = [key for key in now if key not in before]
    if missing:
        sys.exit(f"count.py: error: BASELINE: none for {missing} (hint: make bench-native UPDATE=1)")
    if grown:
        sys.exit(f"count.py: error: GROWN: more than 5 % above the baseline: {', '.join(grown)}")


if __name__ == "__main__":
    main()
