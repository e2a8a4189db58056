"""Answers to the exercises of lesson 02: right ones in other forms, and wrong ones with the hint that they get."""

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from cxr_utils.data import leakage, splits
from cxr_utils.evaluation import baselines


def drawn(table, fraction, seed):
    patients = np.unique(table["patient"])
    return table["patient"].isin(np.random.default_rng(seed).permutation(patients)[: int(fraction * len(patients))])


def coin_for_each_patient(table, fraction, seed):
    rng = np.random.default_rng(seed)
    coin = {patient: rng.random() < fraction for patient in table["patient"].unique()}
    return np.array([coin[patient] for patient in table["patient"]])


def scikit_learn(table, fraction, seed):
    splitter = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
    (_, test), *_ = splitter.split(table, groups=table["patient"])
    return np.isin(np.arange(len(table)), test)


def mapped(train, test, finding):
    means = train.groupby("patient")[finding].mean()
    return test["patient"].map(means).fillna(train[finding].mean())


def by_baseline(train, test, finding):
    return baselines.patient_mean_scores(train, test.assign(image=range(len(test))), [finding])[finding].to_numpy()


def known(train, test, finding):
    return test["patient"].map(train.groupby("patient")[finding].mean())


def merged(train, test, finding):
    return test.merge(train.groupby("patient", as_index=False)[finding].mean(), on="patient")[f"{finding}_y"]


RIGHT = {
    "check_for_leakage": {
        "sets": lambda first, second, column: not set(first[column]).isdisjoint(second[column]),
        "merge": lambda first, second, column: len(first.merge(second, on=column)) > 0,
        "numpy's bool": lambda first, second, column: first[column].isin(second[column]).any(),
        "0 or 1": lambda first, second, column: int(first[column].isin(second[column]).any()),
        "the package's own": leakage.check_for_leakage,
    },
    "patient_split": {
        "drawn": drawn,
        "coin": coin_for_each_patient,
        "scikit-learn": scikit_learn,
        "0 and 1": lambda *given: drawn(*given).astype(int),
        "a list": lambda *given: drawn(*given).tolist(),
    },
    "patient_scores": {
        "mapped": mapped,
        "array": lambda *given: mapped(*given).to_numpy(),
        "list": lambda *given: mapped(*given).tolist(),
        "baseline": by_baseline,
    },
}


def rows_drawn(table, fraction, seed):
    return np.random.default_rng(seed).random(len(table)) < fraction


def values_repeated(table, fraction, seed):
    """Draws from the column, so a patient of many images is drawn more often, and patients are drawn twice."""
    chosen = np.random.default_rng(seed).choice(table["patient"], int(fraction * len(table)))
    return table["patient"].isin(chosen)


def until_enough_rows(table, fraction, seed):
    images = table["patient"].value_counts()
    images = images.loc[np.random.default_rng(seed).permutation(images.index)]
    return table["patient"].isin(images.index[images.cumsum() <= fraction * len(table)])


def balanced_over_images(table, fraction, seed):
    return splits.split_by_patient(table, [], {"train": 1 - fraction, "test": fraction}, seed) == "test"


#: What the verdict says was received, and the answer.
SPLITS = [
    ("patients on both sides", rows_drawn),
    ("patients on both sides", lambda table, fraction, seed: np.arange(len(table)) < fraction * len(table)),
    ("75% of the patients in test", lambda table, fraction, seed: ~drawn(table, fraction, seed)),
    ("0% of the patients in test", lambda table, fraction, seed: np.zeros(len(table), bool)),
    ("25% of the patients in test", lambda table, fraction, seed: drawn(table, 0.25, seed)),
    ("of the patients in test", values_repeated),
    ("of the patients in test", until_enough_rows),
    ("of the patients in test", balanced_over_images),
    ("another split with the same seed", lambda table, fraction, seed: drawn(table, fraction, None)),
    ("the same split with another seed", lambda table, fraction, seed: drawn(table, fraction, 0)),
    ("something else than one True or False", lambda table, fraction, seed: table["patient"].unique()[:150]),
    ("something else than one True or False", lambda *given: given[0][drawn(*given)]),
    ("something else than one True or False", lambda *given: np.flatnonzero(drawn(*given))),
]
STRANGER, ENOUGH = "Patient 8 is not in `train`", "One shared patient is enough."
WRONG = {
    "check_for_leakage": [
        ("Ask about every row", lambda first, second, column: first[column].iloc[-1] in set(second[column])),
        (ENOUGH, lambda first, second, column: bool(second[column].isin(first[column]).mean() > 0.3)),
        (ENOUGH, lambda first, second, column: set(second[column]) <= set(first[column])),
        ("Whole names", lambda first, second, column: any(set(first[name]) & set(second[name]) for name in first)),
        ("Whole names", lambda first, second, column: any(str(one) in str([*first[column]]) for one in second[column])),
        ("Whole names", lambda first, second, column: True),
        ("Use the column whose name", lambda first, second, column: bool({*first["patient"]} & {*second["patient"]})),
        ("Is any value", lambda first, second, column: "yes"),
    ],
    "patient_split": [("Draw that share of the patients", answer) for _, answer in SPLITS],
    "patient_scores": [
        ("The column has the name", lambda train, test, finding: mapped(train, test, "Mass")),
        (STRANGER, known),
        (STRANGER, lambda *given: known(*given).fillna(0)),
        (STRANGER, lambda *given: known(*given).fillna(0.5)),
        (
            STRANGER,
            lambda train, test, name: known(train, test, name).fillna(train.groupby("patient")[name].mean().mean()),
        ),
        (STRANGER, merged),
        (STRANGER, lambda train, test, name: [train[train.patient == one][name].mean() for one in test.patient]),
        ("One score for each row of `test`, in its order", lambda train, test, finding: mapped(train, train, finding)),
    ],
}
