"""Right and wrong answers to the exercises of lesson 01, by exercise."""

import numpy as np


def right_lift(labels):
    share = labels.mean(axis=0)
    return (labels.T @ labels / len(labels)) / np.outer(share, share)


def right_ages(table):
    return [image for image, age in zip(table.image, table.age, strict=True) if not 0 <= age <= 120]


RIGHT = {
    "prevalence": {
        "sums": lambda table, findings: table[findings].sum() / len(table),
        "another order": lambda table, findings: table[findings[::-1]].mean(),
        "an array": lambda table, findings: table[findings].to_numpy().mean(axis=0),
    },
    "lift": {"array": right_lift, "nested lists": lambda labels: right_lift(labels).tolist()},
    "standardise": {
        "numpy": lambda pixels: (pixels - np.mean(pixels)) / np.std(pixels),
        "32 bits": lambda pixels: ((pixels - pixels.mean()) / pixels.std()).astype(np.float32),
    },
    "impossible_ages": {
        "list": right_ages,
        "set": lambda table: set(right_ages(table)),
        "column": lambda table: table.loc[~table.age.between(0, 120), "image"],
        "backwards": lambda table: right_ages(table)[::-1],
    },
}
WRONG = {
    "prevalence": {
        "counts": lambda table, findings: table[findings].sum(),
        "share of findings": lambda table, findings: table[findings].sum() / table[findings].sum().sum(),
        "fixed length": lambda table, findings: table[findings].sum() / 4,
        "every number column": lambda table, findings: table.mean(numeric_only=True),
        "one number": lambda table, findings: table[findings].to_numpy().mean(),
        "percent": lambda table, findings: 100 * table[findings].mean(),
    },
    "lift": {
        "independent": lambda labels: np.where(np.eye(labels.shape[1]), 1 / labels.mean(axis=0), 1),
        "counts": lambda labels: labels.T @ labels,
        "observed share": lambda labels: labels.T @ labels / len(labels),
        "conditional": lambda labels: (labels.T @ labels) / labels.sum(axis=0),
        "counts over shares": lambda labels: labels.T @ labels / np.outer(labels.mean(0), labels.mean(0)),
        "correlation": lambda labels: np.corrcoef(labels.T),
        "diagonal left out": lambda labels: right_lift(labels) * (1 - np.eye(labels.shape[1])),
    },
    "standardise": {
        "by column": lambda pixels: (pixels - pixels.mean(axis=0)) / pixels.std(axis=0),
        "mean only": lambda pixels: pixels - pixels.mean(),
        "scaled to one": lambda pixels: (pixels - pixels.min()) / (pixels.max() - pixels.min()),
        "by 255": lambda pixels: pixels / 255,
        "by row": lambda pixels: (pixels - pixels.mean(1, keepdims=True)) / (pixels.std(1, keepdims=True) + 1e-9),
        "variance": lambda pixels: (pixels - pixels.mean()) / pixels.var(),
        "sample deviation": lambda pixels: (pixels - pixels.mean()) / pixels.std(ddof=1),
    },
    "impossible_ages": {
        "nothing is None": lambda table: right_ages(table) or None,
        "labels for places": lambda table: [
            table["image"].iloc[i] for i in table.index[(table.age < 0) | (table.age > 120)]
        ],
        "old only": lambda table: table.loc[table.age > 120, "image"].tolist(),
        "young only": lambda table: table.loc[table.age < 0, "image"].tolist(),
        "newborns too": lambda table: table.loc[(table.age <= 0) | (table.age > 120), "image"].tolist(),
        "the old too": lambda table: table.loc[(table.age < 0) | (table.age > 90), "image"].tolist(),
        "the possible ones": lambda table: table.loc[table.age.between(0, 120), "image"].tolist(),
        "ages": lambda table: table.loc[(table.age < 0) | (table.age > 120), "age"].tolist(),
    },
}
