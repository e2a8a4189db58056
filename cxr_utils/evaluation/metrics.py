"""Areas under curves, with intervals that know patients.

The area under the ROC curve is the chance that a positive image scores above a negative one (Hanley & McNeil,
Radiology 1982). Average precision is the area under the precision-recall steps. Both stand here as plain
functions of one finding and as tables over findings, with 95 % intervals over patients (see `intervals`). Truth and
scores are matched by name (`predictions.align`). Where a label is unknown (NaN), the image counts for the other
findings and not for this one.
"""

import numpy as np
import pandas as pd
from scipy import sparse, stats

from cxr_utils.errors import passes_missing
from cxr_utils.evaluation.curves import counts_by_threshold
from cxr_utils.evaluation.intervals import (
    auc_and_influence,
    bootstrap,
    ladder,
    resample_weights,
    share_interval,
    spread_over_patients,
    weighted_auc,
    weighted_average_precision,
    wilson_interval,
)
from cxr_utils.evaluation.predictions import Patients, Table, align, align_patients

#: With fewer patients on either side a 95 % interval may hold the truth in fewer than 92 % of studies
#: (docs/evaluation.md).
FEWEST = 10


def roc_auc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve of one finding, by ranks; ties count one half.

    Args:
        truth: (images,) labels 0 or 1.
        scores: (images,) finite; larger means more probably present.

    Returns:
        Between 0 and 1; NaN where all labels are equal.

    Example:
        >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    return float(_aucs(*(table.to_numpy() for table in align(np.asarray(truth), np.asarray(scores))))[0])


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Average precision of one finding: the mean, over positive images, of the precision at their score.

    A score that knows nothing reaches the prevalence, so that is what to compare it with.

    Args:
        truth: (images,) labels 0 or 1.
        scores: (images,) finite.

    Returns:
        Between 0 and 1; NaN where no label is 1.

    Example:
        >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 3)
        0.833
    """
    _, found, false = counts_by_threshold(np.asarray(truth), np.asarray(scores))
    if not found.any():
        return np.nan
    return float(np.sum(np.diff(found, prepend=0) * found / (found + false)) / found[-1])


@passes_missing
def auc_table(
    truth: Table, scores: Table, patients: Patients, *, replicates: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Area under the ROC curve of each finding and their mean, with 95 % intervals over patients.

    Args:
        truth: labels, (images, findings), NaN where unknown; an image table of the course is accepted as it is.
        scores: scores, (images, findings), matched by name where named.
        patients: (images,) the patient of each image. A number for each image instead resamples images: it pretends
            that a patient's tenth X-ray is news, and the intervals come out too narrow.
        replicates: resamples of patients for the interval of the mean; 0 leaves all intervals out.
        seed: of the resamples.

    Returns:
        Index: findings and "mean". Columns: auc, low, high, positives, negatives (images), patients (all three of the
        images whose label is known), and reason: why there is no area or no interval, or too few patients with or
        without the finding (`FEWEST`) to trust it. The mean is taken over the findings that have an area; a resample
        that lacks a rare finding averages the others. All patients are resampled, also where a finding is unknown.

    Raises:
        DataError: where truth, scores and patients do not fit together (see `predictions.align`).

    Example:
        >>> truth = pd.DataFrame({"Mass": [0, 1, 0, 1], "Hernia": [0, 0, 0, 0]}, index=list("abcd"))
        >>> scores = pd.DataFrame({"Mass": [0.1, 0.7, 0.6, 0.4], "Hernia": 0.1}, index=list("abcd"))
        >>> table = auc_table(truth, scores, ["p", "q", "r", "s"], replicates=100)
        >>> table[["auc", "positives", "reason"]].values.tolist()[:2]
        [[0.75, 2, 'patients with it: 2, too few to trust the interval'], [nan, 0, 'no positive image']]
    """
    return _areas(truth, scores, patients, replicates, seed)[0]


def average_precision_table(
    truth: Table, scores: Table, patients: Patients, *, replicates: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Average precision of each finding and their mean, with 95 % intervals over patients.

    Args:
        truth: labels, (images, findings).
        scores: scores, (images, findings).
        patients: (images,) the patient of each image.
        replicates: resamples of patients; 0 leaves the intervals out.
        seed: of the resamples.

    Returns:
        As `auc_table`, with ap in place of auc, and prevalence: what a score that knows nothing reaches.

    Raises:
        DataError: where truth, scores and patients do not fit together.

    Example:
        >>> truth, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.7, 0.6, 0.4])
        >>> table = average_precision_table(truth, scores, list("pqrs"))
        >>> table.loc["finding", ["ap", "prevalence"]].round(3).tolist()
        [0.833, 0.5]
    """
    truth, scores = align(truth, scores)
    patient = align_patients(patients, truth.index)
    areas = np.array([average_precision(truth[name].to_numpy(), scores[name].to_numpy()) for name in truth])
    samples = bootstrap(_ladders(truth, scores, patient, tied=0.0), weighted_average_precision, replicates, seed)
    trials = _holders(truth, patient)[0]
    table = _interval_table("ap", areas, samples, (_variance(samples.T), trials / 2, trials), truth, scores, patient)
    table.insert(3, "prevalence", table["positives"] / (table["positives"] + table["negatives"]))
    return table


@passes_missing
def auc_difference(
    truth: Table, scores_a: Table, scores_b: Table, patients: Patients, *, replicates: int = 1000, seed: int = 0
) -> pd.Series:
    """Mean AUC of model a minus that of model b on the same images, paired over patients.

    Both models see the same patients, so what makes a sample easy cancels. How far each model's own interval reaches
    is combined to an interval of the difference (Zou & Donner, Statistics in Medicine 2008); the share of their errors
    that resamples of patients show to be common counts as far as it moves one model more than the other. Two
    overlapping intervals of single models do not mean that the difference may be zero; this interval does.

    Args:
        truth: labels, (images, findings).
        scores_a: scores of model a.
        scores_b: scores of model b, for the same images and findings.
        patients: (images,) the patient of each image.
        replicates: resamples of patients.
        seed: of the resamples.

    Returns:
        Series difference, low, high (95 %). For one finding pass one column.

    Raises:
        DataError: where the inputs do not fit together.

    Example:
        >>> truth, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.2, 0.8])
        >>> auc_difference(truth, scores, scores, list("pqrs")).round(2).tolist()  # no mistakes, but of four patients
        [0.0, -0.56, 0.56]
    """
    truth, scores_a = align(truth, scores_a)
    (table_a, samples_a), (table_b, samples_b) = (
        _areas(truth, scores, patients, replicates, seed) for scores in (scores_a, scores_b)
    )
    (a, *ends_a), (b, *ends_b) = (
        table.loc["mean", ["auc", "low", "high"]].to_numpy(float) for table in (table_a, table_b)
    )
    (down_a, up_a), (down_b, up_b) = np.abs(np.array(ends_a) - a), np.abs(np.array(ends_b) - b)
    alike = _correlation(samples_a, samples_b)
    common = max(alike, 0) * max(abs(down_a - down_b), abs(up_a - up_b)) ** 2
    low, high = (np.sqrt((1 - alike) * (x**2 + y**2) + common) for x, y in ((down_a, up_b), (up_a, down_b)))
    return pd.Series({"difference": a - b, "low": a - b - low, "high": a - b + high})


def _areas(
    truth: Table, scores: Table, patients: Patients, replicates: int, seed: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """The table of `auc_table`, and the mean area in each resample."""
    truth, scores = align(truth, scores)
    patient = align_patients(patients, truth.index)
    ladders, once = _ladders(truth, scores, patient, tied=0.5), np.ones((patient.max() + 1, 1), dtype=np.float32)
    spread = spread_over_patients(np.hstack([auc_and_influence(steps, once)[1] for steps in ladders]))
    # At one half the variance of an area is 1/12 of 1/m + 1/n (Mann & Whitney 1947): that of a share of so many trials.
    holders = _holders(truth, patient)
    trials = 3 * holders.prod(axis=0) / np.maximum(holders.sum(axis=0), 1)
    areas = _aucs(truth.to_numpy(), scores.to_numpy())
    samples = bootstrap(ladders, weighted_auc, replicates, seed)
    return _interval_table("auc", areas, samples, (*spread, trials), truth, scores, patient), _mean(samples)


def _aucs(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Areas of all columns by the rank sum (Mann & Whitney 1947): (images, findings) to (findings,)."""
    positive = truth == 1
    positives = positive.sum(axis=0).astype(np.float64)
    negatives = (truth == 0).sum(axis=0).astype(np.float64)
    ranks = stats.rankdata(scores, axis=0, nan_policy="omit")  # `align` leaves no score beside an unknown label
    rank_sum = np.where(positive, ranks, 0.0).sum(axis=0)
    pairs = positives * negatives
    right = rank_sum - positives * (positives + 1) / 2
    return np.divide(right, pairs, out=np.full(truth.shape[1], np.nan), where=pairs > 0)


def _ladders(truth: pd.DataFrame, scores: pd.DataFrame, patient: np.ndarray, tied: float) -> list:
    return [ladder(truth[name].to_numpy(), scores[name].to_numpy(), patient, tied=tied) for name in truth]


def _mean(areas: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN; NaN where nothing is left, without numpy's warning."""
    known = ~np.isnan(areas)
    total = np.where(known, areas, 0.0).sum(axis=-1)
    return np.divide(total, known.sum(axis=-1), out=np.full(total.shape, np.nan), where=known.any(axis=-1))


def _holders(truth: pd.DataFrame, patient: np.ndarray) -> np.ndarray:
    """How many patients have images with, and without, each finding: (2, findings)."""
    return np.array([[len(np.unique(patient[truth[name] == label])) for name in truth] for label in (1, 0)])


def _variance(values: np.ndarray) -> np.ndarray:
    return _mean(values**2) - _mean(values) ** 2


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of two figures over resamples; 0 where one of them does not vary."""
    spread = np.sqrt(_variance(a) * _variance(b))
    return float((_mean(a * b) - _mean(a) * _mean(b)) / spread) if spread > 1e-12 else 0.0


def _interval_table(
    name: str,
    areas: np.ndarray,
    samples: np.ndarray,
    spread: tuple[np.ndarray, np.ndarray, np.ndarray],
    truth: pd.DataFrame,
    scores: pd.DataFrame,
    patient: np.ndarray,
) -> pd.DataFrame:
    """One row a finding and their mean: area, interval, counts, and the reason for what is missing."""
    holders, known = _holders(truth, patient), ~np.isnan(areas)
    measured = (holders.min(axis=0) > 1) & (scores.nunique() > 1).to_numpy() & (len(samples) > 0)
    low, high = (np.where(measured, end, np.nan) for end in wilson_interval(areas, *spread))
    fewer, trials = holders.min(axis=0)[measured].sum(), spread[2][measured].sum()
    # Resamples of m spread (m - 1) / m as far, as a variance does that is divided by m.
    variance = _variance(_mean(samples)) * fewer / max(fewer - measured.sum(), 1)
    mean_low, mean_high = wilson_interval(_mean(areas), variance, fewer / 2, trials)
    if known.sum() == 1:  # the mean of one finding is that finding
        mean_low, mean_high = low[known][0], high[known][0]
    positives, negatives = ((truth == label).sum(axis=0).to_numpy(dtype=np.int64) for label in (1, 0))
    patients = [len(np.unique(patient[truth[name].notna()])) for name in truth]
    reasons = [_reason(truth[f].to_numpy(), scores[f].to_numpy(), own) for f, own in zip(truth, holders.T, strict=True)]
    reasons.append("" if known.all() else f"mean of {known.sum()} of {len(areas)} findings")
    return pd.DataFrame(
        {
            name: np.r_[areas, _mean(areas)],
            "low": np.r_[low, mean_low],
            "high": np.r_[high, mean_high],
            "positives": np.r_[positives, positives.sum()],
            "negatives": np.r_[negatives, negatives.sum()],
            "patients": [*patients, len(np.unique(patient))],
            "reason": reasons,
        },
        index=pd.Index([*truth.columns, "mean"], name="finding"),
    )


def _reason(truth: np.ndarray, score: np.ndarray, holders: np.ndarray) -> str:
    """Why a finding has no area, or an area but no interval or one to distrust; "" where all is well."""
    if np.isnan(truth).all():
        return "no label is known"
    for count, word in zip(holders, ("positive", "negative"), strict=True):
        if count < 2:
            return f"all {word} images are of one patient: no interval" if count else f"no {word} image"
    if np.nanmin(score) == np.nanmax(score):
        return "every score is the same: no interval"
    word = "with" if holders[0] <= holders[1] else "without"
    few = f"patients {word} it: {holders.min()}, too few to trust the interval"
    return few if holders.min() < FEWEST else ""


@passes_missing
def agreement_table(
    truth: Table, labels: Table, patients: Patients, *, replicates: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """How well labels agree with the truth, or with a better reader, finding by finding and on average.

    Args:
        truth: (images, findings) of 0 and 1; NaN where unknown, and the image does not count.
        labels: what is judged, likewise 0 and 1, matched by name where named.
        patients: (images,) the patient of each image.
        replicates: resamples of patients, for the intervals of the mean.
        seed: of the resamples.

    Returns:
        Index: findings and "mean". Columns: positives and labelled (images), and five figures, each also with _low and
        _high (95 % over patients): missed, the share of the positives that are not labelled; false, the share of the
        labelled that are not positive; npv, the share of the others that are negative; kappa (Cohen 1960), agreement
        beyond that of chance; and reader, the AUC of a score that is the truth itself, judged by the labels.

    Raises:
        DataError: where the inputs do not fit together.

    Example:
        >>> table = agreement_table(np.array([1, 1, 0, 0, 0]), np.array([1, 0, 1, 0, 0]), list("pqrst"), replicates=50)
        >>> table.loc["mean", ["missed", "false", "npv", "kappa", "reader"]].round(3).tolist()
        [0.5, 0.5, 0.667, 0.167, 0.583]
    """
    truth, labels = align(truth, labels)
    patient = align_patients(patients, truth.index)
    present, absent, named = truth.to_numpy() == 1, truth.to_numpy() == 0, labels.to_numpy() == 1
    cells = np.stack([present & named, absent & named, present & ~named, absent & ~named])  # (4, images, findings)
    units = sparse.csr_array((np.ones(len(patient)), (patient, np.arange(len(patient)))))
    of_patient = np.stack([units @ cell.astype(float) for cell in cells])
    found = _agreement(cells.sum(axis=1))
    chunks = [
        _agreement(np.einsum("cuf,ur->crf", of_patient, weights))
        for weights in resample_weights(of_patient.shape[1], replicates, seed)
    ]
    columns = {"positives": np.r_[present.sum(axis=0), present.sum()]}
    columns["labelled"] = np.r_[cells[:2].sum(axis=(0, 1)), cells[:2].sum()]
    freedom = max(sum(len(np.unique(patient[own])) for own in present.T) / 2, 1)
    single = _agreement_intervals(cells, found, patient)
    for name, values in found.items():
        samples = np.concatenate([chunk[name] for chunk in chunks]) if chunks else np.empty((0, len(values)))
        mean = _mean(values[None])
        reach = np.sqrt(_variance(_mean(samples)[None])) * stats.t.ppf(0.975, freedom)
        low, high = single[name]
        columns[name] = np.r_[values, mean]
        columns[f"{name}_low"] = np.r_[low, np.maximum(mean - reach, -1 if name == "kappa" else 0)]
        columns[f"{name}_high"] = np.r_[high, np.minimum(mean + reach, 1)]
    return pd.DataFrame(columns, index=pd.Index([*truth.columns, "mean"], name="finding"))


def _agreement_intervals(
    cells: np.ndarray, found: dict[str, np.ndarray], patient: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Low and high of each figure of single findings, all from shares: resamples of labels that never err never err.

    Kappa is one less the share of errors over that of chance, which is taken as it is; the reader's area is the mean of
    two shares, and its limits come from theirs (MOVER; Zou and Donner 2008).
    """
    right, alarm, miss, empty = cells
    known = right | alarm | miss | empty
    shares = {"missed": (miss, right | miss), "false": (alarm, right | alarm), "npv": (empty, miss | empty)}
    ends = {name: share_interval(hits, among, patient) for name, (hits, among) in shares.items()}
    (false_low, false_high), (npv_low, npv_high) = ends["false"], ends["npv"]
    down = np.hypot(false_high - found["false"], found["npv"] - npv_low)
    up = np.hypot(found["false"] - false_low, npv_high - found["npv"])
    fewest, most = share_interval(alarm | miss, known, patient)
    with np.errstate(divide="ignore", invalid="ignore"):
        present, named = ((right | one).sum(axis=0) / known.sum(axis=0) for one in (miss, alarm))
        chance = present * (1 - named) + named * (1 - present)
        kappa = np.maximum(1 - most / chance, -1), 1 - fewest / chance
    return ends | {"kappa": kappa, "reader": (found["reader"] - down / 2, found["reader"] + up / 2)}


def _agreement(counts: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of `agreement_table` from counts (4, ..., findings): true and false positives, misses, the others."""
    tp, fp, fn, tn = np.asarray(counts, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        missed, false, npv = fn / (tp + fn), fp / (tp + fp), tn / (tn + fn)
        images = tp + fp + fn + tn
        by_chance = ((tp + fp) * (tp + fn) + (tn + fn) * (tn + fp)) / images**2
        kappa = ((tp + tn) / images - by_chance) / (1 - by_chance)
    return {"missed": missed, "false": false, "npv": npv, "kappa": kappa, "reader": (1 - false + npv) / 2}
