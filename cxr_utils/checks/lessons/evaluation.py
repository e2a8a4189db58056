"""Exercises of lesson 05: measuring a classifier."""

from collections.abc import Callable

import numpy as np

from ..exercise import Answer, Case, exercise

_TRUTH, _SCORE = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0]), np.array([0.9, 0.8, 0.7, 0.2, 0.8, 0.3, 0.2, 0.1, 0.1])
_PATIENTS = np.array(["ann", "bob", "ann", "cy", "ann", "bob"])


def _rates(truth: np.ndarray, called: np.ndarray) -> tuple[float, float]:
    return called[truth == 1].mean(), called[truth == 0].mean()


def _counts(truth: np.ndarray, called: np.ndarray, of: int) -> tuple[float, float]:
    return called[truth == 1].sum() / of, called[truth == 0].sum() / of


@exercise(
    "Which images are called, and which share of the positive and of the negative ones is that?",
    cases=[
        Case((_TRUTH, _SCORE, 0.75), (0.5, 0.2)),
        Case((_TRUTH, _SCORE, 0.8), (0.5, 0.2), "A score that equals the threshold is a call."),
        Case((_TRUTH, _SCORE, 0.15), (1.0, 0.6), "Any number can be the threshold."),
        Case((_TRUTH, _SCORE, 2.0), (0.0, 0.0), "There may be no call at all."),
    ],
    mistakes=[
        ("The sensitivity comes first.", lambda y, s, t: _rates(y, s >= t)[::-1]),
        ("Which share of the negatives is called?", lambda y, s, t: (_rates(y, s >= t)[0], _rates(y, s < t)[1])),
        ("Scores above the threshold are calls.", lambda y, s, t: _rates(y, s < t)),
        ("A count is no share yet.", lambda y, s, t: _counts(y, s >= t, 1)),
        ("Shares of the positives and of the negatives, not of all.", lambda y, s, t: _counts(y, s >= t, len(y))),
        ("Divide by the positives, not by the calls.", lambda y, s, t: (y[s >= t].mean(), _rates(y, s >= t)[1])),
        ("Divide by the negatives, not by the calls.", lambda y, s, t: (_rates(y, s >= t)[0], 1 - y[s >= t].mean())),
    ],
)
def rates_at(truth: np.ndarray, score: np.ndarray, threshold: float) -> tuple[float, float]:
    """Sensitivity and false positive rate."""
    return _rates(truth, score >= threshold)


def _won(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    gap = positive[:, np.newaxis] - negative
    return (gap > 0) + (gap == 0) / 2


@exercise(
    "Every positive meets every negative: how many of these pairs does the positive win?",
    cases=[
        Case((np.array([0.2, 0.7]), np.array([0.1, 0.6, 0.3, 0.65, 0.69])), 6 / 10),
        Case((np.array([0.1]), np.array([0.2, 0.3])), 0.0, "An area below one half is possible."),
        Case((np.array([0.5, 0.9]), np.array([0.5, 0.2])), 3.5 / 4, "A tie is neither won nor lost."),
    ],
    mistakes=[
        ("Every positive meets every negative, not its neighbour.", lambda p, n: (p > n).mean()),
        ("Divide by the number of pairs.", lambda p, n: _won(p, n).sum()),
        ("Here the negatives win.", lambda p, n: 1 - _won(p, n).mean()),
        ("Every positive meets every negative, not its neighbour.", lambda p, n: np.mean([*map(np.greater, p, n)])),
        ("Compare with each negative, not with one number.", lambda p, n: float(p.mean() > n.mean())),
        ("Compare with each negative, not with one number.", lambda p, n: (p > n.max()).mean()),
    ],
)
def auc_by_pairs(positive: np.ndarray, negative: np.ndarray) -> float:
    """How often a positive image scores above a negative one."""
    return _won(positive, negative).mean()


def _in_any_order(answer: Answer) -> Callable[[np.ndarray, np.ndarray], object]:
    def sorted_rows(patients: np.ndarray, drawn: np.ndarray) -> object:
        rows = answer(patients, drawn)
        try:
            return None if rows is None else np.sort(np.asarray(rows))
        except (TypeError, ValueError):  # no flat list of numbers; the verdict shows what it is
            return rows

    return sorted_rows


def _rows(patients: np.ndarray, drawn: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(patients == one) for one in drawn]


@exercise(
    "Which rows has each of the drawn patients, and how often was each drawn?",
    asked=_in_any_order,
    cases=[
        Case((_PATIENTS, np.array(["cy"])), [3]),
        Case((_PATIENTS, np.array(["ann", "cy"])), [0, 2, 3, 4], "Ann brings all of her images."),
        Case((_PATIENTS, np.array(["bob", "cy", "bob"])), [1, 1, 3, 5, 5], "Bob was drawn twice."),
    ],
    mistakes=[
        ("Count the rows from 0.", lambda patients, drawn: 1 + np.concatenate(_rows(patients, drawn))),
        ("Return row numbers, not a mask.", lambda patients, drawn: np.isin(patients, drawn)),
        ("Return row numbers, not names.", lambda patients, drawn: patients[np.concatenate(_rows(patients, drawn))]),
        ("Join the rows of the patients into one flat array.", _rows),
    ],
)
def replicate(patients: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The rows of all images of the drawn patients; their order is free."""
    return np.concatenate(_rows(patients, drawn))


@exercise(
    "Count 1,000 people: how many true calls are there, and how many false ones?",
    cases=[
        # of 1000 people 10 are ill: 8 are found; of the 990 others 99 are called by mistake
        Case((0.8, 0.9, 0.01), 8 / 107),
        Case((0.8, 0.95, 0.2), 160 / 200, "The prevalence is not always the same."),
        Case((0.6, 1.0, 0.1), 1.0, "There may be no false call."),
    ],
    mistakes=[
        ("This is the sensitivity; who are all that are called?", lambda a, b, p: a),
        ("These are the true calls among all people.", lambda a, b, p: a * p),
        ("How many are ill, and how many are not?", lambda a, b, p: a / (a + 1 - b)),
        ("The sensitivity is a share of the ill.", lambda a, b, p: b * p / (b * p + (1 - a) * (1 - p))),
        ("The specificity is the share that is not called.", lambda a, b, p: a * p / (a * p + b * (1 - p))),
        ("This is the negative predictive value.", lambda a, b, p: b * (1 - p) / (b * (1 - p) + (1 - a) * p)),
    ],
)
def ppv(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Of those who are called, the share who have the finding."""
    found = sensitivity * prevalence
    return found / (found + (1 - specificity) * (1 - prevalence))
