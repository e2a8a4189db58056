"""Figures of training: curves over epochs, and what is reached with how many images and at what cost."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator

from .picture import CYCLE, MARKERS, PALETTE, Picture, canvas


def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Picture:
    """Loss over epochs, training solid and validation dashed, the kept epoch marked; below it the learning rate.

    Args:
        histories: for each run its `Trained.history`: columns epoch, loss, val_loss, learning_rate, kept.

    Example:
        >>> history = {"epoch": [1, 2], "loss": [0.5, 0.4], "val_loss": [0.5, 0.6], "learning_rate": [0.1, 0.1]}
        >>> learning_curves({"from scratch": pd.DataFrame(history).assign(kept=[True, False])})
        Picture: Loss over epochs of 1 run (from scratch): training solid, validation dashed, the kept epoch marked; \
below, the learning rate.
    """
    count = len(histories)
    ratios = {"height_ratios": [3, 1]}
    figure, axes = canvas(2, count, width=1 + 3.7 * count, height=4.6, squeeze=False, sharex="col", gridspec_kw=ratios)
    for column, (name, history) in enumerate(histories.items()):
        upper, lower = axes[:, column]
        upper.plot(history["epoch"], history["loss"], color=PALETTE["blue"], label="training")
        upper.plot(history["epoch"], history["val_loss"], "--", color=PALETTE["orange"], label="validation")
        kept = history[history["kept"]].iloc[0]
        upper.plot(kept["epoch"], kept["val_loss"], "*", color=PALETTE["black"], markersize=12, label="kept")
        upper.set(title=name, ylabel="" if column else "loss (nats)")
        lower.step(history["epoch"], history["learning_rate"], where="mid", color=PALETTE["grey"])
        lower.set(xlabel="epoch", yscale="log", ylabel="" if column else "learning rate")
        lower.xaxis.get_major_locator().set_params(integer=True)
        rates = sorted(history["learning_rate"].dropna().unique())
        shown = rates[:: 1 + len(rates) // 5]
        lower.set_yticks(shown, [f"{rate:.2g}" for rate in shown])
        lower.minorticks_off()
    axes[0, 0].legend(fontsize=8)
    return Picture(
        figure,
        f"Loss over epochs of {count} run{'s' * (count > 1)} ({', '.join(histories)}): training solid, validation "
        "dashed, the kept epoch marked; below, the learning rate.",
    )


def auc_by_size(results: pd.DataFrame, baseline: float, baseline_name: str) -> Picture:
    """Mean AUC over the number of training images, a line for each way of training, with 95 % intervals.

    Args:
        results: one row a run: way, images, auc, low, high.
        baseline: AUC of what the runs must beat.
        baseline_name: what that is.

    Example:
        >>> rows = {"way": ["frozen"], "images": [100], "auc": [0.7], "low": [0.6], "high": [0.8]}
        >>> auc_by_size(pd.DataFrame(rows), 0.6, "no pixels")
        Picture: Mean test AUC with 95 % intervals over the number of training images (100) for 1 way of training \
(frozen); a dotted line marks the baseline (no pixels).
    """
    sizes = sorted(results["images"].unique())
    figure, axes = canvas(width=8.5, height=3.8)
    _draw_runs(axes, results, "images", baseline, baseline_name, nudge=0.03)
    axes.set(xscale="log", xlabel="training images (patients whole, logarithmic)", ylabel="mean AUC, test part")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    over = f"the number of training images ({', '.join(map(str, sizes))})"
    return Picture(figure, _told(results, over, baseline_name))


def auc_by_cost(results: pd.DataFrame, baseline: float, baseline_name: str) -> Picture:
    """Mean AUC over the cost of training, a mark for each run, joined for each way of training.

    Args:
        results: one row a run: way, auc, low, high, multiply_adds, seconds.
        baseline: AUC of what the runs must beat.
        baseline_name: what that is.

    Example:
        >>> rows = {"way": ["frozen"], "auc": [0.7], "low": [0.6], "high": [0.8]}
        >>> rows |= {"multiply_adds": [1e9], "seconds": [9]}
        >>> auc_by_cost(pd.DataFrame(rows), 0.6, "no pixels")
        Picture: Mean test AUC with 95 % intervals over the multiply-add operations and over the seconds of training, \
for 1 way of training (frozen); a dotted line marks the baseline (no pixels).
    """
    figure, panels = canvas(1, 2, width=10, height=3.8, sharey=True)
    costs = {"multiply_adds": "multiply-add operations of training", "seconds": "seconds of training on this machine"}
    for axes, (column, label) in zip(panels, costs.items(), strict=True):
        _draw_runs(axes, results, column, baseline, baseline_name)
        axes.set(xscale="log", xlabel=f"{label} (logarithmic)")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        axes.minorticks_off()
    panels[0].set(ylabel="mean AUC, test part")
    panels[1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    over = "the multiply-add operations and over the seconds of training,"
    return Picture(figure, _told(results, over, baseline_name))


def auc_by_errors(results: pd.DataFrame) -> Picture:
    """Mean AUC over the errors in the labels that one learns from, and over those in the labels that judge.

    Args:
        results: one row a training and way to judge: recipe, errors_in_training, errors_in_judging (times the miner's
            own), auc.

    Example:
        >>> rows = {"recipe": "frozen", "errors_in_training": [0, 3, 0], "errors_in_judging": [0, 0, 3]}
        >>> auc_by_errors(pd.DataFrame(rows | {"auc": [0.9, 0.8, 0.7]}))
        Picture: Mean AUC over the errors in the training labels (left) and in the labels that judge (right) for frozen.
    """
    figure, axes = canvas(1, 2, width=9.5, height=4.6, sharey=True)
    sides = {
        "errors_in_training": ("errors_in_judging", "Learned from errors, judged by truth"),
        "errors_in_judging": ("errors_in_training", "Learned from truth, judged by errors"),
    }
    names = results["recipe"].unique()
    for axis, (side, (other, title)) in zip(axes, sides.items(), strict=True):
        for number, (name, colour, marker) in enumerate(zip(names, CYCLE, MARKERS, strict=False)):
            rows = results[(results["recipe"] == name) & (results[other] == 0)]
            if rows[side].nunique() > 1:
                nudge = 0.06 * (number - (len(names) - 1) / 2)  # side by side, so that no dot hides another
                means = rows.groupby(side)["auc"].mean()
                axis.plot(rows[side] + nudge, rows["auc"], marker, color=colour, markersize=4, alpha=0.6, label=name)
                axis.plot(means.index + nudge, means, color=colour)
        axis.set(xlabel="errors in the labels, times those of the course's miner", title=title)
        axis.set_xticks(sorted(results[side].unique()))
    axes[0].set_ylabel("mean AUC over the findings, test part")
    legend = {name: handle for axis in axes for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(legend.values(), legend, loc="outside lower center", ncols=2)
    told = "over the errors in the training labels (left) and in the labels that judge (right)"
    return Picture(figure, f"Mean AUC {told} for {', '.join(names)}.")


def _draw_runs(
    axes: Axes, results: pd.DataFrame, x: str, baseline: float, baseline_name: str, nudge: float = 0.0
) -> None:
    for number, (way, rows) in enumerate(results.groupby("way", sort=False)):
        rows = rows.sort_values(x)
        place = rows[x] * (1 + nudge) ** (number - 1)  # side by side, so that the bars do not hide each other
        bars = [rows["auc"] - rows["low"], rows["high"] - rows["auc"]]
        style = {"color": CYCLE[number], "marker": MARKERS[number % len(MARKERS)], "capsize": 3, "label": way}
        axes.errorbar(place, rows["auc"], bars, **style)
    axes.axhline(baseline, linestyle=":", color=PALETTE["grey"], label=baseline_name)


def _told(results: pd.DataFrame, over: str, baseline_name: str) -> str:
    ways = results["way"].unique()
    return (
        f"Mean test AUC with 95 % intervals over {over} for {len(ways)} way{'s' * (len(ways) > 1)} of training "
        f"({', '.join(ways)}); a dotted line marks the baseline ({baseline_name})."
    )
