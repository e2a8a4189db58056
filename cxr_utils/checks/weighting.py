"""Exercises of lesson 03: how rare findings are heard in the loss."""

from collections.abc import Callable

import numpy as np

from .exercise import Case, Verdict, check

Pair = tuple[np.ndarray, np.ndarray]


def frequencies(answer: Callable[[np.ndarray], Pair]) -> Verdict:
    """Check `frequencies(labels)`: the shares of images with and without each finding.

    Example:
        >>> frequencies(lambda labels: (labels.mean(axis=0), 1 - labels.mean(axis=0)))
        ✓ frequencies: right
        True
    """
    quarter = np.array([[1, 0], [0, 0], [0, 1], [0, 1]])
    never = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
    cases = [
        Case((quarter,), ([0.25, 0.5], [0.75, 0.5]), "One share a finding: take the mean over the images."),
        Case((never,), ([0, 0.2, 1], [1, 0.8, 0]), "Divide by all images; the two shares add up to 1."),
    ]
    return check("frequencies", answer, cases)


def weighted_loss(answer: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], float]) -> Verdict:
    """Check `weighted_loss(truth, probability, positive, negative)`: weighted binary cross-entropy, a mean.

    Example:
        >>> def right(truth, probability, positive, negative):
        ...     losses = positive * truth * np.log(probability) + negative * (1 - truth) * np.log(1 - probability)
        ...     return -losses.mean()
        >>> weighted_loss(right)
        ✓ weighted_loss: right
        True
    """
    one, log2 = np.ones(1), np.log(2)
    weights = np.array([0.9, 0.6]), np.array([0.1, 0.4])
    truth, probability = np.array([[1, 0], [0, 0]]), np.array([[0.5, 0.75], [0.75, 0.5]])
    cases = [
        Case(
            (np.array([[1]]), np.array([[0.5]]), one, one), log2, "The loss of a coin toss is -log(1/2): mind the sign."
        ),
        Case(
            (np.array([[0]]), np.array([[0.75]]), one, one),
            2 * log2,
            "Where the truth is 0, what counts is log(1 - p).",
        ),
        Case(
            (np.array([[1], [0]]), np.array([[0.5], [0.5]]), 3 * one, one),
            2 * log2,
            "Multiply each term by the weight of its class, then take the plain mean.",
        ),
        # each entry by hand: 0.9 log 2, 0.4 log 4, 0.1 log 4, 0.4 log 2
        Case(
            (truth, probability, *weights),
            (0.9 + 0.8 + 0.2 + 0.4) * log2 / 4,
            "Each finding, a column, has its own weights.",
        ),
    ]
    return check("weighted_loss", answer, cases)


def balancing_weights(answer: Callable[[np.ndarray], Pair]) -> Verdict:
    """Check `balancing_weights(labels)`: each class weighs as much as the other one is frequent.

    Example:
        >>> balancing_weights(lambda labels: (1 - labels.mean(axis=0), labels.mean(axis=0)))
        ✓ balancing_weights: right
        True
    """
    quarter = np.array([[1, 0], [0, 0], [0, 1], [0, 1]])
    tenth = np.zeros((10, 1))
    tenth[3] = 1
    cases = [
        Case((tenth,), ([0.9], [0.1]), "One positive in ten: it must weigh nine times as much as a negative."),
        Case((quarter,), ([0.75, 0.5], [0.25, 0.5]), "First the weights of the positives, then of the negatives."),
        Case((1 - tenth,), ([0.1], [0.9]), "Where positives are the majority, they weigh less."),
    ]
    return check("balancing_weights", answer, cases)


def undo_weights(answer: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Verdict:
    """Check `undo_weights(weighted, positive, negative)`: the probability behind that of a weighted network.

    Example:
        >>> def right(weighted, positive, negative):
        ...     return weighted * negative / (weighted * negative + (1 - weighted) * positive)
        >>> undo_weights(right)
        ✓ undo_weights: right
        True
    """
    one = np.ones(1)
    true = np.array([[0.1, 0.5], [0.2, 0.9]])
    positive, negative = np.array([4.0, 0.3]), np.array([1.0, 0.6])
    shifted = positive * true / (positive * true + negative * (1 - true))
    cases = [
        Case((np.array([[0.3]]), one, one), [[0.3]], "Equal weights shift nothing."),
        Case((np.array([[0.5]]), 9 * one, one), [[0.1]], "Odds p'/(1-p') are w+/w- times the true odds: divide."),
        Case(
            (np.array([[0.0], [1.0]]), 9 * one, one),
            [[0.0], [1.0]],
            "0 and 1 must stay; divide by no odds that can be 0.",
        ),
        Case(
            (shifted, positive, negative),
            true,
            "Each finding, a column, has its own weights; only their ratio matters.",
        ),
    ]
    return check("undo_weights", answer, cases)
