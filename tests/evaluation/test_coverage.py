"""The benchmark of coverage: its truths against large samples, its counts by hand, the page as it wrote it."""

import sys

import numpy as np
import pytest
from sklearn import metrics as oracle
from toy_course import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
import bench_coverage as bench

PAGE = bench.DOCUMENT.read_text(encoding="utf-8")


def test_intervals_are_counted_by_hand():
    count = bench.Count()
    count.add(0.9, ([0.8, 0.91, 0.5, 0.9], [0.95, 0.99, 0.89, 1.0]), ([0.91, 0.92], [0.95, 0.96]))
    count.add(np.array([0.2]), ([0.1], [0.3]))
    assert count.missed.tolist() == [[1, 1], [2, 0]] and count.number.tolist() == [5, 2]
    assert count.held() == 60 and count.held(1) == 0 and count.length.tolist() == pytest.approx([0.92, 0.08])


@pytest.mark.parametrize(
    ("held", "mark"), [(880, " !"), (900, ""), (920, ""), (980, ""), (989, ""), (996, " !"), (1000, " !")]
)
def test_what_is_not_within_92_to_98_is_marked_where_chance_does_not_explain_it(held, mark):
    """Of 1,000 studies at 92 % fewer than 893 come once in a thousand, at 98 % more than 992."""
    count = bench.Count()
    count.add(0.0, (np.where(np.arange(1000) < held, -1.0, 1.0), np.full(1000, 2.0)))
    assert str(count) == f"{held / 10:.1f}{mark}"


@pytest.mark.parametrize("area", [0.75, 0.96])
def test_the_truth_is_that_of_a_large_sample(area):
    generator = np.random.default_rng(0)
    truth = np.arange(400_000) % 2 == 0
    noise = generator.normal(size=len(truth))
    score = np.where(truth, bench.shift(area) + bench.SPREAD * noise, noise)
    assert oracle.roc_auc_score(truth, score) == pytest.approx(area, abs=3e-3)


def test_patients_and_findings_are_as_said():
    """1.5 images a patient; a finding in as many images as said, and alike in images of a patient, as scores are."""
    (block,) = bench.blocks(4000, 0.1, (0.8,), 250)
    assert len(block.patient) / 4000 == pytest.approx(np.dot(bench.VISITS, [1, 2, 3, 4, 5]), abs=0.05)
    assert (
        block.truth.mean() == pytest.approx(0.1, abs=0.002) and (bench.holders(block.truth, block.patient) >= 10).all()
    )
    two = np.flatnonzero(np.diff(block.patient) == 0)
    again = block.truth[two + 1][block.truth[two] == 1].mean()
    assert again > 0.3
    well = np.where(block.truth, np.nan, block.scores[0])
    pairs = well[two].ravel(), well[two + 1].ravel()
    known = ~np.isnan(pairs).any(axis=0)
    assert np.corrcoef(np.compress(known, pairs, axis=1))[0, 1] == pytest.approx(bench.ALIKE, abs=0.02)


def test_the_page_is_what_the_command_writes():
    written = PAGE.partition(bench.BEGIN)[2].partition(bench.END)[0]
    row = next(line.split(" | ") for line in written.splitlines() if line.startswith("| 60 | 30%"))
    cell = bench.single(60, 0.3, 0.92, bench.STUDIES)
    assert row[3 + bench.AREAS.index(0.92)] == str(cell)
