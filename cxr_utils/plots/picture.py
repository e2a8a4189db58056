"""A figure that brings its own description, and the look that all figures of the course share."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008): told apart with the common colour-vision deficiencies.
PALETTE = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "grey": "#7F7F7F",
    "black": "#000000",
}
CYCLE = tuple(PALETTE[name] for name in ("blue", "orange", "green", "red", "purple", "sky", "grey", "black"))

STYLE = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so text measures the same on every machine
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": mpl.cycler(color=CYCLE),
    "grid.color": "#E5E5E5",
    "legend.frameon": False,
    "figure.dpi": 100,
    "image.cmap": "gray",
}


@dataclass(frozen=True, eq=False)
class Picture:
    """A finished figure with alternative text for those who cannot see it.

    JupyterLab and the HTML page show the PNG and carry `alt` along. The plain-text form is `alt` too, and
    that is what nbval compares, so `alt` never holds a number that a training run produced.

    Args:
        figure: a matplotlib figure; change it through `picture.figure.axes` and show the picture again.
        alt: one or two sentences that say what is plotted against what.

    Example:
        >>> figure, axes = canvas()
        >>> _ = axes.plot([0, 1], [0, 1])
        >>> Picture(figure, "A straight line from 0 to 1.")
        Picture: A straight line from 0 to 1.
    """

    figure: Figure
    alt: str

    def __repr__(self) -> str:
        return f"Picture: {self.alt}"

    def png(self) -> bytes:
        """The figure as PNG bytes, the same bytes for the same figure."""
        buffer = io.BytesIO()
        FigureCanvasAgg(self.figure)
        self.figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the PNG to `path` (beside, then renamed) and return the path."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".part")
        beside.write_bytes(self.png())
        return beside.replace(path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        return {"image/png": self.png(), "text/plain": repr(self)}, {"image/png": {"alt": self.alt}}


def canvas(
    rows: int = 1, columns: int = 1, *, width: float = 8.0, height: float = 4.0, **grid: Any
) -> tuple[Figure, Any]:
    """An empty figure in the course's style.

    Args:
        rows: rows of axes.
        columns: columns of axes.
        width: of the figure, inches.
        height: of the figure, inches.
        **grid: passed on to `Figure.subplots` (`sharex`, `squeeze`, ...).

    Returns:
        The figure and its axes, as `Figure.subplots` returns them.

    Example:
        >>> figure, axes = canvas(1, 2, width=6, height=3)
        >>> len(axes)
        2
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, **grid)
    for axis in np.ravel(axes):
        axis.set_prop_cycle(color=CYCLE)
    return figure, axes


def show_image(axis: Any, pixels: np.ndarray, title: str = "") -> None:
    """Draw one grey image without ticks; 8-bit pixels keep their scale, others are stretched."""
    limits = {"vmin": 0, "vmax": 255} if pixels.dtype == np.uint8 else {}
    axis.imshow(np.squeeze(pixels), cmap="gray", interpolation="nearest", **limits)
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    if title:
        axis.set_title(title, fontsize=9, loc="left")
