"""How well labels agree with the truth: scikit-learn's figures, and intervals that know patients."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

from cxr_utils.evaluation import agreement_table
from cxr_utils.evaluation.intervals import share_interval

FIGURES = ("missed", "false", "npv", "kappa", "reader")


@pytest.fixture(scope="module")
def read():
    """Truth, labels with errors, and patients of 400 images, two findings; one truth is unknown."""
    generator = np.random.default_rng(0)
    truth = pd.DataFrame(generator.random((400, 2)) < (0.3, 0.1), columns=["Mass", "Edema"]).astype(float)
    wrong = np.where(truth == 1, generator.random((400, 2)) < 0.3, generator.random((400, 2)) < 0.05)
    labels = pd.DataFrame(np.where(wrong, 1 - truth, truth), columns=truth.columns)
    truth.loc[7, "Edema"] = np.nan
    return truth, labels, generator.integers(0, 150, 400)


def by_library(truth, labels):
    return {
        "missed": 1 - oracle.recall_score(truth, labels),
        "false": 1 - oracle.precision_score(truth, labels),
        "npv": oracle.precision_score(truth, labels, pos_label=0),
        "kappa": oracle.cohen_kappa_score(truth, labels),
        "reader": oracle.roc_auc_score(labels, truth),
    }


def test_figures_are_scikit_learns_and_their_mean(read):
    truth, labels, patients = read
    table = agreement_table(truth, labels, patients, replicates=0)
    for name in truth:
        known = truth[name].notna()
        expected = by_library(truth[name][known], labels[name][known])
        assert table.loc[name, list(expected)].to_dict() == pytest.approx(expected)
        assert table.loc[name, ["positives", "labelled"]].tolist() == [truth[name].sum(), labels[name][known].sum()]
    assert table.loc["mean", list(FIGURES)].tolist() == pytest.approx(table.loc[list(truth), list(FIGURES)].mean())
    assert table.loc[list(truth)].notna().all(axis=None)  # only the means come from resamples
    assert table.loc["mean", [f"{name}_low" for name in FIGURES]].isna().all()


def test_intervals_are_those_of_drawn_patients(read):
    """Patients drawn by hand, all images of each; 1,000 draws of either kind agree to a few thousandths.

    Not so where a share is near its end (Edema's): there the percentiles of draws are too short.
    """
    truth, labels, patients = (one[np.arange(400) != 7] for one in read)
    table = agreement_table(truth, labels, patients, replicates=1000, seed=1)
    rows, generator = pd.Series(range(399)).groupby(patients).apply(list), np.random.default_rng(5)
    drawn = [np.concatenate(generator.choice(rows, len(rows))) for _ in range(1000)]
    found = {
        one: pd.DataFrame([by_library(truth[one].to_numpy()[own], labels[one].to_numpy()[own]) for own in drawn])
        for one in truth
    }
    for one, samples in {"Mass": found["Mass"], "mean": (found["Mass"] + found["Edema"]) / 2}.items():
        for name in FIGURES:
            ends = table.loc[one, [f"{name}_low", f"{name}_high"]].tolist()
            width = ends[1] - ends[0]
            assert ends == pytest.approx(np.quantile(samples[name], [0.025, 0.975]), abs=0.12 * width)


def test_copies_of_images_bring_no_certainty(read):
    truth, labels, patients = read
    once = agreement_table(truth, labels, patients)
    copied = agreement_table(
        pd.concat([truth] * 3, ignore_index=True), pd.concat([labels] * 3, ignore_index=True), [*patients] * 3
    )
    columns = [f"{name}{end}" for name in FIGURES for end in ("", "_low", "_high")]
    assert np.allclose(once[columns], copied[columns])


def test_a_finding_that_nobody_has_or_names_has_no_share():
    table = agreement_table(np.array([[0, 1], [0, 0]]), np.array([[0, 0], [0, 0]]), ["p", "q"], replicates=20)
    assert np.isnan(table.iloc[0]["missed"]) and table.iloc[1]["missed"] == 1 and table.loc["mean", "missed"] == 1
    assert table["false"].isna().all()


def test_labels_without_an_error_on_these_patients_may_err_on_others(read):
    """The share of errors, 0 of 400, has an upper limit, and so kappa and the reader have a lower one."""
    truth, _, patients = read
    truth = truth[["Mass"]]
    table = agreement_table(truth, truth, patients).loc["Mass"]
    assert table[["kappa", "reader", "kappa_high", "reader_high"]].tolist() == [1, 1, 1, 1]
    positive = truth["Mass"].to_numpy() == 1
    never = np.zeros((400, 1), bool)
    among = [np.ones((400, 1), bool), positive[:, None], ~positive[:, None]]
    all_wrong, positive_wrong, negative_wrong = (share_interval(never, one, patients)[1][0] for one in among)
    expected = 2 * positive.mean() * (1 - positive.mean())  # of disagreement by chance
    assert table["kappa_low"] == pytest.approx(1 - all_wrong / expected)
    assert table["reader_low"] == pytest.approx(1 - np.hypot(positive_wrong, negative_wrong) / 2)
    assert 0.9 < table["kappa_low"] < 1 and 0.9 < table["reader_low"] < 1
