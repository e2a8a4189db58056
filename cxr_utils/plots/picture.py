"""A figure that brings its own description, and the look that all figures of the course share."""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..cache import written_whole

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
MARKERS = "osD^v"
LINES = ("-", "--", "-.", ":")

STYLE = mpl.RcParams(
    {
        "font.family": "DejaVu Sans",  # ships with matplotlib, so text measures the same on every machine
        "font.size": 10,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=CYCLE),
        "grid.color": "#E5E5E5",
        "legend.frameon": False,
        "figure.dpi": 100,
        "image.cmap": "gray",
    }
)


@dataclass(frozen=True, eq=False)
class Picture:
    """A finished figure with alternative text for those who cannot see it.

    The page and the site show the PNG with `alt`. JupyterLab shows the PNG without it, keeps it in the notebook's file,
    and names a folded figure by it. The plain-text form is `alt` too, and that is what nbval compares, so `alt` never
    holds a number that a training run produced.

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
        with written_whole(path) as beside:
            beside.write_bytes(self.png())
        return path

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
    return figure, axes


def show_image(axis: Axes, pixels: np.ndarray, title: str = "") -> None:
    """Draw one grey image without ticks; 8-bit pixels keep their scale, others are stretched."""
    low, high = (0, 255) if pixels.dtype == np.uint8 else (None, None)
    axis.imshow(np.squeeze(pixels), cmap="gray", interpolation="nearest", vmin=low, vmax=high)
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    if title:
        axis.set_title(title, fontsize=9, loc="left")


def panels(count: int, columns: int, *, width: float, height: float, above: float = 0.0) -> tuple[Figure, np.ndarray]:
    """A grid for some pictures; what is left over of the last row stays blank.

    Args:
        count: of pictures.
        columns: pictures in a row.
        width: of one picture's place, inches.
        height: of one picture's place, inches.
        above: room for a title, inches.

    Returns:
        The figure and its axes, shape (rows, columns).

    Example:
        >>> figure, axes = panels(5, 3, width=2, height=2)
        >>> axes.shape, figure.get_size_inches().tolist()
        ((2, 3), [6.0, 4.0])
    """
    rows = -(-count // columns)
    figure, axes = canvas(rows, columns, width=width * columns, height=height * rows + above, squeeze=False)
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    return figure, axes


def draw_boxes(axis: Axes, boxes: pd.DataFrame | None, shape: tuple[int, ...], *, named: bool = False) -> None:
    """Draw boxes over a picture of some shape (pixels): all in one colour, or each in its own and with its name.

    A row of `boxes` holds finding, x, y, width, height; the last four are fractions of the picture.
    """
    height, width = shape
    for box, colour in zip(() if boxes is None else boxes.itertuples(), cycle(CYCLE)):
        colour = colour if named else PALETTE["sky"]
        x, y = box.x * width - 0.5, box.y * height - 0.5  # the centre of the first pixel is at 0
        wide, high = box.width * width, box.height * height
        axis.add_patch(Rectangle((x, y), wide, high, fill=False, linewidth=1.8, edgecolor=colour))
        if named:
            right = box.x + box.width > 0.7  # there the name ends where the box ends, or it would be cut off
            place, end = (x + wide, "right") if right else (x, "left")
            style = {"facecolor": colour, "edgecolor": "none", "pad": 1}
            text = axis.text(place, y, _words(box.finding), fontsize=7, color="white", ha=end, va="bottom", bbox=style)
            text.set(clip_on=True, in_layout=False)


def name_rows(axis: Axes, names: Iterable[str]) -> np.ndarray:
    """Write a name beside each row, the first on top, and give back how high the rows lie.

    Example:
        >>> name_rows(canvas()[1], ["Mass", "Hernia"]).tolist()
        [1, 0]
    """
    words = [_words(name) for name in names]
    height = np.arange(len(words))[::-1]
    axis.set_yticks(height, words)
    axis.grid(False, axis="y")
    return height


def _words(name: str) -> str:
    return name.replace("_", " ")


def draw_forest(
    axis: Axes, tables: Mapping[str, pd.DataFrame], columns: tuple[str, str, str], names: Iterable[str], spread: float
) -> None:
    """Draw rows of estimates with their intervals, in a colour and with a marker of its own for each table.

    Args:
        axis: an empty one.
        tables: by their name in the legend; all have the rows of the first.
        columns: the estimate and the two ends of its interval.
        names: one a row.
        spread: how far the first table's marks lie above the row and the last one's below, in distances of rows.
    """
    value, low, high = columns
    height, rows = name_rows(axis, names), next(iter(tables.values())).index
    shift = np.linspace(spread, -spread, len(tables)) if len(tables) > 1 else [0.0]
    for (name, table), colour, marker, up in zip(tables.items(), CYCLE, MARKERS, shift, strict=False):
        table = table.loc[rows]
        axis.hlines(height + up, table[low], table[high], color=colour, linewidth=1.6)
        axis.plot(table[value], height + up, marker, color=colour, markersize=5, label=name)
