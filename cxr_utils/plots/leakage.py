"""Figures of what two parts of a split share, and what that is worth to a model."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from .picture import PALETTE, Picture, canvas

#: Colour and marker of each part: told apart without colour too.
_PARTS = {"train": ("blue", "o"), "valid": ("green", "^"), "test": ("orange", "s")}


def patients_by_part(table: pd.DataFrame, splits: Mapping[str, pd.Series], *, patients: int = 24) -> Picture:
    """The patients with most images, one row each, every image a mark that shows which part it went to.

    Args:
        table: a contract table.
        splits: how it was divided -> part of each row, with the table's index.
        patients: how many rows.

    Example:
        >>> table = pd.DataFrame({"patient": ["1", "1", "2"]})
        >>> patients_by_part(table, {"by image": pd.Series(["train", "test", "train"])}, patients=2)
        Picture: A grid for each split (by image): a row for each of 2 patients, a mark for each image, by its part.
    """
    images = table["patient"].value_counts().sort_index()
    busiest = images.sort_values(ascending=False, kind="stable").index[:patients]
    rows = table[table["patient"].isin(busiest)]
    place = pd.Series(range(len(busiest)), index=busiest)
    visit = rows.groupby("patient").cumcount() + 1
    size = {"width": 4.4 * len(splits), "height": 1.3 + 0.16 * len(busiest)}
    figure, axes = canvas(1, len(splits), **size, sharey=True, squeeze=False)
    for axis, (name, part) in zip(axes.flat, splits.items(), strict=True):
        chosen = part.loc[rows.index]
        for key, (colour, marker) in _PARTS.items():
            here = (chosen == key).to_numpy()
            where = visit[here], rows["patient"].map(place)[here]
            if here.any():
                axis.scatter(*where, s=26, marker=marker, color=PALETTE[colour], label=key)
        axis.set(xlabel="image of the patient", title=f"Divided {name}", xlim=(0, min(20, visit.max()) + 1), yticks=[])
        axis.grid(False)
    axes.flat[0].set_ylabel("one row a patient")
    axes.flat[0].invert_yaxis()
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return Picture(
        figure,
        f"A grid for each split ({', '.join(splits)}): a row for each of {len(busiest)} patients, a mark for each "
        "image, by its part.",
    )


def auc_by_split(results: pd.DataFrame) -> Picture:
    """Mean AUC with its interval for each way to score, under the leaky split and under the clean one.

    Args:
        results: columns scored_by, split ("by image" or "by patient"), auc, low, high; an interval may be NaN.

    Example:
        >>> row = {"scored_by": ["age"], "split": ["by image"], "auc": [0.6], "low": [0.5], "high": [0.7]}
        >>> auc_by_split(pd.DataFrame(row))
        Picture: Mean area under the ROC curve with 95 % interval for scores by age, test images divided by image.
    """
    ways, kinds = list(dict.fromkeys(results["scored_by"])), list(dict.fromkeys(results["split"]))
    figure, axes = canvas(width=8, height=1.3 + 0.62 * len(ways))
    for kind in kinds:
        rows = results[results["split"] == kind]
        leaky = kind == "by image"
        height = rows["scored_by"].map(ways.index) + (-0.14 if leaky else 0.14)
        axes.errorbar(
            rows["auc"], height, xerr=_arms(rows), fmt="s" if leaky else "o", capsize=4, markersize=7,
            color=PALETTE["orange" if leaky else "blue"], label=f"divided {kind}",
        )  # fmt: skip
    axes.axvline(0.5, color=PALETTE["grey"], linestyle="--", linewidth=1)
    axes.annotate("knows nothing", (0.5, -0.55), xytext=(4, 0), textcoords="offset points", color=PALETTE["grey"])
    axes.set(xlabel="mean AUC over findings on the test images", title="How far without a single pixel?")
    axes.set(yticks=range(len(ways)), yticklabels=ways, ylim=(len(ways) - 0.4, -0.8))
    axes.locator_params(axis="x", nbins=6)
    axes.grid(False, axis="y")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return Picture(
        figure,
        f"Mean area under the ROC curve with 95 % interval for scores by {', '.join(ways)}, test images divided "
        f"{' and '.join(kinds)}.",
    )


def known_and_strangers(known: pd.DataFrame, strangers: pd.DataFrame) -> Picture:
    """AUC of the same images, judged by a network that has met their patients and by one that has not.

    Args:
        known: as from `evaluation.auc_table`, the judges having met the patients.
        strangers: the same for judges who have not.

    Example:
        >>> rows = pd.DataFrame({"auc": [0.6, 0.6], "low": [0.5, 0.5], "high": [0.7, 0.7]}, index=["Mass", "mean"])
        >>> known_and_strangers(rows, rows)
        Picture: Area under the ROC curve of the same images, 1 findings and their mean, judged by networks that have \
met the patients and by networks that have not.
    """
    order = [*strangers["auc"].drop("mean").dropna().sort_values(ascending=False, kind="stable").index]
    names = [*order, "mean"]
    height = np.arange(len(names)) + np.where(np.array(names) == "mean", 0.5, 0)
    figure, axes = canvas(width=8, height=1.5 + 0.27 * len(names))
    before, after = strangers.loc[names], known.loc[names]
    axes.hlines(height, before["auc"], after["auc"], color=PALETTE["grey"], linewidth=1.5)
    for rows, name, colour, marker in (
        (before, "never met the patient", "blue", "o"),
        (after, "met the patient in training", "orange", "s"),
    ):
        axes.scatter(rows["auc"], height, s=36, color=PALETTE[colour], marker=marker, zorder=3, label=name)
        mean = rows.loc[["mean"]]
        offset = 0.16 if colour == "blue" else -0.16
        axes.errorbar(mean["auc"], height[-1:] + offset, xerr=_arms(mean), fmt="none", capsize=4, color=PALETTE[colour])
    axes.axvline(0.5, color=PALETTE["grey"], linestyle="--", linewidth=1)
    labels = [name.replace("_", " ") for name in order] + ["mean, with 95 % interval"]
    axes.set(xlabel="AUC of the same test images", yticks=height, yticklabels=labels, ylim=(height[-1] + 0.6, -0.7))
    axes.set_title("What it is worth to have met the patient")
    axes.grid(False, axis="y")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return Picture(
        figure,
        f"Area under the ROC curve of the same images, {len(order)} findings and their mean, judged by networks that "
        "have met the patients and by networks that have not.",
    )


def _arms(rows: pd.DataFrame) -> np.ndarray:
    """Lengths of the two arms of each interval: (2, rows); none where there is no interval."""
    return np.nan_to_num(np.stack([rows["auc"] - rows["low"], rows["high"] - rows["auc"]]).astype(float)).clip(0)
