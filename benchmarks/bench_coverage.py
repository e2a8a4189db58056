"""How often a "95 %" interval holds the truth. Run: python benchmarks/bench_coverage.py [--studies 1000]

Studies are simulated, each with patients of its own, in the setting of the course: 1.5 images a patient, findings that
last from visit to visit, scores that resemble each other within a patient and spread half as far again where the
finding is there (some are obvious, some hardly to be seen). The true AUC is that of the whole population's images, a
closed form. The first table is about the AUC of single findings, the second about the other intervals that the course
prints. In brackets stands the method before on the same studies: the middle 95 % of resamples of patients.

An exclamation mark stands where an interval holds the truth in fewer than 92 % or more than 98 % of studies, and not by
the noise of the simulation: chance alone would do it less than once in a thousand. With at least 10 patients who have
the finding, and 10 who have not, none may be there; the exit status is 1 where one is.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr, ndtri
from scipy.stats import binom

from cxr_utils.evaluation.intervals import bootstrap, ladder, weighted_auc, weighted_average_precision
from cxr_utils.evaluation.metrics import auc_difference, auc_table, average_precision_table
from cxr_utils.evaluation.subgroups import gap_test
from cxr_utils.evaluation.thresholds import operating_points
from cxr_utils.heatmaps.localization import Scored

PATIENTS, PREVALENCES, AREAS = (60, 179, 500, 2000), (0.02, 0.05, 0.1, 0.3), (0.6, 0.75, 0.85, 0.92, 0.96)
#: Share of patients with one image, two, and so on, as the simulator draws them.
VISITS = (0.68, 0.18, 0.08, 0.04, 0.02)
#: Shares of a finding's strength and of a score that belong to the patient; spread of the scores of positive images.
LASTING, ALIKE, SPREAD = 0.6, 0.4, 1.5
#: Studies simulated at once, as findings of one table; resamples of each; patients on either side; what is promised.
BLOCK, RESAMPLES, FEWEST, LEAST, MOST = 250, 400, 10, 0.92, 0.98


class Block(NamedTuple):
    """Studies of the same patients: patient (images,), truth and each of the scores (images, studies)."""

    patient: np.ndarray
    truth: np.ndarray
    scores: list[np.ndarray]


class Count:
    """Intervals of one kind and of the one before: how many miss the truth because they lie too high, or too low."""

    def __init__(self) -> None:
        self.missed, self.number = np.zeros((2, 2)), np.zeros(2)

    def add(self, truth: float, now: object, before: object = ((), ())) -> None:
        """Take in intervals, each (low and high, studies)."""
        for method, ends in enumerate((now, before)):
            low, high = np.asarray(ends, dtype=np.float64).reshape(2, -1)
            self.missed[method] += (low > truth + 1e-12).sum(), (high < truth - 1e-12).sum()
            self.number[method] += len(low)

    def within(self) -> bool:
        """Between 92 and 98 %, but for what chance does once in a thousand."""
        number, held = self.number[0], self.number[0] - self.missed[0].sum()
        return bool(binom.cdf(held, number, LEAST) > 0.001 and binom.sf(held - 1, number, MOST) > 0.001)

    def __str__(self) -> str:
        high, low = 100 * self.missed[0] / self.number[0]
        before = f" ({100 - 100 * self.missed[1].sum() / self.number[1]:.0f})" if self.number[1] else ""
        return f"{100 - high - low:.1f} {high:.1f}/{low:.1f}{before}{' ' if self.within() else '!'}"


def shift(area: float) -> float:
    """Distance of the means that makes this AUC."""
    return float(ndtri(area) * np.sqrt(1 + SPREAD**2))


def visits(patients: int, generator: np.random.Generator) -> np.ndarray:
    """The patient of each image."""
    return np.repeat(np.arange(patients), 1 + generator.choice(len(VISITS), size=patients, p=VISITS))


def alike(patient: np.ndarray, columns: int, share: float, generator: np.random.Generator) -> np.ndarray:
    """Standard normal (images, columns); any two images of a patient have this correlation."""
    own = generator.normal(size=(patient.max() + 1, columns))[patient]
    return np.sqrt(share) * own + np.sqrt(1 - share) * generator.normal(size=(len(patient), columns))


def holders(truth: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Patients with the finding, or without it, whichever are fewer, in each study."""
    return np.array([min(len(np.unique(patient[own == label])) for label in (0, 1)) for own in truth.T])


def blocks(
    patients: int, prevalence: float, areas: tuple[float, ...], number: int, few: tuple[float, float] = (FEWEST, np.inf)
) -> Iterator[Block]:
    """Studies with so many holders, until there are `number`; none where fewer than a quarter have so many."""
    seed = 0
    while number > 0:
        generator = np.random.default_rng([seed, patients, int(1000 * prevalence), int(1000 * areas[0])])
        patient = visits(patients, generator)
        truth = (alike(patient, BLOCK, LASTING, generator) > ndtri(1 - prevalence)).astype(np.int8)
        difficulty, scores = alike(patient, BLOCK, ALIKE, generator), []  # of the picture, and so for every model
        for area in areas:
            noise = np.sqrt(0.6) * difficulty + np.sqrt(0.4) * alike(patient, BLOCK, ALIKE, generator)
            scores.append(np.where(truth, shift(area) + SPREAD * noise, noise))
        found = holders(truth, patient)
        kept = np.flatnonzero((few[0] <= found) & (found <= few[1]))[:number]
        if len(kept) < min(BLOCK / 4, number):
            return
        yield Block(patient, truth[:, kept], [each[:, kept] for each in scores])
        number, seed = number - len(kept), seed + 1


def resampled(block: Block, model: int = 0, area=weighted_auc, tied: float = 0.5) -> np.ndarray:
    """The figure of each study in each resample of its patients: (resamples, studies)."""
    columns = zip(block.truth.T, block.scores[model].T, strict=True)
    return bootstrap([ladder(*column, block.patient, tied=tied) for column in columns], area, RESAMPLES, seed=1)


def middle(samples: np.ndarray) -> np.ndarray:
    """The method before: the middle 95 % of the resamples."""
    return np.nanpercentile(samples, [2.5, 97.5], axis=0)


def ends(table: pd.DataFrame, name: str = "") -> np.ndarray:
    """Low and high of a table's rows: (2, rows)."""
    return table[[f"{name}low", f"{name}high"]].to_numpy(dtype=np.float64).T


def single(patients: int, prevalence: float, area: float, number: int, *few: float) -> Count | None:
    """The AUC of single findings, or None where studies have too few positive patients."""
    count = Count()
    for block in blocks(patients, prevalence, (area,), number, few or (FEWEST, np.inf)):
        table = auc_table(block.truth, block.scores[0], block.patient, replicates=1).drop("mean")
        count.add(area, ends(table), middle(resampled(block)))
    return count if count.number[0] else None


def average_precisions(prevalence: float, area: float, number: int) -> Count:
    """Average precision of single findings; the true one is an integral over the scores of positive images."""
    score = np.linspace(-10, shift(area) + 10 * SPREAD, 20_001)
    density = np.exp(-(((score - shift(area)) / SPREAD) ** 2) / 2) / SPREAD / np.sqrt(2 * np.pi)
    found = prevalence * ndtr((shift(area) - score) / SPREAD)
    truth, count = np.trapezoid(density * found / (found + (1 - prevalence) * ndtr(-score) + 1e-300), score), Count()
    for block in blocks(179, prevalence, (area,), number):
        table = average_precision_table(block.truth, block.scores[0], block.patient, replicates=RESAMPLES)
        samples = resampled(block, area=weighted_average_precision, tied=0.0)
        count.add(truth, ends(table.drop("mean")), middle(samples))
    return count


def means(prevalence: float, areas: tuple[float, ...], number: int, findings: int) -> Count:
    """Mean AUC over findings, or where there are two areas the difference of two models' means."""
    count = Count()
    for block in blocks(179, prevalence, areas, number * findings):
        samples = [resampled(block, model) for model in range(len(areas))]
        for start in range(0, block.truth.shape[1] - findings + 1, findings):
            own = slice(start, start + findings)
            arrays = block.truth[:, own], *(each[:, own] for each in block.scores), block.patient
            mean = [np.nanmean(each[:, own], axis=1) for each in samples]
            if len(areas) == 1:
                now, before = auc_table(*arrays, replicates=RESAMPLES).loc["mean"], mean[0]
            else:
                now, before = auc_difference(*arrays, replicates=RESAMPLES), mean[0] - mean[1]
            count.add(areas[0] - sum(areas[1:]), now[["low", "high"]], middle(before))
    return count


def shares(prevalence: float, area: float, number: int) -> dict[str, Count]:
    """Sensitivity, specificity and PPV at a threshold that finds four of five."""
    at = shift(area) - SPREAD * ndtri(0.8)
    truth = {"sensitivity": 0.8, "specificity": ndtr(at)}
    truth["ppv"] = 0.8 * prevalence / (0.8 * prevalence + (1 - ndtr(at)) * (1 - prevalence))
    counts = {name: Count() for name in truth}
    for block in blocks(179, prevalence, (area,), number):
        points = operating_points(block.truth, block.scores[0], at, block.patient)
        for name, value in truth.items():
            counts[name].add(value, ends(points, f"{name}_"))
    return counts


def maps(patients: int, number: int) -> dict[str, Count]:
    """Heat maps of one finding: hits in 85 %, and an energy between 0 and 1 that is skewed, alike within a patient."""
    counts, generator = {"hit": Count(), "energy": Count()}, np.random.default_rng(patients)
    place = np.linspace(-8, 8, 4001)
    truth = {"hit": 0.85, "energy": np.average(expit(place - 1), weights=np.exp(-(place**2) / 2))}
    for seed in range(number):
        patient = visits(patients, generator)
        luck, strength = (alike(patient, 1, LASTING, generator)[:, 0] for _ in range(2))
        rows = pd.DataFrame({"image": np.arange(len(patient)), "finding": "Mass", "area": 0.1, "size": "10 % or more"})
        rows = rows.assign(hit=(luck < ndtri(0.85)).astype(float), energy=expit(strength - 1))
        table = Scored(rows, dict(enumerate(patient))).summary(replicates=RESAMPLES, seed=seed).loc[["all"]]
        drawn = np.random.default_rng(seed).integers(patients, size=(RESAMPLES, patients))
        images = np.bincount(patient)[drawn].sum(axis=1)
        for name, count in counts.items():
            samples = np.bincount(patient, rows[name])[drawn].sum(axis=1) / images
            count.add(truth[name], ends(table, f"{name}_"), middle(samples))
    return counts


def gaps(number: int) -> Count:
    """Two groups that are judged equally well, with at least 10 positive patients in each."""
    count = Count()
    for block in blocks(179, 0.15, (0.92,), number):
        groups = pd.DataFrame({"sex": np.where(block.patient % 2, "F", "M")})
        for truth, scores in zip(block.truth.T, block.scores[0].T, strict=True):
            found = gap_test(truth, scores, block.patient, groups, replicates=199).iloc[0]
            if not found["reason"]:
                count.add(0.0, found[["low", "high"]])
    return count


def others(number: int) -> Iterator[tuple[str, Count]]:
    """The other kinds of intervals, with what they are of."""
    for prevalence, area, worse in ((0.06, 0.85, 0.85), (0.06, 0.96, 0.92), (0.12, 0.85, 0.85), (0.12, 0.96, 0.92)):
        where = f"prevalence {prevalence:.0%}, AUC {area}"
        yield f"{where}: average precision", average_precisions(prevalence, area, number)
        yield f"{where}: difference from an AUC of {worse}", means(prevalence, (area, worse), number, 1)
        yield f"{where}: mean of 3 findings", means(prevalence, (area,), number, 3)
        yield f"{where}: mean of 14 findings", means(prevalence, (area,), number, 14)
        yield f"{where}: difference from {worse}, means of 14", means(prevalence, (area, worse), number, 14)
        yield from ((f"{where}: {name}", count) for name, count in shares(prevalence, area, number).items())
    for patients in (12, 30, 100):
        yield from (
            (f"heat maps of {patients} patients: {name}", count) for name, count in maps(patients, number).items()
        )
    yield "gap between two groups", gaps(number)


def print_areas(number: int) -> list[Count]:
    """The first table; those of its counts for which something is promised."""
    promised, line = [], "{:>8}{:>11}{:>10}" + "{:>22}" * len(AREAS)
    print(line.format("patients", "prevalence", "positive", *(f"AUC {area}  " for area in AREAS)))
    classes = [(patients, prevalence, (FEWEST, np.inf)) for patients in PATIENTS for prevalence in PREVALENCES]
    classes += [(179, 0.02, (5, 9)), (179, 0.02, (2, 4))]
    for patients, prevalence, few in classes:
        counts = [single(patients, prevalence, area, number, *few) for area in AREAS]
        if all(counts):
            positive = f"{few[0]} to {few[1]}" if few[0] < FEWEST else f"{FEWEST} or more"
            print(line.format(patients, f"{prevalence:.0%}", positive, *map(str, counts)), flush=True)
            promised += counts if few[0] >= FEWEST else []
    return promised


def main() -> int:
    """Simulate and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    number = parser.parse_args().studies
    print("Intervals that hold the truth, in %; too high/too low; (middle 95 % of resamples); ! not within 92 to 98")
    counts = print_areas(number)
    for name, count in others(max(100, number * 3 // 10)):
        print(f"{name:<64}{count!s:>22}", flush=True)
        counts.append(count)
    missed = sum(not count.within() for count in counts)
    print(f"{len(counts) - missed} of {len(counts)} within 92 to 98 % where at least {FEWEST} patients are positive")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
