"""Figures of an image table: how often, together with what, in whom."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from .picture import PALETTE, Picture, canvas, draw_forest


def finding_counts(table: pd.DataFrame, shares: pd.Series) -> Picture:
    """Images that bear each finding, the commonest on top.

    Args:
        table: a contract table with one column a finding, 0, 1 or NaN.
        shares: share of the images, 0 to 1, by finding.

    Example:
        >>> table = pd.DataFrame({"Mass": [1, 1, 0], "Hernia": [0, 1, 0]})
        >>> finding_counts(table, table.mean())
        Picture: Bars of the number of images with each of 2 findings,
        from Mass (2) down to Hernia (1).
    """
    counts = table[shares.index].sum().astype(int).sort_values(kind="stable")
    figure, axes = canvas(width=8, height=0.8 + 0.3 * len(counts))
    bars = axes.barh(counts.index.str.replace("_", " "), counts, color=PALETTE["blue"])
    axes.bar_label(bars, [f"{counts[name]:,} ({shares[name]:.1%})" for name in counts.index], padding=4, fontsize=9)
    axes.set(xlabel=f"images of {len(table):,} (one image can count several times)", title="How often is each finding?")
    axes.set_xlim(0, counts.max() * 1.22)
    axes.grid(False, axis="y")
    most, least = counts.index[-1], counts.index[0]
    return Picture(
        figure,
        f"Bars of the number of images with each of {len(counts)} findings,\nfrom {most} ({counts[most]}) "
        f"down to {least} ({counts[least]}).",
    )


def co_occurrence(ratio: np.ndarray, findings: Sequence[str]) -> Picture:
    """How much more often two findings meet in one image than chance would bring them together.

    Args:
        ratio: observed over expected count of each pair, shape (k, k), NaN on the diagonal. Bad pairs may be NaN.
        findings: k names.

    Example:
        >>> co_occurrence(np.array([[np.nan, 2.0], [2.0, np.nan]]), ["Mass", "Hernia"])
        Picture: Matrix of 2 by 2 findings, coloured by how much more often than by chance a pair meets in one image.
    """
    import seaborn

    figure, axes = canvas(width=8.5, height=7)
    names = [name.replace("_", " ") for name in findings]
    with np.errstate(divide="ignore"):
        colour = np.log2(np.clip(ratio, 0.25, 4))
    seaborn.heatmap(
        pd.DataFrame(colour, index=names, columns=names),
        ax=axes,
        cmap="RdBu_r",
        center=0,
        vmin=-2,
        vmax=2,
        square=True,
        annot=pd.DataFrame(ratio, index=names, columns=names),
        fmt=".1f",
        annot_kws={"size": 8},
        linewidths=0.5,
        cbar_kws={"label": "observed over expected pairs (factor)", "shrink": 0.8},
    )
    bar = axes.collections[0].colorbar
    bar.set_ticks([-2, -1, 0, 1, 2], labels=["1/4", "1/2", "1", "2", "4"])
    axes.set_title("Which findings come together?")
    axes.grid(False)
    return Picture(
        figure,
        f"Matrix of {len(names)} by {len(names)} findings, coloured by how much more often than by chance "
        "a pair meets in one image.",
    )


def images_per_patient(table: pd.DataFrame) -> Picture:
    """How many images patients have, and which share of all images returning patients own.

    Example:
        >>> images_per_patient(pd.DataFrame({"patient": ["1", "1", "2"]}))
        Picture: Bars of the number of patients by their number of images: 1 of 2 patients have more than one.
    """
    per_patient = table["patient"].value_counts()
    most = min(int(per_patient.max()), 10)
    capped = per_patient.clip(upper=10).value_counts().reindex(range(1, most + 1), fill_value=0)
    figure, axes = canvas(width=8, height=3.4)
    bars = axes.bar(["10+" if count == 10 else str(count) for count in capped.index], capped, color=PALETTE["green"])
    axes.bar_label(bars, [f"{count:,}" if count else "" for count in capped], fontsize=9, padding=2)
    axes.set(xlabel="images of one patient", ylabel="patients", title="Patients return")
    axes.grid(False, axis="x")
    returning = int((per_patient > 1).sum())
    return Picture(
        figure,
        "Bars of the number of patients by their number of images: "
        f"{returning} of {len(per_patient)} patients have more than one.",
    )


def age_sex_view(table: pd.DataFrame, findings: Sequence[str]) -> Picture:
    """Ages by sex, and how much more frequent each finding is in one view than in the other.

    Args:
        table: a contract table; what it lacks of `age`, `sex` and `view` stays empty.
        findings: names of its 0/1 columns.

    Example:
        >>> rows = {"age": [50.0, 60.0], "sex": ["F", "M"], "view": ["PA", "AP"], "Mass": [1, 1]}
        >>> age_sex_view(pd.DataFrame(rows), ["Mass"])
        Picture: Histogram of age in years by sex; bars of each finding's frequency in AP views over that in PA views.
    """
    figure, (left, right) = canvas(1, 2, width=9.5, height=1.6 + 0.2 * len(findings) + 0.6)
    bins = np.arange(0, 101, 5)
    for sex, colour, style in (("F", PALETTE["orange"], "-"), ("M", PALETTE["blue"], "--")):
        ages = table.loc[table.get("sex", "F") == sex, "age"] if "age" in table else []
        left.hist(ages, bins=bins, histtype="step", linewidth=2, color=colour, linestyle=style, label=sex)
    left.set(xlabel="age (years)", ylabel="images", title="Age by sex")
    left.legend(title="sex")
    _view_ratios(right, table, findings)
    return Picture(
        figure, "Histogram of age in years by sex; bars of each finding's frequency in AP views over that in PA views."
    )


def _view_ratios(axis: Axes, table: pd.DataFrame, findings: Sequence[str]) -> None:
    """Bars from 1 (as frequent in both views) on a logarithmic axis; empty where there are not two views."""
    axis.set(xlabel="frequency in AP (in bed) over PA (standing)", title="Which findings are taken in bed?")
    if "view" not in table or not {"AP", "PA"} <= set(table["view"]):
        axis.set(xticks=[], yticks=[])
        return
    share = table.groupby("view")[list(findings)].mean()
    ratio = (share.loc["AP"] / share.loc["PA"]).replace([0, np.inf], np.nan).dropna().sort_values(kind="stable")
    axis.set_xscale("log", base=2)
    axis.barh(ratio.index.str.replace("_", " "), ratio - 1, left=1, color=PALETTE["sky"])
    axis.axvline(1, color=PALETTE["black"], linewidth=1)
    ticks = [tick for tick in (1 / 4, 1 / 2, 1, 2, 4, 8) if tick >= ratio.min() / 2 and tick <= ratio.max() * 2]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.grid(False, axis="y")


def label_errors(table: pd.DataFrame, title: str) -> Picture:
    """How many images with a finding its label misses, and how many of the labels are false, with 95 % intervals.

    Args:
        table: a row a finding, columns missed and false (shares) and their ends, such as missed_low and missed_high.
        title: whose labels, and on which images.

    Example:
        >>> row = {"missed": 0.2, "missed_low": 0.1, "missed_high": 0.4}
        >>> row |= {"false": 0, "false_low": 0, "false_high": 0.1}
        >>> label_errors(pd.DataFrame([row], index=["Mass"]), "Mined labels")
        Picture: Mined labels: share that is missed (left) and share that is false (right) in 1 rows, 95 % intervals.
    """
    figure, axes = canvas(1, 2, width=9.5, height=1.3 + 0.27 * len(table), sharex=True, sharey=True)
    asked = {
        "missed": ("Missed: the finding without the label", "share of the images with the finding"),
        "false": ("False: the label without the finding", "share of the images with the label"),
    }
    for axis, (name, (heading, words)) in zip(axes, asked.items(), strict=True):
        draw_forest(axis, {name: table}, (name, f"{name}_low", f"{name}_high"), table.index, 0.0)
        axis.set_xlim(left=0)
        axis.set_xlabel(f"{words}, 95 % interval")
        axis.set_title(heading, fontsize=9)
        axis.xaxis.set_major_formatter("{x:.0%}")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    told = "share that is missed (left) and share that is false (right)"
    return Picture(figure, f"{title}: {told} in {len(table)} rows, 95 % intervals.")
