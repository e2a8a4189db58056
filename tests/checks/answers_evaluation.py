"""Right and wrong answers to the exercises of lesson 05, by exercise."""

import numpy as np
from sklearn.metrics import roc_auc_score


def right_rates(truth, score, threshold):
    called = score >= threshold
    return (called & (truth == 1)).sum() / (truth == 1).sum(), (called & (truth == 0)).sum() / (truth == 0).sum()


def right_auc(positive, negative):
    return roc_auc_score(np.r_[np.ones(len(positive)), np.zeros(len(negative))], np.r_[positive, negative])


def right_rows(patients, drawn):
    return [row for one in drawn for row, patient in enumerate(patients) if patient == one]


RIGHT = {
    "rates_at": {
        "pair": right_rates,
        "list": lambda *given: list(right_rates(*given)),
        "array": lambda *given: np.array(right_rates(*given)),
    },
    "auc_by_pairs": {"scikit-learn": right_auc},
    "replicate": {"list": right_rows, "backwards": lambda *given: np.array(right_rows(*given)[::-1])},
    "ppv": {"odds": lambda a, b, p: 1 / (1 + (1 - b) * (1 - p) / (a * p))},
}
WRONG = {
    "rates_at": {
        "never below one half": lambda truth, score, t: right_rates(truth, score, max(t, 0.5)),
        "through the calls": lambda truth, score, t: (
            truth[score >= t].sum() / (score >= t).sum() * (score >= t).sum() / truth.sum(),
            right_rates(truth, score, t)[1],
        ),
        "above, not at": lambda truth, score, t: ((score > t)[truth == 1].mean(), (score > t)[truth == 0].mean()),
        "swapped": lambda *given: right_rates(*given)[::-1],
        "specificity": lambda *given: (right_rates(*given)[0], 1 - right_rates(*given)[1]),
        "below": lambda truth, score, t: ((score < t)[truth == 1].mean(), (score < t)[truth == 0].mean()),
        "shares of all images": lambda truth, score, t: (
            ((score >= t) & (truth == 1)).mean(),
            ((score >= t) & (truth == 0)).mean(),
        ),
        "precision": lambda truth, score, t: (
            truth[score >= t].mean() if (score >= t).any() else 0.0,
            right_rates(truth, score, t)[1],
        ),
        "counts": lambda truth, score, t: ((score >= t)[truth == 1].sum(), (score >= t)[truth == 0].sum()),
        "false calls among calls": lambda truth, score, t: (
            right_rates(truth, score, t)[0],
            (1 - truth)[score >= t].mean() if (score >= t).any() else 0.0,
        ),
    },
    "auc_by_pairs": {
        "never below one half": lambda positive, negative: max(
            right_auc(positive, negative), 1 - right_auc(positive, negative)
        ),
        "standardised first": lambda positive, negative: right_auc(
            *((one - np.mean(positive)) / np.ptp(np.r_[positive, negative]) for one in (positive, negative))
        ),
        "ties lost": lambda positive, negative: (positive[:, None] > negative).mean(),
        "ties won": lambda positive, negative: (positive[:, None] >= negative).mean(),
        "the other way": lambda positive, negative: 1 - right_auc(positive, negative),
        "number of pairs": lambda positive, negative: right_auc(positive, negative) * len(positive) * len(negative),
        "means compared": lambda positive, negative: float(positive.mean() > negative.mean()),
        "above the mean negative": lambda positive, negative: (positive > negative.mean()).mean(),
        "above every negative": lambda positive, negative: (positive > negative.max()).mean(),
    },
    "replicate": {
        "one image a patient": lambda patients, drawn: np.array([np.flatnonzero(patients == one)[0] for one in drawn]),
        "each patient once": lambda patients, drawn: np.flatnonzero(np.isin(patients, drawn)),
        "mask": lambda patients, drawn: np.isin(patients, drawn),
        "patients": lambda patients, drawn: np.array([p for one in drawn for p in patients if p == one]),
        "counted from one": lambda patients, drawn: np.array(right_rows(patients, drawn)) + 1,
        "images drawn": lambda patients, drawn: np.random.default_rng(0).integers(len(patients), size=len(drawn)),
        "list of lists": lambda patients, drawn: np.array([len(np.flatnonzero(patients == one)) for one in drawn]),
    },
    "ppv": {
        "always 990 healthy": lambda a, b, p: a * p * 1000 / (a * p * 1000 + (1 - b) * 990),
        "swapped": lambda a, b, p: b * p / (b * p + (1 - a) * (1 - p)),
        "through the odds": lambda a, b, p: (lambda odds: odds / (1 + odds))(p / (1 - p) * a / (1 - b)),
        "prevalence forgotten": lambda a, b, p: a / (a + 1 - b),
        "sensitivity": lambda a, b, p: a,
        "specificity of the ill": lambda a, b, p: a * p / (a * p + (1 - b) * p),
        "npv": lambda a, b, p: b * (1 - p) / (b * (1 - p) + (1 - a) * p),
        "true calls over all": lambda a, b, p: a * p,
        "specificity for false alarms": lambda a, b, p: a * p / (a * p + b * (1 - p)),
    },
}
