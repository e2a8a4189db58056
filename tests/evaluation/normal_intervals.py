"""Normal intervals of areas, which need no resamples: what those of `cxr_utils.evaluation.intervals` are compared with.

DeLong, DeLong & Clarke-Pearson (Biometrics 1988): the variance of an area is that of its images' placements. With
patients as clusters it is Obuchowski's (Biometrics 1997).
"""

import numpy as np
import pandas as pd
from scipy import stats

from cxr_utils.errors import CxrError
from cxr_utils.evaluation.predictions import Patients, align, align_patients


def delong(truth: np.ndarray, scores: np.ndarray, patients: Patients | None = None) -> pd.Series:
    """One finding's area with its standard error and 95 % normal interval.

    Args:
        truth: (images,) labels 0 or 1, at least two of each.
        scores: (images,) finite.
        patients: (images,) the patient of each image; None takes every image for a patient of its own.

    Returns:
        Series auc, standard_error, low, high (cut at 0 and 1).

    Raises:
        CxrError: where a class has images of fewer than two patients, or the inputs do not fit together.

    """
    areas, covariance = _areas_and_covariance(truth, [scores], patients)
    error = float(np.sqrt(covariance[0, 0]))
    low, high = np.clip(areas[0] + stats.norm.ppf([0.025, 0.975]) * error, 0, 1)
    return pd.Series({"auc": areas[0], "standard_error": error, "low": low, "high": high})


def delong_test(
    truth: np.ndarray, scores_a: np.ndarray, scores_b: np.ndarray, patients: Patients | None = None
) -> pd.Series:
    """Are two models' areas on the same images different?

    Args:
        truth: (images,) labels 0 or 1, at least two of each.
        scores_a: (images,) of model a.
        scores_b: (images,) of model b.
        patients: (images,) the patient of each image; None takes every image for a patient of its own.

    Returns:
        Series difference (a minus b), standard_error, low, high (95 %), z, p_value (two-sided). Where the two
        models order all pairs alike, the standard error is 0, z NaN and the p-value 1.

    Raises:
        CxrError: where a class has images of fewer than two patients, or the inputs do not fit together.

    Example:
        >>> truth = [0, 0, 0, 1, 1, 1]
        >>> test = delong_test(truth, [1, 2, 4, 3, 5, 6], [4, 1, 3, 5, 2, 6])
        >>> test.round(3).to_dict()["difference"]  # 8/9 - 7/9
        0.111
    """
    areas, covariance = _areas_and_covariance(truth, [scores_a, scores_b], patients)
    difference = areas[0] - areas[1]
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    error = float(np.sqrt(variance)) if variance > 1e-15 else 0.0  # below it is rounding
    z = difference / error if error > 0 else np.nan
    low, high = difference + stats.norm.ppf([0.025, 0.975]) * error
    p_value = 2 * stats.norm.sf(abs(z)) if error > 0 else 1.0
    values = {"difference": difference, "standard_error": error, "low": low, "high": high, "z": z}
    return pd.Series(values | {"p_value": p_value})


def _areas_and_covariance(
    truth: np.ndarray, models: list[np.ndarray], patients: Patients | None
) -> tuple[np.ndarray, np.ndarray]:
    """Areas (models,) and their covariance (models, models), by midranks (Sun & Xu, IEEE SPL 2014)."""
    labels, table = align(np.column_stack([truth] * len(models)), np.column_stack(models))
    unit = np.arange(len(labels)) if patients is None else align_patients(np.asarray(patients), labels.index)
    known = labels.iloc[:, 0].notna().to_numpy()
    positive, unit = labels[known].to_numpy()[:, 0] == 1, unit[known]
    _refuse_too_few(positive, unit)
    positives, negatives = positive.sum(), (~positive).sum()
    scores = table[known].to_numpy().T  # (models, images)
    together = stats.rankdata(scores, axis=1)
    among_negatives = (together[:, positive] - stats.rankdata(scores[:, positive], axis=1)) / negatives
    among_positives = 1 - (together[:, ~positive] - stats.rankdata(scores[:, ~positive], axis=1)) / positives
    areas = among_negatives.mean(axis=1)
    # What each unit's images pull the area up or down: (models, units).
    up = _sums(among_negatives - areas[:, None], unit[positive], unit.max() + 1) / positives
    down = _sums(among_positives - areas[:, None], unit[~positive], unit.max() + 1) / negatives
    shared = _unbiased(len(np.unique(unit))) * (up @ down.T)
    covariance = _unbiased(len(np.unique(unit[positive]))) * (up @ up.T)
    covariance += _unbiased(len(np.unique(unit[~positive]))) * (down @ down.T)
    return areas, covariance + shared + shared.T


def _sums(values: np.ndarray, unit: np.ndarray, units: int) -> np.ndarray:
    """Sum of each row within each unit: (models, images) to (models, units)."""
    return np.stack([np.bincount(unit, weights=row, minlength=units) for row in values])


def _unbiased(count: int) -> float:
    return count / (count - 1)


def _refuse_too_few(positive: np.ndarray, unit: np.ndarray) -> None:
    counts = len(np.unique(unit[positive])), len(np.unique(unit[~positive]))
    if min(counts) < 2:
        raise CxrError(
            f"Received positive images of {counts[0]} and negative images of {counts[1]} patients (each image counts "
            "as one where no patients are given). Expected at least two of each. Use a larger part of the data."
        )
