"""Figures of not knowing: shares with their intervals, and what is left when a network may stay silent."""

from collections.abc import Mapping

import pandas as pd

from .picture import CYCLE, LINES, MARKERS, PALETTE, Picture, canvas, draw_forest


def share_forest(
    tables: Mapping[str, pd.DataFrame], what: str, title: str, *, promised: float | None = None
) -> Picture:
    """Shares with their 95 % intervals over patients: a row a group of answers, a colour a way.

    Args:
        tables: name of the way to its `evaluation.share_table`, same rows.
        what: is drawn, for the axis.
        title: names the part and its number of patients.
        promised: where a dashed line stands, such as the coverage that was promised.

    Example:
        >>> table = pd.DataFrame({"share": [0.9], "low": [0.8], "high": [0.95]}, index=["all"])
        >>> share_forest({"one limit": table}, "share of answers covered", "Test", promised=0.9)
        Picture: Test: share of answers covered in 1 rows with 95 % intervals, for one limit.
    """
    rows = next(iter(tables.values())).index
    figure, axes = canvas(width=8, height=1.5 + (0.25 + 0.15 * len(tables)) * len(rows))
    draw_forest(axes, tables, ("share", "low", "high"), rows, spread=0.36 - 0.36 / len(tables))
    if promised is not None:
        axes.axvline(promised, linestyle="--", color=PALETTE["black"], linewidth=1, label="promised")
    axes.set(xlabel=f"{what}, with 95 % interval over patients", title=title, xlim=(-0.02, 1.02))
    axes.set_ylim(-0.6, len(rows) - 0.4)
    figure.legend(loc="outside lower center", ncols=3)
    return Picture(figure, f"{title}: {what} in {len(rows)} rows with 95 % intervals, for {', '.join(tables)}.")


def silence(curve: pd.DataFrame, title: str) -> Picture:
    """What is left when a network answers only where it is surest, a panel a column.

    Args:
        curve: index: share of the answers that are given; each column is drawn over it.
        title: of the figure.

    Example:
        >>> curve = pd.DataFrame({"errors": [0.1, 0.05], "missed": [0.5, 0.6]}, index=[1.0, 0.5])
        >>> silence(curve, "Test")
        Picture: Test: errors; missed, against the share of the answers that are given.
    """
    figure, panels = canvas(1, curve.shape[1], width=3.4 * curve.shape[1], height=3.4, squeeze=False)
    for axes, name, colour, marker, style in zip(panels.flat, curve, CYCLE, MARKERS, LINES, strict=False):
        axes.plot(curve.index, curve[name], marker + style, color=colour, markersize=5)
        axes.set(
            xlabel="share of the answers that are given", title=name, ylim=(0, 1.08 * max(curve[name].max(), 0.01))
        )
        axes.invert_xaxis()
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return Picture(figure, f"{title}: {'; '.join(curve)}, against the share of the answers that are given.")
