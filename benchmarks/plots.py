"""The plots, as SVG."""
import cases
import matplotlib
import stats

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "groupkeeper", "font.size": 9, "figure.constrained_layout.use": True})
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {"nio": "#7f7f7f", "netty": "#1f77b4", "tuned": "#2ca02c", "encrypted": "#d62728"}
FIGURES = ((4, ("create", "delete"), "sync"), (5, ("getData", "setData"), "sync"), (6, ("create", "delete"), "async"), (7, ("getData", "setData"), "async"))
PLAIN = {"Date": None, "Creator": None}


def ratios(part, path):
    """Encrypted to each other configuration, a row for each mix: throughput and CPU with their intervals."""
    others = [c for c in part.configurations if c != "encrypted"]
    figure, axes = plt.subplots(1, 2, figsize=(9, 1 + 0.22 * len(part.cases)), sharey=True)
    for axis, key, title in zip(axes, ("ops_per_s", "cpu_us_per_op"), ("throughput (more is better)", "server CPU per operation (less is better)")):
        for at, other in enumerate(others):
            rows = [part.ratio(case, other, key) for case in part.cases]
            places = [n + 0.22 * (at - (len(others) - 1) / 2) for n in range(len(rows))]
            errors = [[min(r[0] - r[1], r[0]) for r in rows], [min(r[2] - r[0], 9) for r in rows]]
            axis.errorbar([r[0] for r in rows], places, xerr=errors, fmt="o", markersize=3, linewidth=1, color=COLOURS[other], label=f"encrypted / {cases.LABELS[other]}")
        axis.axvline(1, color="black", linewidth=0.6)
        axis.set_title(title)
        axis.set_xscale("log")
        centres = [part.ratio(case, other, key)[0] for case in part.cases for other in others] + [1]
        low, high = min(centres) * 0.85, max(centres) * 1.18
        axis.set_xlim(low, high)
        ticks = [t for t in (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6) if low <= t <= high]
        axis.set_xticks(ticks, [f"{t:g}" for t in ticks])
        axis.set_xticks([], minor=True)
        axis.grid(axis="x", linewidth=0.3)
    axes[0].set_yticks(range(len(part.cases)), part.cases)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=7, loc="outside lower center", ncols=len(others))
    figure.savefig(path, metadata=PLAIN)
    plt.close(figure)


def zpp(part, folder):
    """ZPP's figures 4 to 7: throughput over the payload's length, mean of all repetitions."""
    for number, operations, mode in FIGURES:
        figure, axis = plt.subplots(figsize=(6, 3.6))
        payloads = sorted({int(case.split()[1]) for case in part.cases})
        for configuration in part.configurations:
            for operation, style in zip(operations, ("-", "--")):
                points = [stats.mean([r["ops_per_s"] for r in part.document["results"] if r["configuration"] == configuration and r["case"] == f"{operation} {n} {mode}"])
                          for n in payloads]
                axis.plot([n / 1024 for n in payloads], points, style, marker=".", color=COLOURS[configuration], label=f"{operation}, {cases.LABELS[configuration]}")
        axis.set(title=f"ZPP's figure {number}: {operations[0]}() and {operations[1]}(), {mode}.", xlabel="payload, KiB", ylabel="operations/s")
        axis.set_ylim(bottom=0)
        axis.grid(linewidth=0.3)
        axis.legend(fontsize=6, ncols=2)
        figure.savefig(folder / f"zpp-figure-{number}.svg", metadata=PLAIN)
        plt.close(figure)
