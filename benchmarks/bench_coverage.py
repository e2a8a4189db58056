"""How often a "95 %" interval holds the truth. Run: python benchmarks/bench_coverage.py [--write]

Studies are simulated, each with patients of its own, in the setting of the course: 1.5 images a patient, findings that
last from visit to visit, scores that resemble each other within a patient and spread half as far again where the
finding is there (some are obvious, some hardly to be seen). The true AUC is that of the whole population's images, a
closed form. The first table is about the AUC of single findings, the others about the other intervals that the course
prints. In brackets stands the method before on the same studies: the middle 95 % of resamples of patients.

An exclamation mark stands where an interval holds the truth in fewer than 92 % or more than 98 % of studies, and not by
the noise of the simulation: chance alone would do it less than once in a thousand. With at least 10 patients who have
the finding, and 10 who have not, none may be there; the exit status is 1 where one is. `--write` puts the tables into
docs/evaluation.md. It takes some minutes on two cores.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr, ndtri
from scipy.stats import binom

from cxr_utils.evaluation.calibration import reliability_table
from cxr_utils.evaluation.intervals import bootstrap, ladder, weighted_auc, weighted_average_precision
from cxr_utils.evaluation.metrics import _areas, agreement_table, auc_difference, auc_table, average_precision_table
from cxr_utils.evaluation.subgroups import gap_test
from cxr_utils.evaluation.thresholds import operating_points
from cxr_utils.heatmaps.localization import Scored

PATIENTS, PREVALENCES, AREAS = (60, 179, 500, 1000), (0.02, 0.05, 0.1, 0.3), (0.6, 0.75, 0.85, 0.92, 0.96)
#: Patients of the course's test part. Prevalence, AUC and that of the other model, for what is not a single area.
COURSE, SETTINGS = 179, ((0.06, 0.85, 0.85), (0.06, 0.96, 0.92), (0.12, 0.85, 0.85), (0.12, 0.96, 0.92))
#: Prevalence, share of positives that get no label, share of negatives that get one.
LABELS = ((0.06, 0.15, 0.015), (0.12, 0.15, 0.02), (0.3, 0.15, 0.05), (0.12, 0.03, 0.002))
#: Patients of the heat maps of one finding.
MAPPED = (12, 30, 100)
#: Studies of each cell of the first table and of the others. Of 750 studies a coverage of 92 % has an error of 1 %.
STUDIES, OTHERS = 1000, 750
DOCUMENT = Path(__file__).parents[1] / "docs" / "evaluation.md"
BEGIN, END = "<!-- written by benchmarks/bench_coverage.py --write; do not edit -->", "<!-- end -->"
#: Share of patients with one image, two, and so on, as the simulator draws them.
VISITS = (0.68, 0.18, 0.08, 0.04, 0.02)
#: Shares of a finding's strength and of a score that belong to the patient; spread of the scores of positive images.
LASTING, ALIKE, SPREAD = 0.6, 0.4, 1.5
#: Studies simulated at once, as findings of one table; resamples of each; patients on either side; what is promised.
BLOCK, RESAMPLES, FEWEST, LEAST, MOST = 250, 250, 10, 0.92, 0.98


class Block(NamedTuple):
    """Studies of the same patients: patient (images,), truth and each of the scores (images, studies)."""

    patient: np.ndarray
    truth: np.ndarray
    scores: list[np.ndarray]


class Count:
    """Intervals of one kind and of the method before: where the truth lies, and how long they are."""

    def __init__(self) -> None:
        self.missed, self.number, self.length = np.zeros((2, 2)), np.zeros(2), np.zeros(2)

    def add(self, truth: float | np.ndarray, now: object, before: object = ((), ())) -> None:
        """Take in intervals, each (low and high, studies)."""
        for method, ends in enumerate((now, before)):
            low, high = np.asarray(ends, dtype=np.float64).reshape(2, -1)
            here = np.broadcast_to(truth, low.shape) if len(low) else np.empty(0)
            self.missed[method] += (low > here + 1e-12).sum(), (high < here - 1e-12).sum()
            self.number[method] += len(low)
            self.length[method] += (high - low).sum()

    def within(self) -> bool:
        """Between 92 and 98 %, but for what chance does once in a thousand."""
        number, held = self.number[0], self.number[0] - self.missed[0].sum()
        return bool(binom.cdf(held, number, LEAST) > 0.001 and binom.sf(held - 1, number, MOST) > 0.001)

    def held(self, method: int = 0) -> float:
        """Share of studies whose interval holds the truth, in %."""
        return float(100 - 100 * self.missed[method].sum() / self.number[method])

    def __str__(self) -> str:
        before = f" ({self.held(1):.0f})" if self.number[1] else ""
        return f"{self.held():.1f}{before}{'' if self.within() else ' !'}"


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


def resampled(block: Block, area=weighted_auc, tied: float = 0.5) -> np.ndarray:
    """The figure of each study in each resample of its patients: (resamples, studies)."""
    columns = zip(block.truth.T, block.scores[0].T, strict=True)
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
    for block in blocks(COURSE, prevalence, (area,), number):
        table = average_precision_table(block.truth, block.scores[0], block.patient, replicates=RESAMPLES)
        samples = resampled(block, area=weighted_average_precision, tied=0.0)
        count.add(truth, ends(table.drop("mean")), middle(samples))
    return count


def means(prevalence: float, areas: tuple[float, float], number: int, findings: int) -> tuple[Count, Count]:
    """Mean AUC over findings of one model, and how much better it is than another."""
    mean, ahead = Count(), Count()
    for block in blocks(COURSE, prevalence, areas, number * findings):
        for start in range(0, block.truth.shape[1] - findings + 1, findings):
            own = slice(start, start + findings)
            truth, first, second = (table[:, own] for table in (block.truth, *block.scores))
            (table, ours), (_, theirs) = (
                _areas(truth, scores, block.patient, RESAMPLES, 0) for scores in (first, second)
            )
            mean.add(areas[0], table.loc["mean", ["low", "high"]], middle(ours))
            found = auc_difference(truth, first, second, block.patient, replicates=RESAMPLES)
            ahead.add(areas[0] - areas[1], found[["low", "high"]], middle(ours - theirs))
    return mean, ahead


def shares(prevalence: float, area: float, number: int) -> dict[str, Count]:
    """Sensitivity, specificity and PPV at a threshold that finds four of five."""
    at = shift(area) - SPREAD * ndtri(0.8)
    truth = {"sensitivity": 0.8, "specificity": ndtr(at)}
    truth["ppv"] = 0.8 * prevalence / (0.8 * prevalence + (1 - ndtr(at)) * (1 - prevalence))
    counts = {name: Count() for name in truth}
    for block in blocks(COURSE, prevalence, (area,), number):
        points = operating_points(block.truth, block.scores[0], at, block.patient)
        for name, value in truth.items():
            counts[name].add(value, ends(points, f"{name}_"))
    return counts


def calibrations(prevalence: float, area: float, number: int) -> Count:
    """Observed shares in fifths of the scores, where 10 images with and 10 without the finding are expected in one."""
    count = Count()
    for block in blocks(COURSE, prevalence, (area,), number):
        for score, label in zip(block.scores[0].T, block.truth.T, strict=True):
            bins = reliability_table(label, ndtr(score / 4), 5, block.patient)
            edges = np.r_[-np.inf, np.sort(score)[bins["images"].cumsum().to_numpy()[:-1]], np.inf]
            there = prevalence * np.diff(ndtr((edges - shift(area)) / SPREAD))
            truth = there / (there + (1 - prevalence) * np.diff(ndtr(edges)))
            kept = bins["images"].to_numpy() * np.minimum(truth, 1 - truth) >= FEWEST
            count.add(truth[kept], ends(bins[kept]))
    return count


def maps(patients: int, number: int) -> dict[str, Count]:
    """Heat maps of one finding: hits in 85 %, energy that is skewed, and hits less those of maps that hit in 60 %."""
    kinds = ("share of hits", "energy in the box", "difference of hits")
    counts, generator = {kind: Count() for kind in kinds}, np.random.default_rng(patients)
    place = np.linspace(-8, 8, 4001)
    truth = 0.85, np.average(expit(place - 1), weights=np.exp(-(place**2) / 2)), 0.85 - 0.6
    for seed in range(number):
        patient = visits(patients, generator)
        luck, other, strength = (alike(patient, 1, LASTING, generator)[:, 0] for _ in range(3))
        rows = pd.DataFrame({"image": np.arange(len(patient)), "finding": "Mass", "area": 0.1, "size": "10 % or more"})
        rows = rows.assign(hit=(luck < ndtri(0.85)).astype(float), energy=expit(strength - 1))
        worse = rows.assign(hit=((luck + other) / np.sqrt(2) < ndtri(0.6)).astype(float))
        ours, theirs = (Scored(table, dict(enumerate(patient))) for table in (rows, worse))
        table, ahead = (one.summary(replicates=RESAMPLES, seed=seed) for one in (ours, ours.minus(theirs)))
        drawn = np.random.default_rng(seed).integers(patients, size=(RESAMPLES, patients))
        images = np.bincount(patient)[drawn].sum(axis=1)
        values = rows["hit"], rows["energy"], rows["hit"] - worse["hit"]
        found = ends(table, "hit_"), ends(table, "energy_"), ends(ahead, "hit_")
        for kind, true, value, now in zip(kinds, truth, values, found, strict=True):
            samples = np.bincount(patient, value)[drawn].sum(axis=1) / images
            counts[kind].add(true, now[:, -1], middle(samples))
    return counts


def gaps(prevalence: float, area: float, number: int) -> Count:
    """Two groups that are judged equally well, with at least 10 positive patients in each."""
    count = Count()
    for block in blocks(COURSE, prevalence, (area,), number):
        groups = pd.DataFrame({"sex": np.where(block.patient % 2, "F", "M")})
        for truth, scores in zip(block.truth.T, block.scores[0].T, strict=True):
            found = gap_test(truth, scores, block.patient, groups, replicates=199).iloc[0]
            if not found["reason"]:
                count.add(0.0, found[["low", "high"]])
    return count


def agreements(prevalence: float, missed: float, alarms: float, number: int) -> dict[str, Count]:
    """Labels beside the truth; half of what makes an error belongs to the patient."""
    lost, wrong = prevalence * missed, (1 - prevalence) * alarms
    named = prevalence - lost + wrong
    truth = {"missed": missed, "false": wrong / named, "npv": 1 - lost / (1 - named)}
    truth["kappa"] = 1 - (lost + wrong) / (named * (1 - prevalence) + (1 - named) * prevalence)
    truth["reader"] = (1 - truth["false"] + truth["npv"]) / 2
    counts, generator = {name: Count() for name in truth}, np.random.default_rng(int(1000 * prevalence))
    for block in blocks(COURSE, prevalence, (0.85,), number):
        luck = ndtr(alike(block.patient, block.truth.shape[1], 0.5, generator))
        labels = np.where(block.truth, luck >= missed, luck < alarms).astype(int)
        table = agreement_table(block.truth, labels, block.patient, replicates=RESAMPLES).drop("mean")
        for name, value in truth.items():
            counts[name].add(value, ends(table, f"{name}_"))
    return counts


def areas_table(pool: Executor) -> tuple[dict, list[Count]]:
    """The first table, and those of its counts for which something is promised."""
    rows, promised = {}, []
    classes = [(patients, prevalence, (FEWEST, np.inf)) for patients in PATIENTS for prevalence in PREVALENCES]
    classes += [(COURSE, 0.02, (5, FEWEST - 1)), (COURSE, 0.02, (2, 4))]
    cells = [(patients, prevalence, area, STUDIES, *few) for patients, prevalence, few in classes for area in AREAS]
    found = pool.map(single, *zip(*cells, strict=True))
    for patients, prevalence, few in classes:
        counts = [next(found) for _ in AREAS]
        if all(counts):
            positive = f"{few[0]} to {few[1]}" if few[0] < FEWEST else f"{FEWEST} or more"
            rows[f"{patients:,}", f"{prevalence:.0%}", positive] = counts
            promised += counts if few[0] >= FEWEST else []
    return rows, promised


def others(prevalence: float, area: float, worse: float) -> dict[str, Count]:
    """The other figures of the course's size, by kind."""
    counts = {"average precision": average_precisions(prevalence, area, OTHERS)}
    _, counts["difference of two models"] = means(prevalence, (area, worse), OTHERS, 1)
    for findings in (3, 14):
        mean, ahead = means(prevalence, (area, worse), OTHERS, findings)
        counts |= {f"mean AUC of {findings} findings": mean, f"difference of two models, {findings} findings": ahead}
    return counts | shares(prevalence, area, OTHERS)


def beside(columns: Iterable[dict[str, Count]]) -> dict:
    """Rows of a table from what its columns hold by name."""
    columns = list(columns)
    return {(name,): [column[name] for column in columns] for name in columns[0]}


def across(prevalence: float) -> tuple:
    """Arguments for a row of the table over the AUC."""
    return [prevalence] * len(AREAS), AREAS, [OTHERS] * len(AREAS)


def written(head: list[str], rows: dict) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *([*name, *map(str, counts)] for name, counts in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def summary(promised: list[Count]) -> str:
    """All of the first table in a sentence."""
    missed, number, length = (sum(getattr(each, name) for each in promised) for name in ("missed", "number", "length"))
    above, below = (100 * missed / number[:, None]).T
    return (
        f"Over all of these with at least {FEWEST} patients on both sides, {above[0]:.1f} % of intervals lie above the "
        f"truth and {below[0]:.1f} % below it (before: {above[1]:.1f} and {below[1]:.1f}). They are "
        f"{length[0] / number[0] / (length[1] / number[1]):.2f} times as long as before."
    )


def report() -> tuple[str, bool]:
    """All tables in Markdown, and whether what is promised holds."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        kinds = pool.map(others, *zip(*SETTINGS, strict=True))  # the longest first
        areas, promised = areas_table(pool)
        heat = beside(pool.map(maps, MAPPED, [OTHERS] * len(MAPPED)))
        parted = {
            ("share in a fifth of a reliability diagram", "30%"): [*pool.map(calibrations, *across(0.3))],
            ("gap between two groups", "15%"): [*pool.map(gaps, *across(0.15))],
        }
        labelled = beside(pool.map(agreements, *zip(*LABELS, strict=True), [OTHERS] * len(LABELS)))
        course = beside(kinds)
    counts = [
        *promised,
        *(count for rows in (course, labelled, heat, parted) for row in rows.values() for count in row),
    ]
    missed, shown = sum(not count.within() for count in counts), [count.held() for count in counts]
    inside = sum(100 * LEAST <= held <= 100 * MOST for held in shown)
    settings = [f"{prevalence:.0%}, AUC {area} ({worse})" for prevalence, area, worse in SETTINGS]
    errors = [f"{share:.0%}, {missed:.0%} missed, {alarms:.1%} false" for share, missed, alarms in LABELS]
    parts = (
        written(["patients", "prevalence", "patients with it", *(f"AUC {area}" for area in AREAS)], areas),
        summary(promised),
        written([f"{COURSE} patients; prevalence, AUC (of the other model)", *settings], course),
        written([f"{COURSE} patients; prevalence, errors of the labels", *errors], labelled),
        written(["heat maps of one finding", *(f"{patients} patients" for patients in MAPPED)], heat),
        written([f"{COURSE} patients", "prevalence", *(f"AUC {area}" for area in AREAS)], parted),
        f"With at least {FEWEST} patients on both sides, coverage is {min(shown):.1f} to {max(shown):.1f} %. {inside} "
        f"of {len(counts)} are within 92 to 98 %; {missed} of the others miss it by more than the simulation's noise.",
    )
    return "\n\n".join(parts), not missed


def main() -> int:
    """Simulate, print and perhaps write; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/evaluation.md")
    write = parser.parse_args().write
    text, kept = report()
    print(text)
    if write:
        start, end = (DOCUMENT.read_text(encoding="utf-8").partition(mark)[at] for mark, at in ((BEGIN, 0), (END, 2)))
        DOCUMENT.write_text(f"{start}{BEGIN}\n\n{text}\n\n{END}{end}", encoding="utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
