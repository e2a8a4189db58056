"""Shares of answers with intervals over patients: against Wilson's formula, copies, and simulated studies."""

import numpy as np
import pytest
from scipy.stats import binomtest

from cxr_utils.errors import DataError, Missing
from cxr_utils.evaluation.subgroups import share_table


def test_shares_and_counts_by_hand():
    hits = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], bool)
    among = {"all": np.ones((4, 2), bool), "first two": np.array([[1, 1], [1, 1], [0, 0], [0, 0]], bool)}
    table = share_table(hits, among, ["p", "p", "q", "r"])
    assert table["share"].tolist() == [0.5, 0.5]
    assert table[["answers", "patients"]].values.tolist() == [[8, 3], [4, 1]]


def test_one_answer_a_patient_gives_wilsons_interval():
    hits = np.arange(400)[:, None] < 60
    row = share_table(hits, {"all": np.ones((400, 1), bool)}, np.arange(400)).loc["all"]
    wilson = binomtest(60, 400).proportion_ci(method="wilson")
    assert row[["low", "high"]].tolist() == pytest.approx([wilson.low, wilson.high], abs=2e-3)


def test_no_hit_has_an_interval_and_no_answer_has_none():
    none = np.zeros((19, 1), bool)
    table = share_table(none, {"all": ~none, "nobody": none}, np.arange(19))
    assert table.loc["all", ["share", "low"]].tolist() == [0, 0] and 0.1 < table.loc["all", "high"] < 0.2
    assert table.loc["nobody"].isna().tolist() == [True, True, True, False, False]


def test_copies_of_images_are_no_news():
    generator = np.random.default_rng(0)
    hits, patient = generator.random((90, 3)) < 0.3, generator.integers(0, 40, 90)
    less = generator.random((90, 3)) < 0.5
    once, often = (
        share_table(np.tile(hits, (n, 1)), {"all": np.ones((90 * n, 3), bool)}, np.tile(patient, n)) for n in (1, 4)
    )
    assert often.loc["all", ["low", "high"]].tolist() == pytest.approx(once.loc["all", ["low", "high"]].tolist())
    once, often = (
        share_table(
            np.tile(hits, (n, 1)), {"all": np.ones((90 * n, 3), bool)}, np.tile(patient, n), less=np.tile(less, (n, 1))
        )
        for n in (1, 4)
    )
    assert often.loc["all", ["low", "high"]].tolist() == pytest.approx(once.loc["all", ["low", "high"]].tolist())


@pytest.mark.parametrize("paired", [False, True])
def test_intervals_hold_the_truth_about_as_often_as_they_say(paired):
    """80 patients with 1 to 3 images and 4 findings; patients differ, so that answers of one resemble each other."""
    generator, held = np.random.default_rng(1), []
    for _ in range(400):
        patient = np.repeat(np.arange(80), generator.integers(1, 4, 80))
        chance = generator.beta(2, 6, 80)[patient][:, None]  # of mean 0.25
        hits = generator.random((len(patient), 4)) < chance
        less = generator.random((len(patient), 4)) < chance / 2 if paired else None
        row = share_table(hits, {"all": np.ones(hits.shape, bool)}, patient, less=less).loc["all"]
        held.append(row["low"] <= (0.125 if paired else 0.25) <= row["high"])
    assert 0.92 <= np.mean(held) <= 0.98


def test_a_difference_is_that_of_the_shares_and_equal_models_differ_by_nothing():
    generator = np.random.default_rng(2)
    hits, less = generator.random((50, 2)) < 0.6, generator.random((50, 2)) < 0.4
    among, patient = {"some": generator.random((50, 2)) < 0.7}, generator.integers(0, 20, 50)
    one, other = (share_table(given, among, patient).loc["some", "share"] for given in (hits, less))
    assert share_table(hits, among, patient, less=less).loc["some", "difference"] == pytest.approx(one - other)
    assert share_table(hits, among, patient, less=hits).loc["some"][:3].tolist() == [0, 0, 0]


def test_shapes_that_differ_are_refused_and_missing_is_handed_on():
    with pytest.raises(DataError, match="answers \\(3, 2\\) of 'women' and 4 patients"):
        share_table(np.ones((4, 2), bool), {"women": np.ones((3, 2), bool)}, list("pqrs"))
    assert repr(share_table(np.ones((4, 2), bool), {"women": Missing("No sex.")}, list("pqrs"))) == "No sex."
