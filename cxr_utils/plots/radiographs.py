"""Figures that show radiographs themselves."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..errors import Missing
from .picture import CYCLE, PALETTE, Picture, canvas, draw_boxes, panels, show_image


def gallery(
    pictures: Sequence[np.ndarray],
    titles: Sequence[str],
    boxes: Sequence[pd.DataFrame] | None = None,
    *,
    columns: int = 4,
    title: str = "",
) -> Picture | Missing:
    """Radiographs side by side, each with its title and, where given, its boxes.

    Args:
        pictures: grey images, each (height, width), uint8 or float.
        titles: one line an image.
        boxes: for each image its rows of a box table: finding, x, y, width, height as fractions of the image.
        columns: images in a row.
        title: above all of them.

    Example:
        >>> gallery([np.zeros((8, 8), np.uint8)], ["normal"])
        Picture: 1 radiographs: normal.
    """
    if not len(pictures):
        return Missing("There is no such picture to show.")
    figure, axes = panels(len(pictures), columns, width=2.4, height=2.65, above=0.3 * bool(title))
    for index, (axis, pixels, text) in enumerate(zip(axes.flat, pictures, titles, strict=False)):
        show_image(axis, pixels, text)
        draw_boxes(axis, boxes[index] if boxes is not None else None, np.squeeze(pixels).shape, named=True)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return Picture(figure, f"{len(pictures)} radiographs: {'; '.join(titles)}.")


def intensities(before: Sequence[np.ndarray], after: Sequence[np.ndarray], names: Sequence[str]) -> Picture:
    """Histograms of pixel values of a few images, as stored and as a network sees them.

    Args:
        before: 8-bit images.
        after: the same images, standardised (mean 0, standard deviation 1).
        names: one a image, for the legend.

    Example:
        >>> image = np.arange(256, dtype=np.uint8).reshape(16, 16)
        >>> intensities([image], [(image - 127.5) / 73.9], ["a"])
        Picture: Histograms of pixel values of 1 images, left as stored (0 to 255), right standardised around 0.
    """
    figure, (left, right) = canvas(1, 2, width=9, height=3.4)
    for colour, name, raw, standard in zip(CYCLE, names, before, after, strict=False):
        left.hist(np.ravel(raw), bins=64, range=(0, 255), density=True, histtype="step", color=colour, label=name)
        right.hist(np.ravel(standard), bins=64, range=(-3, 3), density=True, histtype="step", color=colour)
    left.set(xlabel="pixel value (8 bit)", ylabel="share of pixels per unit", title="As stored")
    right.set(xlabel="standardised value (standard deviations)", title="As the network sees them")
    right.axvline(0, color=PALETTE["grey"], linewidth=1)
    left.legend(fontsize=8)
    return Picture(
        figure,
        f"Histograms of pixel values of {len(before)} images, left as stored (0 to 255), right standardised around 0.",
    )
