#!/usr/bin/env python3
"""A flame graph of one server under load, by async-profiler: which threads and functions its CPU time goes to."""
import argparse
import html
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from servers import OPTIONS, ROOT, BenchError, Ensemble, Load, ended_cleanly  # noqa: E402

WIDTH, ROW, LEAST = 1200, 15, 0.003 # a frame below this share of all samples isn't drawn
WARM_UP = ("mixed reads=50 depth=16 seconds=6", "get depth=16 seconds=6")
CRYPTO = ("aes", "gcm", "EVP_", "CRYPTO_", "gk_", "ghash", "cipher")


def library(folder):
    """The profiler's native library out of its jar."""
    jar = next((ROOT / "build" / "deps" / "profiler").glob("async-profiler-*.jar"), None)
    if jar is None:
        raise BenchError("async-profiler isn't there (hint: make bench-flame)")
    with zipfile.ZipFile(jar) as z:
        return z.extract("linux-x64/libasyncProfiler.so", folder)


def agent(pid, lib, options):
    done = subprocess.run(["jcmd", str(pid), "JVMTI.agent_load", lib, f'"{options}"'], capture_output=True, text=True, check=False)
    if done.returncode or "return code: 0" not in done.stdout:
        raise BenchError(f"async-profiler: {done.stdout}{done.stderr}")


def profile(configuration, phase, seconds, tls, interval):
    """Collapsed stacks: Counter of (frame, ...), from the thread's name to the leaf."""
    ensemble = Ensemble(configuration, tls=tls, jvm=("-Xms1g", "-Xmx1g", "-XX:+UnlockDiagnosticVMOptions", "-XX:+DebugNonSafepoints", "-XX:+EnableDynamicAgentLoading"))
    load = None
    try:
        pid, out = ensemble.pids[0], ensemble.dir / "stacks"
        lib = library(ensemble.dir)
        load = Load(ensemble.connect, 8, ensemble.pids, ensemble.certificates())
        for line in WARM_UP:
            load.phase(line)
        agent(pid, lib, f"start,event=cpu,interval={interval},threads,cstack=dwarf")
        result = load.phase(f"{phase} seconds={seconds}")
        agent(pid, lib, f"stop,file={out},collapsed,threads")
        stacks = Counter()
        for line in out.read_text().splitlines():
            frames, _, count = line.rpartition(" ")
            stacks[tuple(frames.split(";"))] += int(count)
        return stacks, result
    finally:
        if load:
            load.close()
        ensemble.stop()


def thread_name(frame):
    """`[epollEventLoopGroup-7-1 tid=123]` -> the kind of thread."""
    name = frame.strip("[]").split(" tid=")[0]
    return name.rstrip("0123456789-:. ") or name


def tree(stacks):
    root = {"n": 0, "kids": {}}
    for frames, count in stacks.items():
        node = root
        node["n"] += count
        for frame in (thread_name(frames[0]), *frames[1:]):
            node = node["kids"].setdefault(frame, {"n": 0, "kids": {}})
            node["n"] += count
    return root


def colour(name):
    if any(word in name for word in CRYPTO):
        return "#d9534f"                 # ours, and the crypto library
    if "roupkeeper" in name:
        return "#e8894a"
    if name.endswith("_[k]") or name.startswith(("do_syscall", "entry_SYSCALL")):
        return "#c9b458"                 # the kernel
    if "netty" in name:
        return "#7bb0d9"
    return "#a9c98f" if "zookeeper" in name or "jute" in name else "#cfcfcf"


def svg(root, title):
    rows, deepest = [], 0

    def walk(node, name, x, depth):
        nonlocal deepest
        width = node["n"] / root["n"]
        if width < LEAST:
            return
        deepest = max(deepest, depth)
        short = name.rpartition("/")[2].removesuffix("_[j]").removesuffix("_[k]")
        rows.append((depth, x, width, f"{name}: {100 * width:.1f} %", short, colour(name)))
        for kid, sub in sorted(node["kids"].items()):
            walk(sub, kid, x, depth + 1)
            x += sub["n"] / root["n"]

    walk(root, "all", 0.0, 0)
    height = (deepest + 1) * ROW + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" font-size="10">',
           f'<text x="4" y="14" font-size="12">{html.escape(title)}</text>']
    for depth, x, width, tip, short, fill in rows:
        room = int(width * WIDTH / 6.1)
        text = short if len(short) <= room else short[:room - 2] + ".." if room > 3 else ""
        y = height - (depth + 1) * ROW
        out.append(f'<g><title>{html.escape(tip)}</title><rect x="{x * WIDTH:.1f}" y="{y}" width="{width * WIDTH:.1f}" height="{ROW - 1}" fill="{fill}"/>'
                   + (f'<text x="{x * WIDTH + 2:.1f}" y="{y + 11}">{html.escape(text)}</text>' if text else "") + "</g>")
    return "\n".join([*out, "</svg>", ""])


def shares(stacks):
    """(label, share) of threads, and of what the plugin adds."""
    total = sum(stacks.values())
    threads, parts = Counter(), Counter()
    for frames, count in stacks.items():
        threads[thread_name(frames[0])] += count
        text = ";".join(frames)
        if "Java_org_apache_zookeeper_server_GroupkeeperNative" in text or ";gk_" in text:
            parts["native code"] += count
        elif "GroupkeeperCodecHandler" in text and frames[-1].find("roupkeeper") >= 0:
            parts["GroupkeeperCodecHandler itself"] += count
        if frames[-1].endswith("_[k]"):
            parts["kernel"] += count
    return [(name, n / total) for name, n in threads.most_common(8)], [(name, n / total) for name, n in parts.most_common()]


def main():
    p = argparse.ArgumentParser(description=__doc__, epilog="example: make bench-flame OPTIONS=\"--phase 'get payload=1024 depth=1'\"")
    p.add_argument("--configuration", choices=OPTIONS, default="encrypted")
    p.add_argument("--phase", default="get payload=1024 depth=16")
    p.add_argument("--seconds", type=int, default=10)
    p.add_argument("--interval", default="500us")
    p.add_argument("--tls", action="store_true")
    p.add_argument("--out", type=Path, help="build/bench/flame-CONFIGURATION.svg")
    p.add_argument("--collapsed", type=Path, help="keep the collapsed stacks here")
    args = p.parse_args()
    try:
        stacks, result = profile(args.configuration, args.phase, args.seconds, args.tls, args.interval)
    except BenchError as error:
        print(f"flame: error: RUN: {error}", file=sys.stderr)
        return 1
    out = args.out or ROOT / "build" / "bench" / f"flame-{args.configuration}.svg"
    title = f"{args.configuration}{', TLS' if args.tls else ''}: {args.phase}; {result['ops_per_s']:,.0f} op/s, {result['cpu_us_per_op']:.1f} us of CPU for each"
    out.write_text(svg(tree(stacks), title))
    if args.collapsed:
        args.collapsed.write_text("".join(f"{';'.join(frames)} {n}\n" for frames, n in stacks.most_common()))
    print(title)
    for kind, rows in zip(("threads", "parts"), shares(stacks)):
        print(f"{kind}: " + ", ".join(f"{name} {100 * share:.1f} %" for name, share in rows))
    print(out)
    return 0


if __name__ == "__main__":
    ended_cleanly()
    sys.exit(main())
