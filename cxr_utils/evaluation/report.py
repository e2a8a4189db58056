"""An evaluation as a table, as text and as JSON, and systems side by side."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import cxr_utils
from cxr_utils.evaluation.evaluation import Evaluation

if TYPE_CHECKING:
    from IPython.display import Markdown

_HEADINGS = ("system", "AUC (lowest to highest)", "precision", "recall", "mean AUC of findings", "seconds", "weights")


def as_json(evaluation: Evaluation) -> dict:
    """All tables as lists of records; what is not a number is null, so that every JSON reader takes it.

    Args:
        evaluation: from `evaluation.evaluate`.
    """
    tables = {
        "auc": evaluation.areas,
        "average_precision": evaluation.precision,
        "operating_points": evaluation.points,
        "calibration": evaluation.calibration,
    }
    tables = {name: table.reset_index() for name, table in tables.items()}
    tables |= {
        "subgroups": evaluation.groups,
        "reliability": evaluation.reliability,
        "decision_curve": evaluation.decision,
    }
    return {
        "version": cxr_utils.__version__,
        "about": evaluation.about,
        "micro": {name: _plain(value) for name, value in evaluation.micro.items()},
        **{name: _records(table) for name, table in tables.items()},
        "baselines": {name: _records(table.reset_index()) for name, table in evaluation.baselines.items()},
        "shown": evaluation.shown,
        "notes": evaluation.notes,
    }


def summary(evaluation: Evaluation) -> pd.DataFrame:
    """The table of the page: one row a finding and their mean.

    Args:
        evaluation: from `evaluation.evaluate`.

    Returns:
        Index: findings and "mean". Columns: positives, unknown (labels, where there are any), prevalence, auc, low,
        high, one auc for each baseline, ap, threshold, sensitivity, specificity, ppv, npv, f1, accuracy (these where
        there are thresholds), ece, and reason.
    """
    points = evaluation.precision[["prevalence"]].drop("mean") if evaluation.points.empty else evaluation.points
    points = points.filter(regex="^(?!.*(_low|_high|^[tf][pn])$)")
    means = points.drop(columns="threshold", errors="ignore").mean().to_frame("mean").T
    points = pd.concat([points, means]).reindex(columns=points.columns)
    table = evaluation.areas.filter(["positives", "unknown"]).join(points[["prevalence"]])
    table = table.join(evaluation.areas[["auc", "low", "high"]])
    for name, areas in evaluation.baselines.items():
        table[name] = areas["auc"]
    table["ap"] = evaluation.precision["ap"]
    table = table.join(points.drop(columns="prevalence"))
    if not evaluation.calibration.empty:
        error = evaluation.calibration["ece"]
        table["ece"] = error.reindex(table.index).fillna({"mean": error.mean()})
    return table.assign(reason=evaluation.areas["reason"])


def as_text(evaluation: Evaluation) -> str:
    """The same for a terminal: the table, how thresholds were chosen, what was left out.

    Args:
        evaluation: from `evaluation.evaluate`.
    """
    about = evaluation.about
    columns = ["positives", "unknown", "auc", "low", "high", *evaluation.baselines, "ap", "sensitivity", "specificity"]
    table = summary(evaluation).filter([*columns, "ppv", "reason"]).round(3)
    opening = (
        f"{about['data']}, part {about['part']}: {about['images']:,} images of {about['patients']:,} patients\n"
        f"thresholds: {about['thresholds']}"
    )
    return "\n".join([opening, table.to_string(na_rep="-"), *(f"note: {note}" for note in evaluation.notes)])


def _records(table: pd.DataFrame) -> list[dict]:
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain(value: object) -> object:
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def systems_table(trainings: pd.DataFrame) -> "Markdown":
    """A table of systems, each trained several times, as Markdown.

    Args:
        trainings: a row a training: recipe, auc, precision, recall and mean_auc (over single findings, from 0 to 1),
            seconds (of training) and weights (how many), as `measured("systems")`. What a system does not have is NaN
            and stays empty.

    Returns:
        What a notebook shows as a table; its `data` is the Markdown. Shares are means over the trainings, seconds those
        of the fastest.

    Example:
        >>> row = {"recipe": "course", "precision": 0.9, "recall": 0.6, "mean_auc": np.nan, "seconds": 61.4}
        >>> rows = [row | {"auc": auc, "weights": 7e6} for auc in (0.7, 0.9)]
        >>> print(systems_table(pd.DataFrame(rows)).data)
        | system | AUC (lowest to highest) | precision | recall | mean AUC of findings | seconds | weights |
        |:--|--:|--:|--:|--:|--:|--:|
        | course | 0.80 (0.70 to 0.90) | 0.90 | 0.60 |  | 61 | 7,000,000 |
    """
    from IPython.display import Markdown

    lines = [_HEADINGS, (":--", *["--:"] * (len(_HEADINGS) - 1))]
    for name, rows in trainings.groupby("recipe", sort=False):
        ends = f" ({rows['auc'].min():.2f} to {rows['auc'].max():.2f})" if len(rows) > 1 else ""
        shares = [_filled(rows[column].mean(), ".2f") for column in ("precision", "recall", "mean_auc")]
        taken = [_filled(rows[column].min(), ",.0f") for column in ("seconds", "weights")]
        lines.append((str(name), f"{rows['auc'].mean():.2f}{ends}", *shares, *taken))
    rows = [f"| {' | '.join(line)} |" for line in lines]
    rows[1] = f"|{'|'.join(lines[1])}|"
    return Markdown("\n".join(rows))


def _filled(value: float, form: str) -> str:
    return "" if np.isnan(value) else format(value, form)
