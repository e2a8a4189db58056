"""Systems side by side: one row each, in a form that a lesson and the README can both show."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from IPython.display import Markdown

_HEADINGS = ("system", "AUC (95 % interval)", "precision", "recall", "mean AUC of findings", "seconds", "weights")


def systems_table(systems: pd.DataFrame) -> "Markdown":
    """A table of systems, as Markdown.

    Args:
        systems: a row a system: AUC, low, high, precision and recall (from 0 to 1), mean AUC (over single findings),
            seconds (of training) and weights (how many). What a system does not have is NaN and stays empty.

    Returns:
        What a notebook shows as a table; its `data` is the Markdown.

    Example:
        >>> row = {"AUC": 0.8, "low": 0.7, "high": 0.88, "precision": 0.9, "recall": 0.6, "mean AUC": np.nan}
        >>> print(systems_table(pd.DataFrame({"course": row | {"seconds": 61.4, "weights": 7e6}}).T).data)
        | system | AUC (95 % interval) | precision | recall | mean AUC of findings | seconds | weights |
        |:--|--:|--:|--:|--:|--:|--:|
        | course | 0.80 (0.70 to 0.88) | 0.90 | 0.60 |  | 61 | 7,000,000 |
    """
    from IPython.display import Markdown

    lines = [_HEADINGS, (":--", *["--:"] * (len(_HEADINGS) - 1))]
    for name, row in systems.iterrows():
        auc = f"{row['AUC']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
        shares = [_filled(row[column], ".2f") for column in ("precision", "recall", "mean AUC")]
        lines.append((str(name), auc, *shares, _filled(row["seconds"], ",.0f"), _filled(row["weights"], ",.0f")))
    rows = [f"| {' | '.join(line)} |" for line in lines]
    rows[1] = f"|{'|'.join(lines[1])}|"
    return Markdown("\n".join(rows))


def _filled(value: float, form: str) -> str:
    return "" if np.isnan(value) else format(value, form)
