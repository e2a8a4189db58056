"""Exercises of lesson 08: labels, their errors, and what they hide."""

import numpy as np

from ..exercise import Case, exercise

_NAN = np.nan
_TRUTH, _LABEL = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0]), np.array([1, 1, 1, 0, 0, 1, 0, 0, 0, 0])


def _both(truth: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    return (label == 0)[truth == 1].mean(), (truth == 0)[label == 1].mean()


@exercise(
    "Look at the images with the finding: which share lacks the label? Then at those with the label.",
    cases=[
        # of 5 images with the finding 2 lack the label; of 4 with the label 1 lacks the finding
        Case((_TRUTH, _LABEL), (2 / 5, 1 / 4)),
        Case((np.array([1, 1, 0, 0]), np.array([1, 1, 1, 1])), (0.0, 2 / 4), "A label may miss nothing."),
    ],
    mistakes=[
        ("The missed ones come first.", lambda y, m: _both(y, m)[::-1]),
        ("This is the share that the label finds.", lambda y, m: (1 - _both(y, m)[0], _both(y, m)[1])),
        ("This is the share of labels that are right.", lambda y, m: (_both(y, m)[0], 1 - _both(y, m)[1])),
        ("False ones: a share of the labels, not of the negatives.", lambda y, m: (_both(y, m)[0], m[y == 0].mean())),
        ("A count is no share yet.", lambda y, m: ((y > m).sum(), (y < m).sum())),
        ("Shares of some images, not of all.", lambda y, m: ((y > m).mean(), (y < m).mean())),
    ],
)
def missed_and_false(truth: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Which share of the findings lacks the label, and which share of the labels is false."""
    return _both(truth, label)


@exercise(
    "There are four kinds of pairs. How frequent is each, and how often is it won?",
    cases=[
        Case((0.8, 0.9), 0.85),  # .8 x .9 won; .8 x .1 and .2 x .9 tied: .72 + .26 / 2
        Case((1.0, 1.0), 1.0, "Perfect labels find nothing wrong with a perfect reader."),
        Case((0.3, 0.9), 0.6, "Labels may be bad."),
    ],
    mistakes=[
        ("A tie counts one half.", lambda p, n: p * n),
        ("A tie counts one half.", lambda p, n: p * n + p * (1 - n) + (1 - p) * n),
        ("The reader is perfect, but the labels are not.", lambda p, n: 1.0),
        ("Where both labels are wrong, the pair is lost.", lambda p, n: (p + n) / 2 + (1 - p) * (1 - n)),
        ("This is what is left of the distance from one half.", lambda p, n: p + n - 1),
    ],
)
def perfect_reader(ppv: float, npv: float) -> float:
    """What the AUC of a reader who says the truth is, judged by labels."""
    return (ppv * npv + 1 - (1 - ppv) * (1 - npv)) / 2


@exercise(
    "Solve the equation for the AUC by truth.",
    cases=[
        Case((0.71, 0.8, 0.9), 0.8),  # .5 + .7 x .3
        Case((0.71, 1.0, 1.0), 0.71, "Labels without errors leave nothing to undo."),
        Case((0.45, 0.6, 0.9), 0.4, "An AUC may lie below one half."),
    ],
    mistakes=[
        ("This is the way there, not back.", lambda a, p, n: 0.5 + (p + n - 1) * (a - 0.5)),
        ("What shrinks is the distance from one half.", lambda a, p, n: a / (p + n - 1)),
        ("A perfect reader's AUC is no factor of ours.", lambda a, p, n: 2 * a / (p + n)),
        ("Add the one half again.", lambda a, p, n: (a - 0.5) / (p + n - 1)),
        ("What shrinks is the distance from one half.", lambda a, p, n: 0.5 + a / (p + n - 1)),
    ],
)
def undo_labels(auc: float, ppv: float, npv: float) -> float:
    """What the AUC by truth would be, from the one by labels."""
    return (auc - 0.5) / (ppv - (1 - npv)) + 0.5


@exercise(
    "What becomes of the other positives, and what of the negatives?",
    cases=[
        Case((np.array([1, 1, 0, 0, 1]), np.array([1, 0, 0, 0, 1]) == 1), np.array([1, _NAN, 0, 0, 1])),
        Case(
            (np.array([1, 0, 1, 0]), np.array([0, 1, 1, 1]) == 1),
            np.array([_NAN, 0, 1, 0]),
            "A negative image is negative, chosen or not.",
        ),
    ],
    mistakes=[
        ("The other positives have the finding: they are no negatives.", lambda y, c: (y * c).astype(float)),
        ("All negatives stay.", lambda y, c: np.where(c, y, _NAN)),
        ("Keep a label for each image, so that it fits the scores.", lambda y, c: y[(y == 0) | c].astype(float)),
        ("Where the finding is absent, the label is 0.", lambda y, c: np.where(c, 1.0, np.where(y == 1, _NAN, 0))),
        ("Now only the others are left.", lambda y, c: np.where((y == 1) & c, _NAN, y)),
    ],
)
def labels_of_some(truth: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Labels with which only the chosen positives meet the negatives."""
    return np.where((truth == 1) & ~chosen, _NAN, truth)
