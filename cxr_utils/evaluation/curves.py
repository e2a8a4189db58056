"""Curves over all thresholds: of one finding, and one for all findings.

A macro curve is the mean of the findings' curves. The area under it is the mean of their areas, because the mean is
taken at every false positive rate (or recall) at which any of them has a point. The curve of all labels thrown together
("micro") is `roc_points` of the ravelled tables: it compares an image's Hernia with another image's Effusion and so
rewards knowing which findings are common. Read it as a warning, not as a result. An image whose label is unknown (NaN)
is on no curve.
"""

import numpy as np
import pandas as pd

from cxr_utils.errors import CxrError
from cxr_utils.evaluation.predictions import Table, align, known


def roc_points(truth: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """The ROC curve of one finding: one point for each different score, from "call none" to "call all".

    Args:
        truth: (images,) labels 0 or 1, both present.
        scores: (images,) finite.

    Returns:
        Columns threshold (an image is called where score >= threshold; the first is infinite),
        false_positive_rate, sensitivity.

    Raises:
        CxrError: where all labels are equal, so that there is no curve.

    Example:
        >>> roc_points([0, 1, 1], [0.2, 0.2, 0.7]).round(2).values.tolist()
        [[inf, 0.0, 0.0], [0.7, 0.0, 0.5], [0.2, 1.0, 1.0]]
    """
    thresholds, found, false = counts_by_threshold(truth, scores)
    if not (found.any() and false.any()):
        raise CxrError(
            f"All {int(max(found + false, default=0))} labels are equal. Expected positive and negative "
            "images for an ROC curve. Leave this finding out, or use a larger part of the data."
        )
    return pd.DataFrame(
        {
            "threshold": np.r_[np.inf, thresholds],
            "false_positive_rate": np.r_[0, false / false[-1]],
            "sensitivity": np.r_[0, found / found[-1]],
        }
    )


def pr_points(truth: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """The precision-recall curve of one finding: one point for each different score, from high to low.

    Draw it in steps: between two points the precision is not the straight line (Davis & Goadrich, ICML 2006).

    Args:
        truth: (images,) labels 0 or 1, at least one of them 1.
        scores: (images,) finite.

    Returns:
        Columns threshold (an image is called where score >= threshold), recall, precision.

    Raises:
        CxrError: where no label is 1.

    Example:
        >>> pr_points([0, 1, 1], [0.2, 0.2, 0.7]).round(2).values.tolist()
        [[0.7, 0.5, 1.0], [0.2, 1.0, 0.67]]
    """
    thresholds, found, false = counts_by_threshold(truth, scores)
    if not found.any():
        raise CxrError(
            f"None of {int(max(false, default=0))} labels is 1. Expected at least one positive image for a "
            "precision-recall curve. Leave this finding out, or use a larger part of the data."
        )
    return pd.DataFrame({"threshold": thresholds, "recall": found / found[-1], "precision": found / (found + false)})


def counts_by_threshold(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each different score from high to low: it, and positive and negative images at or above it.

    Args:
        truth: (images,) labels 0 or 1.
        scores: (images,) finite.

    Returns:
        Three arrays, one place for each different score: the score, positives and negatives.

    Example:
        >>> [column.tolist() for column in counts_by_threshold([0, 1, 1], [0.2, 0.2, 0.7])]
        [[0.7, 0.2], [1.0, 2.0], [0.0, 1.0]]
    """
    truth, scores = known(truth, scores)
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.flatnonzero(np.diff(scores[order], append=np.inf))
    found = np.cumsum(truth[order], dtype=np.float64)[last_of_tie]
    return scores[order][last_of_tie], found, last_of_tie + 1 - found


def macro_roc(truth: Table, scores: Table) -> pd.DataFrame:
    """Mean sensitivity of the findings at each false positive rate.

    Args:
        truth: labels, (images, findings).
        scores: scores, (images, findings).

    Returns:
        Columns false_positive_rate, sensitivity, from (0, 0) to (1, 1); two rows where the mean curve rises
        vertically. Findings with one class only have no curve and are left out.

    Raises:
        CxrError: where no finding has both classes, or the inputs do not fit together.

    Example:
        >>> curve = macro_roc(np.array([[0, 1], [1, 0]]), np.array([[0.1, 0.2], [0.8, 0.7]]))
        >>> float(np.trapezoid(curve["sensitivity"], curve["false_positive_rate"]))  # areas 1 and 0
        0.5
    """
    truth, scores = _with_both_classes(truth, scores)
    curves = [roc_points(truth[name].to_numpy(), scores[name].to_numpy()) for name in truth]
    rates = [curve["false_positive_rate"].to_numpy() for curve in curves]
    grid = np.unique(np.concatenate(rates))
    sides = np.zeros((len(grid), 2))  # lower and upper end of a vertical step
    for rate, curve in zip(rates, curves, strict=True):
        found = curve["sensitivity"].to_numpy()
        between = np.interp(grid, rate, found)
        first, last = np.searchsorted(rate, grid, "left"), np.searchsorted(rate, grid, "right") - 1
        own = rate[first] == grid
        sides[:, 0] += np.where(own, found[first], between)
        sides[:, 1] += np.where(own, found[last], between)
    step = np.column_stack([np.repeat(grid, 2), sides.ravel() / len(curves)])
    kept = np.r_[True, (np.diff(step, axis=0) != 0).any(axis=1)]
    return pd.DataFrame(step[kept], columns=["false_positive_rate", "sensitivity"])


def macro_pr(truth: Table, scores: Table) -> pd.DataFrame:
    """Mean precision of the findings at each recall; the area under its steps is the mean average precision.

    Args:
        truth: labels, (images, findings).
        scores: scores, (images, findings).

    Returns:
        Columns recall, precision: the precision holds from the recall of the row before to this one. Findings
        without a positive image have no curve and are left out.

    Raises:
        CxrError: where no finding has a positive image, or the inputs do not fit together.

    Example:
        >>> macro_pr(np.array([[0, 1], [1, 0]]), np.array([[0.1, 0.2], [0.8, 0.7]])).values.tolist()
        [[1.0, 0.75]]
    """
    truth, scores = align(truth, scores)
    present = list(truth.columns[(truth == 1).any()])
    if not present:
        raise CxrError(f"None of {truth.size} labels is 1. Expected positive images. Use a larger part of the data.")
    curves = [pr_points(truth[name].to_numpy(), scores[name].to_numpy()) for name in present]
    grid = np.unique(np.concatenate([curve["recall"].to_numpy() for curve in curves]))
    grid = grid[grid > 0]
    precision = np.zeros(len(grid))
    for curve in curves:
        precision += curve["precision"].to_numpy()[np.searchsorted(curve["recall"].to_numpy(), grid, "left")]
    return pd.DataFrame({"recall": grid, "precision": precision / len(curves)})


def _with_both_classes(truth: Table, scores: Table) -> tuple[pd.DataFrame, pd.DataFrame]:
    truth, scores = align(truth, scores)
    both = list(truth.columns[(truth == 1).any() & (truth == 0).any()])
    if not both:
        raise CxrError(
            f"Each of {truth.shape[1]} findings has one class only. Expected positive and negative images of at least "
            "one. Use a larger part of the data."
        )
    return truth[both], scores[both]
