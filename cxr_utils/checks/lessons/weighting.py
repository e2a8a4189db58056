"""Exercises of lesson 03: how rare findings are heard in the loss."""

import numpy as np

from ..exercise import Case, exercise

_Pair = tuple[np.ndarray, np.ndarray]
_FOUR = np.array([[1, 0], [0, 0], [0, 1], [0, 1]])
_FIVE = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
_LOG2, _ONE = np.log(2), np.ones(1)
_WEIGHTED = np.array([[1, 0], [0, 0]]), np.array([[0.5, 0.75], [0.75, 0.5]]), np.array([0.9, 0.6]), np.array([0.1, 0.4])
_SCALE = "The ratio of the two is right, the scale is not: see the text."
_TRUE, _POSITIVE, _NEGATIVE = np.array([[0.1, 0.5], [0.2, 0.9]]), np.array([4.0, 0.3]), np.array([1.0, 0.6])
_SHIFTED = _POSITIVE * _TRUE / (_POSITIVE * _TRUE + _NEGATIVE * (1 - _TRUE))


@exercise(
    "Return two arrays: for each finding the share of all images with it, and without it.",
    cases=[
        Case((_FOUR,), ([0.25, 0.5], [0.75, 0.5])),
        Case((_FIVE,), ([0.0, 0.2, 1.0], [1.0, 0.8, 0.0]), "Count the images: there need not be four."),
    ],
    mistakes=[
        ("A count is no share yet.", lambda labels: (labels.sum(axis=0), len(labels) - labels.sum(axis=0))),
        ("One share for each finding, not one for all.", lambda labels: (labels.mean(), 1 - labels.mean())),
        ("One share for each finding: go down the images.", lambda x: (x.mean(axis=1), 1 - x.mean(axis=1))),
        ("First the images with the finding, then those without.", lambda x: (1 - x.mean(axis=0), x.mean(axis=0))),
        ("Return both shares.", lambda labels: labels.mean(axis=0)),
    ],
)
def frequencies(labels: np.ndarray) -> _Pair:
    """The shares of images with and without each finding."""
    return labels.mean(axis=0), 1 - labels.mean(axis=0)


def _entropy(truth: np.ndarray, p: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    return -positive * truth * np.log(p) - negative * (1 - truth) * np.log(1 - p)


@exercise(
    "Write the two terms of the formula, each with the weight of its class, then take the mean.",
    cases=[
        Case((np.array([[1]]), np.array([[0.5]]), _ONE, _ONE), _LOG2),
        Case((np.array([[0]]), np.array([[0.75]]), _ONE, _ONE), 2 * _LOG2),
        Case((np.array([[1], [0]]), np.array([[0.5], [0.75]]), 3 * _ONE, _ONE), 2.5 * _LOG2),
        # each entry by hand: 0.9 log 2, 0.4 log 4, 0.1 log 4, 0.4 log 2
        Case(_WEIGHTED, 2.3 * _LOG2 / 4, "Each finding has weights of its own; the mean is over all labels."),
    ],
    mistakes=[
        ("Mind the sign: a loss is above 0.", lambda *given: -_entropy(*given).mean()),
        ("Return one number: the mean over all.", _entropy),
        ("Images without the finding count as well.", lambda y, p, a, _: -(a * y * np.log(p)).mean()),
        ("Where the truth is 0, look at 1 - p.", lambda y, p, a, b: -((a * y + b * (1 - y)) * np.log(p)).mean()),
        ("The weights are missing.", lambda y, p, *_: _entropy(y, p, _ONE, _ONE).mean()),
        ("Which weight belongs to which class?", lambda y, p, a, b: _entropy(y, p, b, a).mean()),
        ("Take the mean, not the sum.", lambda *given: _entropy(*given).sum()),
    ],
)
def weighted_loss(truth: np.ndarray, probability: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> float:
    """Weighted binary cross-entropy, the mean over images and findings."""
    return _entropy(truth, probability, positive, negative).mean()


@exercise(
    "Return two arrays; with these weights positive and negative images of a finding weigh the same together.",
    cases=[
        Case((_FOUR,), ([0.75, 0.5], [0.25, 0.5])),
        Case((np.array([[1], [1], [1], [0]]),), ([0.25], [0.75]), "Here the positives are the majority."),
    ],
    mistakes=[
        ("The rare class must weigh more.", lambda labels: (labels.mean(axis=0), 1 - labels.mean(axis=0))),
        (_SCALE, lambda labels: (1 / labels.mean(axis=0), 1 / (1 - labels.mean(axis=0)))),
        (_SCALE, lambda labels: (0.5 / labels.mean(axis=0), 0.5 / (1 - labels.mean(axis=0)))),
        ("A count is no share yet.", lambda labels: ((labels == 0).sum(axis=0), labels.sum(axis=0))),
        ("Each finding has weights of its own.", lambda labels: (1 - labels.mean(), labels.mean())),
    ],
)
def balancing_weights(labels: np.ndarray) -> _Pair:
    """The weights of the positive and of the negative class of each finding."""
    return 1 - labels.mean(axis=0), labels.mean(axis=0)


def _unweighted(weighted: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    return weighted * negative / (weighted * negative + (1 - weighted) * positive)


@exercise(
    "Turn the probability into odds, undo what the weights did to them, and turn the odds back.",
    cases=[
        Case((np.array([[0.3]]), _ONE, _ONE), [[0.3]]),
        Case((np.array([[0.5]]), 9 * _ONE, _ONE), [[0.1]]),
        Case((_SHIFTED, _POSITIVE, _NEGATIVE), _TRUE, "Each finding has two weights of its own, and both matter."),
    ],
    mistakes=[
        ("The weights are still in it.", lambda weighted, positive, negative: weighted),
        ("This puts the weights in once more.", lambda weighted, a, b: _unweighted(weighted, b, a)),
        ("The weights multiply the odds, not the probability.", lambda weighted, a, b: weighted * b / a),
        ("These are odds and no probabilities yet.", lambda weighted, a, b: weighted / (1 - weighted) * b / a),
    ],
)
def undo_weights(weighted: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """The probability behind that of a weighted network."""
    return _unweighted(weighted, positive, negative)
