"""How far an area may be off: resamples of patients.

Images of one patient resemble each other, so a new sample of the hospital is a new sample of patients, each of whom
brings all of her images (the cluster bootstrap: Efron & Tibshirani 1993; Field & Welsh 2007). A resample of patients is
a whole-number weight for each of them. With weights, an area under the ROC curve is a sum over the positive images, and
all resamples are one product of a sparse matrix with the matrix of weights.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse, stats

#: Bytes of one chunk of weights. Smaller is as fast and keeps the whole under 1 GB.
CHUNK_BYTES = 32_000_000
#: Degrees of freedom that `wilson_interval` gives to what is expected before anything is measured.
EXPECTED = 3


def resample_weights(units: int, replicates: int, seed: int) -> Iterator[np.ndarray]:
    """How often each unit appears in each resample with replacement, in chunks.

    Args:
        units: number of units (patients) to resample.
        replicates: number of resamples.
        seed: of the random numbers; the same seed gives the same resamples.

    Yields:
        float32 arrays (units, replicates of this chunk); each column sums to `units`.

    Example:
        >>> weights = np.hstack(list(resample_weights(units=3, replicates=5, seed=0)))
        >>> weights.shape, weights.sum(axis=0).tolist()
        ((3, 5), [3.0, 3.0, 3.0, 3.0, 3.0])
    """
    generator = np.random.default_rng(seed)
    chunk = max(1, CHUNK_BYTES // (8 * units))
    for start in range(0, replicates, chunk):
        count = min(chunk, replicates - start)
        drawn = generator.integers(units, size=(count, units))
        drawn += np.arange(count)[:, None] * units
        weights = np.bincount(drawn.ravel(), minlength=count * units).reshape(count, units)
        yield np.ascontiguousarray(weights.T, dtype=np.float32)


class Ladder(NamedTuple):
    """One finding cut into steps: one step for each different score of a positive image, lowest first.

    positives: sparse (steps, units), positive images of each unit at each step.
    below: sparse (steps, units), images of the other class that fall below this step and not below the one
        before.
    negatives: (units,) images of the other class of each unit.
    """

    positives: sparse.csr_array
    below: sparse.csr_array
    negatives: np.ndarray


def ladder(truth: np.ndarray, score: np.ndarray, unit: np.ndarray, *, tied: float, units: int | None = None) -> Ladder:
    """Prepares one finding for weighted areas.

    Args:
        truth: (images,) 0, 1 or NaN (unknown: counts for neither).
        score: (images,) finite where the label is known.
        unit: (images,) whole number of the unit of each image.
        tied: how much of a tied negative counts as below: 0.5 for the ROC curve, 0 for precision-recall.
        units: number of units that are resampled, where not all of them have an image here.

    Returns:
        The ladder of this finding.

    Example:
        >>> steps = ladder(np.array([1, 0, 1]), np.array([0.2, 0.5, 0.8]), np.array([0, 1, 2]), tied=0.5)
        >>> steps.below.toarray().tolist()
        [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    positive, negative = truth == 1, truth == 0
    units = int(unit.max()) + 1 if units is None else units
    steps, step = np.unique(score[positive], return_inverse=True)
    first_at_or_above = np.searchsorted(steps, score[negative], side="left")
    first_above = np.searchsorted(steps, score[negative], side="right")
    rows = np.concatenate([first_at_or_above, first_above])
    shares = np.repeat(np.array([tied, 1 - tied], dtype=np.float32), len(first_above))
    columns = np.tile(unit[negative], 2)
    kept = (rows < len(steps)) & (shares > 0)
    shape = (len(steps), units)
    below = sparse.coo_array((shares[kept], (rows[kept], columns[kept])), shape=shape).tocsr()
    ones = np.ones(len(step), dtype=np.float32)
    positives = sparse.coo_array((ones, (step, unit[positive])), shape=shape).tocsr()
    return Ladder(positives, below, np.bincount(unit[negative], minlength=units).astype(np.float32))


def weighted_auc(steps: Ladder, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve for each column of weights: the share of pairs in the right order.

    Args:
        steps: from `ladder(..., tied=0.5)`.
        weights: (units, replicates).

    Returns:
        (replicates,) float64, NaN where a resample holds only one class.

    Example:
        >>> steps = ladder(np.array([1, 0, 1]), np.array([0.2, 0.5, 0.8]), np.array([0, 1, 2]), tied=0.5)
        >>> weighted_auc(steps, np.ones((3, 1), dtype=np.float32)).tolist()
        [0.5]
    """
    positives = steps.positives @ weights
    below = np.cumsum(steps.below @ weights, axis=0)
    # Counts up to 2**23 are exact in float32; their products are not, so they are summed in float64.
    right = np.einsum("sr,sr->r", positives, below, dtype=np.float64)
    pairs = positives.sum(axis=0, dtype=np.float64) * (steps.negatives @ weights)
    return np.divide(right, pairs, out=np.full(len(right), np.nan), where=pairs > 0)


def auc_and_influence(steps: Ladder, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas as `weighted_auc`, and what one copy of each unit pulls them up or down.

    A unit's influence is the sum of its images' placements (DeLong et al. 1988), less the area; the weighted sum of
    its squares is the variance of the area over units (Obuchowski, Biometrics 1997), in every resample anew.

    Args:
        steps: from `ladder(..., tied=0.5)`.
        weights: (units, replicates).

    Returns:
        Areas (replicates,), influence (units, replicates); NaN where a resample holds only one class.

    Example:
        >>> steps = ladder(np.array([1, 0, 1]), np.array([0.2, 0.5, 0.8]), np.array([0, 1, 2]), tied=0.5)
        >>> area, influence = auc_and_influence(steps, np.ones((3, 1), dtype=np.float32))
        >>> area.tolist(), influence[:, 0].tolist()
        ([0.5], [-0.25, 0.0, 0.25])
    """
    positives = steps.positives @ weights
    below = np.cumsum(steps.below @ weights, axis=0)
    count, others = positives.sum(axis=0), steps.negatives @ weights
    pairs = np.where((count > 0) & (others > 0), count.astype(np.float64) * others, np.nan)
    area = np.einsum("sr,sr->r", positives, below, dtype=np.float64) / pairs
    above = np.cumsum(positives[::-1], axis=0)[::-1]
    # Sums over a unit's images of how many they outrank, and are outranked by, less what is expected of them.
    influence = steps.positives.T @ below + steps.below.T @ above
    influence -= steps.positives.sum(axis=0)[:, None] * (area * others).astype(np.float32)
    influence -= steps.negatives[:, None] * (area * count).astype(np.float32)
    influence /= pairs.astype(np.float32)
    return area, influence


def weighted_average_precision(steps: Ladder, weights: np.ndarray) -> np.ndarray:
    """Average precision for each column of weights: the mean over positives of the precision at their score.

    Args:
        steps: from `ladder(..., tied=0.0)`.
        weights: (units, replicates).

    Returns:
        (replicates,) float64, NaN where a resample holds no positive image.

    Example:
        >>> steps = ladder(np.array([1, 0, 1]), np.array([0.2, 0.5, 0.8]), np.array([0, 1, 2]), tied=0.0)
        >>> weighted_average_precision(steps, np.ones((3, 1), dtype=np.float32)).round(3).tolist()
        [0.833]
    """
    positives = (steps.positives @ weights).astype(np.float64)
    found = np.cumsum(positives[::-1], axis=0)[::-1]
    false = (steps.negatives @ weights) - np.cumsum(steps.below @ weights, axis=0)
    called = found + false
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    total = positives.sum(axis=0)
    return np.divide((positives * precision).sum(axis=0), total, out=np.full(len(total), np.nan), where=total > 0)


def bootstrap(
    ladders: list[Ladder], area: Callable[[Ladder, np.ndarray], np.ndarray], replicates: int, seed: int
) -> np.ndarray:
    """One area for each resample and finding; all findings see the same resamples, so they may be compared.

    Args:
        ladders: one for each finding, all over the same units.
        area: `weighted_auc` or `weighted_average_precision`.
        replicates: number of resamples.
        seed: of the resamples.

    Returns:
        (replicates, findings) float64.

    Example:
        >>> steps = ladder(np.array([1, 0, 1, 0]), np.array([0.9, 0.5, 0.8, 0.1]), np.arange(4), tied=0.5)
        >>> bootstrap([steps], weighted_auc, replicates=7, seed=0).shape
        (7, 1)
    """
    units = len(ladders[0].negatives)
    chunks = [
        np.column_stack([area(steps, weights) for steps in ladders])
        for weights in resample_weights(units, replicates, seed)
    ]
    return np.concatenate(chunks) if chunks else np.empty((0, len(ladders)))


def percentile_interval(replicates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 2.5th and the 97.5th percentile of the resamples (Efron 1979), those without a value left out.

    Args:
        replicates: (replicates, ...) values.

    Returns:
        low and high, each of shape (...), NaN where no resample has a value.

    Example:
        >>> low, high = percentile_interval(np.arange(101.0))
        >>> float(low), float(high)
        (2.5, 97.5)
    """
    if len(replicates) == 0:
        empty = np.full(replicates.shape[1:], np.nan)
        return empty, empty.copy()
    empty = np.isnan(replicates).all(axis=0)
    low, high = np.nanpercentile(np.where(empty, 0.0, replicates), [2.5, 97.5], axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def spread_over_patients(influence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance over patients, and its degrees of freedom: few where few patients make most of it, as near an area of 1.

    Args:
        influence: (patients, figures), how far each patient pulls each figure up or down.

    Returns:
        The variances, 0 where nobody pulls, and 2 variance^2 / the variance of the variance (Satterthwaite 1946).

    Example:
        >>> [value.round(3).tolist() for value in spread_over_patients(np.array([[0.1], [-0.1], [0.1], [-0.1], [0]]))]
        [[0.05], [4.0]]
    """
    units, squares = len(influence), influence.astype(np.float64) ** 2
    total = squares.sum(axis=0)
    pulled = total > 1e-12  # below it is rounding
    unequal = np.divide((squares**2).sum(axis=0), total**2, out=np.full(len(total), np.inf), where=pulled)
    freedom = 2 / np.maximum(unequal - 1 / units, 2 / max(units - 1, 1))
    return np.where(pulled, total * units / max(units - 1, 1), 0.0), freedom


def wilson_interval(
    value: np.ndarray, variance: np.ndarray, freedom: np.ndarray, trials: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of a figure between 0 and 1: Wilson's of a share (1927), with as many trials as patients are worth.

    That is `trials`, less where the variance is larger than that of such a share. Few patients show it badly, so the
    ratio is averaged with 1, which counts as `EXPECTED` degrees of freedom (Smyth 2004 does so with genes), and t
    stands for 1.96. Where nothing varies (0 of 19, 14 of 14, an area of 1) it is Wilson's own interval.

    Args:
        value: the figures; NaN where there is none, which has no interval.
        variance: of each, over patients.
        freedom: of each variance.
        trials: a share of how many independent trials is expected to be as uncertain.

    Returns:
        low and high.

    Example:
        >>> low, high = wilson_interval(np.array([0, 1]), np.zeros(2), np.zeros(2), np.array([19, 14]))
        >>> low.round(3).tolist(), high.round(3).tolist()
        ([0.0, 0.785], [0.168, 1.0])
    """
    trials = np.where(trials > 0, trials, np.nan)
    varies = variance > 0
    ratio = np.divide(variance * trials, value * (1 - value), out=np.ones(np.shape(value)), where=varies)
    freedom = np.where(varies, freedom, 0.0)
    reach = np.where(varies, stats.t.ppf(0.975, EXPECTED + freedom), stats.norm.ppf(0.975))
    share = reach**2 * (EXPECTED + freedom * ratio) / (EXPECTED + freedom) / trials
    centre = value + share / 2
    half = np.sqrt(share * value * (1 - value) + share**2 / 4)
    return np.maximum((centre - half) / (1 + share), 0), np.minimum((centre + half) / (1 + share), 1)


def share_interval(hits: np.ndarray, among: np.ndarray, patient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval over patients of the share of hits among some images, for several figures at once.

    Args:
        hits: (images, figures or 1), 1 for a hit, 0 for none, or part of one.
        among: (images, figures), which images count.
        patient: (images,) whole number of the patient of each image.

    Returns:
        low and high, each (figures,), NaN where no image counts.

    Example:
        >>> low, high = share_interval(np.zeros((19, 1)), np.ones((19, 1), dtype=bool), np.arange(19))
        >>> low.tolist(), high.round(3).tolist()  # 0 of 19
        ([0.0], [0.168])
    """
    count = np.where(among.any(axis=0), among.sum(axis=0), np.nan)
    share = np.where(among, hits, 0).sum(axis=0) / count
    pull = np.where(among, hits - share, 0) / count
    influence = np.stack([np.bincount(patient, column) for column in pull.T], axis=1)
    trials = np.array([len(np.unique(patient[own])) for own in among.T])
    return wilson_interval(share, *spread_over_patients(influence), trials)
