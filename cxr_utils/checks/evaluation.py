"""Exercises of lesson 05: measuring a classifier."""

from collections.abc import Callable

import numpy as np

from .exercise import Case, Verdict, check


def rates_at(answer: Callable[[np.ndarray, np.ndarray, float], tuple[float, float]]) -> Verdict:
    """Check `rates_at(truth, score, threshold)`: sensitivity and false positive rate.

    Example:
        >>> rates_at(lambda truth, score, threshold: ((score >= threshold)[truth == 1].mean(),
        ...                                           (score >= threshold)[truth == 0].mean()))
        ✓ rates_at: right
        True
    """
    truth, score = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0]), np.array([0.9, 0.8, 0.7, 0.2, 0.8, 0.3, 0.2, 0.1, 0.1])
    cases = [
        Case((truth, score, 0.75), (0.5, 0.2), "Sensitivity first: the share of the positive images that are called."),
        Case((truth, score, 0.8), (0.5, 0.2), "An image whose score equals the threshold is called: >=."),
        Case(
            (truth, score, 0.15),
            (1.0, 0.6),
            "The false positive rate is a share of the negative images, not of the calls.",
        ),
        Case((truth, score, 2.0), (0.0, 0.0), "A threshold above every score calls nothing."),
    ]
    return check("rates_at", answer, cases)


def auc_by_pairs(answer: Callable[[np.ndarray, np.ndarray], float]) -> Verdict:
    """Check `auc_by_pairs(positive, negative)`: how often a positive image scores above a negative one.

    Example:
        >>> def right(positive, negative):
        ...     gap = positive[:, None] - negative
        ...     return (gap > 0).mean() + (gap == 0).mean() / 2
        >>> auc_by_pairs(right)
        ✓ auc_by_pairs: right
        True
    """
    cases = [
        Case(
            (np.array([0.4, 0.8]), np.array([0.1, 0.6, 0.3])),
            5 / 6,
            "Two positives and three negatives make six pairs.",
        ),
        Case((np.array([0.1]), np.array([0.2, 0.3])), 0.0, "A positive below every negative wins no pair."),
        Case((np.array([0.5, 0.9]), np.array([0.5, 0.2])), 3.5 / 4, "A tie is worth half a pair."),
        Case((np.array([0.5, 0.5]), np.array([0.5])), 0.5, "A score that is always the same is worth one half."),
    ]
    return check("auc_by_pairs", answer, cases)


def replicate(answer: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Verdict:
    """Check `replicate(patients, drawn)`: the rows of all images of the drawn patients. Their order is free.

    Example:
        >>> replicate(lambda patients, drawn: np.concatenate([np.flatnonzero(patients == one) for one in drawn]))
        ✓ replicate: right
        True
    """

    def sorted_rows(patients: np.ndarray, drawn: np.ndarray) -> np.ndarray | None:
        rows = answer(patients, drawn)
        return None if rows is None else np.sort(np.asarray(rows))

    patients = np.array(["ann", "bob", "ann", "cy", "ann", "bob"])
    cases = [
        Case((patients, np.array(["cy"])), [3], "Row numbers, counted from 0, of the drawn patient's images."),
        Case((patients, np.array(["ann", "cy"])), [0, 2, 3, 4], "A patient brings all of her images."),
        Case(
            (patients, np.array(["bob", "cy", "bob"])),
            [1, 1, 3, 5, 5],
            "A patient who is drawn twice brings all of his images twice.",
        ),
    ]
    return check("replicate", sorted_rows, cases)


def ppv(answer: Callable[[float, float, float], float]) -> Verdict:
    """Check `ppv(sensitivity, specificity, prevalence)`: Bayes' rule.

    Example:
        >>> def right(sensitivity, specificity, prevalence):
        ...     found, false = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
        ...     return found / (found + false)
        >>> ppv(right)
        ✓ ppv: right
        True
    """
    cases = [
        # of 1000 people 10 are ill: 9 are found; of the 990 others 99 are called by mistake
        Case((0.9, 0.9, 0.01), 9 / 108, "Count 1,000 people: how many true calls, how many false ones?"),
        Case((0.9, 0.9, 0.5), 0.9, "With as many ill as healthy people, prevalence cancels."),
        Case((0.8, 0.95, 0.2), 160 / 200, "Sensitivity acts on the ill, specificity on the healthy."),
        Case((0.6, 1.0, 0.1), 1.0, "With no false alarm, every call is right."),
    ]
    return check("ppv", answer, cases)
