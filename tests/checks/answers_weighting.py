"""Answers to the exercises of lesson 03: right ones in other forms, and wrong ones with the hint that they get."""

import numpy as np
from scipy.special import expit, logit


def right_loss(truth, p, positive, negative):
    return np.where(truth == 1, -positive * np.log(p), -negative * np.log1p(-p)).mean()


def by_logits(weighted, positive, negative):
    with np.errstate(divide="ignore"):
        return expit(logit(weighted) - np.log(positive / negative))


def by_odds(weighted, positive, negative):
    odds = weighted / (1 - weighted) * negative / positive
    return odds / (1 + odds)


RIGHT = {
    "frequencies": {
        "pair": lambda labels: (labels.sum(axis=0) / len(labels), (labels == 0).mean(axis=0)),
        "list": lambda labels: [labels.mean(axis=0).tolist(), (1 - labels.mean(axis=0)).tolist()],
        "array of two rows": lambda labels: np.stack([labels.mean(axis=0), 1 - labels.mean(axis=0)]),
    },
    "weighted_loss": {
        "where": right_loss,
        "an array without axes": lambda *given: np.asarray(right_loss(*given)),
        "float": lambda *given: float(right_loss(*given)),
    },
    "balancing_weights": {
        "pair": lambda labels: ((labels == 0).mean(axis=0), (labels == 1).mean(axis=0)),
        "array of two rows": lambda labels: np.stack([(labels == 0).mean(axis=0), (labels == 1).mean(axis=0)]),
    },
    "undo_weights": {"logits": by_logits, "odds": by_odds, "lists": lambda *given: by_odds(*given).tolist()},
}
SCALE = "The ratio of the two is right"
WRONG = {
    "frequencies": [
        ("Count the images", lambda labels: (labels.sum(axis=0) / 4, 1 - labels.sum(axis=0) / 4)),
        (
            "Return two arrays: for each",
            lambda labels: (labels.sum(axis=0) / labels.sum(), 1 - labels.sum(axis=0) / labels.sum()),
        ),
        ("Return two arrays: for each", lambda labels: (np.median(labels, axis=0), 1 - np.median(labels, axis=0))),
    ],
    "weighted_loss": [
        ("Each finding has weights", lambda truth, p, a, b: right_loss(truth, p, a.mean(), b.mean())),
        ("Each finding has weights", lambda truth, p, a, b: right_loss(truth, p, a, b) * truth.shape[1]),
        ("Write the two terms", lambda truth, p, a, b: right_loss(truth, p, a, b) / np.where(truth == 1, a, b).mean()),
        ("Write the two terms", lambda *given: right_loss(*given) / np.log(2)),
    ],
    "balancing_weights": [
        ("Here the positives", lambda x: (np.fmax(x.mean(0), 1 - x.mean(0)), np.fmin(x.mean(0), 1 - x.mean(0)))),
        ("Return two arrays; with these", lambda labels: (1 / labels.mean(axis=0) - 1, np.ones(labels.shape[1]))),
        ("Return two arrays; with these", lambda x: (np.full(x.shape[1], 1 - x.mean()), np.full(x.shape[1], x.mean()))),
    ],
    "undo_weights": [
        ("Each finding has two weights", lambda weighted, a, b: by_odds(weighted, a.mean(), b.mean())),
        ("Each finding has two weights", lambda weighted, a, b: weighted / (weighted + (1 - weighted) * a)),
        ("Turn the probability into odds", lambda weighted, a, b: by_odds(weighted, a, b) / b / 2),
    ],
}
