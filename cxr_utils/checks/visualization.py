"""Exercises of lesson 01: looking at data before modelling it."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from .exercise import Case, Verdict, check


def prevalence(answer: Callable[[pd.DataFrame, list[str]], pd.Series]) -> Verdict:
    """Check `prevalence(table, findings)`: the share of images with each finding.

    Example:
        >>> prevalence(lambda table, findings: table[findings].mean())
        ✓ prevalence: right
        True
    """
    table = pd.DataFrame({"image": list("abcd"), "age": [50, 60, 70, 80], "Mass": [1, 0, 0, 0], "Edema": [1, 1, 1, 0]})
    cases = [
        Case(
            (table, ["Mass", "Edema"]),
            pd.Series({"Mass": 0.25, "Edema": 0.75}),
            "Divide by all images, not by the findings.",
        ),
        Case((table, ["Edema"]), pd.Series({"Edema": 0.75}), "Use only the columns that `findings` names."),
        Case(
            (table.iloc[:3], ["Mass"]), pd.Series({"Mass": 1 / 3}), "The number of images differs from table to table."
        ),
    ]
    return check("prevalence", answer, cases)


def lift(answer: Callable[[np.ndarray], np.ndarray]) -> Verdict:
    """Check `lift(labels)`: observed over expected frequency of each pair of findings.

    Example:
        >>> def right(labels):
        ...     share = labels.mean(axis=0)
        ...     return (labels.T @ labels / len(labels)) / np.outer(share, share)
        >>> lift(right)
        ✓ lift: right
        True
    """
    independent = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    together = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]])
    uneven = np.array([[1, 1], [1, 0], [0, 0], [0, 0], [0, 0]])
    cases = [
        Case((independent,), [[2.0, 1.0], [1.0, 2.0]], "Independent findings meet exactly as often as expected: 1."),
        Case((together,), [[2.0, 2, 0], [2, 2, 0], [0, 0, 2]], "Expected is the product of the two shares."),
        Case((uneven,), [[2.5, 2.5], [2.5, 5.0]], "Divide the observed share by the expected one, and by all images."),
    ]
    return check("lift", answer, cases)


def standardise(answer: Callable[[np.ndarray], np.ndarray]) -> Verdict:
    """Check `standardise(pixels)`: samplewise mean 0 and standard deviation 1.

    Example:
        >>> standardise(lambda pixels: (pixels - pixels.mean()) / pixels.std())
        ✓ standardise: right
        True
    """
    ramp, square = np.array([[0.0, 2.0], [4.0, 6.0]]), np.array([[10.0, 10.0], [20.0, 20.0]])
    root = 5**0.5
    cases = [
        Case((square,), [[-1.0, -1], [1, 1]], "Subtract the mean of this image, then divide by its deviation."),
        Case((ramp,), [[-3 / root, -1 / root], [1 / root, 3 / root]], "One mean for the whole image, not per row."),
    ]
    return check("standardise", answer, cases)


def impossible_ages(answer: Callable[[pd.DataFrame], list[str]]) -> Verdict:
    """Check `impossible_ages(table)`: the images whose age no human reaches.

    Example:
        >>> impossible_ages(lambda table: table.loc[(table.age > 120) | (table.age < 0), "image"].tolist())
        ✓ impossible_ages: right
        True
    """
    table = pd.DataFrame({"image": list("abcdef"), "age": [45.0, 412.0, 0.0, 99.0, 148.0, -1.0]})
    hint = "Nobody is older than about 120 years, nobody younger than 0; newborns (0) and the very old exist."
    cases = [
        Case((table,), {"b", "e", "f"}, hint),
        Case((table.iloc[[0, 2, 3]],), set(), "A table without odd records gives an empty list, not None."),
        Case((table.iloc[[5]],), {"f"}, hint),
    ]
    return check("impossible_ages", answer, cases)
