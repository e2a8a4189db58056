"""How a model does for women and men, young and old, standing and lying patients.

A mean AUC can hide a group for whom the model fails (Seyyed-Kalantari et al., Nature Medicine 2021). Small
groups make wide intervals: read the interval before the area.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from cxr_utils.errors import DataError, Missing, passes_missing
from cxr_utils.evaluation.intervals import (
    Ladder,
    auc_and_influence,
    ladder,
    resample_weights,
    share_interval,
    spread_over_patients,
)
from cxr_utils.evaluation.metrics import auc_table
from cxr_utils.evaluation.predictions import Patients, Table, align, align_patients

#: A p-value of the gap test costs several areas a resample; 399 tell 0.05 from 0.03.
GAP_REPLICATES = 399
#: Least standard error of a resample, as a share of the sample's. Without one, intervals near an AUC of 1 are far too
#: long; with 0.8, more than 5 % of studies call a gap where there is none (docs/evaluation.md).
LEAST_ERROR = 0.7
#: First year of each band of age, and the first year that no band holds.
AGE_EDGES = (0, 18, 40, 60, 80, 121)
_COUNTED = ("answers", "patients")


def subgroup_labels(table: pd.DataFrame) -> pd.DataFrame:
    """The group of each image by each characteristic that the table has.

    Args:
        table: an image table of the course; `sex`, `age`, `view` and `follow_up` are used where present.

    Returns:
        Index: image. Columns, where known: sex (F, M), age (bands of years), view (PA, AP) and follow_up
        ("first", "later"). What is missing or impossible (an age of 411) is NaN and belongs to no group.

    Example:
        >>> table = pd.DataFrame({"image": ["a", "b"], "age": [411.0, 60.0], "follow_up": [0, 3]})
        >>> subgroup_labels(table).loc["b"].tolist()
        ['60-79', 'later']
    """
    groups = {}
    for name in ("sex", "view"):
        if name in table:
            groups[name] = table[name].to_numpy(dtype=object)
    if "age" in table:
        bands = [f"{first}-{after - 1}" for first, after in pairwise(AGE_EDGES)]
        groups["age"] = np.asarray(pd.cut(table["age"], AGE_EDGES, right=False, labels=bands), dtype=object)
    if "follow_up" in table:
        groups["follow_up"] = np.where(table["follow_up"] > 0, "later", "first")
    order = [name for name in ("sex", "age", "view", "follow_up") if name in groups]
    return pd.DataFrame(groups, columns=order, index=pd.Index(table["image"], name="image"))


def _matched(groups: pd.DataFrame, images: pd.Index) -> pd.DataFrame:
    if not groups.notna().to_numpy().any():
        raise DataError(
            "The groups hold no characteristic. Expected at least one of sex, age, view, "
            "follow_up. Ask dataset.knows('sex') first."
        )
    if len(groups) == len(images) and isinstance(images, pd.RangeIndex):
        return groups
    unknown = images.difference(groups.index)
    if len(unknown):
        raise DataError(
            f"{len(unknown)} images have no row in the groups (the first is {unknown[0]}). "
            "Expected one row for each image. Make the groups from the same table as the labels."
        )
    return groups.loc[images]


def gap_test(
    truth: Table,
    scores: Table,
    patients: Patients,
    groups: pd.DataFrame,
    *,
    fewest: int = 10,
    replicates: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Does the model do better or worse in a group than in everybody else? All groups are asked at once.

    Of ten groups without any gap one has a p-value below 0.1. So each gap is set against the largest that chance
    makes in any of them: patients are resampled, each resample's deviation is divided by its own standard error
    (Obuchowski 1997), and the largest over the groups is kept (max-statistic: Westfall & Young 1993; for the
    bootstrap Romano & Wolf, Econometrica 2005). That some gap is called where there is none then happens in 5 % of
    studies and not in 5 % of groups. Groups may overlap and share patients.

    Args:
        truth: labels, (images, findings); with several, the gap is the mean over those that can be measured.
        scores: scores of the same images.
        patients: (images,) the patient of each image.
        groups: from `subgroup_labels`.
        fewest: a finding counts where so many patients with, and without, it are in the group and outside it.
        replicates: resamples of patients.
        seed: of the resamples.

    Returns:
        One row a group: characteristic, group, findings (how many entered), gap (AUC within less AUC outside), low,
        high (95 %, holding for all groups at once), p_value (of this group alone), adjusted_p (for all groups) and
        reason, why a group could not be measured, or "".

    Raises:
        DataError: where the inputs do not fit together.

    Example:
        >>> groups = pd.DataFrame({"sex": list("FFFFMMMM")})
        >>> truth, scores = np.array([0, 1, 0, 1] * 2), np.array([0.1, 0.9, 0.2, 0.8, 0.7, 0.3, 0.1, 0.9])
        >>> gap_test(truth, scores, list("abcdefgh"), groups, fewest=1)["gap"].tolist()
        [0.25, -0.25]
    """
    truth, scores = align(truth, scores)
    patient = align_patients(patients, truth.index)
    rows, sides, ladders = [], [], {}
    for characteristic, group, own, rest in _contrasts(_matched(groups, truth.index)):
        kept = [name for name in truth if not _too_few_in(truth[name].to_numpy(), patient, (own, rest), fewest)]
        reason = "" if kept else f"fewer than {fewest} patients with or without the finding, in the group or outside it"
        rows.append({"characteristic": characteristic, "group": group, "findings": len(kept), "reason": reason})
        sides.append({name: (own.tobytes(), rest.tobytes()) for name in kept})
        for name in kept:  # who is outside one of two groups is inside the other: one ladder serves both
            for side in (own, rest):
                if (name, side.tobytes()) not in ladders:
                    ladders[name, side.tobytes()] = _side(truth[name], scores[name], patient, side)
    return _tested(pd.DataFrame(rows), sides, ladders, int(patient.max()) + 1, replicates, seed)


def subgroup_table(
    truth: Table, scores: Table, table: pd.DataFrame, *, fewest: int = 10, replicates: int = 1000, seed: int = 0
) -> pd.DataFrame | Missing:
    """Mean AUC of each group with its interval, beside the gap to everybody else and its p-value.

    Args:
        truth: labels, (images, findings).
        scores: scores of the same images.
        table: the image table; who the patients are, and `sex`, `age`, `view` and `follow_up` where known.
        fewest: a finding that fewer patients of a group have, or lack, is not in its mean; see also `gap_test`.
        replicates: resamples of patients; the gaps take at most `GAP_REPLICATES` of them.
        seed: of the resamples.

    Returns:
        One row a group: characteristic, group, what `metrics.auc_table` says of the mean over findings, and the columns
        of `gap_test`, its low, high, reason and findings with the prefix `gap_`. A `Missing` where no characteristic is
        known.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> truth = pd.DataFrame({"Mass": rng.integers(0, 2, 80)}, index=[f"{n}.png" for n in range(80)])
        >>> table = pd.DataFrame({"image": truth.index, "patient": truth.index, "sex": ["F", "M"] * 40})
        >>> subgroup_table(truth, truth + rng.normal(0, 1, (80, 1)), table, replicates=50)["group"].tolist()
        ['F', 'M']
    """
    groups = subgroup_labels(table)
    if not groups.notna().to_numpy().any():
        return Missing("This data set tells neither sex, age, view nor follow-up, so there are no groups.")
    patients, fewer = table["patient"].to_numpy(), min(replicates, GAP_REPLICATES)
    gaps = gap_test(truth, scores, patients, groups, fewest=fewest, replicates=fewer, seed=seed)
    truth, scores = align(truth, scores)
    patient, rows = align_patients(patients, truth.index), []
    for characteristic, group, own, _ in _contrasts(_matched(groups, truth.index)):
        few = [_too_few_in(truth[name].to_numpy(), patient, (own,), fewest) for name in truth]
        known = truth[own] * np.where(few, np.nan, 1)
        mean = auc_table(known, scores[own], patient[own], replicates=replicates, seed=seed).loc[["mean"]]
        rows.append(pd.DataFrame({"characteristic": characteristic, "group": group, **mean}))
    names = {"low": "gap_low", "high": "gap_high", "reason": "gap_reason", "findings": "gap_findings"}
    areas = pd.concat(rows, ignore_index=True)
    return areas.merge(gaps.rename(columns=names), on=["characteristic", "group"], validate="one_to_one")


@passes_missing
def share_table(
    hits: Table, among: Mapping[str, Table], patients: Patients, *, less: Table | None = None
) -> pd.DataFrame:
    """How many of some answers are hits: a share with its 95 % interval over patients. Each finding of an image is one.

    With what was missed for hits, and the answers about what women have and about what men have, these are two miss
    rates. All findings count together: a single one has too few positive answers in most groups.

    Args:
        hits: (images, findings), truth values.
        among: name of each row to the answers that it counts, (images, findings) truth values.
        patients: (images,) the patient of each image.
        less: hits of another model about the same answers. Its shares are subtracted, patient by patient.

    Returns:
        A row for each entry of `among`: share (or difference), low, high, answers and patients that were counted; NaN
        where none was.

    Raises:
        DataError: the shapes differ.

    Example:
        >>> missed, has = np.array([[True], [False], [False]]), np.array([[True], [True], [False]])
        >>> share_table(missed, {"all": has}, list("pqr"))[["share", "answers"]].values.tolist()
        [[0.5, 2.0]]
    """
    value = np.asarray(hits, dtype=float) - (0.0 if less is None else np.asarray(less, dtype=float))
    codes = np.unique(np.asarray(patients).astype(str), return_inverse=True)[1]
    rows = {}
    for name, own in among.items():
        counted = np.asarray(own, dtype=bool)
        if counted.shape != value.shape or len(codes) != len(value):
            raise DataError(
                f"Received hits {value.shape}, answers {counted.shape} of {name!r} and {len(codes)} patients. Expected "
                "one truth value for each image and finding, and a patient for each image. Make them from one table."
            )
        answers, patient = value[counted][:, None], codes[np.nonzero(counted)[0]]
        figures = _share(answers, patient) if less is None else _difference(answers, patient)
        rows[name] = [*figures, len(answers), len(np.unique(patient))]
    return pd.DataFrame(rows, index=["difference" if less is not None else "share", "low", "high", *_COUNTED]).T


def _share(answers: np.ndarray, patient: np.ndarray) -> list[float]:
    if not len(answers):
        return [np.nan] * 3
    ends = share_interval(answers, np.ones(answers.shape, dtype=bool), patient)
    return [answers.mean(), *(float(end[0]) for end in ends)]


def _difference(answers: np.ndarray, patient: np.ndarray) -> list[float]:
    if not len(answers):
        return [np.nan] * 3
    mean = answers.mean()
    pull = np.bincount(np.unique(patient, return_inverse=True)[1], (answers - mean)[:, 0]) / len(answers)
    variance, freedom = (float(one[0]) for one in spread_over_patients(pull[:, None]))
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(variance) if variance > 0 else 0.0
    return [mean, mean - reach, mean + reach]


def _contrasts(groups: pd.DataFrame) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Each group's images, and those of the other groups of the same characteristic."""
    for characteristic in groups:
        members = groups[characteristic].to_numpy(dtype=object)
        known = pd.notna(members)
        for group in sorted(pd.unique(members[known])):
            own = members == group
            yield characteristic, group, own, known & ~own


def _too_few_in(truth: np.ndarray, patient: np.ndarray, sides: tuple[np.ndarray, ...], fewest: int) -> bool:
    return any(len(np.unique(patient[side & (truth == label)])) < fewest for side in sides for label in (0, 1))


def _side(truth: pd.Series, scores: pd.Series, patient: np.ndarray, side: np.ndarray) -> Ladder:
    """The ladder of one finding within a group, over all patients."""
    arrays = truth.to_numpy(), scores.to_numpy(), patient
    return ladder(*(array[side] for array in arrays), tied=0.5, units=int(patient.max()) + 1)


def _gaps(sides: list[dict], ladders: dict, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gap of each group, a mean over findings, and its standard error: both (replicates, groups)."""
    units, replicates = weights.shape
    gap, error = np.full((2, replicates, len(sides)), np.nan)
    influence = {row: np.zeros(weights.shape, np.float32) for row, own in enumerate(sides) if own}
    total, known = np.zeros((2, replicates, len(sides)))
    for finding in dict.fromkeys(name for name, _ in ladders):
        found = {side: auc_and_influence(own, weights) for (name, side), own in ladders.items() if name == finding}
        for row in (row for row in influence if finding in sides[row]):
            (inside, up), (outside, down) = (found[side] for side in sides[row][finding])
            both = ~np.isnan(inside - outside)
            known[:, row] += both
            total[both, row] += (inside - outside)[both]
            influence[row][:, both] += (up - down)[:, both]
    for row, pull in influence.items():
        count = np.where(known[:, row] > 0, known[:, row], np.nan)
        variance = np.einsum("ur,ur,ur->r", weights, pull, pull) * units / max(units - 1, 1)
        gap[:, row], error[:, row] = total[:, row] / count, np.sqrt(variance) / count
    return gap, error


def _tested(
    table: pd.DataFrame, sides: list[dict], ladders: dict, units: int, replicates: int, seed: int
) -> pd.DataFrame:
    """The rows with gaps, intervals and p-values, or the reason why there are none."""
    gap, error = (values[0] for values in _gaps(sides, ladders, np.ones((units, 1), dtype=np.float32)))
    chunks = [_gaps(sides, ladders, weights) for weights in resample_weights(units, replicates, seed)]
    samples, errors = (np.concatenate(kind) for kind in zip(*chunks, strict=True)) if chunks else np.empty((2, 0, 0))
    statistics = _max_statistic(gap, error, samples, errors)
    untested = ~np.isnan(gap) & np.isnan(statistics["p_value"])
    table.loc[untested, "reason"] = "patients do not differ, or most resamples lack a class: no test"
    order = ["characteristic", "group", "findings", "gap", "low", "high", "p_value", "adjusted_p", "reason"]
    return table.assign(gap=gap, **statistics)[order]


def _max_statistic(
    gap: np.ndarray, error: np.ndarray, samples: np.ndarray, errors: np.ndarray
) -> dict[str, np.ndarray]:
    """Simultaneous intervals and both kinds of p-values, from (groups,) gaps and (replicates, groups) resamples."""
    results = {name: np.full(len(gap), np.nan) for name in ("low", "high", "p_value", "adjusted_p")}
    usable = ~np.isnan(samples)
    few = usable.mean(axis=0) <= 0.5 if len(samples) else np.ones(len(gap), bool)
    tested = (error > 1e-9) & ~few  # below it is rounding
    if not tested.any():
        return results
    gap, error, usable = gap[tested], error[tested], usable[:, tested]
    # Each resample is divided by its own standard error: with few patients that error is itself uncertain.
    away, own = np.abs(samples[:, tested] - gap), np.maximum(errors[:, tested], LEAST_ERROR * error)
    deviations = np.divide(away, own, out=np.zeros_like(away), where=usable)
    largest, observed = deviations.max(axis=1), np.abs(gap) / error
    reach = np.quantile(largest, 0.95) * error
    results["low"][tested], results["high"][tested] = gap - reach, gap + reach
    # One is added to both counts: the sample itself is one of the outcomes (Phipson & Smyth 2010).
    results["p_value"][tested] = (1 + (deviations >= observed).sum(axis=0)) / (1 + len(deviations))
    results["adjusted_p"][tested] = (1 + (largest[:, None] >= observed).sum(axis=0)) / (1 + len(deviations))
    return results
