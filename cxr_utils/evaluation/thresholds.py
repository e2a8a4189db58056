"""From a score to a yes or no: thresholds, and what they cost and bring.

A threshold is chosen on the validation part and applied to the test part. Chosen on the test part it fits
that part's noise, and every figure that follows is flattered. An image is called positive where score >=
threshold.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from cxr_utils.errors import CxrError
from cxr_utils.evaluation.calibration import checked_probabilities
from cxr_utils.evaluation.curves import roc_points
from cxr_utils.evaluation.intervals import share_interval
from cxr_utils.evaluation.predictions import Patients, Table, align, align_patients, known

#: Thresholds of a curve where none are given: 1 % to 99 %.
THRESHOLDS = tuple(np.round(np.arange(0.01, 1, 0.01), 2).tolist())


def choose_thresholds(
    truth: Table,
    scores: Table,
    *,
    sensitivity: float | None = None,
    ppv: float | None = None,
    miss: float | None = None,
) -> pd.Series:
    """Choose a threshold for each finding, by one rule for all.

    Without a rule it is Youden's (Cancer 1950): sensitivity + specificity is largest. With calibrated probabilities a
    threshold by cost needs no data: act where the probability is at least 1 / (1 + miss) (Elkan, IJCAI 2001); this
    finds the same from any scores.

    Args:
        truth: labels of the validation part, (images, findings), NaN where unknown.
        scores: scores of the same images.
        sensitivity: the highest threshold that still finds this share of the positive images.
        ppv: the lowest threshold at which this share of the calls is right: it finds most positive images. The
            precision of few calls is noisy, so look at the number of calls too.
        miss: the threshold that costs least where a miss costs as much as so many false alarms.

    Returns:
        Series over findings; of equally good thresholds the highest; infinite where it is cheapest to call nobody;
        NaN where a class is absent or no threshold reaches the value.

    Raises:
        CxrError: where two rules are given, a share or a cost is none, or truth and scores do not fit together.

    Example:
        >>> truth, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.8])
        >>> [choose_thresholds(truth, scores, **rule).item() for rule in ({}, {"sensitivity": 0.9}, {"miss": 0.5})]
        [0.8, 0.4, 0.8]
    """
    rules = {"sensitivity": sensitivity, "ppv": ppv, "miss": miss}
    given = {name: value for name, value in rules.items() if value is not None}
    if len(given) > 1:
        raise CxrError(f"Received {' and '.join(given)}. Expected one rule, or none for Youden's. Choose one.")
    for name, value in given.items():
        _refuse_unusable(name, value)
    if sensitivity is not None:
        return _choose(truth, scores, lambda curve: (curve["sensitivity"] >= sensitivity - 1e-12).idxmax())
    if ppv is not None:
        return _choose(truth, scores, lambda curve: _lowest_precise(curve, ppv))
    if miss is not None:
        return _choose(truth, scores, lambda curve: _cheapest(curve, miss), none=True)
    return _choose(truth, scores, _most_above_the_diagonal)


def operating_points(
    truth: Table, scores: Table, thresholds: float | Mapping | pd.Series, patients: Patients | None = None
) -> pd.DataFrame:
    """What each finding's threshold brings: the four counts and the figures made of them.

    Args:
        truth: labels, (images, findings), NaN where unknown: such an image is in none of a finding's counts.
        scores: scores of the same images.
        thresholds: one number for all findings, or one for each by name; NaN where none could be chosen.
        patients: (images,) the patient of each image, for intervals.

    Returns:
        Index: findings. Columns: threshold, prevalence, accuracy, sensitivity, specificity, ppv, npv, f1 and
        the counts tp, fp, fn, tn. A figure whose denominator is zero (the ppv where nothing is called) is
        NaN; a finding without a threshold has NaN in all but prevalence. With patients also accuracy_low,
        accuracy_high and so on: 95 % intervals of the five shares, for this threshold.

    Raises:
        CxrError: where a finding has no entry in thresholds, or truth and scores do not fit together.

    Example:
        >>> table = operating_points(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.8]), 0.5, list("pqrs"))
        >>> table[["sensitivity", "specificity", "ppv", "f1", "tp", "tn"]].values.tolist()
        [[0.5, 0.5, 0.5, 0.5, 1.0, 1.0]]
        >>> table[["ppv_low", "ppv_high"]].round(2).values.tolist()
        [[0.06, 0.94]]
    """
    truth, scores = align(truth, scores)
    threshold = _by_finding(thresholds, truth.columns)
    present, absent = ((truth.to_numpy() == label) & ~np.isnan(threshold) for label in (1, 0))
    called = scores.to_numpy() >= threshold
    tp, fp, fn, tn = cells = present & called, absent & called, present & ~called, absent & ~called
    counts = [np.where(np.isnan(threshold), np.nan, cell.sum(axis=0)) for cell in cells]
    shares = {
        "accuracy": (tp | tn, present | absent),
        "sensitivity": (tp, present),
        "specificity": (tn, absent),
        "ppv": (tp, tp | fp),
        "npv": (tn, fn | tn),
    }
    columns = {"threshold": threshold, "prevalence": (truth == 1).sum() / truth.notna().sum()}
    columns |= {name: _ratio(hits.sum(axis=0), among.sum(axis=0)) for name, (hits, among) in shares.items()}
    columns["f1"] = _ratio(2 * counts[0], 2 * counts[0] + counts[1] + counts[2])
    columns |= zip(("tp", "fp", "fn", "tn"), counts, strict=True)
    if patients is not None:
        patient = align_patients(patients, truth.index)
        for name, own in shares.items():
            columns[f"{name}_low"], columns[f"{name}_high"] = share_interval(*own, patient)
    return pd.DataFrame(columns, index=pd.Index(truth.columns, name="finding"))


def decision_curve(
    truth: np.ndarray, probabilities: np.ndarray, thresholds: Sequence[float] = THRESHOLDS
) -> pd.DataFrame:
    """Net benefit of acting on the model, on everybody and on nobody, at each threshold probability.

    Args:
        truth: (images,) labels 0 or 1.
        probabilities: (images,) between 0 and 1; an image is called where its probability >= threshold.
        thresholds: probabilities at which somebody would act, between 0 and 1 without the ends.

    Returns:
        Columns threshold, model, treat_all, treat_none (always 0).

    Raises:
        CxrError: where a probability or a threshold is out of range, or the inputs do not fit together.

    Example:
        >>> decision_curve([0, 0, 0, 1], [0.1, 0.2, 0.6, 0.8], [0.5]).values.tolist()  # 1/4 - 1/4 x 1
        [[0.5, 0.0, -0.5, 0.0]]
    """
    at = np.asarray(thresholds, dtype=np.float64)
    if at.size == 0 or not ((at > 0) & (at < 1)).all():
        raise CxrError(
            f"Received thresholds {at.tolist()}. Expected probabilities above 0 and below 1. Write 10 % as 0.1."
        )
    truth, probabilities = checked_probabilities(truth, probabilities)
    images, exchange = len(truth), at / (1 - at)
    by_class = (np.sort(probabilities[truth == label]) for label in (1, 0))
    found, false = (len(own) - np.searchsorted(own, at, side="left") for own in by_class)
    return pd.DataFrame(
        {
            "threshold": at,
            "model": found / images - false / images * exchange,
            "treat_all": truth.mean() - (1 - truth.mean()) * exchange,
            "treat_none": 0.0,
        }
    )


def _most_above_the_diagonal(curve: pd.DataFrame) -> int:
    # Rounded, so that 1 - 1/3 and 2/3 - 0 are equally good.
    return (curve["sensitivity"] - curve["false_positive_rate"]).round(12).idxmax()


def _lowest_precise(curve: pd.DataFrame, ppv: float) -> int | None:
    reached = np.flatnonzero(curve["ppv"] >= ppv - 1e-12)
    return reached[-1] if len(reached) else None


def _cheapest(curve: pd.DataFrame, miss: float) -> int:
    return (miss * (1 - curve["sensitivity"]) * curve["positives"] + curve["false"]).round(9).idxmin()


def _choose(
    truth: Table, scores: Table, pick: Callable[[pd.DataFrame], int | None], *, none: bool = False
) -> pd.Series:
    """The threshold of the point that `pick` names on each finding's curve; "call none" is on it where `none`."""
    truth, scores = align(truth, scores)
    chosen = pd.Series(np.nan, index=pd.Index(truth.columns, name="finding"), name="threshold")
    for name in truth:
        present, score = known(truth[name], scores[name])
        if 0 < present.sum() < len(present):
            curve = roc_points(present, score).iloc[0 if none else 1 :].reset_index(drop=True)
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


def _refuse_unusable(rule: str, value: float) -> None:
    most = np.inf if rule == "miss" else 1
    if not (0 < value <= most and np.isfinite(value)):
        raise CxrError(
            f"Received {rule}={value}. Expected a number above 0"
            + (": what a miss costs, in false alarms." if rule == "miss" else " and at most 1. Write 90 % as 0.9.")
        )
