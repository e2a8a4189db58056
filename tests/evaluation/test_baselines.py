"""Baselines on simulated tables with a known answer."""

import numpy as np
import pytest
from cohorts import FINDINGS, image_table

from cxr_utils.errors import DataError
from cxr_utils.evaluation import baselines, metrics


def areas(test, scores):
    return metrics.auc_table(test[["image", *FINDINGS]], scores, test["patient"], replicates=0)["auc"]


def test_no_pixels_find_what_age_and_sex_cause_and_nothing_else():
    train, test = image_table(), image_table(seed=1, first=10_000)
    found = areas(test, baselines.no_pixel_scores(train, test, FINDINGS))
    assert found["Mass"] > 0.75
    assert found["Edema"] == pytest.approx(0.5, abs=0.08)


def test_no_pixels_live_with_odd_records_and_missing_columns():
    train, test = image_table(), image_table(seed=1, first=10_000)
    train.loc[0, "age"], test.loc[0, "age"], test.loc[1, "age"] = 411, np.nan, 411
    scores = baselines.no_pixel_scores(train.drop(columns="view"), test, FINDINGS)
    assert np.isfinite(scores.to_numpy()).all()
    with pytest.raises(DataError, match="share none of age, sex, view, follow_up"):
        baselines.no_pixel_scores(train[["image", "age", *FINDINGS]], test[["image", "sex"]], FINDINGS)


def test_patient_means_are_worth_nothing_without_a_leak():
    train = image_table()
    clean = baselines.patient_mean_scores(train, image_table(seed=1, first=10_000), FINDINGS)
    assert (clean.nunique() == 1).all()
    leaky = baselines.patient_mean_scores(train, train, FINDINGS)
    assert (areas(train, leaky)[["Mass", "Edema"]] > 0.8).all()


def test_other_labels_leave_the_image_itself_out():
    own = image_table().sample(frac=1, random_state=0)
    scores = baselines.other_label_scores(own, FINDINGS)
    for row in own.itertuples():
        others = own[(own["patient"] == row.patient) & (own["image"] != row.image)]
        expected = others[FINDINGS].mean() if len(others) else own[FINDINGS].mean()
        assert scores.loc[row.image].tolist() == pytest.approx(expected.tolist())


def test_other_labels_know_nothing_of_independent_images():
    alone = image_table()
    alone["patient"] = alone["image"]
    found = areas(alone, baselines.other_label_scores(alone, FINDINGS))
    assert (found[["Mass", "Edema"]] == 0.5).all()


def test_thumbnails_see_a_bright_corner_and_not_noise():
    train, test = image_table(), image_table(seed=1, first=10_000)
    generator = np.random.default_rng(2)
    pictures = []
    for part in (train, test):
        pixels = generator.integers(0, 200, size=(len(part), 32, 32)).astype(np.uint8)
        pixels[part["Mass"] == 1, :8, :8] += 40
        pictures.append(pixels)
    scores = baselines.thumbnail_scores(pictures[0], train, pictures[1], test, FINDINGS, size=8)
    found = areas(test, scores)
    assert found["Mass"] > 0.9
    assert found["Edema"] == pytest.approx(0.5, abs=0.08)


def test_thumbnails_of_another_table_are_refused():
    train = image_table(10)
    with pytest.raises(DataError, match="table of 10 images"):
        baselines.thumbnail_scores(np.zeros((9, 8, 8)), train, np.zeros((10, 8, 8)), train, FINDINGS)
    with pytest.raises(DataError, match="no column Fibrosis"):
        baselines.patient_mean_scores(train, train, ["Fibrosis"])
    with pytest.raises(DataError, match="no rows"):
        baselines.no_pixel_scores(train.iloc[:0], train, FINDINGS)
