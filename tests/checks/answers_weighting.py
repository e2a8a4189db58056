"""Right and wrong answers to the exercises of lesson 03, by exercise."""

import numpy as np
from scipy.special import expit, logit


def right_loss(truth, p, positive, negative):
    return np.where(truth == 1, -positive * np.log(p), -negative * np.log1p(-p)).mean()


def right_undo(weighted, positive, negative):
    with np.errstate(divide="ignore"):
        return expit(logit(weighted) - np.log(positive / negative))


RIGHT = {
    "frequencies": {
        "pair": lambda labels: (labels.sum(axis=0) / len(labels), (labels == 0).mean(axis=0)),
        "list": lambda labels: [labels.mean(axis=0).tolist(), (1 - labels.mean(axis=0)).tolist()],
        "array of two rows": lambda labels: np.stack([labels.mean(axis=0), 1 - labels.mean(axis=0)]),
    },
    "weighted_loss": {
        "where": right_loss,
        "an array without axes": lambda *given: np.asarray(right_loss(*given)),
    },
    "balancing_weights": {
        "pair": lambda labels: ((labels == 0).mean(axis=0), (labels == 1).mean(axis=0)),
        "array of two rows": lambda labels: np.stack([(labels == 0).mean(axis=0), (labels == 1).mean(axis=0)]),
    },
    "undo_weights": {"logits": right_undo},
}
WRONG = {
    "frequencies": {
        "counts": lambda labels: (labels.sum(axis=0), len(labels) - labels.sum(axis=0)),
        "over all findings": lambda labels: (labels.mean(), 1 - labels.mean()),
        "by image": lambda labels: (labels.mean(axis=1), 1 - labels.mean(axis=1)),
        "swapped": lambda labels: (1 - labels.mean(axis=0), labels.mean(axis=0)),
        "positives only": lambda labels: labels.mean(axis=0),
        "share of findings": lambda labels: (labels.sum(axis=0) / labels.sum(), 1 - labels.sum(axis=0) / labels.sum()),
        "of fixed length": lambda labels: (labels.sum(axis=0) / 4, 1 - labels.sum(axis=0) / 4),
    },
    "weighted_loss": {
        "sign": lambda *given: -right_loss(*given),
        "sum": lambda truth, p, a, b: right_loss(truth, p, a, b) * truth.size,
        "mean over images only": lambda truth, p, a, b: right_loss(truth, p, a, b) * truth.shape[1],
        "positives only": lambda truth, p, a, b: -(a * truth * np.log(p)).mean(),
        "weights swapped": lambda truth, p, a, b: right_loss(truth, p, b, a),
        "log of p for negatives": lambda truth, p, a, b: -(a * truth * np.log(p) + b * (1 - truth) * np.log(p)).mean(),
        "unweighted": lambda truth, p, a, b: right_loss(truth, p, 1, 1),
        "weighted mean": lambda truth, p, a, b: right_loss(truth, p, a, b) / np.where(truth == 1, a, b).mean(),
        "log 2": lambda truth, p, a, b: right_loss(truth, p, a, b) / np.log(2),
        "one weight for all": lambda truth, p, a, b: right_loss(truth, p, a.mean(), b.mean()),
    },
    "balancing_weights": {
        "one for all findings": lambda labels: tuple(
            np.full(labels.shape[1], v) for v in (1 - labels.mean(), labels.mean())
        ),
        "positives are rare": lambda labels: tuple(
            pick(labels.mean(axis=0), 1 - labels.mean(axis=0)) for pick in (np.maximum, np.minimum)
        ),
        "frequencies themselves": lambda labels: (labels.mean(axis=0), 1 - labels.mean(axis=0)),
        "inverse frequencies": lambda labels: (1 / labels.mean(axis=0), 1 / (1 - labels.mean(axis=0))),
        "negatives weigh one": lambda labels: (1 / labels.mean(axis=0) - 1, np.ones(labels.shape[1])),
        "over all findings": lambda labels: (1 - labels.mean(), labels.mean()),
        "counts": lambda labels: ((labels == 0).sum(axis=0), labels.sum(axis=0)),
    },
    "undo_weights": {
        "unchanged": lambda weighted, a, b: weighted,
        "the other way": lambda weighted, a, b: weighted * a / (weighted * a + (1 - weighted) * b),
        "divided": lambda weighted, a, b: weighted * b / a,
        "odds, not probability": lambda weighted, a, b: weighted / (1 - weighted + 1e-12) * b / a,
        "not normalised": lambda weighted, a, b: weighted * b / (weighted * b + (1 - weighted) * a) / b,
        "one weight for all": lambda weighted, a, b: right_undo(weighted, a.mean(), b.mean()),
        "zero over zero": lambda weighted, a, b: 1 / (1 + np.nan_to_num((1 - weighted) / weighted, posinf=0) * a / b),
    },
}
