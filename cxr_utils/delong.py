"""Standard errors of areas under ROC curves without resampling.

DeLong, DeLong & Clarke-Pearson (Biometrics 1988): an area is a mean over positive images of their placement
among the negative ones, and over negative images of theirs among the positive ones; the variances of the
placements give that of the area, and their covariances that of a difference of two models. The images count
as independent: with several images of a patient the interval is too narrow, and the patient bootstrap of
`metrics` is the one to report.
"""

import numpy as np
import pandas as pd
from scipy import stats

from cxr_utils.alignment import align
from cxr_utils.errors import CxrError


def delong(truth: np.ndarray, scores: np.ndarray) -> pd.Series:
    """One finding's area with its standard error and 95 % normal interval.

    Args:
        truth: (images,) labels 0 or 1, at least two of each.
        scores: (images,) finite.

    Returns:
        Series auc, standard_error, low, high (cut at 0 and 1).

    Raises:
        CxrError: where a class has fewer than two images, or the inputs do not fit together.

    Example:
        >>> delong([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).round(3).to_dict()
        {'auc': 0.75, 'standard_error': 0.354, 'low': 0.057, 'high': 1.0}
    """
    areas, covariance = _areas_and_covariance(truth, [scores])
    error = float(np.sqrt(covariance[0, 0]))
    low, high = np.clip(areas[0] + stats.norm.ppf([0.025, 0.975]) * error, 0, 1)
    return pd.Series({"auc": areas[0], "standard_error": error, "low": low, "high": high})


def delong_test(truth: np.ndarray, scores_a: np.ndarray, scores_b: np.ndarray) -> pd.Series:
    """Are two models' areas on the same images different?

    Args:
        truth: (images,) labels 0 or 1, at least two of each.
        scores_a: (images,) of model a.
        scores_b: (images,) of model b.

    Returns:
        Series difference (a minus b), standard_error, low, high (95 %), z, p_value (two-sided). Where the two
        models order all pairs alike, the standard error is 0, z NaN and the p-value 1.

    Raises:
        CxrError: where a class has fewer than two images, or the inputs do not fit together.

    Example:
        >>> truth = [0, 0, 0, 1, 1, 1]
        >>> test = delong_test(truth, [1, 2, 4, 3, 5, 6], [4, 1, 3, 5, 2, 6])
        >>> test.round(3).to_dict()["difference"]  # 8/9 - 7/9
        0.111
    """
    areas, covariance = _areas_and_covariance(truth, [scores_a, scores_b])
    difference = areas[0] - areas[1]
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    error = float(np.sqrt(variance)) if variance > 1e-15 else 0.0  # below it is rounding
    z = difference / error if error > 0 else np.nan
    low, high = difference + stats.norm.ppf([0.025, 0.975]) * error
    p_value = 2 * stats.norm.sf(abs(z)) if error > 0 else 1.0
    values = {"difference": difference, "standard_error": error, "low": low, "high": high, "z": z}
    return pd.Series(values | {"p_value": p_value})


def _areas_and_covariance(truth: np.ndarray, models: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Areas (models,) and their covariance (models, models), by midranks (Sun & Xu, IEEE SPL 2014)."""
    truth, scores = align(np.column_stack([truth] * len(models)), np.column_stack(models))
    positive = truth.to_numpy()[:, 0] == 1
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if min(positives, negatives) < 2:
        raise CxrError(
            f"Received {positives} positive and {negatives} negative images. Expected at least two of each. "
            "Use a larger part of the data."
        )
    scores = scores.to_numpy().T  # (models, images)
    together = stats.rankdata(scores, axis=1)
    among_negatives = (together[:, positive] - stats.rankdata(scores[:, positive], axis=1)) / negatives
    among_positives = 1 - (together[:, ~positive] - stats.rankdata(scores[:, ~positive], axis=1)) / positives
    covariance = np.cov(among_negatives) / positives + np.cov(among_positives) / negatives
    return among_negatives.mean(axis=1), np.atleast_2d(covariance)
