"""Answers to the exercises of lesson 05: right ones in other forms, and wrong ones with the hint that they get."""

import numpy as np
from sklearn.metrics import roc_auc_score


def right_rates(truth, score, threshold):
    called = score >= threshold
    return (called & (truth == 1)).sum() / (truth == 1).sum(), (called & (truth == 0)).sum() / (truth == 0).sum()


def right_auc(positive, negative):
    return roc_auc_score(np.r_[np.ones(len(positive)), np.zeros(len(negative))], np.r_[positive, negative])


def right_rows(patients, drawn):
    return [row for one in drawn for row, patient in enumerate(patients) if patient == one]


def through_odds(a, b, p):
    odds = p / (1 - p) * a / (1 - b)
    return odds / (1 + odds)


RIGHT = {
    "rates_at": {
        "pair": right_rates,
        "list": lambda *given: list(right_rates(*given)),
        "array": lambda *given: np.array(right_rates(*given)),
    },
    "auc_by_pairs": {"scikit-learn": right_auc},
    "replicate": {
        "list": right_rows,
        "backwards": lambda *given: np.array(right_rows(*given)[::-1]),
        "tuple": lambda *given: tuple(right_rows(*given)),
    },
    "ppv": {"odds": lambda a, b, p: 1 / (1 + (1 - b) * (1 - p) / (a * p))},
}
WRONG = {
    "rates_at": [
        (
            "A score that equals",
            lambda truth, score, t: ((score > t)[truth == 1].mean(), (score > t)[truth == 0].mean()),
        ),
        ("Any number can be", lambda truth, score, t: right_rates(truth, score, max(t, 0.5))),
        (
            "There may be no call",
            lambda truth, score, t: (
                truth[score >= t].mean() * (score >= t).sum() / 4,
                right_rates(truth, score, t)[1],
            ),
        ),
        ("Which images are called", lambda truth, score, t: right_rates(1 - truth, -score, -t)),
    ],
    "auc_by_pairs": [
        ("An area below one half", lambda *given: max(right_auc(*given), 1 - right_auc(*given))),
        ("A tie is neither", lambda positive, negative: (positive[:, None] > negative).mean()),
        ("A tie is neither", lambda positive, negative: (positive[:, None] >= negative).mean()),
        ("Compare with each negative, not with one", lambda positive, negative: (positive > negative.mean()).mean()),
        ("Every positive meets every negative: how", lambda positive, negative: positive.mean() - negative.mean()),
    ],
    "replicate": [
        ("Ann brings all", lambda patients, drawn: [list(patients).index(one) for one in drawn]),
        ("Bob was drawn twice.", lambda patients, drawn: np.flatnonzero(np.isin(patients, drawn))),
        ("Which rows", lambda patients, drawn: np.random.default_rng(1).integers(3, size=len(drawn))),
        ("Which rows", lambda patients, drawn: [len(np.flatnonzero(patients == one)) for one in drawn]),
    ],
    "ppv": [
        ("The prevalence is not always", lambda a, b, p: a * 0.01 / (a * 0.01 + (1 - b) * 0.99)),
        ("There may be no false call.", through_odds),
        ("How many are ill", lambda a, b, p: a * p / (a * p + (1 - b) * p)),
        ("Count 1,000 people", lambda a, b, p: p * a / (1 - b)),
    ],
}
