"""Do probabilities mean what they say? Of the images called 20 %, do 20 % have the finding?

Ranking (the AUC) does not see it: any increasing change of the scores keeps the AUC and changes calibration.
Weighted losses and over-confident networks spoil it; the ways back stand here. Images whose label is unknown (NaN) are
left out, for each finding by itself.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logit

from cxr_utils.errors import CxrError
from cxr_utils.evaluation.intervals import share_interval
from cxr_utils.evaluation.predictions import Patients, Table, align, align_patients, known

#: Probabilities are kept this far from 0 and 1 before their logit is taken; float32 sigmoids reach 1 exactly.
MARGIN = 1e-7
#: What a Brier score is made of, in `calibration_table`.
BRIER_PARTS = ("reliability", "resolution", "uncertainty", "within_bins")


def reliability_table(
    truth: np.ndarray, probabilities: np.ndarray, bins: int = 10, patients: Patients | None = None
) -> pd.DataFrame:
    """Predicted against observed frequency, in bins that hold equally many images.

    Bins of equal width would leave one or two images in most bins of a rare finding.

    Args:
        truth: (images,) labels 0 or 1.
        probabilities: (images,) between 0 and 1.
        bins: how many; fewer come out where there are fewer images or many equal probabilities.
        patients: (images,) the patient of each image, for intervals.

    Returns:
        One row a bin, from low to high: predicted (mean probability), observed (share with the finding),
        images. With patients also low and high, the 95 % interval of the observed share.

    Raises:
        CxrError: where a probability is not between 0 and 1, or the inputs do not fit together.

    Example:
        >>> reliability_table([0, 0, 0, 1], [0.1, 0.2, 0.6, 0.8], bins=2).round(2).values.tolist()
        [[0.15, 0.0, 2.0], [0.7, 0.5, 2.0]]
    """
    judged = pd.notna(np.asarray(truth))
    truth, probabilities = checked_probabilities(truth, probabilities)
    place = _bins(probabilities, bins)
    grouped = pd.DataFrame({"predicted": probabilities, "observed": truth}).groupby(place)
    table = grouped.mean().assign(images=grouped.size())
    if patients is not None:
        patient = align_patients(np.asarray(patients), pd.RangeIndex(len(judged)))[judged]
        inside = place[:, None] == table.index.to_numpy()
        table["low"], table["high"] = share_interval(truth[:, None], inside, patient)
    return table.reset_index(drop=True)


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


def ece_by_chance(probabilities: pd.DataFrame, bins: int = 10, draws: int = 200, seed: int = 0) -> pd.Series:
    """Calibration error that perfectly calibrated probabilities would show on as many images.

    Args:
        probabilities: (images, findings) between 0 and 1; labels are drawn with exactly these probabilities.
        bins: as in `expected_calibration_error`.
        draws: how often labels are drawn; the mean error over the draws is given.
        seed: of the draws.

    Returns:
        One figure a finding. A measured error that is no larger says nothing against the probabilities.

    Example:
        >>> even = pd.DataFrame({"Mass": [0.5] * 400})
        >>> round(float(ece_by_chance(even)["Mass"]), 2)  # the mean of |X / 400 - 1/2| for 400 tosses of a coin
        0.02
    """
    generator = np.random.default_rng(seed)
    found = {}
    for name, column in probabilities.items():
        value = np.sort(column.to_numpy(dtype=np.float64))
        starts = np.flatnonzero(np.diff(_bins(value, bins), prepend=-1))
        drawn = generator.random((draws, len(value))) < value
        gap = np.add.reduceat(drawn - value, starts, axis=1)
        found[name] = np.abs(gap).sum(axis=1).mean() / len(value)
    return pd.Series(found).rename_axis("finding")


def calibration_table(truth: Table, probabilities: Table, bins: int = 10) -> pd.DataFrame:
    """How well calibrated each finding is, and what its Brier score is made of.

    brier = reliability - resolution + uncertainty + within_bins (Murphy, Journal of Applied Meteorology 1973).
    Reliability is how far predicted and observed frequency lie apart (0 is best), resolution how far the bins differ
    from each other in what is observed (more is better), uncertainty what one gets for always saying the prevalence.
    Murphy's three terms are exact where all images of a bin have one probability; `within_bins` is what is left where
    they differ (Stephenson, Coelho & Jolliffe, Weather and Forecasting 2008).

    Args:
        truth: labels, (images, findings).
        probabilities: between 0 and 1, (images, findings).
        bins: bins of equally many images, as in `reliability_table`.

    Returns:
        Index: findings. Columns: prevalence, mean_probability, brier, brier_of_prevalence (the score of
        always saying the prevalence), ece, and the parts of the Brier score.

    Raises:
        CxrError: where a probability is not between 0 and 1, or the inputs do not fit together.

    Example:
        >>> table = calibration_table(np.array([0, 0, 0, 1]), np.array([0.2, 0.2, 0.8, 0.8]), bins=2)
        >>> table[["brier", *BRIER_PARTS]].round(4).iloc[0].tolist()  # (0.2**2 + (0.8 - 0.5)**2) / 2, 0.25**2, ...
        [0.19, 0.065, 0.0625, 0.1875, 0.0]
    """
    truth, probabilities = align(truth, probabilities)
    prevalence = truth.mean()
    pairs = [known(truth[name], probabilities[name]) for name in truth]
    unknown = [np.nan] * (2 + len(BRIER_PARTS))
    parts = np.array([_brier_parts(*pair, bins) if len(pair[0]) else unknown for pair in pairs])
    return pd.DataFrame(
        {
            "prevalence": prevalence,
            "mean_probability": probabilities.mean(),
            "brier": parts[:, 0],
            "brier_of_prevalence": prevalence * (1 - prevalence),
            "ece": parts[:, 1],
            **dict(zip(BRIER_PARTS, parts[:, 2:].T, strict=True)),
        }
    ).rename_axis("finding")


@dataclass(frozen=True)
class Calibrator:
    """Straightens probabilities: the logit of each finding is multiplied by a slope, and an intercept is added.

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
        _refuse_unknown(probabilities, self.slope.index)
        logits = _logit(probabilities.to_numpy(dtype=np.float64))
        order = list(probabilities.columns)
        changed = expit(logits * self.slope[order].to_numpy() + self.intercept[order].to_numpy())
        return pd.DataFrame(changed, index=probabilities.index, columns=probabilities.columns)


@dataclass(frozen=True)
class StepCalibrator:
    """Straightens probabilities by any rising curve, given by its corners and straight in between.

    Made by `fit_isotonic` on the validation part; call it on the scores of the test part.

    Attributes:
        corners: finding to (probabilities of the model, what they become), two rising arrays of one length.

    Example:
        >>> double = StepCalibrator({"Mass": (np.array([0.0, 0.5]), np.array([0.0, 1.0]))})
        >>> double(pd.DataFrame({"Mass": [0.2, 0.9]}))["Mass"].tolist()
        [0.4, 1.0]
    """

    corners: dict[str, tuple[np.ndarray, np.ndarray]]

    def __call__(self, probabilities: pd.DataFrame) -> pd.DataFrame:
        """Calibrated probabilities, same index and columns; beyond the outer corners as at them."""
        _refuse_unknown(probabilities, self.corners)
        _refuse_improbable(probabilities.to_numpy(dtype=np.float64))
        changed = {name: np.interp(probabilities[name], *self.corners[name]) for name in probabilities}
        return pd.DataFrame(changed, index=probabilities.index, columns=probabilities.columns)


def fit_isotonic(truth: Table, probabilities: Table) -> StepCalibrator:
    """The rising curve nearest to the outcomes, for each finding (Zadrozny & Elkan, KDD 2002).

    It assumes nothing but the order, so it needs many positives: with few it copies their accidents, and what it
    makes equal can no longer be told apart, which may change the AUC.

    Args:
        truth: labels of the validation part, (images, findings).
        probabilities: the model's, between 0 and 1, same images.

    Returns:
        A `StepCalibrator`.

    Raises:
        CxrError: where a probability is not between 0 and 1, or the inputs do not fit together.

    Example:
        >>> fit = fit_isotonic(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.9]))
        >>> fit(pd.DataFrame({"finding": [0.1, 0.2, 0.3, 0.9]}))["finding"].tolist()
        [0.0, 0.5, 0.5, 1.0]
    """
    from sklearn.isotonic import IsotonicRegression

    truth, probabilities = align(truth, probabilities)
    corners = {}
    for name in truth:
        labels, values = known(truth[name], probabilities[name])
        _refuse_improbable(values)
        # Where nothing is known, there is nothing to learn from: what goes in comes out.
        curve = IsotonicRegression().fit(*((values, labels) if len(labels) else ([0.0, 1.0], [0.0, 1.0])))
        corners[name] = curve.X_thresholds_, curve.y_thresholds_
    return StepCalibrator(corners)


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
    pairs = [known(truth[name], probabilities[name]) for name in truth]
    slopes, intercepts = np.transpose(
        [_platt(labels, _logit(values)) if len(labels) else (1, 0) for labels, values in pairs]
    )
    return Calibrator(pd.Series(slopes, index=truth.columns), pd.Series(intercepts, index=truth.columns))


def fit_temperature(truth: Table, probabilities: Table) -> Calibrator:
    """One temperature for the whole model: all logits divided by T (Guo et al., ICML 2017).

    Cannot move a probability across one half, so it cannot undo class weights; lesson 03 derives what can.

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
    present, logits = truth.to_numpy(), _logit(probabilities.fillna(0.5).to_numpy())
    best = minimize_scalar(
        lambda log_t: _cross_entropy(present, logits / np.exp(log_t)),
        bounds=(-4, 4),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return Calibrator(pd.Series(np.exp(-best.x), index=truth.columns), pd.Series(0.0, index=truth.columns))


#: Ways to straighten probabilities, each fitted to truth and probabilities of validation images.
CALIBRATIONS: dict[str, Callable[[Table, Table], Calibrator | StepCalibrator]] = {
    "temperature": fit_temperature,
    "Platt": fit_platt,
    "isotonic": fit_isotonic,
}


def _bins(probabilities: np.ndarray, bins: int) -> np.ndarray:
    """The bin of each image, equally many in each; equal probabilities share one, whatever their order in the file."""
    ranks = np.searchsorted(np.sort(probabilities), probabilities, side="left")
    return ranks * bins // len(ranks)


def _brier_parts(truth: np.ndarray, probabilities: np.ndarray, bins: int) -> list[float]:
    """The Brier score, the calibration error, and `BRIER_PARTS`."""
    table = reliability_table(truth, probabilities, bins)
    share = table["images"] / len(truth)
    reliability = (share * (table["predicted"] - table["observed"]) ** 2).sum()
    resolution = (share * (table["observed"] - truth.mean()) ** 2).sum()
    uncertainty = truth.mean() * (1 - truth.mean())
    # Spread of the probabilities within a bin, less twice what of it goes along with the outcome.
    own = pd.DataFrame({"predicted": probabilities, "observed": truth})
    inner = own - own.groupby(_bins(probabilities, bins)).transform("mean")
    within = (inner["predicted"] ** 2 - 2 * inner["predicted"] * inner["observed"]).mean()
    error = expected_calibration_error(truth, probabilities, bins)
    return [np.mean((probabilities - truth) ** 2), error, reliability, resolution, uncertainty, within]


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
    return float(np.nanmean(np.logaddexp(0, logits) - target * logits))  # NaN beside an unknown label


def _logit(probabilities: np.ndarray) -> np.ndarray:
    _refuse_improbable(probabilities)
    return logit(np.clip(probabilities, MARGIN, 1 - MARGIN))


def checked_probabilities(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One finding's known labels and probabilities as arrays (images,), or `CxrError` where they cannot be that.

    Example:
        >>> checked_probabilities([0, 1], [0.25, 0.5])[1].tolist()
        [0.25, 0.5]
    """
    labels, scores = known(truth, probabilities)
    if not len(labels):
        raise CxrError(
            f"None of {len(np.asarray(truth))} labels is known. Expected some. Leave this finding out, or use a larger "
            "part of the data."
        )
    _refuse_improbable(scores)
    return labels, scores


def _refuse_unknown(probabilities: pd.DataFrame, known: Iterable[str]) -> None:
    known = list(known)
    unknown = [name for name in probabilities if name not in known]
    if unknown:
        raise CxrError(
            f"This calibration knows {', '.join(map(str, known))} and not {', '.join(map(str, unknown))}. "
            "Expected the findings it was fitted on. Fit it again."
        )


def _refuse_improbable(probabilities: np.ndarray) -> None:
    if probabilities.size and not (probabilities.min() >= 0 and probabilities.max() <= 1):
        raise CxrError(
            f"Received probabilities from {probabilities.min():.3g} to {probabilities.max():.3g}. "
            "Expected them between 0 and 1. Pass a sigmoid of the logits, not the logits."
        )
