"""Exercises of lesson 01: looking at data before modelling it."""

import numpy as np
import pandas as pd

from ..exercise import Case, exercise

_TABLE = pd.DataFrame({"image": list("abcd"), "age": [50, 60, 70, 80], "Mass": [1, 0, 0, 0], "Edema": [1, 1, 0, 0]})
_COLUMNS = "Use the columns that `findings` names, and no others."
_BYTES = np.array([[10, 10], [20, 20]], np.uint8)


@exercise(
    "For each finding: which share of all images bears it?",
    cases=[
        Case((_TABLE, ["Mass", "Edema"]), pd.Series({"Mass": 0.25, "Edema": 0.5})),
        Case((_TABLE, ["Edema"]), pd.Series({"Edema": 0.5}), _COLUMNS),
        Case((_TABLE.iloc[:3], ["Mass"]), pd.Series({"Mass": 1 / 3}), "Here are three images; do not round."),
    ],
    mistakes=[
        ("A count is no share yet.", lambda table, findings: table[findings].sum()),
        ("Divide by all images, not by all findings.", lambda t, findings: t[findings].sum() / t[findings].sum().sum()),
        (_COLUMNS, lambda table, _: table.mean(numeric_only=True)),
        ("Each finding has a share of its own.", lambda table, findings: table[findings].to_numpy().mean()),
        ("A share lies between 0 and 1; this is in percent.", lambda table, findings: 100 * table[findings].mean()),
        ("The median of zeros and ones is no share.", lambda table, findings: table[findings].median()),
    ],
)
def prevalence(table: pd.DataFrame, findings: list[str]) -> pd.Series:
    """The share of images with each finding."""
    return table[findings].mean()


def _case(labels: list[list[int]], lift: list[list[float]]) -> Case:
    """A lift whose diagonal may be left out: NaN or 0 there."""
    eye = np.eye(len(lift), dtype=bool)
    return Case((np.array(labels),), lift, also=(np.where(eye, np.nan, lift), np.where(eye, 0, lift)))


def _chance(labels: np.ndarray) -> np.ndarray:
    return np.outer(labels.mean(axis=0), labels.mean(axis=0))


def _ones_on_the_diagonal(labels: np.ndarray) -> np.ndarray:
    return np.where(np.eye(labels.shape[1]), 1, labels.T @ labels / len(labels) / _chance(labels))


@exercise(
    "Which share of the images has both findings, and which share would have both by chance?",
    cases=[
        _case([[0, 0], [0, 1], [1, 0], [1, 1]], [[2.0, 1.0], [1.0, 2.0]]),
        _case([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]], [[2.0, 2.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 2.0]]),
        _case([[1, 1], [1, 0], [0, 0], [0, 0], [0, 0]], [[2.5, 2.5], [2.5, 5.0]]),
    ],
    mistakes=[
        ("These are counts of images. What would chance give?", lambda labels: labels.T @ labels),
        ("This is the share with both. What would chance give?", lambda labels: labels.T @ labels / len(labels)),
        ("Divide by the shares of both findings, not of one.", lambda labels: labels.T @ labels / labels.sum(axis=0)),
        ("Divide a share by a share, not a count.", lambda labels: labels.T @ labels / _chance(labels)),
        ("A lift is a ratio and not a difference.", lambda labels: labels.T @ labels / len(labels) - _chance(labels)),
        ("1 on the diagonal is wrong: leave it, or put NaN or 0.", _ones_on_the_diagonal),
        ("A correlation is another measure; a lift is a ratio.", lambda labels: np.corrcoef(labels.T)),
    ],
)
def lift(labels: np.ndarray) -> np.ndarray:
    """Observed over expected frequency of each pair of findings; the diagonal may be left out, as NaN or 0."""
    return labels.T @ labels / len(labels) / _chance(labels)


@exercise(
    "Shift by one number and scale by one number, both taken from this image.",
    cases=[
        # mean 3; the deviations -3, -1, -1, 5 have a mean square of 9
        Case((np.array([[0.0, 2.0], [2.0, 8.0]]),), [[-1.0, -1 / 3], [-1 / 3, 5 / 3]]),
        Case((_BYTES,), [[-1.0, -1.0], [1.0, 1.0]], "Whole numbers cannot hold the result: make a new array."),
    ],
    mistakes=[
        ("One mean for the whole image, not for each column.", lambda p: (p - p.mean(axis=0)) / p.std(axis=0)),
        ("One mean for the whole image, not for each row.", lambda p: ((p.T - p.mean(axis=1)) / p.std(axis=1)).T),
        ("The mean is 0 now; the deviation is not yet 1.", lambda pixels: pixels - pixels.mean()),
        ("Scaled from 0 to 1 is not standardised.", lambda p: (p - p.min()) / (p.max() - p.min())),
        ("255 is the same for every image; use what this one gives.", lambda pixels: pixels / 255),
        ("The variance is the square of the deviation.", lambda pixels: (pixels - pixels.mean()) / pixels.var()),
        ("Divide by n and not by n - 1: these are all the pixels.", lambda p: (p - p.mean()) / p.std(ddof=1)),
        ("The median is not the mean.", lambda pixels: (pixels - np.median(pixels)) / pixels.std()),
    ],
)
def standardise(pixels: np.ndarray) -> np.ndarray:
    """One image, shifted and scaled to mean 0 and standard deviation 1."""
    return (pixels - pixels.mean()) / pixels.std()


def _aged(*ages: float) -> pd.DataFrame:
    return pd.DataFrame({"image": list("abcdef")[: len(ages)], "age": ages})


def _outside(table: pd.DataFrame, low: float = 0, high: float = 120, column: str = "image") -> list:
    return table.loc[(table["age"] < low) | (table["age"] > high), column].tolist()


@exercise(
    "Return the names of the images whose age is below 0 or above 120, and no others.",
    cases=[
        Case((_aged(45, 412, 7, 99, 148, -3),), {"b", "e", "f"}),
        Case((_aged(120, 121, 1, 119, 0, -1),), {"b", "f"}, "0 and 120 are possible ages, -1 and 121 are not."),
        Case((_aged(45, 0, 99),), set(), "Where no age is impossible, return an empty list."),
        Case((_aged(45, 412, -1).iloc[1:],), {"b", "c"}, "A label of the index is no row number."),
        Case((_aged(45, np.nan, 148),), {"c"}, "A missing age (NaN) is unknown, which is not impossible."),
    ],
    mistakes=[
        ("No age lies below 0 either.", lambda table: _outside(table, low=-np.inf)),
        ("No human is older than 120 either.", lambda table: _outside(table, high=np.inf)),
        ("Some people do live as long as that.", lambda table: _outside(table, high=90)),
        ("These are the possible ones.", lambda table: table.loc[table["age"].between(0, 120), "image"].tolist()),
        ("Return the names of the images.", lambda table: _outside(table, column="age")),
        ("Return the names of the images.", lambda table: (table["age"] < 0) | (table["age"] > 120)),
    ],
)
def impossible_ages(table: pd.DataFrame) -> list[str]:
    """The names of the images whose age no human reaches; a missing age is not impossible."""
    return _outside(table)
