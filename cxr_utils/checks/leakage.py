"""Exercises of lesson 02: who is on both sides of a split."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from .exercise import Case, Verdict, check


def check_for_leakage(answer: Callable[[pd.DataFrame, pd.DataFrame, str], bool]) -> Verdict:
    """Check `check_for_leakage(first, second, patient_column)`: whether two tables share a patient.

    Example:
        >>> check_for_leakage(lambda first, second, column: bool(set(first[column]) & set(second[column])))
        ✓ check_for_leakage: right
        True
    """
    first = pd.DataFrame({"image": list("abc"), "patient": ["11", "11", "27"]})
    friend = pd.DataFrame({"image": ["d", "e"], "patient": ["27", "40"]})
    stranger = pd.DataFrame({"image": ["a", "b", "c"], "patient": ["12", "2", "7"]})
    numbered = pd.DataFrame({"PatientId": [5, 6, 7]}), pd.DataFrame({"PatientId": [0, 1]})
    later = pd.DataFrame({"PatientId": [9, 8, 8, 5]})
    cases = [
        Case((first, friend, "patient"), True, "Patient 27 is in both tables, under another image name."),
        Case((friend, first, "patient"), True, "The order of the tables makes no difference."),
        Case((first, stranger, "patient"), False, "Compare whole patient names; image names do not count."),
        Case((*numbered, "PatientId"), False, "Compare the column's values, not the numbers of its rows."),
        Case((numbered[0], later, "PatientId"), True, "One shared patient is enough, whatever the column is called."),
    ]
    return check("check_for_leakage", answer, cases)


def patient_split(answer: Callable[[pd.DataFrame, float, int], np.ndarray]) -> Verdict:
    """Check `patient_split(table, fraction, seed)`: a mask of the test rows that keeps every patient whole.

    Many splits are right, so their properties are compared and not their rows.

    Example:
        >>> def right(table, fraction, seed):
        ...     patients = table["patient"].unique()
        ...     chosen = np.random.default_rng(seed).choice(patients, round(fraction * len(patients)), replace=False)
        ...     return table["patient"].isin(chosen)
        >>> patient_split(right)
        ✓ patient_split: right
        True
    """
    cases = [
        Case((_visits(600), 0.25, 0), _WANTED, "Draw patients, not rows; then mark every row of those who were drawn."),
        Case((_visits(600), 0.5, 3), _WANTED, "`fraction` is the share of patients that go to the test part."),
    ]

    def properties(table: pd.DataFrame, fraction: float, seed: int) -> dict | None:
        mask = answer(table, fraction, seed)
        return None if mask is None else _properties(answer, mask, table, fraction, seed)

    return check("patient_split", properties, cases)


_WANTED = {
    "one True or False for each row": True,
    "patients on both sides": 0,
    "share of patients in test is as asked": True,
    "same seed, same split": True,
    "another seed, another split": True,
}


def _visits(patients: int) -> pd.DataFrame:
    """An image table of patients with 1 to 4 visits in mixed order, whose index is not 0, 1, 2, ..."""
    rng = np.random.default_rng(11)
    names = rng.permutation(np.repeat([f"p{number}" for number in range(patients)], rng.integers(1, 5, patients)))
    table = pd.DataFrame({"image": [f"{row}.png" for row in range(len(names))], "patient": names})
    return table.sample(frac=1, random_state=1)


def _properties(answer: Callable, mask: object, table: pd.DataFrame, fraction: float, seed: int) -> dict:
    """What matters of a split, in the words of `_WANTED`."""
    rows = np.asarray(mask)
    if rows.shape != (len(table),) or rows.dtype != bool:
        return {"one True or False for each row": False}
    patients = table["patient"].to_numpy()
    test, train = set(patients[rows]), set(patients[~rows])
    share = len(test) / len(test | train)
    again, other = (np.asarray(answer(table.copy(), fraction, number)) for number in (seed, seed + 1))
    return {
        "one True or False for each row": True,
        "patients on both sides": len(test & train),
        # Four standard deviations for those who toss a coin for each patient.
        "share of patients in test is as asked": bool(abs(share - fraction) < 0.08),
        "same seed, same split": bool(np.array_equal(rows, again)),
        "another seed, another split": not np.array_equal(rows, other),
    }


def patient_scores(answer: Callable[[pd.DataFrame, pd.DataFrame, str], pd.Series]) -> Verdict:
    """Check `patient_scores(train, test, finding)`: each test image scored by its patient's mean training label.

    Example:
        >>> def right(train, test, finding):
        ...     means = train.groupby("patient")[finding].mean()
        ...     return test["patient"].map(means).fillna(train[finding].mean())
        >>> patient_scores(right)
        ✓ patient_scores: right
        True
    """
    train = pd.DataFrame({"patient": ["1", "1", "2", "3", "3"], "Mass": [1, 0, 0, 1, 1], "Edema": [0, 0, 1, 0, 1]})
    known = pd.DataFrame({"patient": ["3", "1", "2", "1"], "Mass": [0, 1, 1, 0], "Edema": [1, 1, 0, 1]})
    known.index = [9, 4, 7, 1]
    mixed = pd.DataFrame({"patient": ["8", "3"], "Mass": [1, 0], "Edema": [0, 0]})
    cases = [
        Case((train, known, "Mass"), [1, 0.5, 0, 0.5], "One score a test row, in the order of `test`."),
        Case((train, known, "Edema"), [0.5, 0, 1, 0], "Use the column `finding` of `train`."),
        Case((train, mixed, "Mass"), [0.6, 1], "Patients not in train get the mean of all its rows."),
    ]
    return check("patient_scores", answer, cases)
