"""From a score to a yes or no: thresholds, and what they cost and bring.

A threshold is chosen on the validation part and applied to the test part. Chosen on the test part it fits
that part's noise, and every figure that follows is flattered. An image is called positive where score >=
threshold.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from cxr_utils.alignment import Table, align
from cxr_utils.errors import CxrError
from cxr_utils.metrics import roc_points


def youden_thresholds(truth: Table, scores: Table) -> pd.Series:
    """The threshold of each finding where sensitivity + specificity is largest (Youden, Cancer 1950).

    Args:
        truth: labels of the validation part, (images, findings).
        scores: scores of the same images.

    Returns:
        Series over findings; of equally good thresholds the highest; NaN where a class is absent.

    Raises:
        DataError: where truth and scores do not fit together.

    Example:
        >>> youden_thresholds(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.6, 0.8])).tolist()
        [0.6]
    """

    def best(curve: pd.DataFrame) -> int:
        # Rounded, so that 1 - 1/3 and 2/3 - 0 are equally good.
        return (curve["sensitivity"] - curve["false_positive_rate"]).round(12).idxmax()

    return _choose(truth, scores, best)


def sensitivity_thresholds(truth: Table, scores: Table, at_least: float = 0.9) -> pd.Series:
    """The highest threshold of each finding that still finds this share of the positive images.

    Args:
        truth: labels of the validation part, (images, findings).
        scores: scores of the same images.
        at_least: the sensitivity to reach, above 0 and at most 1.

    Returns:
        Series over findings; NaN where a class is absent.

    Raises:
        CxrError: where `at_least` is no share, or truth and scores do not fit together.

    Example:
        >>> truth, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.8])
        >>> sensitivity_thresholds(truth, scores, at_least=0.9).tolist()
        [0.4]
    """
    _refuse_share(at_least)
    return _choose(truth, scores, lambda curve: (curve["sensitivity"] >= at_least - 1e-12).idxmax())


def ppv_thresholds(truth: Table, scores: Table, at_least: float = 0.5) -> pd.Series:
    """The lowest threshold of each finding at which this share of the calls is right.

    The lowest, because it finds most positive images. The precision of few calls is noisy, so look at the
    number of calls too.

    Args:
        truth: labels of the validation part, (images, findings).
        scores: scores of the same images.
        at_least: the positive predictive value to reach, above 0 and at most 1.

    Returns:
        Series over findings; NaN where a class is absent or no threshold reaches the value.

    Raises:
        CxrError: where `at_least` is no share, or truth and scores do not fit together.

    Example:
        >>> ppv_thresholds(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.8]), at_least=0.6).tolist()
        [0.4]
    """
    _refuse_share(at_least)

    def lowest(curve: pd.DataFrame) -> int | None:
        reached = np.flatnonzero(curve["ppv"] >= at_least - 1e-12)
        return reached[-1] if len(reached) else None

    return _choose(truth, scores, lowest)


def cost_thresholds(truth: Table, scores: Table, miss: float, false_alarm: float = 1.0) -> pd.Series:
    """The threshold of each finding at which misses and false alarms together cost least.

    With calibrated probabilities no data are needed: act where the probability is at least
    false_alarm / (false_alarm + miss) (Elkan, IJCAI 2001). This finds the same from any scores.

    Args:
        truth: labels of the validation part, (images, findings).
        scores: scores of the same images.
        miss: what it costs not to call a positive image.
        false_alarm: what it costs to call a negative one, in the same unit.

    Returns:
        Series over findings; infinite where it is cheapest to call nobody; of equally cheap thresholds the
        highest; NaN where a class is absent.

    Raises:
        CxrError: where a cost is not above 0, or truth and scores do not fit together.

    Example:
        >>> truth, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.8])
        >>> [cost_thresholds(truth, scores, miss).item() for miss in (0.5, 9)]
        [0.8, 0.4]
    """
    if not (0 < miss < np.inf and 0 < false_alarm < np.inf):
        raise CxrError(
            f"Received miss={miss} and false_alarm={false_alarm}. Expected costs above 0, such as 10 and 1. "
            "To call everybody or nobody needs no threshold."
        )

    def cheapest(curve: pd.DataFrame) -> int:
        return (miss * (1 - curve["sensitivity"]) * curve["positives"] + false_alarm * curve["false"]).round(9).idxmin()

    return _choose(truth, scores, cheapest, none=True)


def operating_points(truth: Table, scores: Table, thresholds: float | Mapping | pd.Series) -> pd.DataFrame:
    """What each finding's threshold brings: the four counts and the figures made of them.

    Args:
        truth: labels, (images, findings).
        scores: scores of the same images.
        thresholds: one number for all findings, or one for each by name; NaN where none could be chosen.

    Returns:
        Index: findings. Columns: threshold, prevalence, accuracy, sensitivity, specificity, ppv, npv, f1 and
        the counts tp, fp, fn, tn. A figure whose denominator is zero (the ppv where nothing is called) is
        NaN; a finding without a threshold has NaN in all but prevalence.

    Raises:
        CxrError: where a finding has no entry in thresholds, or truth and scores do not fit together.

    Example:
        >>> table = operating_points(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.8]), 0.5)
        >>> table[["sensitivity", "specificity", "ppv", "f1", "tp", "tn"]].values.tolist()
        [[0.5, 0.5, 0.5, 0.5, 1.0, 1.0]]
    """
    truth, scores = align(truth, scores)
    threshold = _by_finding(thresholds, truth.columns)
    present, called = truth.to_numpy() == 1, scores.to_numpy() >= threshold
    cells = {
        "tp": present & called,
        "fp": ~present & called,
        "fn": present & ~called,
        "tn": ~present & ~called,
    }
    tp, fp, fn, tn = (np.where(np.isnan(threshold), np.nan, cell.sum(axis=0)) for cell in cells.values())
    columns = {
        "threshold": threshold,
        "prevalence": present.mean(axis=0),
        "accuracy": _ratio(tp + tn, tp + fp + fn + tn),
        "sensitivity": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "ppv": _ratio(tp, tp + fp),
        "npv": _ratio(tn, tn + fn),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
    }
    counts = {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
    return pd.DataFrame(columns | counts, index=pd.Index(truth.columns, name="finding"))


def _choose(
    truth: Table, scores: Table, pick: Callable[[pd.DataFrame], int | None], *, none: bool = False
) -> pd.Series:
    """The threshold of the point that `pick` names on each finding's curve; "call none" is on it where `none`."""
    truth, scores = align(truth, scores)
    chosen = pd.Series(np.nan, index=pd.Index(truth.columns, name="finding"), name="threshold")
    for name in truth:
        present = truth[name].to_numpy()
        if 0 < present.sum() < len(present):
            curve = roc_points(present, scores[name].to_numpy()).iloc[0 if none else 1 :].reset_index(drop=True)
            curve["positives"] = present.sum()
            curve["false"] = curve["false_positive_rate"] * (len(present) - present.sum())
            found = curve["sensitivity"] * present.sum()
            curve["ppv"] = found / (found + curve["false"])
            point = pick(curve)
            chosen[name] = np.nan if point is None else curve["threshold"].iloc[point]
    return chosen


def _by_finding(thresholds: float | Mapping | pd.Series, findings: pd.Index) -> np.ndarray:
    """One threshold for each finding, in their order."""
    if not isinstance(thresholds, Mapping | pd.Series):
        return np.full(len(findings), float(thresholds))
    missing = [name for name in findings if name not in thresholds]
    if missing:
        raise CxrError(
            f"There is no threshold for {', '.join(map(str, missing))}. Expected one for each "
            "finding. Choose them on the same findings of the validation part."
        )
    return np.array([thresholds[name] for name in findings], dtype=np.float64)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _refuse_share(at_least: float) -> None:
    if not 0 < at_least <= 1:
        raise CxrError(
            f"Received at_least={at_least}. Expected a share above 0 and at most 1, for instance "
            "0.9. Write 90 % as 0.9."
        )
