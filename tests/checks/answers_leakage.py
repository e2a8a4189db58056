"""Right and wrong answers to the exercises of lesson 02, by exercise."""

import numpy as np

from cxr_utils.data import leakage, splits
from cxr_utils.evaluation import baselines


def drawn(table, fraction, seed):
    patients = np.unique(table["patient"])
    return table["patient"].isin(np.random.default_rng(seed).permutation(patients)[: int(fraction * len(patients))])


def coin_for_each_patient(table, fraction, seed):
    rng = np.random.default_rng(seed)
    coin = {patient: rng.random() < fraction for patient in table["patient"].unique()}
    return np.array([coin[patient] for patient in table["patient"]])


def mapped(train, test, finding):
    means = train.groupby("patient")[finding].mean()
    return test["patient"].map(means).fillna(train[finding].mean())


def by_baseline(train, test, finding):
    return baselines.patient_mean_scores(train, test.assign(image=range(len(test))), [finding])[finding].to_numpy()


RIGHT = {
    "check_for_leakage": {
        "sets": lambda first, second, column: not set(first[column]).isdisjoint(second[column]),
        "merge": lambda first, second, column: len(first.merge(second, on=column)) > 0,
        "the package's own": leakage.check_for_leakage,
    },
    "patient_split": {
        "drawn": drawn,
        "coin": coin_for_each_patient,
        "the package's own": lambda table, fraction, seed: (
            splits.split_by_patient(table, [], {"train": 1 - fraction, "test": fraction}, seed) == "test"
        ),
    },
    "patient_scores": {"mapped": mapped, "array": lambda *given: mapped(*given).to_numpy(), "baseline": by_baseline},
}


def rows_drawn(table, fraction, seed):
    return np.random.default_rng(seed).random(len(table)) < fraction


def shuffled_patients_head(table, fraction, seed):
    patients = table["patient"].unique()
    return table["patient"].isin(patients[: int(fraction * len(patients))])


def values_repeated(table, fraction, seed):
    """Draws from the column, so a patient of many images is drawn more often, and patients are drawn twice."""
    chosen = np.random.default_rng(seed).choice(table["patient"], int(fraction * len(table)))
    return table["patient"].isin(chosen)


WRONG = {
    "check_for_leakage": {
        "the last one only": lambda first, second, column: first[column].iloc[-1] in set(second[column]),
        "one in three": lambda first, second, column: bool(second[column].isin(first[column]).mean() > 0.3),
        "the shared patients": lambda first, second, column: set(first[column]) & set(second[column]),
        "their number": lambda first, second, column: int(first[column].isin(second[column]).sum()),
        "the other way round": lambda first, second, column: set(first[column]).isdisjoint(second[column]),
        "all patients": lambda first, second, column: bool(first[column].isin(second[column]).all()),
        "subset": lambda first, second, column: set(second[column]) <= set(first[column]),
        "row numbers": lambda first, second, column: any(patient in first[column] for patient in second[column]),
        "row by row": lambda first, second, column: bool(
            any(one == other for one, other in zip(first[column], second[column], strict=False))
        ),
        "image names": lambda first, second, column: bool(set(first["image"]) & set(second["image"])),
        "any column": lambda first, second, column: any(set(first[name]) & set(second[name]) for name in first),
        "fixed column": lambda first, second, column: bool(set(first["patient"]) & set(second["patient"])),
        "as text": lambda first, second, column: any(str(one) in str(list(first[column])) for one in second[column]),
        "always": lambda first, second, column: True,
    },
    "patient_split": {
        "rows drawn": rows_drawn,
        "seed ignored": shuffled_patients_head,
        "first rows": lambda table, fraction, seed: np.arange(len(table)) < fraction * len(table),
        "train instead of test": lambda table, fraction, seed: ~drawn(table, fraction, seed),
        "drawn from the rows": values_repeated,
        "patients": lambda table, fraction, seed: table["patient"].unique()[: int(fraction * 600)],
        "numbers": lambda table, fraction, seed: drawn(table, fraction, seed).astype(int),
        "rows that stay": lambda table, fraction, seed: table[drawn(table, fraction, seed)],
        "no seed": lambda table, fraction, seed: drawn(table, fraction, None),
        "fixed fraction": lambda table, fraction, seed: drawn(table, 0.25, seed),
        "nobody": lambda table, fraction, seed: np.zeros(len(table), bool),
    },
    "patient_scores": {
        "test labels": lambda train, test, finding: mapped(test, test, finding),
        "strangers empty": lambda train, test, finding: test["patient"].map(train.groupby("patient")[finding].mean()),
        "strangers zero": lambda train, test, finding: (
            test["patient"].map(train.groupby("patient")[finding].mean()).fillna(0)
        ),
        "strangers a half": lambda train, test, finding: (
            test["patient"].map(train.groupby("patient")[finding].mean()).fillna(0.5)
        ),
        "strangers the mean of patients": lambda train, test, finding: (
            test["patient"]
            .map(train.groupby("patient")[finding].mean())
            .fillna(train.groupby("patient")[finding].mean().mean())
        ),
        "ever positive": lambda train, test, finding: (
            test["patient"].map(train.groupby("patient")[finding].max()).fillna(train[finding].mean())
        ),
        "sums": lambda train, test, finding: (
            test["patient"].map(train.groupby("patient")[finding].sum()).fillna(train[finding].mean())
        ),
        "one column for all": lambda train, test, finding: mapped(train, test, "Mass"),
        "one row a patient": lambda train, test, finding: train.groupby("patient")[finding].mean(),
        "order of patients": lambda train, test, finding: mapped(train, test, finding).sort_index(),
        "merge that drops strangers": lambda train, test, finding: test.merge(
            train.groupby("patient", as_index=False)[finding].mean(), on="patient"
        )[f"{finding}_y"],
    },
}
