"""Answers to the exercises of lesson 10: right ones in other forms, and wrong ones with the hint that they get."""

import numpy as np
from scipy.special import logit


def right_ensemble(probabilities):
    logits = logit(probabilities)
    mean = sum(probabilities) / len(probabilities)
    middle = sum(logits) / len(logits)
    return mean, (sum((one - middle) ** 2 for one in logits) / len(logits)) ** 0.5


def right_limit(scores, error):
    allowed = int(np.floor((len(scores) + 1) * error + 1e-9))  # how many may lie above, the new one among them
    return sorted(scores, reverse=True)[allowed - 1] if allowed else np.inf


def right_answered(probability, share):
    sure = np.maximum(probability, 1 - probability)
    return sure.argsort().argsort() >= len(sure) - round(share * len(sure))


def right_rates(present, called, group):
    present, called = present[group].ravel(), called[group].ravel()
    return 1 - called[present].sum() / present.sum(), (called & ~present).sum() / (~present).sum()


RIGHT = {
    "ensemble": {
        "by hand": right_ensemble,
        "list": lambda p: list(right_ensemble(p)),
        "np.mean": lambda p: (np.mean(p, 0), np.std(logit(p), 0)),
    },
    "conformal_limit": {
        "from above": right_limit,
        "quantile of a higher level": lambda s, a: (
            np.inf
            if np.ceil((len(s) + 1) * (1 - a)) > len(s)
            else np.quantile(s, np.ceil((len(s) + 1) * (1 - a)) / len(s), method="inverted_cdf")
        ),
    },
    "answered": {
        "ranks": right_answered,
        "0 and 1": lambda p, s: right_answered(p, s).astype(int),
        "list": lambda p, s: right_answered(p, s).tolist(),
    },
    "group_rates": {
        "raveled": right_rates,
        "list": lambda *given: list(right_rates(*given)),
        "array": lambda *given: np.array(right_rates(*given)),
    },
}
WRONG = {
    "ensemble": [
        ("There may be any", lambda p: (p.mean(0), np.sqrt(8 / 3) * (np.arange(p.shape[1]) == 0)[:, None] + 0 * p[0])),
        ("Members come first", lambda p: (np.median(p, 0) + 0.1, logit(p).std(0))),
    ],
    "conformal_limit": [
        ("Round (n + 1)", lambda s, a: np.sort(s)[min(int((len(s) + 1) * (1 - a) + 1e-9), len(s)) - 1]),
        ("The allowed error", lambda s, a: right_limit(s, min(a, 0.22))),
        ("Where there is no such place", lambda s, a: min(right_limit(s, a), max(s))),
        ("At which place", lambda s, a: s.mean() + 0.01),
    ],
    "answered": [
        ("The share is not always", lambda p, s: right_answered(p, 0.5)),
        ("All of them", lambda p, s: right_answered(p, s) & (p != 0.45)),
        ("How far is each", lambda p, s: p == p.max()),
    ],
    "group_rates": [
        ("The group may be any", lambda y, c, g: right_rates(y, c, np.arange(len(g)) < 3)),
        ("There may be one finding", lambda y, c, g: right_rates(y, c, g) if y.shape[1] == 2 else (0.0, 0.0)),
        ("Of what the group has", lambda y, c, g: ((y & ~c)[g].any(axis=1)[y[g].any(axis=1)].mean(), c[g].mean())),
    ],
}
