"""Figures of an image table: how often, together with what, in whom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .picture import PALETTE, Picture, canvas


def finding_counts(table: pd.DataFrame, findings: Sequence[str]) -> Picture:
    """Images that bear each finding, the commonest on top.

    Args:
        table: a contract table with one 0/1 column a finding.
        findings: names of those columns.

    Example:
        >>> table = pd.DataFrame({"Mass": [1, 1, 0], "Hernia": [0, 1, 0]})
        >>> finding_counts(table, ["Mass", "Hernia"])
        Picture: Bars of the number of images with each of 2 findings, from Mass (2) down to Hernia (1).
    """
    counts = table[list(findings)].sum().sort_values(kind="stable")
    figure, axes = canvas(width=8, height=0.8 + 0.3 * len(counts))
    bars = axes.barh(counts.index.str.replace("_", " "), counts, color=PALETTE["blue"])
    axes.bar_label(bars, [f"{count:,} ({count / len(table):.1%})" for count in counts], padding=4, fontsize=9)
    axes.set(xlabel=f"images of {len(table):,} (one image can count several times)", title="How often is each finding?")
    axes.set_xlim(0, counts.max() * 1.22)
    axes.grid(False, axis="y")
    most, least = counts.index[-1], counts.index[0]
    return Picture(
        figure,
        f"Bars of the number of images with each of {len(counts)} findings, from {most} ({counts[most]}) "
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
        pd.DataFrame(colour, index=names, columns=names), ax=axes, cmap="RdBu_r", center=0, vmin=-2, vmax=2, square=True,
        annot=pd.DataFrame(ratio, index=names, columns=names), fmt=".1f", annot_kws={"size": 8}, linewidths=0.5,
        cbar_kws={"label": "observed over expected pairs (factor)", "shrink": 0.8},
    )  # fmt: skip
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
    capped = per_patient.clip(upper=10).value_counts().reindex(range(1, 11), fill_value=0)
    figure, axes = canvas(width=8, height=3.4)
    bars = axes.bar([*map(str, range(1, 10)), "10+"], capped, color=PALETTE["green"])
    axes.bar_label(bars, [f"{count:,}" if count else "" for count in capped], fontsize=9, padding=2)
    axes.set(xlabel="images of one patient", ylabel="patients", title="Patients return")
    axes.grid(False, axis="x")
    returning = int((per_patient > 1).sum())
    return Picture(
        figure,
        "Bars of the number of patients by their number of images: "
        f"{returning} of {len(per_patient)} patients have more than one.",
    )


def age_sex_view(table: pd.DataFrame) -> Picture:
    """Ages by sex, and the share of images with any finding by view, as far as the table knows them.

    Args:
        table: a contract table with at least one of `age`, `sex`, `view`, and a column `any_finding` (0/1).

    Example:
        >>> rows = {"age": [50.0, 60.0], "sex": ["F", "M"], "view": ["PA", "AP"], "any_finding": [0, 1]}
        >>> age_sex_view(pd.DataFrame(rows))
        Picture: Histogram of age in years by sex; bars of the share of images with a finding for each view.
    """
    figure, (left, right) = canvas(1, 2, width=9, height=3.4)
    bins = np.arange(0, 101, 5)
    for sex, colour, style in (("F", PALETTE["orange"], "-"), ("M", PALETTE["blue"], "--")):
        ages = table.loc[table.get("sex", "F") == sex, "age"] if "age" in table else []
        left.hist(ages, bins=bins, histtype="step", linewidth=2, color=colour, linestyle=style, label=sex)
    left.set(xlabel="age (years)", ylabel="images", title="Age by sex")
    left.legend(title="sex")
    shares = table.groupby("view")["any_finding"].agg(["mean", "size"]) if "view" in table else pd.DataFrame()
    if len(shares):
        bars = right.bar(shares.index, shares["mean"], color=PALETTE["sky"], width=0.6)
        right.bar_label(bars, [f"{share:.0%} of {size:,}" for share, size in shares.itertuples(index=False)], fontsize=9)
    right.set(xlabel="view", ylabel="share with any finding", ylim=(0, 1), title="Who is X-rayed in bed is sicker")
    right.grid(False, axis="x")
    return Picture(
        figure, "Histogram of age in years by sex; bars of the share of images with a finding for each view."
    )
