"""Exercises of lesson 09: another hospital."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from ..exercise import Case, exercise

_P = np.array([0.2, 0.5, 0.9])


def _moved(probability: np.ndarray, at_home: float, there: float) -> np.ndarray:
    present = probability * there / at_home
    return present / (present + (1 - probability) * (1 - there) / (1 - at_home))


@exercise(
    "By how much do the odds of the finding change, if it is rarer among the people who come?",
    cases=[
        # odds 1 : 1 at a prevalence of one half; at one fifth the odds are 1 : 4
        Case((np.array([0.5]), 0.5, 0.2), np.array([0.2])),
        # at home 1 : 9, there 1 : 19, so all odds are multiplied by 9 / 19
        Case((_P, 0.1, 0.05), np.array([9 / 85, 9 / 28, 81 / 100]), "Try it with two prevalences below one half."),
        Case((_P, 0.1, 0.1), _P, "Where nothing changes, the probabilities stay."),
        Case((np.array([0.0, 1.0]), 0.1, 0.3), np.array([0.0, 1.0]), "What is certain stays certain."),
    ],
    mistakes=[
        ("That is the way back home.", lambda p, h, t: _moved(p, t, h)),
        ("The probabilities of absence change too.", lambda p, h, t: p * t / h),
        ("The probabilities of absence change too.", lambda p, h, t: np.clip(p * t / h, 0, 1)),
        ("Divide by what both classes have together.", lambda p, h, t: p * t / h + (1 - p) * (1 - t) / (1 - h)),
        ("These are odds; probabilities are asked for.", lambda p, h, t: p / (1 - p) * t / (1 - t) * (1 - h) / h),
        ("The odds are multiplied by odds, not by shares.", lambda p, h, t: (p * t / h) / (p * t / h + 1 - p)),
        ("Add to the log odds, not to the probability.", lambda p, h, t: p + t - h),
    ],
)
def new_prevalence(probability: np.ndarray, at_home: float, there: float) -> np.ndarray:
    """Probabilities from a place where the finding has one prevalence, for a place where it has another."""
    return _moved(probability, at_home, there)


def _number(probability: np.ndarray, share: float) -> float:
    scale = logit(probability)
    return brentq(lambda number: expit(scale + number).mean() - share, -30, 30)


@exercise(
    "Which number, added to all log odds, makes the mean probability equal the share?",
    cases=[
        # odds 1 : 1 become 1 : 4
        Case((np.array([0.5, 0.5]), 0.2), -np.log(4)),
        # log odds -a and a have the mean probability 1/2 as they are
        Case((np.array([0.1, 0.9]), 0.5), 0.0, "Where the mean is right, nothing has to move."),
        # odds 1 and 4, divided by 9: the probabilities are 1/10 and 4/13
        Case((np.array([0.5, 0.8]), 53 / 260), -np.log(9), "Put your number in: is the mean probability the share?"),
        # odds 1/4 and 1, multiplied by 4: 1/2 and 4/5
        Case((np.array([0.2, 0.5]), 0.65), np.log(4), "The share may be larger than the mean."),
    ],
    mistakes=[
        ("Return the number, not the probabilities.", lambda p, s: expit(logit(p) + _number(p, s))),
        ("Add to the log odds, not to the probabilities.", lambda p, s: s - p.mean()),
        ("What is added, and to what? The sign is the other one.", lambda p, s: -_number(p, s)),
        ("The odds are multiplied by this; what is added to their logarithm?", lambda p, s: np.exp(_number(p, s))),
        ("Odds, not probabilities, have this ratio.", lambda p, s: np.log(s / p.mean())),
        ("The mean of the log odds is not the mean probability.", lambda p, s: logit(s) - logit(p).mean()),
        ("The log odds of the mean move otherwise than the mean.", lambda p, s: logit(s) - logit(p.mean())),
    ],
)
def number_to_add(probability: np.ndarray, share: float) -> float:
    """The number that, added to all log odds, makes the mean probability equal the share."""
    return _number(probability, share)


def _hanley(auc: float, positives: float, negatives: float) -> float:
    both_positive, both_negative = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (both_positive - auc**2) + (negatives - 1) * (both_negative - auc**2)
    return np.sqrt(spread / (positives * negatives))


@exercise(
    "Put the numbers into the formula by hand, for one positive and one negative image.",
    cases=[
        # one pair: a coin with the chance 0.8 of winning has the variance 0.8 x 0.2
        Case((0.8, 1, 1), 0.4),
        # Hanley and McNeil 1982, table II: AUC 0.75 is q1 = 0.6, q2 = 1.125 / 1.75
        Case((0.75, 50, 100), np.sqrt((0.1875 + 49 * 0.0375 + 99 * (1.125 / 1.75 - 0.5625)) / 5000)),
        Case((0.75, 100, 50), np.sqrt((0.1875 + 99 * 0.0375 + 49 * (1.125 / 1.75 - 0.5625)) / 5000),
             "Positives and negatives do not have the same part in it."),
        Case((1.0, 10, 10), 0.0, "A perfect order has no error."),
    ],
    mistakes=[
        ("That is the variance.", lambda a, p, n: _hanley(a, p, n) ** 2),
        ("Divide by the number of pairs.", lambda a, p, n: _hanley(a, p, n) * np.sqrt(p * n)),
        ("Which of the two shares goes with the positives?", lambda a, p, n: _hanley(a, n, p)),
        ("An area comes of pairs; it is no share of the images.", lambda a, p, n: np.sqrt(a * (1 - a) / (p + n))),
        ("An area comes of pairs, and pairs share images.", lambda a, p, n: np.sqrt(a * (1 - a) / (p * n))),
        ("Return the error, not half an interval.", lambda a, p, n: 1.96 * _hanley(a, p, n)),
    ],
)  # fmt: skip
def auc_error(auc: float, positives: float, negatives: float) -> float:
    """Standard error of an area under the ROC curve (Hanley and McNeil 1982)."""
    return _hanley(auc, positives, negatives)


_TRUTH, _SITE = np.array([1, 0, 1, 0, 0, 0]), np.array(["A", "A", "B", "B", "B", "A"])


def _won(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    gap = score[truth == 1][:, np.newaxis] - score[truth == 0]
    return (gap > 0) + (gap == 0) / 2


def _by_site(truth: np.ndarray, score: np.ndarray, site: np.ndarray) -> list[np.ndarray]:
    return [_won(truth[site == one], score[site == one]) for one in np.unique(site)]


def _flat(pairs: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([one.ravel() for one in pairs])


@exercise(
    "Which pairs of a positive and a negative image are of one hospital? How many of them does the positive win?",
    cases=[
        # in A the 0.9 wins against 0.8 and 0.1; in B the 0.3 loses against 0.4 and wins against 0.2
        Case((_TRUTH, np.array([0.9, 0.8, 0.3, 0.4, 0.2, 0.1]), _SITE), 3 / 4),
        # each tie is worth one half: a score that knows the hospital and nothing else
        Case((_TRUTH, (_SITE == "A").astype(float), _SITE), 0.5, "A tie is neither won nor lost."),
        # A has one pair, won; B has three, all lost: one of four
        Case(
            (np.array([1, 0, 1, 0, 0, 0]), np.array([0.9, 0.1, 0.2, 0.5, 0.6, 0.7]), np.array(list("AABBBB"))), 1 / 4,
            "Every pair counts once, so a hospital with more pairs counts more.",
        ),
        # B has no positive image and so no pair
        Case((np.array([1, 0, 0]), np.array([0.2, 0.1, 0.5]), np.array(list("AAB"))), 1.0,
             "A hospital may have no pair."),
    ],
    mistakes=[
        ("Leave out pairs of two hospitals.", lambda y, s, k: _won(y, s).mean()),
        ("Divide by the number of pairs.", lambda y, s, k: _flat(_by_site(y, s, k)).sum()),
        ("Here the negatives win.", lambda y, s, k: 1 - _flat(_by_site(y, s, k)).mean()),
        ("One number for all hospitals together.", lambda y, s, k: [one.mean() for one in _by_site(y, s, k)]),
        ("One hospital is not all.", lambda y, s, k: _by_site(y, s, k)[0].mean()),
        ("Here only pairs of two hospitals count.",
         lambda y, s, k: _won(y, s)[k[y == 1][:, np.newaxis] != k[y == 0]].mean()),
    ],
)  # fmt: skip
def auc_within(truth: np.ndarray, score: np.ndarray, site: np.ndarray) -> float:
    """Share of the pairs from one hospital in which the positive image has the higher score."""
    return _flat(_by_site(truth, score, site)).mean()
