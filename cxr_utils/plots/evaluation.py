"""Figures of an evaluation: curves, intervals, thresholds, probabilities, groups."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from ..errors import Missing
from .picture import CYCLE, LINES, MARKERS, PALETTE, Picture, canvas, draw_forest, name_rows, panels


def roc_and_pr(
    roc: Mapping[str, pd.DataFrame], precision_recall: Mapping[str, pd.DataFrame], prevalence: float, title: str
) -> Picture:
    """ROC curves and precision-recall curves of one finding side by side, each with its line of chance.

    Args:
        roc: name of the model to its `evaluation.roc_points`.
        precision_recall: name of the model to its `evaluation.pr_points`.
        prevalence: share of positive images, where a score that knows nothing lies.
        title: the finding, the part and its size.

    Example:
        >>> roc = pd.DataFrame({"false_positive_rate": [0, 0, 1], "sensitivity": [0, 0.5, 1]})
        >>> steps = pd.DataFrame({"recall": [0.5, 1], "precision": [1, 0.5]})
        >>> roc_and_pr({"model": roc}, {"model": steps}, 0.5, "Mass")
        Picture: Mass: sensitivity against false positive rate (left), precision against recall (right), for model.
    """
    figure, (left, right) = canvas(1, 2, width=9.5, height=4.4)
    for name, style, colour in zip(roc, LINES, CYCLE, strict=False):
        left.plot(
            roc[name]["false_positive_rate"], roc[name]["sensitivity"], style, color=colour, linewidth=2, label=name
        )
        steps = precision_recall[name]
        right.step(steps["recall"], steps["precision"], style, where="pre", color=colour, linewidth=2, label=name)
    left.plot([0, 1], [0, 1], color=PALETTE["grey"], linewidth=1, label="chance")
    right.axhline(prevalence, color=PALETTE["grey"], linewidth=1, label="chance (right: the prevalence)")
    left.set(xlabel="false positive rate (1 - specificity)", ylabel="sensitivity", aspect="equal", title="ROC")
    right.set(xlabel="recall (sensitivity)", ylabel="precision (PPV)", xlim=(0, 1), ylim=(0, 1.02))
    right.set_title("Precision-recall")
    figure.legend(handles=right.get_legend_handles_labels()[0], loc="outside lower center", ncols=len(roc) + 1)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return Picture(
        figure,
        f"{title}: sensitivity against false positive rate (left), precision against recall (right), "
        f"for {', '.join(roc)}.",
    )


def mean_curves(roc: Mapping[str, pd.DataFrame], precision_recall: Mapping[str, pd.DataFrame], title: str) -> Picture:
    """ROC and precision-recall curves over all findings in one square: both run over the sensitivity.

    Args:
        roc: "macro", "micro" to `evaluation.macro_roc` and `evaluation.micro_roc`.
        precision_recall: the same for precision and recall.
        title: names what was averaged.

    Example:
        >>> roc = pd.DataFrame({"false_positive_rate": [0, 0, 1], "sensitivity": [0, 0.5, 1]})
        >>> steps = pd.DataFrame({"recall": [0.5, 1], "precision": [1, 0.5]})
        >>> mean_curves({"macro": roc}, {"macro": steps}, "All")
        Picture: All: sensitivity against false positive rate and precision against recall, macro.
    """
    figure, axes = canvas(width=5, height=4.6)
    for name, style in zip(roc, LINES, strict=False):
        curve, steps = roc[name], precision_recall[name]
        axes.plot(
            curve["false_positive_rate"], curve["sensitivity"], style, color=CYCLE[0], linewidth=2, label=f"ROC, {name}"
        )
        label = f"precision-recall, {name}"
        axes.step(steps["recall"], steps["precision"], style, where="pre", color=CYCLE[1], linewidth=2, label=label)
    axes.plot([0, 1], [0, 1], color=PALETTE["grey"], linewidth=1)
    axes.set(xlabel="false positive rate (ROC), recall", ylabel="sensitivity (ROC), precision")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", title=title)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    return Picture(
        figure, f"{title}: sensitivity against false positive rate and precision against recall, {', '.join(roc)}."
    )


def auc_forest(tables: Mapping[str, pd.DataFrame], title: str) -> Picture:
    """Areas under ROC curves with their 95 % intervals: a row a finding (or a network), a colour a score.

    Args:
        tables: name of the score to its `evaluation.auc_table`, or another table of auc, low and high; same rows.
            Rows of which the first says that patients are too few to trust the interval get a star.
        title: names the part and its number of patients.

    Example:
        >>> table = pd.DataFrame({"auc": [0.8], "low": [0.7], "high": [0.9]}, index=["Mass"])
        >>> auc_forest({"model": table, "no pixels": table}, "Test")
        Picture: Test: AUC of 1 rows with 95 % intervals, for model, no pixels.
    """
    first = next(iter(tables.values()))
    rows, few = first.index, first.get("reason", pd.Series("", first.index)).str.contains("too few")
    figure, axes = canvas(width=8, height=1.4 + (0.2 + 0.12 * len(tables)) * len(rows))
    names = [f"{row} *" if star else row for row, star in few.items()]
    draw_forest(axes, tables, ("auc", "low", "high"), names, spread=0.36 - 0.36 / len(tables))
    axes.axvline(0.5, color=PALETTE["grey"], linewidth=1)
    note = "\n* too few patients with or without the finding to trust the interval" if few.any() else ""
    axes.set(xlabel=f"AUC with 95 % interval (0.5 is chance){note}", title=title)
    figure.legend(loc="outside lower center", ncols=len(tables) if len(tables) < 4 else 2)
    return Picture(
        figure,
        f"{title}: AUC of {len(rows)} rows with 95 % intervals, for {', '.join(tables)}.",
    )


def difference_forest(tables: Mapping[str, pd.DataFrame], title: str) -> Picture:
    """Differences of mean AUC with their 95 % intervals, a panel a comparison, a row a training.

    Args:
        tables: name of the comparison to its table of difference, low and high, a row a training.
        title: of the figure.

    Example:
        >>> table = pd.DataFrame({"difference": [0.1, -0.2], "low": [0.0, -0.3], "high": [0.2, -0.1]})
        >>> difference_forest({"weighted - plain": table}, "Ten trainings")
        Picture: Ten trainings.
        weighted - plain in 2 trainings, from -0.200 to 0.100, 1 of the intervals off zero.
    """
    longest = max(map(len, tables.values()))
    figure, axes = canvas(1, len(tables), width=9.5, height=1.5 + 0.22 * longest, sharex=True, squeeze=False)
    told = []
    for axis, (name, table), colour in zip(axes.flat, tables.items(), CYCLE, strict=False):
        height = -np.arange(len(table))
        axis.hlines(height, table["low"], table["high"], color=colour, linewidth=1.6)
        axis.plot(table["difference"], height, "o", color=colour, markersize=5)
        axis.axvline(0, color=PALETTE["grey"], linewidth=1)
        axis.set(xlabel="difference of mean AUC, 95 % interval", title=name, yticks=[])
        off = int(((table["low"] > 0) | (table["high"] < 0)).sum())
        ends = f"from {table['difference'].min():.3f} to {table['difference'].max():.3f}"
        told.append(f"{name} in {len(table)} trainings, {ends}, {off} of the intervals off zero")
    axes.flat[0].set_ylabel("one row a training")
    figure.suptitle(title)
    return Picture(figure, f"{title}.\n{', '.join(told)}.")  # the first line stands beside a folded figure


def interval_widths(widths: pd.DataFrame) -> Picture:
    """How wide each finding's interval comes out, for several kinds of units.

    Args:
        widths: a row a finding, a column a kind of units; width of the 95 % interval.

    Example:
        >>> interval_widths(pd.DataFrame({"patients": [0.2], "images": [0.1]}, index=["Mass"]))
        Picture: Width of the 95 % interval of the AUC of 1 findings, over patients, over images.
    """
    figure, axes = canvas(width=8, height=1.4 + 0.3 * len(widths))
    height = name_rows(axes, widths.index)
    axes.hlines(height, widths.min(axis=1), widths.max(axis=1), color=PALETTE["grey"], linewidth=1.5)
    for column, colour, marker in zip(widths, CYCLE, MARKERS, strict=False):
        axes.plot(widths[column], height, marker, color=colour, markersize=7, label=f"over {column}")
    axes.set(xlabel="width of the 95 % interval of the AUC", title="How sure may we be?")
    axes.set_xlim(left=0)
    figure.legend(loc="outside lower center", ncols=widths.shape[1])
    return Picture(
        figure, f"Width of the 95 % interval of the AUC of {len(widths)} findings, over {', over '.join(widths)}."
    )


def widths_by_positives(curves: pd.DataFrame, tables: Mapping[str, pd.DataFrame], wanted: float) -> Picture:
    """How wide an AUC's interval is, against the number of positive images: expected, and in a run.

    Args:
        curves: expected widths; index: numbers of positive images, a column an AUC.
        tables: name of the score to its `evaluation.auc_table`, a row a finding.
        wanted: a width, drawn as a line.

    Example:
        >>> curves = pd.DataFrame({0.75: [0.3, 0.2]}, index=[10, 40])
        >>> table = pd.DataFrame({"auc": [0.7], "low": [0.6], "high": [0.8], "positives": [20]}, index=["Mass"])
        >>> widths_by_positives(curves, {"small": table}, 0.1)
        Picture: Width of the 95 % interval of an AUC against positive images, on logarithmic axes.
        Lines: expected at AUC 0.75. Marks: of the findings, for small.
    """
    figure, axes = canvas(width=8, height=4.4)
    for area, style in zip(curves, LINES, strict=False):
        axes.plot(curves.index, curves[area], style, color=PALETTE["black"], label=f"expected, AUC {area}")
    for (name, table), colour, marker in zip(tables.items(), CYCLE, MARKERS, strict=False):
        axes.plot(table["positives"], table["high"] - table["low"], marker, color=colour, label=name)
    axes.axhline(wanted, color=PALETTE["grey"], linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="positive images (logarithmic)")
    axes.set(ylabel="width of the 95 % interval (logarithmic)", title="How sure may we be?")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return Picture(
        figure,
        "Width of the 95 % interval of an AUC against positive images, on logarithmic axes.\n"  # it tells no answer
        f"Lines: expected at AUC {', '.join(map(str, curves))}. Marks: of the findings, for {', '.join(tables)}.",
    )


def confusion_matrices(points: pd.DataFrame, columns: int = 5) -> Picture:
    """A table of two by two counts for each finding: what is there against what is called.

    Args:
        points: from `evaluation.operating_points`: tp, fp, fn, tn of each finding.
        columns: matrices in a row.

    Example:
        >>> confusion_matrices(pd.DataFrame({"tp": [3.0], "fp": [1.0], "fn": [2.0], "tn": [4.0]}, index=["Mass"]))
        Picture: Confusion matrices of 1 findings: images called or not, against images with or without the finding.
    """
    columns = min(columns, len(points))
    figure, axes = panels(len(points), columns, width=max(2.0, 3.5 / columns), height=2.15, above=0.4)
    for number, (axis, (finding, row)) in enumerate(zip(axes.flat, points.iterrows(), strict=False)):
        counts = np.array([[row["tp"], row["fn"]], [row["fp"], row["tn"]]])
        _draw_matrix(axis, counts, finding.replace("_", " "), names=number % columns == 0)
    figure.suptitle("Rows: what is there. Columns: what is called. Colour: share of the row.", fontsize=10)
    return Picture(
        figure,
        f"Confusion matrices of {len(points)} findings: images called or not, against images with or without "
        "the finding.",
    )


def _draw_matrix(axis: Axes, counts: np.ndarray, title: str, *, names: bool) -> None:
    """Two by two counts, coloured by their share of the row; nothing where no threshold could be chosen."""
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        text = "-" if np.isnan(count) else f"{count:,.0f}"
        axis.text(column, row, text, ha="center", va="center", color="white" if share[row, column] > 0.55 else "black")
    axis.set_xticks([0, 1], ["called", "not"], fontsize=8)
    axis.set_yticks([0, 1], ["present", "absent"] if names else ["", ""], fontsize=8)
    axis.grid(False)
    axis.set_title(title, fontsize=9)


def ppv_by_prevalence(
    ppv: Callable[[float, float, float], float], sensitivity: float, specificity: float, here: float, finding: str
) -> Picture:
    """The chance that a call is right, and that a clearance is right, against prevalence.

    A clearance is a call of the other class: its chance is the same rule with both classes changed over.

    Args:
        ppv: gives the chance that a call is right from sensitivity, specificity and prevalence.
        sensitivity: of the test, 0 to 1.
        specificity: of the test, 0 to 1.
        here: prevalence in the part that was measured.
        finding: its name.

    Example:
        >>> def ppv(sensitivity, specificity, prevalence):
        ...     found, false = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
        ...     return found / (found + false)
        >>> ppv_by_prevalence(ppv, 0.9, 0.8, 0.1, "Mass")
        Picture: Mass: positive and negative predictive value against prevalence on a logarithmic axis.
    """
    prevalence = np.geomspace(0.0005, 0.9, 200)
    called = [ppv(sensitivity, specificity, share) for share in prevalence]
    cleared = [ppv(specificity, sensitivity, 1 - share) for share in prevalence]
    figure, axes = canvas(width=7.5, height=3.8)
    axes.plot(prevalence, called, color=CYCLE[0], linewidth=2, label="PPV: a call is right")
    axes.plot(prevalence, cleared, "--", color=CYCLE[1], linewidth=2, label="NPV: a clearance is right")
    axes.axvline(here, color=PALETTE["grey"], linewidth=1, label="prevalence in this test part")
    axes.set(xscale="log", xlabel="prevalence (share of people with the finding)", ylabel="probability", ylim=(0, 1.02))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title(f"{finding.replace('_', ' ')}: the same model in other waiting rooms")
    axes.legend(loc="center left")
    return Picture(
        figure, f"{finding}: positive and negative predictive value against prevalence on a logarithmic axis."
    )


def reliability(tables: Mapping[str, pd.DataFrame], title: str) -> Picture:
    """Reliability diagram: observed frequency against predicted probability in bins of equally many images.

    Args:
        tables: name of the scores to its `evaluation.reliability_table`; intervals are drawn where it has them.
        title: the finding and the part.

    Example:
        >>> bins = pd.DataFrame({"predicted": [0.1, 0.6], "observed": [0.0, 0.5], "images": [10, 10]})
        >>> reliability({"plain": bins, "weighted": bins}, "Mass")
        Picture: Mass: observed frequency against mean predicted probability in bins, for plain, weighted.
    """
    figure, axes = canvas(width=5.8, height=5)
    axes.plot([0, 1], [0, 1], color=PALETTE["grey"], linewidth=1, label="perfect")
    for (name, table), colour, marker, style in zip(tables.items(), CYCLE, MARKERS, LINES, strict=False):
        axes.plot(table["predicted"], table["observed"], marker + style, color=colour, markersize=5, label=name)
        if "low" in table:
            axes.vlines(table["predicted"], table["low"], table["high"], color=colour, linewidth=1, alpha=0.6)
    fewest, most = min(t["images"].min() for t in tables.values()), max(t["images"].max() for t in tables.values())
    axes.set(xlabel=f"mean predicted probability of the bin ({fewest:.0f} to {most:.0f} images each)")
    axes.set(ylabel="observed share with the finding" + ", 95 % interval" * any("low" in t for t in tables.values()))
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", title=title)
    axes.legend(loc="upper left")
    return Picture(
        figure, f"{title}: observed frequency against mean predicted probability in bins, for {', '.join(tables)}."
    )


def subgroup_forest(groups: pd.DataFrame, whole: Sequence[float], title: str) -> Picture | Missing:
    """The AUC within each group with its 95 % interval, beside that of all images together.

    Args:
        groups: rows of `evaluation.subgroup_table`: characteristic, group, auc (those without are left out), low, high.
            Where there is a column adjusted_p, it is written beside each group.
        whole: auc, low, high of all images.
        title: the finding and the part.

    Example:
        >>> rows = pd.DataFrame({"characteristic": ["sex"], "group": ["F"], "auc": [0.8], "low": [0.7], "high": [0.9]})
        >>> subgroup_forest(rows, [0.8, 0.75, 0.85], "Mass")
        Picture: Mass: AUC with 95 % interval within 1 groups, with a band for all images.
    """
    groups = groups[groups["auc"].notna()]
    if groups.empty:
        return Missing("No group is large enough.")
    figure, axes = canvas(width=8, height=1.4 + 0.34 * len(groups))
    height = name_rows(axes, [f"{row.characteristic}: {row.group}" for row in groups.itertuples()])
    axes.axvspan(whole[1], whole[2], color=PALETTE["sky"], alpha=0.3, label="all images, 95 % interval")
    axes.axvline(whole[0], color=PALETTE["blue"], linewidth=1)
    kinds = {name: CYCLE[number + 1] for number, name in enumerate(groups["characteristic"].unique())}
    for level, row in zip(height, groups.itertuples(), strict=True):
        axes.hlines(level, row.low, row.high, color=kinds[row.characteristic], linewidth=2)
        axes.plot(row.auc, level, "o", color=kinds[row.characteristic], markersize=6)
    axes.set(xlabel="area under the ROC curve", title=title)
    if "adjusted_p" in groups:
        _write_p_values(axes, height, groups["adjusted_p"])
    figure.legend(loc="outside lower center")
    return Picture(figure, f"{title}: AUC with 95 % interval within {len(groups)} groups, with a band for all images.")


def _write_p_values(axes: Axes, height: np.ndarray, p_values: pd.Series) -> None:
    """At the right edge, in figures of the axes' width, so that no interval is hidden."""
    for level, p_value in zip(height, p_values, strict=True):
        text = "" if np.isnan(p_value) else f"p = {p_value:.2f}" if p_value >= 0.01 else "p < 0.01"
        note = axes.annotate(
            text, (1, level), (4, 0), ("axes fraction", "data"), "offset points", annotation_clip=False
        )
        note.set(va="center", fontsize=8)


def decision_curves(tables: Mapping[str, pd.DataFrame], title: str) -> Picture:
    """Net benefit of acting on models, on everybody and on nobody, against the threshold probability.

    Args:
        tables: name of the model to its `evaluation.decision_curve`, all of the same images.
        title: the finding and the part.

    Example:
        >>> curve = {"threshold": [0.1, 0.5], "model": [0.2, 0.1], "treat_all": [0.2, -0.4], "treat_none": [0, 0]}
        >>> decision_curves({"network": pd.DataFrame(curve)}, "Mass")
        Picture: Mass: net benefit against threshold probability, for network, acting on all and acting on none.
    """
    figure, axes = canvas(width=7, height=4)
    first = next(iter(tables.values()))
    axes.plot(first["threshold"], first["treat_all"], color=PALETTE["grey"], linewidth=1.5, label="act on all")
    axes.axhline(0, color=PALETTE["black"], linewidth=1.5, label="act on none")
    for (name, table), colour, style in zip(tables.items(), CYCLE, LINES, strict=False):
        axes.plot(table["threshold"], table["model"], style, color=colour, linewidth=2, label=name)
    best = max(first["treat_all"].max(), *(table["model"].max() for table in tables.values()), 0.01)
    axes.set(xlim=(0, 1), ylim=(-0.3 * best, 1.1 * best), title=title)
    axes.set(xlabel="threshold: act where the probability is at least this", ylabel="net benefit per image")
    axes.legend(loc="upper right")
    return Picture(
        figure,
        f"{title}: net benefit against threshold probability, for {', '.join(tables)}, acting on all and acting on "
        "none.",
    )
