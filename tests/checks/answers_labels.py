"""Answers to the exercises of lesson 08: right ones in other forms, and wrong ones with the hint that they get."""

import numpy as np
from sklearn.metrics import precision_score, recall_score


def by_library(truth, label):
    return 1 - recall_score(truth, label), 1 - precision_score(truth, label)


def four_kinds(ppv, npv):
    won, tied = ppv * npv, ppv * (1 - npv) + (1 - ppv) * npv
    return won + tied / 2


def in_a_loop(truth, chosen):
    return [float(one) if one == 0 or mine else np.nan for one, mine in zip(truth, chosen, strict=True)]


RIGHT = {
    "missed_and_false": {
        "scikit-learn": by_library,
        "list": lambda *given: list(by_library(*given)),
        "array": lambda *given: np.array(by_library(*given)),
        "counts": lambda y, m: ((y > m).sum() / y.sum(), (y < m).sum() / m.sum()),
    },
    "perfect_reader": {"four kinds": four_kinds, "mean": lambda ppv, npv: np.mean([ppv, npv])},
    "undo_labels": {
        "by the reader": lambda auc, ppv, npv: 0.5 + (auc - 0.5) / (2 * four_kinds(ppv, npv) - 1),
        "one fraction": lambda auc, ppv, npv: (2 * auc + ppv + npv - 2) / (2 * (ppv + npv - 1)),
    },
    "labels_of_some": {"list": in_a_loop, "array": lambda *given: np.array(in_a_loop(*given))},
}
WRONG = {
    "missed_and_false": [
        ("Look at the images", lambda y, m: ((y > m).sum() / 10, (y < m).sum() / 5)),
        ("A label may miss", lambda y, m: (max(by_library(y, m)[0], 0.01), by_library(y, m)[1])),
        ("Look at the images", lambda y, m: (1 - (y == m).mean(), (y != m).mean())),
    ],
    "perfect_reader": [
        ("There are four", lambda ppv, npv: ppv),
        ("Perfect labels", lambda ppv, npv: min((ppv + npv) / 2, 0.95)),
        ("Labels may be bad.", lambda ppv, npv: max((ppv + npv) / 2, 0.7)),
    ],
    "undo_labels": [
        ("Solve the equation", lambda auc, ppv, npv: auc),
        ("Labels without", lambda auc, ppv, npv: 0.8),
        ("An AUC may lie below", lambda auc, ppv, npv: 0.5 + abs(auc - 0.5) / (ppv + npv - 1)),
    ],
    "labels_of_some": [
        ("What becomes", lambda truth, chosen: truth.astype(float)),
        ("What becomes", lambda truth, chosen: np.full(len(truth), np.nan)),
        ("A negative image", lambda truth, chosen: np.where(truth == chosen, truth, np.nan)),
    ],
}
