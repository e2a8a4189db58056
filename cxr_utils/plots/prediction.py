"""Figures of one prediction: probabilities and thresholds, where they come from, how usual the picture is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from .picture import CYCLE, PALETTE, Picture, canvas, draw_boxes, name_rows, show_image


def probability_bars(probability: pd.Series, threshold: pd.Series) -> Picture:
    """The probability of each finding, its threshold as a line across the bar, and what reaches it in colour.

    Args:
        probability: index finding, from 0 to 1.
        threshold: index finding; NaN where none could be chosen.

    Example:
        >>> probability_bars(pd.Series({"Mass": 0.2}), pd.Series({"Mass": 0.1}))
        Picture: Bars of the probabilities of 1 finding of one image, each with its threshold; bars that reach it are \
orange.
    """
    threshold = threshold.reindex(probability.index)
    figure, axes = canvas(width=7, height=1 + 0.26 * len(probability))
    places = name_rows(axes, probability.index)
    colours = np.where(probability >= threshold, PALETTE["orange"], PALETTE["sky"])
    axes.barh(places, probability, color=colours, height=0.7)
    axes.plot(threshold, places, "|", color=PALETTE["black"], markersize=13, markeredgewidth=2, label="threshold")
    axes.set(xlabel="probability", xlim=(0, 1))
    axes.legend(fontsize=8, loc="lower right")
    return Picture(
        figure,
        f"Bars of the probabilities of {len(probability)} finding{'s' * (len(probability) > 1)} of one image, each "
        "with its threshold; bars that reach it are orange.",
    )


def explanation(pixels: np.ndarray, heat: np.ndarray, finding: str, boxes: pd.DataFrame | None = None) -> Picture:
    """A radiograph, and beside it the same with a heat map over it; boxes where they are known.

    Args:
        pixels: uint8 (height, width).
        heat: from 0 to 1, of any size: it is stretched over the picture.
        finding: what the heat map speaks for.
        boxes: rows of a box table: x, y, width, height as fractions of the image.

    Example:
        >>> explanation(np.zeros((8, 8), np.uint8), np.ones((2, 2)), "Mass")
        Picture: A radiograph, and beside it the same one under a heat map of what speaks for Mass.
    """
    figure, (left, right) = canvas(1, 2, width=7.2, height=3.8)
    height, width = pixels.shape
    show_image(left, pixels, "the picture")
    show_image(right, pixels, f"what speaks for {finding.replace('_', ' ')}")
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    right.imshow(heat, cmap="inferno", alpha=0.45, vmin=0, vmax=1, interpolation="bilinear", extent=extent)
    draw_boxes(left, boxes, pixels.shape)
    drawn = " Boxes mark where the finding is." if boxes is not None and len(boxes) else ""
    return Picture(
        figure, f"A radiograph, and beside it the same one under a heat map of what speaks for {finding}.{drawn}"
    )


def likeness_histogram(usual: np.ndarray, limit: float, strangers: Mapping[str, float]) -> Picture:
    """How like the typical training image the pictures of a data set are, and where some strangers stand.

    Args:
        usual: likeness of each image of the data set, from -1 to 1.
        limit: below it a picture is flagged.
        strangers: likeness of some pictures, by name.

    Example:
        >>> likeness_histogram(np.array([0.8, 0.9]), 0.7, {"noise": 0.0})
        Picture: Histogram of the likeness of 2 images to the typical training image, with the limit below which a \
picture is flagged and lines for other pictures: noise.
    """
    figure, axes = canvas(width=8, height=3.4)
    axes.hist(usual, bins=np.linspace(-1, 1, 81), color=PALETTE["sky"], label="validation images")
    axes.axvline(limit, color=PALETTE["black"], linestyle="--", label="limit")
    colours = [colour for colour in CYCLE if colour not in (PALETTE["sky"], PALETTE["black"])]
    for number, (name, value) in enumerate(strangers.items()):
        style = ("-", "-.")[number // len(colours) % 2]
        axes.axvline(value, label=name, color=colours[number % len(colours)], linewidth=2, linestyle=style)
    axes.set(xlabel="likeness to the typical training image (correlation)", ylabel="images", xlim=(-1, 1))
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return Picture(
        figure,
        f"Histogram of the likeness of {len(usual)} images to the typical training image, with the limit below which a "
        f"picture is flagged and lines for other pictures: {', '.join(strangers)}.",
    )
