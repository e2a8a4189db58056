"""Answers to the exercises of lesson 01: right ones in other forms, and wrong ones with the hint that they get."""

import numpy as np
import pandas as pd


def right_lift(labels):
    share = labels.mean(axis=0)
    return (labels.T @ labels / len(labels)) / np.outer(share, share)


def without_diagonal(labels, value):
    ratio = right_lift(labels)
    np.fill_diagonal(ratio, value)
    return ratio


def right_ages(table):
    return [image for image, age in zip(table.image, table.age, strict=True) if age < 0 or age > 120]


def in_place(pixels):
    pixels -= pixels.mean()
    pixels /= pixels.std()
    return pixels


RIGHT = {
    "prevalence": {
        "sums": lambda table, findings: table[findings].sum() / len(table),
        "another order": lambda table, findings: table[findings[::-1]].mean(),
        "an array": lambda table, findings: table[findings].to_numpy().mean(axis=0),
        "a list": lambda table, findings: [table[finding].mean() for finding in findings],
        "a dict": lambda table, findings: {finding: table[finding].mean() for finding in findings[::-1]},
        "of mixed type": lambda table, findings: table[findings].mean().astype(object),
    },
    "lift": {
        "array": right_lift,
        "nested lists": lambda labels: right_lift(labels).tolist(),
        "a table": lambda labels: pd.DataFrame(right_lift(labels)),
        "NaN on the diagonal": lambda labels: without_diagonal(labels, np.nan),
        "0 on the diagonal": lambda labels: without_diagonal(labels, 0),
    },
    "standardise": {
        "numpy": lambda pixels: (pixels - np.mean(pixels)) / np.std(pixels),
        "32 bits": lambda pixels: ((pixels - pixels.mean()) / pixels.std()).astype(np.float32),
    },
    "impossible_ages": {
        "list": right_ages,
        "set": lambda table: set(right_ages(table)),
        "array": lambda table: np.array(right_ages(table)),
        "column": lambda table: table.loc[~table.age.fillna(0).between(0, 120), "image"],
        "backwards": lambda table: right_ages(table)[::-1],
        "for whole years": lambda table: table.loc[(table.age <= -1) | (table.age >= 121), "image"].tolist(),
    },
}
LIMITS, MISSING = "0 and 120 are possible ages, -1 and 121 are not.", "A missing age (NaN) is unknown"
WRONG = {
    "prevalence": [
        ("Use the columns that `findings` names", lambda table, findings: table[["Mass", "Edema"]].mean()),
        ("Here are three images", lambda table, findings: table[findings].sum() / 4),
        ("Here are three images", lambda table, findings: table[findings].mean().round(2)),
        ("For each finding", lambda table, findings: table[findings].mean().set_axis([*range(len(findings))])),
        ("For each finding", lambda table, findings: table[findings].std()),
    ],
    "lift": [
        ("Which share", lambda labels: np.where(np.eye(labels.shape[1]), 1 / labels.mean(axis=0), 1)),
        ("Which share", lambda labels: 1 / right_lift(labels)),
        ("Which share", lambda labels: np.triu(right_lift(labels))),
    ],
    "standardise": [
        ("Whole numbers cannot", in_place),
        ("Shift by one number", lambda pixels: pixels / pixels.std()),
        ("Shift by one number", lambda pixels: (pixels - np.median(pixels)) / np.abs(pixels).max()),
    ],
    "impossible_ages": [
        (LIMITS, lambda table: table.loc[(table.age < 0) | (table.age > 119), "image"]),
        (LIMITS, lambda table: table.loc[(table.age < 0) | (table.age >= 120), "image"]),
        (LIMITS, lambda table: table.loc[(table.age < 0) | (table.age > 121), "image"]),
        (LIMITS, lambda table: table.loc[(table.age < 1) | (table.age > 120), "image"]),
        (LIMITS, lambda table: table.loc[(table.age <= 0) | (table.age > 120), "image"]),
        (LIMITS, lambda table: table.loc[(table.age < -1) | (table.age > 120), "image"]),
        ("Did you forget return? Where no age is impossible", lambda table: right_ages(table) or None),
        (
            "A label of the index is no row number.",
            lambda table: [table["image"].iloc[i] for i in table.index[(table.age < 0) | (table.age > 120)]],
        ),
        (MISSING, lambda table: table.loc[~table.age.between(0, 120), "image"]),
        (MISSING, lambda table: [image for image in table.image if not 0 <= dict(table.to_numpy())[image] <= 120]),
        (MISSING, lambda table: [i for i, age in table.itertuples(index=False) if int(age) < 0 or int(age) > 120]),
        ("Return the names of the images whose age", lambda table: table[(table.age < 0) | (table.age > 120)]),
    ],
}
