"""Answers to the exercises of lesson 09: right ones in other forms, and wrong ones with the hint that they get."""

import numpy as np
from scipy.optimize import brentq, root_scalar
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score


def by_odds(probability, at_home, there):
    with np.errstate(divide="ignore"):
        odds = np.asarray(probability) / (1 - np.asarray(probability))
        odds = odds * (there / (1 - there)) / (at_home / (1 - at_home))
        return np.where(np.isinf(odds), 1.0, odds / (1 + np.where(np.isinf(odds), 0, odds)))


def by_log_odds(probability, at_home, there):
    with np.errstate(divide="ignore"):
        return expit(logit(probability) + logit(there) - logit(at_home))


def by_bisection(probability, share):
    low, high = -40.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(logit(probability) + middle).mean() < share else (low, middle)
    return low


def by_odds_factor(probability, share):
    odds = probability / (1 - probability)
    return np.log(brentq(lambda f: np.mean(f * odds / (1 + f * odds)) - share, 1e-12, 1e12, xtol=1e-14))


def by_secants(probability, share):
    return root_scalar(lambda a: (expit(logit(probability) + a) - share).sum(), x0=0, x1=-1).root


def hanley(auc, positives, negatives):
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    return (
        (auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)) / (positives * negatives)
    ) ** 0.5


def by_loops(truth, score, site):
    won, pairs = 0.0, 0
    for i in range(len(truth)):
        for j in range(len(truth)):
            if truth[i] == 1 and truth[j] == 0 and site[i] == site[j]:
                won, pairs = won + (score[i] > score[j]) + 0.5 * (score[i] == score[j]), pairs + 1
    return won / pairs


def of_sites(truth, score, site):
    """AUC and number of pairs of each hospital that has both classes."""
    own = [(truth[site == one], score[site == one]) for one in np.unique(site)]
    return [(roc_auc_score(y, s), y.sum() * (1 - y).sum()) for y, s in own if 0 < y.sum() < len(y)]


def by_weights(truth, score, site):
    areas, pairs = zip(*of_sites(truth, score, site), strict=True)
    return np.average(areas, weights=pairs)


RIGHT = {
    "new_prevalence": {
        "odds": by_odds,
        "log odds": by_log_odds,
        "list": lambda *given: list(by_odds(*given)),
    },
    "number_to_add": {"bisection": by_bisection, "odds": by_odds_factor, "secants": by_secants},
    "auc_error": {"root": hanley, "array": lambda *given: np.float64(hanley(*given))},
    "auc_within": {"loops": by_loops, "weights": by_weights},
}
WRONG = {
    "new_prevalence": [
        ("Try it with two prevalences", lambda p, h, t: p * t / (p * t + (1 - p) * (1 - t))),
        ("Where nothing changes", lambda p, h, t: by_odds(p, h, t) if h != t else p / 2),
        ("What is certain stays", lambda p, h, t: np.clip(by_odds(np.clip(p, 0.01, 0.99), h, t), 0, 1)),
        ("By how much do the odds", lambda p, h, t: np.full(len(p), t) / 2),
    ],
    "number_to_add": [
        ("Where the mean is right", lambda p, s: -np.log(4) if p[0] == p[1] else 1.0),
        ("Put your number in", lambda p, s: by_secants(p, s) * (1 if p[0] in (0.5, 0.1) and p[1] != 0.8 else 0.9)),
        ("The share may be larger", lambda p, s: min(by_secants(p, s), 0)),
        ("Which number, added", lambda p, s: 1.0),
    ],
    "auc_error": [
        ("Positives and negatives", lambda a, p, n: hanley(a, min(p, n), max(p, n))),
        ("A perfect order", lambda a, p, n: max(hanley(a, p, n), 0.01)),
        ("Put the numbers", lambda a, p, n: a / (p + n)),
    ],
    "auc_within": [
        ("A tie is neither", lambda y, s, k: by_loops(y, s - 1e-9 * y, k)),
        ("A tie is neither", lambda y, s, k: by_loops(y, s + 1e-9 * y, k)),
        ("Every pair counts once", lambda y, s, k: np.mean([area for area, _ in of_sites(y, s, k)])),
        ("A hospital may have no pair", lambda y, s, k: np.nan if len(of_sites(y, s, k)) < 2 else by_loops(y, s, k)),
        ("Which pairs of a positive", lambda y, s, k: s[y == 1].mean() - s[y == 0].mean()),
    ],
}
