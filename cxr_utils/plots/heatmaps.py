"""Figures of heat maps: what they are a sum of, where they point, and whether they know the network."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import pandas as pd

from ..errors import Missing
from .picture import CYCLE, MARKERS, PALETTE, Picture, canvas, draw_boxes, draw_forest, panels, show_image

_NAMES = {
    "hit": "share of maps that point into the box",
    "energy": "share of the heat in the box",
    "iou": "overlap with the box at the best threshold",
    "iou_area": "overlap with the box over all thresholds",
}


def feature_sum(pixels: np.ndarray, features: np.ndarray, weights: np.ndarray, finding: str, shown: int = 4) -> Picture:
    """A radiograph, the feature maps that count most for a finding, each with its weight, and the weighted sum of all.

    Args:
        pixels: uint8 (height, width).
        features: (h, w, c) last feature maps of this image.
        weights: (c,) of the finding.
        finding: its name; a lesson may choose it by a trained number, so the alternative text leaves it out.
        shown: how many feature maps to show.

    Example:
        >>> feature_sum(np.zeros((8, 8), np.uint8), np.ones((2, 2, 3)), np.array([1.0, 0.0, -1.0]), "Mass", shown=2)
        Picture: A radiograph, the 2 feature maps that count most for one finding, and the weighted sum of all 3 maps.
    """
    share = features.mean(axis=(0, 1)) * weights
    order = np.argsort(-np.abs(share))[:shown]
    figure, axes = canvas(1, shown + 2, width=2.05 * (shown + 2), height=2.6)
    show_image(axes[0], pixels, finding.replace("_", " "))
    for axis, channel in zip(axes[1:-1], order, strict=False):
        axis.imshow(features[..., channel], cmap="gray", interpolation="nearest")
        axis.set_title(f"map {channel}, weight {weights[channel]:+.2f}", fontsize=9, loc="left")
    total = features @ weights
    limit = np.abs(total).max() or 1.0
    drawn = axes[-1].imshow(total, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    axes[-1].set_title(f"weighted sum of all {len(weights)}", fontsize=9, loc="left")
    bar = figure.colorbar(drawn, ax=axes[-1], shrink=0.75, ticks=[-limit, 0, limit])
    bar.ax.set_yticklabels(["against", "0", "for"], fontsize=8)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
    return Picture(
        figure,
        f"A radiograph, the {shown} feature maps that count most for one finding, and the weighted sum of all "
        f"{len(weights)} maps.",
    )


def heat_gallery(
    pictures: Sequence[np.ndarray],
    maps: Sequence[np.ndarray],
    titles: Sequence[str],
    boxes: Sequence[pd.DataFrame] | None = None,
    *,
    columns: int = 4,
    what: str = "",
) -> Picture | Missing:
    """Radiographs under their heat maps, with boxes where they are known. Cold places stay clear.

    Args:
        pictures: grey images, each (height, width), uint8 or float.
        maps: for each picture its heat map, (h, w) from 0 to 1, of any size.
        titles: one line a picture; may hold trained numbers, the alternative text does not repeat them.
        boxes: for each picture its rows of a box table: x, y, width, height as fractions of the image.
        columns: pictures in a row.
        what: what the pictures are, for the alternative text.

    Example:
        >>> heat_gallery([np.zeros((8, 8), np.uint8)], [np.ones((2, 2))], ["Mass 0.9"], what="surest images")
        Picture: 1 radiographs under heat maps: surest images.
    """
    if not len(pictures):
        return Missing("There is no such picture to show.")
    figure, axes = panels(len(pictures), columns, width=2.5, height=2.75)
    for number, (axis, pixels, heat, title) in enumerate(zip(axes.flat, pictures, maps, titles, strict=False)):
        show_image(axis, pixels, title)
        height, width = np.squeeze(pixels).shape
        fine = cv2.resize(np.asarray(heat, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        drawn = axis.imshow(fine, cmap="inferno", vmin=0, vmax=1, alpha=0.75 * np.sqrt(np.clip(fine, 0, 1)))
        draw_boxes(axis, boxes[number] if boxes is not None else None, (height, width))
    bar = figure.colorbar(drawn, ax=axes, shrink=0.6, aspect=30, ticks=[0, 1])
    bar.ax.set_yticklabels(["cold", "hot"])
    boxed = ", boxes drawn" if boxes is not None and any(map(len, boxes)) else ""
    return Picture(figure, f"{len(pictures)} radiographs under heat maps{boxed}: {what}.")


def score_forest(tables: Mapping[str, pd.DataFrame], score: str, title: str) -> Picture:
    """A score against boxes by finding or size, with intervals, for several kinds of maps.

    Args:
        tables: name of the map to its table from `heatmaps.Scored.summary`, same findings or sizes.
        score: "hit", "energy", "iou" or "iou_area".
        title: above the figure.

    Example:
        >>> row = {"maps": [5], "hit": [0.6], "hit_low": [0.4], "hit_high": [0.8]}
        >>> table = pd.DataFrame(row, index=["Mass"])
        >>> score_forest({"Grad-CAM": table, "centre": table}, "hit", "Test")
        Picture: Test: share of maps that point into the box, by finding, with 95 % intervals, for Grad-CAM, centre.
    """
    first = next(iter(tables.values()))
    figure, axes = canvas(width=8, height=1.5 + (0.2 + 0.11 * len(tables)) * len(first))
    names = [f"{name} ({maps:.0f})" for name, maps in first["maps"].items()]
    draw_forest(axes, tables, (score, f"{score}_low", f"{score}_high"), names, spread=0.34)
    axes.set(xlabel=f"{_NAMES[score]}, with 95 % interval over patients", title=title, xlim=(-0.02, 1.02))
    figure.legend(loc="outside lower center", ncols=len(tables))
    by = first.index.name or "finding"
    return Picture(figure, f"{title}: {_NAMES[score]}, by {by}, with 95 % intervals, for {', '.join(tables)}.")


def overlap_curves(tables: Mapping[str, pd.DataFrame], title: str) -> Picture:
    """How hot region and box overlap, over the threshold that a place must pass to count as hot.

    Args:
        tables: name of the map to its table from `heatmaps.Scored.summary`; the row "all" is drawn.
        title: above the figure.

    Example:
        >>> columns = [f"iou_at_{at}{end}" for at in (0.3, 0.6) for end in ("", "_low", "_high")]
        >>> table = pd.DataFrame(0.2, index=["all"], columns=columns)
        >>> overlap_curves({"Grad-CAM": table, "centre": table}, "Test")
        Picture: Test: overlap of hot region and box against the threshold, with 95 % bands, for Grad-CAM, centre.
    """
    figure, axes = canvas(width=7, height=3.8)
    for (name, table), colour, marker in zip(tables.items(), CYCLE, MARKERS, strict=False):
        at = [column for column in table if column.startswith("iou_at_") and not column.endswith(("_low", "_high"))]
        thresholds = [float(column.removeprefix("iou_at_")) for column in at]
        low, middle, high = (table.loc["all", [f"{one}{end}" for one in at]] for end in ("_low", "", "_high"))
        axes.fill_between(thresholds, low.astype(float), high.astype(float), color=colour, alpha=0.15, linewidth=0)
        axes.plot(thresholds, middle, f"{marker}-", color=colour, markersize=4, label=name)
    axes.set(xlabel="threshold, as a share of the map's maximum", title=title, ylim=(0, None))
    axes.set_ylabel("overlap with the box\n(intersection over union)")
    axes.xaxis.set_major_formatter("{x:.0%}")
    figure.legend(loc="outside lower center", ncols=len(tables))
    return Picture(
        figure,
        f"{title}: overlap of hot region and box against the threshold, with 95 % bands, for {', '.join(tables)}.",
    )


def randomised_layers(similarity: Mapping[str, np.ndarray]) -> Picture:
    """How like the trained network's heat maps are while its layers are made random one by one, from the top down.

    Args:
        similarity: name of the layer made random last, in the order of the steps, to rank correlations of single maps
            with the original ones; NaN are left out.

    Example:
        >>> randomised_layers({"logits": np.ones(3), "conv": np.array([0.1, 0.0, np.nan])})
        Picture: Median and middle half of the rank correlation with the original heat maps, after each of 2 layers \
was made random, from the last one down.
    """
    known = [values[~np.isnan(values)] for values in similarity.values()]
    known = [np.ones(1), *known]  # before the first step each map is itself
    low, middle, high = np.array([np.percentile(one, [25, 50, 75]) if len(one) else [np.nan] * 3 for one in known]).T
    steps = np.arange(len(known))
    figure, axes = canvas(width=8, height=4.2)
    axes.fill_between(steps, low, high, color=PALETTE["sky"], alpha=0.4, label="middle half of the maps")
    axes.plot(steps, middle, "o-", color=PALETTE["blue"], label="median")
    axes.axhline(0, color=PALETTE["grey"], linewidth=1)
    axes.set_xticks(steps, ["none", *similarity], rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_xlabel("made random up to this layer, from the last one down")
    axes.set_ylabel("rank correlation\nwith the trained map")
    axes.set_title("Does the map know what the network has learned?")
    axes.legend()
    return Picture(
        figure,
        "Median and middle half of the rank correlation with the original heat maps, after each of "
        f"{len(similarity)} layers was made random, from the last one down.",
    )
