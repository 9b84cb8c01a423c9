"""Tables and plots of the experiments with group keys, from build/bench/groups/*.json: what `make bench-docs` puts into docs/PERFORMANCE.md.
The paper's values are those of its text; its figures' points aren't printed there."""
import json
import math

PAPER = {"controllers": {"1": 32.3, "2": 42.31}, "percent_at_8": 96, "percent_with_wait": 99, "latency_s": 0.5, "rates": (0.25, 8)}


def load(folder, name):
    file = folder / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else None


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "| --- " + "| ---: " * (len(head) - 1) + "|", *("| " + " | ".join(map(str, row)) + " |" for row in rows)]


def span(i, digits=2):
    """A mean with its 95 % interval."""
    if i["mean"] is None:
        return ""
    return f"{i['mean']:.{digits}f}" + (f" ({i['low']:.{digits}f} to {i['high']:.{digits}f})" if i["low"] is not None else " (one run)")


def about(records):
    """The line below a table: when, on what, and how quiet it was."""
    busy = [m["busy_before"] for m in records]
    days = sorted({m["at"][:10] for m in records})
    return f"{days[0] if len(days) == 1 else f'{days[0]} to {days[-1]}'}, {records[0]['cores']} cores, of which other work took {100 * min(busy):.0f} to " \
           f"{100 * max(busy):.0f} % just before a run."


def pyplot():
    import plots  # sets matplotlib up
    return plots.plt, plots.PLAIN


def errors(intervals):
    """Of intervals as matplotlib wants them; none where there is none."""
    return [[0 if i["low"] is None else max(side(i), 0) for i in intervals] for side in (lambda i: i["mean"] - i["low"], lambda i: i["high"] - i["mean"])]


# --- availability ---------------------------------------------------------------------------------------------------------------

def availability_table(d):
    rows = []
    for n, c in d["controllers"].items():
        by = [[r["available_s"] for r in c["runs"] if r["failure"] == how] for how in ("kill", "stop", "cut")]
        joins, done = sum(r["joins"] for r in c["runs"]), sum(r["done"] for r in c["runs"])
        rows.append((n, len(c["runs"]), span(c["all"]), PAPER["controllers"].get(n, ""), span(c["with_failure"]),
                     *(f"{sum(v) / len(v):.2f}" if v else "" for v in by), f"{done:,} of {joins:,}", f"{max(r['slowest_s'] or 0 for r in c['runs']):.2f} s"))
    head = ("controllers", "runs", f"available, s of {d['seconds']:.0f} (95 % interval)", "the paper's, of 50", "runs with a failure", "killed", "stopped", "cut off",
            "joins that got their key, late or not", "slowest join")
    return [*table(head, rows), "", about([r["machine"] for c in d["controllers"].values() for r in c["runs"]])]


def availability(folder):
    d = load(folder, "availability")
    plt, plain = pyplot()
    figure, axis = plt.subplots(figsize=(5, 3.6))
    numbers = list(d["controllers"])
    for at, (key, label, colour) in enumerate((("all", "all runs", "#1f77b4"), ("with_failure", "runs with a failure", "#ff7f0e"))):
        found = [(i, d["controllers"][n][key]) for i, n in enumerate(numbers) if d["controllers"][n][key]["mean"] is not None]
        axis.bar([i + 0.3 * (at - 0.5) for i, _ in found], [v["mean"] for _, v in found], 0.28, yerr=errors([v for _, v in found]), capsize=3, color=colour, label=label)
    scale = d["seconds"] / 50
    axis.plot(range(len(numbers)), [PAPER["controllers"].get(n, math.nan) * scale for n in numbers], "rx", markersize=8, label="the paper's model, all runs")
    axis.set(ylabel=f"s of {d['seconds']:.0f} in which a join ends within 1 s", title="availability; the leader fails in half of the runs")
    axis.set_ylim(0, d["seconds"] * 1.04)
    axis.set_xticks(range(len(numbers)), [f"{n} controller{'s' if n != '1' else ''}" for n in numbers])
    axis.grid(axis="y", linewidth=0.3)
    axis.legend(fontsize=7, loc="lower right")
    figure.savefig(folder / "groups-availability.svg", metadata=plain)
    plt.close(figure)
    save(folder, "availability", availability_table(d))


# --- latency --------------------------------------------------------------------------------------------------------------------

def latency_table(d):
    rows = []
    for r in d["runs"]:
        median, most = r["latency_quantiles_s"] or (None, None)
        rows.append((r["ring"], f"{r['wait_s']:g}", f"{r['rate']:g}", f"{r['joined']:,} of {r['joins']:,}", f"{r['epochs']:,}", f"{r['received']:,} of {r['expected']:,}",
                     f"{r['percent']['mean']:.2f} ({r['percent']['low']:.2f} to {r['percent']['high']:.2f})" if r["percent"]["mean"] is not None else "",
                     ", ".join(f"{k} {v:,}" for k, v in r["via"].items()), span(r["latency_s"], 3), f"{median:.3f}, {most:.3f}" if median else ""))
    head = ("ring", "wait, s", "joins/s", "joined", "epochs", "keys received", "% (95 % interval)", "how they came", "latency, s: mean (95 % interval)", "median, 99 %")
    return [*table(head, rows), "", about([r["machine"] for r in d["runs"]])]


def latency(folder):
    d = load(folder, "latency")
    plt, plain = pyplot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    for (ring, wait_s), colour, aside in zip(((8, 0), (64, 0), (8, 2), (64, 2)), ("#1f77b4", "#17becf", "#2ca02c", "#9467bd"), (0.92, 0.97, 1.03, 1.08)):
        runs = [r for r in d["runs"] if (r["ring"], r["wait_s"]) == (ring, wait_s) and r["latency_s"]["mean"] is not None]
        for axis, key in ((left, "percent"), (right, "latency_s")):
            axis.errorbar([r["rate"] * aside for r in runs], [r[key]["mean"] for r in runs], yerr=errors([r[key] for r in runs]), marker="o", markersize=3, linewidth=1,
                          capsize=2, color=colour, label=f"ring {ring}, wait {wait_s} s")
    left.plot(PAPER["rates"], [PAPER["percent_with_wait"]] * 2, "r--", linewidth=1, label="the paper's model, wait 2 s")
    left.plot(PAPER["rates"][1:], [PAPER["percent_at_8"]], "rx", markersize=8, label="the paper's model, no wait")
    right.plot(PAPER["rates"], [PAPER["latency_s"]] * 2, "r--", linewidth=1, label="the paper's model, both")
    left.set(title="keys received (the paper's figure 2)", ylabel="% of the keys made while they were members", ylim=(min([95, *(r["percent"]["low"] - 1 for r in d["runs"] if r["percent"]["n"])]), 100.3))
    right.set(title="latency of a key (the paper's figure 3)", ylabel="s from making to receiving")
    right.set_ylim(bottom=0)
    for axis in (left, right):
        axis.set(xscale="log", xlabel="joins/s")
        axis.set_xticks((0.25, 1, 4, 16, 64), ("1/4", "1", "4", "16", "64"))
        axis.set_xticks([], minor=True)
        axis.grid(linewidth=0.3)
        axis.legend(fontsize=6)
    figure.savefig(folder / "groups-latency.svg", metadata=plain)
    plt.close(figure)
    save(folder, "latency", latency_table(d))


# --- many groups, many members ------------------------------------------------------------------------------------------------------

def many_table(d):
    columns = d["columns"]
    names = {"rss_mib": "controller, resident, MiB", "standby_rss_mib": "standby, resident, MiB", "idle_controller_cpu": "idle: controller's CPU, % of a core",
             "idle_standby_cpu": "idle: standby's CPU, %", "idle_servers_cpu": "idle: all three servers' CPU, %", "join_s": "join, s", "leave_s": "leave, s",
             "rekey_s": "rekey, s", "controller_ms_per_join": "controller's CPU for a join, ms", "takeover_s": "kill -9 until the standby says leader, s",
             "first_join_s": "kill -9 until the first join has its key, s", "all_joins_s": "... until all joins of the first second have theirs, s",
             "cold_leader_s": "no standby: start until it says leader, s", "cold_join_s": "... until the first join has its key, s"}

    def cell(v):
        if v is None:
            return ""
        return f"{v['median']:.3f} ({v['low']:.3f} to {v['high']:.3f})" if isinstance(v, dict) else f"{v:.1f}"
    rows = [(text, *(cell(c.get(key)) for c in columns)) for key, text in names.items()]
    lines = table(("", *(f"{c['groups']:,} group{'s' if c['groups'] > 1 else ''}" for c in columns)), rows)
    if d.get("periods"):
        rows = [(f"{p['period_s']} s", f"{p['wanted_per_s']:.0f}", f"{p['made_per_s']:.1f}", f"{p['groups_late']} of {p['groups']:,}", f"{p['controller_cpu']:.0f}", f"{p['standby_cpu']:.0f}",
                 f"{p['servers_cpu']:.0f}", cell(p["join_s"])) for p in d["periods"]]
        lines += ["", *table(("period", "rekeys/s wanted", "made", "groups that missed one", "controller's CPU, %", "standby's CPU, %", "servers' CPU, %", "a join meanwhile, s"), rows)]
    return [*lines, "", f"Times: median (least to most). {d['columns'][-1]['members']:,} members. {about([c['machine'] for c in columns])}"]


def watchers_table(d):
    def most(values, form):
        low, high = form.format(min(values)), form.format(max(values))
        return low if low == high else f"{low} to {high}"

    rows = []
    for r in d["sizes"]:
        for what, name in (("rekey", "on demand"), ("evict", "eviction")):
            each = r[what]
            rows.append((f"{r['members']:,}", r["height"], name, most([e["wraps"] for e in each], "{}"), 2 * math.ceil(math.log2(r["members"])) + 2,
                         most([e["bytes"] for e in each], "{:,}"), most([e["znode_writes"] for e in each], "{}"),
                         f"{sum(e['have'] for e in each):,} of {sum(e['of'] for e in each):,}", most([e["median_s"] for e in each], "{:.2f}"),
                         most([e["last_s"] for e in each], "{:.2f}"), most([e["received"] / max(e["of"], 1) for e in each], "{:,.0f}"),
                         most([e["servers_cpu_s"] for e in each], "{:.2f}")))
    head = ("members", "height", "rekey", "wraps", "2 ceil(log2 n) + 2", "bytes of the epoch", "key znodes written", "have it (all three)", "half of them after, s",
            "the last after, s", "bytes received by a member", "servers' CPU, s")
    memory = [(f"{r['members']:,}", f"{r['members_rss_kib'] / max(r['members'], 1):.0f}", " ".join(f"{heap:.0f}" for heap, _ in r["servers"]),
               " ".join(f"{rss:.0f}" for _, rss in r["servers"]), f"{r['controller_rss_mib']:.0f}", f"{r['join_s']:.0f}", r["missed"]) for r in d["sizes"]]
    return [*table(head, rows), "", *table(("members", "resident, KiB a member", "servers' heap in use, MiB", "resident, MiB", "controller, resident, MiB", "joining them took, s",
                                             "epochs that anybody missed"), memory), "", about([r["machine"] for r in d["sizes"]])]


TABLES = {"availability": availability_table, "latency": latency_table, "many": many_table, "watchers": watchers_table}


def save(folder, name, lines):
    (folder / f"{name}.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def sections(folder):
    """For docs/PERFORMANCE.md: {marker: lines} of what is there."""
    return {f"groups-{name}": make(d) for name, make in TABLES.items() if (d := load(folder, name))}
