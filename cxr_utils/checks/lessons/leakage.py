"""Exercises of lesson 02: who is on both sides of a split."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..exercise import Answer, Case, exercise

_FIRST = pd.DataFrame({"image": list("abc"), "patient": ["11", "11", "27"]})
_FRIEND = pd.DataFrame({"image": ["d", "e"], "patient": ["27", "40"]})
_FRIENDS = pd.DataFrame({"image": list("fghi"), "patient": ["11", "40", "41", "42"]})
_STRANGER = pd.DataFrame({"image": list("abc"), "patient": ["12", "2", "7"]})
_NUMBERED, _EARLY = pd.DataFrame({"PatientId": [5, 6, 7]}), pd.DataFrame({"PatientId": [0, 1]})
_WANTED = "whole patients, as many as asked, drawn with the seed"
_TRAIN = pd.DataFrame({"patient": list("1112333"), "Mass": [1, 0, 0, 0, 1, 1, 1], "Edema": [0, 0, 0, 1, 0, 1, 1]})
_KNOWN = pd.DataFrame({"patient": list("3121"), "Mass": [0, 1, 1, 0], "Edema": [1, 1, 0, 1]}, [9, 4, 7, 1])
_MIXED = pd.DataFrame({"patient": ["8", "3"], "Mass": [1, 0], "Edema": [0, 0]})


@exercise(
    "Is any value of the column in both tables?",
    cases=[
        Case((_FIRST, _FRIEND, "patient"), True),
        Case((_FRIEND, _FIRST, "patient"), True, "Ask about every row of both tables."),
        Case((_FIRST, _STRANGER, "patient"), False, "Whole names of patients count, and nothing else."),
        Case((_FIRST, _FRIENDS, "patient"), True, "One shared patient is enough."),
        Case((_NUMBERED, _EARLY, "PatientId"), False, "Use the column whose name is given."),
    ],
    mistakes=[
        ("Return True or False, not who is shared.", lambda one, other, name: {*one[name]} & {*other[name]}),
        ("Return True or False, not how many are shared.", lambda one, other, name: one[name].isin(other[name]).sum()),
        ("True means that a patient is shared.", lambda one, other, name: {*one[name]}.isdisjoint(other[name])),
        ("One shared patient is enough.", lambda one, other, name: bool(one[name].isin(other[name]).all())),
        ("Ask about every row of both tables.", lambda one, other, name: one[name].iloc[0] in {*other[name]}),
        ("`in` asks a Series for its row labels.", lambda one, other, name: any(p in one[name] for p in other[name])),
        ("Patients may be in another row.", lambda one, other, name: any(map(str.__eq__, one[name], other[name]))),
        ("The image is another one, the patient is not.", lambda one, other, _: bool({*one.image} & {*other.image})),
    ],
)
def check_for_leakage(first: pd.DataFrame, second: pd.DataFrame, patient_column: str) -> bool:
    """Whether two tables share a patient."""
    return not set(first[patient_column]).isdisjoint(second[patient_column])


def _visits(patients: int) -> pd.DataFrame:
    """Patients with 1 to 4 images and one with very many, in mixed order; the index is not 0, 1, 2, ..."""
    rng = np.random.default_rng(11)
    images = np.append(rng.integers(1, 5, patients - 1), 5 * patients)
    names = rng.permutation(np.repeat([f"p{number}" for number in range(patients)], images))
    table = pd.DataFrame({"image": [f"{row}.png" for row in range(len(names))], "patient": names})
    return table.sample(frac=1, random_state=1)


def _in_words(answer: Answer) -> Callable[[pd.DataFrame, float, int], str | None]:
    """Many splits are right, so what matters of a split is compared and not its rows."""

    def words(table: pd.DataFrame, fraction: float, seed: int) -> str | None:
        masks = [answer(table.copy(), fraction, seed + further) for further in (0, 0, 1, 2)]
        rows = [np.asarray(mask) for mask in masks]
        if any(one.shape != (len(table),) or not set(one) <= {0, 1} for one in rows):
            return None if masks[0] is None else "something else than one True or False for each row"
        return _in_short(np.array(rows, dtype=bool), table["patient"].to_numpy(), fraction)

    return words


def _in_short(masks: np.ndarray, patients: np.ndarray, fraction: float) -> str:
    """What is wrong with masks (4, rows), drawn with a seed, the same seed and two others."""
    tests = [set(patients[mask]) for mask in masks]
    if any(test & set(patients[~mask]) for test, mask in zip(tests, masks, strict=True)):
        return "patients on both sides"
    share = max((len(test) / len(set(patients)) for test in tests), key=lambda share: abs(share - fraction))
    if abs(share - fraction) > 0.08:  # four standard deviations for those who toss a coin for each patient
        return f"{share:.0%} of the patients in test"
    if (masks[0] != masks[1]).any():
        return "another split with the same seed"
    return "the same split with another seed" if (masks[0] == masks[2:]).all(axis=1).any() else _WANTED


@exercise(
    "Draw that share of the patients, with a generator that gets `seed`; then mark every row of those who were drawn.",
    asked=_in_words,
    cases=[Case((_visits(600), 0.25, 0), _WANTED), Case((_visits(600), 0.5, 3), _WANTED)],
)
def patient_split(table: pd.DataFrame, fraction: float, seed: int) -> np.ndarray:
    """A mask of the test rows that keeps every patient whole."""
    patients = table["patient"].unique()
    drawn = np.random.default_rng(seed).choice(patients, round(fraction * len(patients)), replace=False)
    return table["patient"].isin(drawn).to_numpy()


def _by_patient(train: pd.DataFrame, test: pd.DataFrame, finding: str, how: str = "mean") -> pd.Series:
    return test["patient"].map(train.groupby("patient")[finding].agg(how)).fillna(train[finding].mean())


@exercise(
    "One score for each row of `test`, in its order, from the labels of `train`.",
    cases=[
        Case((_TRAIN, _KNOWN, "Mass"), [1.0, 1 / 3, 0.0, 1 / 3]),
        Case((_TRAIN, _KNOWN, "Edema"), [2 / 3, 0.0, 1.0, 0.0], "The column has the name that `finding` holds."),
        Case((_TRAIN, _MIXED, "Mass"), [4 / 7, 1.0], "Patient 8 is not in `train`: see what such a patient gets."),
    ],
    mistakes=[
        ("The labels of `test` are what is to be guessed.", lambda train, test, name: _by_patient(test, test, name)),
        ("The median is not the mean.", lambda train, test, name: _by_patient(train, test, name, "median")),
        ("Once positive is not always positive.", lambda train, test, name: _by_patient(train, test, name, "max")),
        ("A sum grows with the number of images.", lambda train, test, name: _by_patient(train, test, name, "sum")),
        ("One score for each row, not for each patient.", lambda train, _, name: train.groupby("patient")[name].mean()),
        ("Keep the order of `test`.", lambda train, test, name: _by_patient(train, test, name).sort_index()),
    ],
)
def patient_scores(train: pd.DataFrame, test: pd.DataFrame, finding: str) -> pd.Series:
    """Each test image scored by its patient's mean training label."""
    return _by_patient(train, test, finding)
