"""Do probabilities mean what they say? Of the images called 20 %, do 20 % have the finding?

Ranking (the AUC) does not see it: any increasing change of the scores keeps the AUC and changes calibration.
Weighted losses and over-confident networks spoil it; the ways back stand here.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logit

from cxr_utils.alignment import Table, align
from cxr_utils.errors import CxrError

#: Probabilities are kept this far from 0 and 1 before their logit is taken; float32 sigmoids reach 1 exactly.
MARGIN = 1e-7


def reliability_table(truth: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Predicted against observed frequency, in bins that hold equally many images.

    Bins of equal width would leave one or two images in most bins of a rare finding.

    Args:
        truth: (images,) labels 0 or 1.
        probabilities: (images,) between 0 and 1.
        bins: how many; fewer come out where there are fewer images or many equal probabilities.

    Returns:
        One row a bin, from low to high: predicted (mean probability), observed (share with the finding),
        images.

    Raises:
        CxrError: where a probability is not between 0 and 1, or the inputs do not fit together.

    Example:
        >>> reliability_table([0, 0, 0, 1], [0.1, 0.2, 0.6, 0.8], bins=2).round(2).values.tolist()
        [[0.15, 0.0, 2.0], [0.7, 0.5, 2.0]]
    """
    truth, probabilities = _one_finding(truth, probabilities)
    # Equal probabilities share a bin: which of them came first in the file must not matter.
    ranks = np.searchsorted(np.sort(probabilities), probabilities, side="left")
    bin_of_image = ranks * bins // len(ranks)
    grouped = pd.DataFrame({"predicted": probabilities, "observed": truth}).groupby(bin_of_image)
    table = grouped.mean().assign(images=grouped.size())
    return table.reset_index(drop=True)


def brier_score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared distance of probability and outcome (Brier 1950); 0 is perfect.

    Judge it beside prevalence x (1 - prevalence), the score of always saying the prevalence.

    Args:
        truth: (images,) labels 0 or 1.
        probabilities: (images,) between 0 and 1.

    Returns:
        Between 0 and 1.

    Raises:
        CxrError: where a probability is not between 0 and 1, or the inputs do not fit together.

    Example:
        >>> round(brier_score([0, 1], [0.1, 0.7]), 3)
        0.05
    """
    truth, probabilities = _one_finding(truth, probabilities)
    return float(np.mean((probabilities - truth) ** 2))


def expected_calibration_error(truth: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Mean distance of predicted and observed frequency over the bins of `reliability_table`.

    Args:
        truth: (images,) labels 0 or 1.
        probabilities: (images,) between 0 and 1.
        bins: bins of equally many images. The figure depends on it and is never quite 0 by chance alone.

    Returns:
        Between 0 and 1 (Naeini et al., AAAI 2015, with equal-mass bins).

    Raises:
        CxrError: where a probability is not between 0 and 1, or the inputs do not fit together.

    Example:
        >>> round(expected_calibration_error([0, 0, 0, 1], [0.1, 0.2, 0.6, 0.8], bins=2), 3)
        0.175
    """
    table = reliability_table(truth, probabilities, bins)
    return float(np.average((table["predicted"] - table["observed"]).abs(), weights=table["images"]))


def calibration_table(truth: Table, probabilities: Table, bins: int = 10) -> pd.DataFrame:
    """How well calibrated each finding is.

    Args:
        truth: labels, (images, findings).
        probabilities: between 0 and 1, (images, findings).
        bins: for the expected calibration error.

    Returns:
        Index: findings. Columns: prevalence, mean_probability, brier, brier_of_prevalence (the score of
        always saying the prevalence) and ece.

    Raises:
        CxrError: where a probability is not between 0 and 1, or the inputs do not fit together.

    Example:
        >>> calibration_table(np.array([0, 1]), np.array([0.1, 0.7])).round(3).values.tolist()
        [[0.5, 0.4, 0.05, 0.25, 0.2]]
    """
    truth, probabilities = align(truth, probabilities)
    prevalence = truth.mean()
    pairs = [(truth[name].to_numpy(), probabilities[name].to_numpy()) for name in truth]
    return pd.DataFrame(
        {
            "prevalence": prevalence,
            "mean_probability": probabilities.mean(),
            "brier": [brier_score(*pair) for pair in pairs],
            "brier_of_prevalence": prevalence * (1 - prevalence),
            "ece": [expected_calibration_error(*pair, bins) for pair in pairs],
        }
    ).rename_axis("finding")


@dataclass(frozen=True)
class Calibrator:
    """Straightens probabilities: the logit of each finding is multiplied by a slope, and an intercept is
    added.

    Made by `fit_platt` or `fit_temperature` on the validation part; call it on the scores of the test part.

    Attributes:
        slope: one for each finding.
        intercept: one for each finding.

    Example:
        >>> halve = Calibrator(slope=pd.Series({"Mass": 0.5}), intercept=pd.Series({"Mass": 0.0}))
        >>> halve(pd.DataFrame({"Mass": [0.5, 0.9]})).round(2)["Mass"].tolist()
        [0.5, 0.75]
    """

    slope: pd.Series
    intercept: pd.Series

    def __call__(self, probabilities: pd.DataFrame) -> pd.DataFrame:
        """Calibrated probabilities, same index and columns; refuses findings it was not fitted on."""
        unknown = [name for name in probabilities if name not in self.slope.index]
        if unknown:
            raise CxrError(
                f"This calibration knows {', '.join(map(str, self.slope.index))} and not "
                f"{', '.join(map(str, unknown))}. Expected the findings it was fitted on. Fit it "
                "again."
            )
        logits = _logit(probabilities.to_numpy(dtype=np.float64))
        order = list(probabilities.columns)
        changed = expit(logits * self.slope[order].to_numpy() + self.intercept[order].to_numpy())
        return pd.DataFrame(changed, index=probabilities.index, columns=probabilities.columns)


def fit_platt(truth: Table, probabilities: Table) -> Calibrator:
    """A slope and an intercept for each finding, by logistic regression on the logit (Platt 1999).

    Platt's softened targets (positives + 1) / (positives + 2) keep it finite where the classes separate.

    Args:
        truth: labels of the validation part, (images, findings).
        probabilities: the model's, between 0 and 1, same images.

    Returns:
        A `Calibrator`.

    Raises:
        CxrError: where a probability is not between 0 and 1, or the inputs do not fit together.

    Example:
        >>> fit = fit_platt(np.array([0, 0, 1, 0, 1, 1]), np.array([0.7, 0.8, 0.85, 0.9, 0.95, 0.97]))
        >>> bool(fit.intercept.iloc[0] < 0)
        True
    """
    truth, probabilities = align(truth, probabilities)
    pairs = [_platt(truth[name].to_numpy(), _logit(probabilities[name].to_numpy())) for name in truth]
    slopes, intercepts = np.transpose(pairs)
    return Calibrator(pd.Series(slopes, index=truth.columns), pd.Series(intercepts, index=truth.columns))


def fit_temperature(truth: Table, probabilities: Table) -> Calibrator:
    """One temperature for the whole model: all logits divided by T (Guo et al., ICML 2017).

    Cannot move a probability across one half, so it cannot undo class weights; see `prior_correction`.

    Args:
        truth: labels of the validation part, (images, findings).
        probabilities: the model's, between 0 and 1, same images.

    Returns:
        A `Calibrator` whose slope is 1 / T for every finding and whose intercept is 0.

    Raises:
        CxrError: where a probability is not between 0 and 1, or the inputs do not fit together.

    Example:
        >>> truth = np.array([1] * 9 + [0] + [0] * 9 + [1])
        >>> sure = np.array([0.99] * 10 + [0.01] * 10)
        >>> temperature = 1 / fit_temperature(truth, sure).slope.iloc[0]
        >>> round(float(temperature), 2)    # logit(0.99) / logit(0.9)
        2.09
    """
    truth, probabilities = align(truth, probabilities)
    present, logits = truth.to_numpy(), _logit(probabilities.to_numpy())
    best = minimize_scalar(
        lambda log_t: _cross_entropy(present, logits / np.exp(log_t)),
        bounds=(-4, 4),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return Calibrator(pd.Series(np.exp(-best.x), index=truth.columns), pd.Series(0.0, index=truth.columns))


def prior_correction(probabilities: Table, positive_weights, negative_weights) -> Table:
    """Takes the class weights of a loss out of its probabilities, in closed form.

    The weighted loss w+ y log q + w- (1 - y) log(1 - q) is least where q / (1 - q) = (w+ / w-) p / (1 - p), p
    being the true probability. So the odds are divided by w+ / w- (Saerens et al. 2002; Elkan, IJCAI 2001).

    Args:
        probabilities: of a model trained with the weights, (images, findings).
        positive_weights: w+ of each finding, shape (findings,) or a number.
        negative_weights: w- of each finding, likewise.

    Returns:
        Probabilities of the same type and shape.

    Raises:
        CxrError: where a weight is not positive or a probability not between 0 and 1.

    Example:
        >>> prior_correction(np.array([[0.5]]), np.array([9.0]), np.array([1.0])).tolist()
        [[0.1]]
    """
    positive, negative = (np.asarray(w, dtype=np.float64) for w in (positive_weights, negative_weights))
    if (positive <= 0).any() or (negative <= 0).any():
        raise CxrError(
            "A class weight is zero or negative. Expected weights above zero. A finding without "
            "positive images cannot be weighted; leave it out."
        )
    _refuse_improbable(np.asarray(probabilities))
    weighted = probabilities * negative
    return weighted / (weighted + (1 - probabilities) * positive)


def _platt(truth: np.ndarray, logits: np.ndarray) -> tuple[float, float]:
    positives, negatives = truth.sum(), (1 - truth).sum()
    target = np.where(truth == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        changed = weights[0] * logits + weights[1]
        error = (expit(changed) - target) / len(target)
        return _cross_entropy(target, changed), np.array([error @ logits, error.sum()])

    best = minimize(loss, x0=np.array([1.0, 0.0]), jac=True, method="BFGS", options={"gtol": 1e-9})
    return best.x[0], best.x[1]


def _cross_entropy(target: np.ndarray, logits: np.ndarray) -> float:
    return float(np.mean(np.logaddexp(0, logits) - target * logits))


def _logit(probabilities: np.ndarray) -> np.ndarray:
    _refuse_improbable(probabilities)
    return logit(np.clip(probabilities, MARGIN, 1 - MARGIN))


def _one_finding(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth, probabilities = align(np.asarray(truth), np.asarray(probabilities))
    _refuse_improbable(probabilities.to_numpy())
    return truth.to_numpy()[:, 0], probabilities.to_numpy()[:, 0]


def _refuse_improbable(probabilities: np.ndarray) -> None:
    if probabilities.size and not (probabilities.min() >= 0 and probabilities.max() <= 1):
        raise CxrError(
            f"Received probabilities from {probabilities.min():.3g} to {probabilities.max():.3g}. "
            "Expected them between 0 and 1. Pass a sigmoid of the logits, not the logits."
        )
