"""Each exercise check of lesson 01 accepts the right answer and rejects plausible wrong ones."""

import numpy as np
import pytest

from cxr_utils import checks


def right_lift(labels):
    share = labels.mean(axis=0)
    return (labels.T @ labels / len(labels)) / np.outer(share, share)


RIGHT = {
    "prevalence": lambda table, findings: table[findings].sum() / len(table),
    "lift": right_lift,
    "standardise": lambda pixels: (pixels - np.mean(pixels)) / np.std(pixels),
    "impossible_ages": lambda table: [i for i, a in zip(table.image, table.age, strict=True) if not 0 <= a <= 120],
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
        "counts": lambda labels: labels.T @ labels,
        "observed share": lambda labels: labels.T @ labels / len(labels),
        "conditional": lambda labels: (labels.T @ labels) / labels.sum(axis=0),
        "counts over shares": lambda labels: labels.T @ labels / np.outer(labels.mean(0), labels.mean(0)),
        "correlation": lambda labels: np.corrcoef(labels.T),
        "diagonal left out": lambda labels: right_lift(labels) * (1 - np.eye(labels.shape[1])),
    },
    "standardise": {
        "mean only": lambda pixels: pixels - pixels.mean(),
        "scaled to one": lambda pixels: (pixels - pixels.min()) / (pixels.max() - pixels.min()),
        "by 255": lambda pixels: pixels / 255,
        "by row": lambda pixels: (pixels - pixels.mean(1, keepdims=True)) / (pixels.std(1, keepdims=True) + 1e-9),
        "variance": lambda pixels: (pixels - pixels.mean()) / pixels.var(),
        "sample deviation": lambda pixels: (pixels - pixels.mean()) / pixels.std(ddof=1),
    },
    "impossible_ages": {
        "old only": lambda table: table.loc[table.age > 120, "image"].tolist(),
        "young only": lambda table: table.loc[table.age < 0, "image"].tolist(),
        "newborns too": lambda table: table.loc[(table.age <= 0) | (table.age > 120), "image"].tolist(),
        "the old too": lambda table: table.loc[(table.age < 0) | (table.age > 90), "image"].tolist(),
        "the possible ones": lambda table: table.loc[table.age.between(0, 120), "image"].tolist(),
        "ages": lambda table: table.loc[(table.age < 0) | (table.age > 120), "age"].tolist(),
    },
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answer_passes(name, capsys):
    assert getattr(checks, name)(RIGHT[name])
    assert capsys.readouterr().out == f"✓ {name}: right\n"


@pytest.mark.parametrize(("name", "mistake"), [(name, mistake) for name in WRONG for mistake in WRONG[name]])
def test_wrong_answer_is_rejected(name, mistake, capsys):
    assert not getattr(checks, name)(WRONG[name][mistake])
    printed = capsys.readouterr().out
    assert printed.startswith(f"✗ {name}: given ") and "expected" in printed and "Hint:" in printed
