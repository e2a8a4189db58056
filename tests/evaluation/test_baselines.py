"""Baselines on simulated tables with a known answer."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cohorts import FINDINGS, image_table
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from tiny_dataset import tiny_dataset

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
    own = image_table(300).sample(frac=1, random_state=0)
    own["patient"] = (own.index // 4).astype(str)  # four images each
    own.loc[[8, 9], "patient"] = ["alone", "also alone"]
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


def scikit_learns(train, test, columns, finding="Mass"):
    """A ridge-regularised logistic regression on standardised columns, written out."""
    scaler = StandardScaler().fit(columns(train))
    model = LogisticRegression(max_iter=200).fit(scaler.transform(columns(train)), train[finding])
    return model.predict_proba(scaler.transform(columns(test)))[:, 1]


def test_no_pixels_are_scikit_learns_regression_on_age_its_square_sex_view_and_visits():
    train, test = image_table(), image_table(seed=1, first=10_000)
    found = baselines.no_pixel_scores(train, test, FINDINGS)

    def columns(own):
        age = own["age"] / 50 - 1
        visits = np.log(1 + own["follow_up"])
        return np.column_stack([age, age**2, own["sex"] == "M", own["view"] == "AP", visits]).astype(float)

    np.testing.assert_allclose(found["Mass"], scikit_learns(train, test, columns), atol=1e-6)
    assert found["Hernia"].eq(0).all() and list(found.index) == list(test["image"])


def test_an_impossible_age_is_as_good_as_none_and_none_is_middle_age():
    train, test = image_table(), image_table(seed=1, first=10_000).head(6).astype({"follow_up": float})
    test[["sex", "view", "follow_up"]] = "F", "PA", 2.0
    test["age"] = [411, np.nan, 50, 120, 121, 119]
    scores = baselines.no_pixel_scores(train, test, ["Mass"])["Mass"].to_numpy()
    assert scores[0] == scores[1] == scores[2] == scores[4] != scores[3] != scores[5]
    clean, odd = (train.assign(age=train["age"].where(train.index != 7, value)) for value in (50, 411))
    alike = [baselines.no_pixel_scores(own, test, ["Mass"]) for own in (clean, odd)]
    pd.testing.assert_frame_equal(*alike)
    test["age"], test["follow_up"] = 60, [0, np.nan, 1, 2, 3, 4]
    scores = baselines.no_pixel_scores(train, test, ["Edema"])["Edema"]
    assert scores.iloc[0] == scores.iloc[1] and scores.nunique() == 5


def test_thumbnails_are_scikit_learns_regression_on_block_means_without_brightness_and_contrast():
    train, test = image_table(120), image_table(80, seed=1, first=10_000)
    generator = np.random.default_rng(2)
    pixels = [generator.integers(0, 200, size=(len(own), 8, 8)).astype(np.uint8) for own in (train, test)]
    found = baselines.thumbnail_scores(pixels[0], train, pixels[1], test, ["Mass", "Hernia"], size=2)

    def columns(own):
        means = pixels[own is test].reshape(-1, 2, 4, 2, 4).mean(axis=(2, 4)).reshape(-1, 4)
        return stats.zscore(means, axis=1)

    np.testing.assert_allclose(found["Mass"], scikit_learns(train, test, columns), atol=1e-5)
    changed = [own * generator.uniform(0.5, 2, (len(own), 1, 1)) + 30 for own in pixels]
    again = baselines.thumbnail_scores(changed[0], train, changed[1], test, ["Mass", "Hernia"], size=2)
    np.testing.assert_allclose(again, found, atol=1e-4)
    faint = [own / 500 for own in pixels]
    again = baselines.thumbnail_scores(faint[0], train, faint[1], test, ["Mass", "Hernia"], size=2)
    np.testing.assert_allclose(again, found, atol=1e-4)
    default = baselines.thumbnail_scores(pixels[0], train, pixels[1], test, ["Mass"])
    pd.testing.assert_frame_equal(default, baselines.thumbnail_scores(pixels[0], train, pixels[1], test, ["Mass"], 16))
    flat = np.concatenate([pixels[1][:-1], np.full((1, 8, 8), 77, np.uint8)])
    assert np.isfinite(baselines.thumbnail_scores(pixels[0], train, flat, test, ["Mass"], size=2).iloc[-1, 0])
    assert (found["Hernia"] == 0).all() and baselines.thumbnail_scores(
        pixels[0], train.assign(Mass=1), pixels[1], test, ["Mass"]
    )["Mass"].eq(1).all()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A small data set whose images exist, with an age for each patient: its train and its test part."""
    folder = tmp_path_factory.mktemp("pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_CACHE", str(folder / "cache"))
        data = tiny_dataset(folder / "images", images=40, side=32)
        data = replace(data, table=data.table.assign(age=np.arange(40.0) + 20))
        yield data.part("train"), data.part("test")


def without_follow_ups(data):
    return replace(data, table=data.table.assign(patient=data.table["image"]))


def test_baselines_of_a_data_set_are_those_of_its_tables_and_pictures(pictures):
    train, test = pictures
    findings = ["Mass", "Nodule"]
    found = baselines.baseline_scores(train, test, size=8)
    assert list(found) == ["no pixels", "8 x 8 pixels", "other labels"]
    expected = [
        baselines.no_pixel_scores(train.table, test.table, findings),
        baselines.thumbnail_scores(train.pixels(32), train.table, test.pixels(32), test.table, findings, 8),
        baselines.other_label_scores(test.table, findings),
    ]
    for ours, theirs in zip(found.values(), expected, strict=True):
        pd.testing.assert_frame_equal(ours, theirs)
    met = replace(test, table=test.table.assign(patient=train.table["patient"][: len(test)].to_numpy()))
    leak = baselines.baseline_scores(train, met, ["patient's labels"])["patient's labels"]
    pd.testing.assert_frame_equal(leak, baselines.patient_mean_scores(train.table, met.table, findings))
    assert not leak.equals(baselines.patient_mean_scores(met.table, met.table, findings))
    assert "16 x 16 pixels" in baselines.baseline_scores(train, test, ["thumbnail"])


def test_the_first_baselines_that_a_data_set_allows(pictures):
    train, test = pictures
    ageless = [replace(own, table=own.table.drop(columns="age")) for own in pictures]
    assert list(baselines.baseline_scores(train, test, most=1)) == ["no pixels"]
    assert list(baselines.baseline_scores(*ageless, most=1)) == ["16 x 16 pixels"]
    assert list(baselines.baseline_scores(train, ageless[1], ["no pixels", "other labels"])) == ["other labels"]
    order = ["other labels", "patient's labels", "no pixels"]
    assert list(baselines.baseline_scores(train, test, order, most=2)) == order[:2]
    assert list(baselines.baseline_scores(train, without_follow_ups(test), order)) == order[1:]
    assert baselines.baseline_scores(*ageless, ["no pixels"]) == {} == baselines.baseline_scores(train, test, most=0)
    with pytest.raises(DataError, match="'nothing'.*Expected some of no pixels, thumbnail, other labels, patient's"):
        baselines.baseline_scores(train, test, ["nothing", "no pixels"])
