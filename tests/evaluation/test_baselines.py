"""Baselines and subgroups on simulated tables with a known answer."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tiny_dataset import tiny_dataset

from cxr_utils.data import pixelstore
from cxr_utils.errors import DataError
from cxr_utils.evaluation import baselines, metrics, subgroups
from cxr_utils.networks import models, transfer, weights


def table(images=600, seed=0, first=0):
    """Old men have a Mass; nothing predicts Edema."""
    generator = np.random.default_rng(seed)
    age, male = generator.uniform(20, 90, images), generator.random(images) < 0.5
    return pd.DataFrame(
        {
            "image": [f"{first + number}.png" for number in range(images)],
            "patient": [str(first + number // 2) for number in range(images)],
            "age": age,
            "sex": np.where(male, "M", "F"),
            "view": generator.choice(["PA", "AP"], images),
            "follow_up": generator.integers(0, 5, images),
            "Mass": (age / 30 + male + generator.normal(size=images) > 3).astype(int),
            "Edema": (generator.random(images) < 0.3).astype(int),
            "Hernia": 0,
        }
    )


FINDINGS = ["Mass", "Edema", "Hernia"]


def areas(test, scores):
    return metrics.auc_table(test[["image", *FINDINGS]], scores, test["patient"], replicates=0)["auc"]


def test_no_pixels_find_what_age_and_sex_cause_and_nothing_else():
    train, test = table(), table(seed=1, first=10_000)
    found = areas(test, baselines.no_pixel_scores(train, test, FINDINGS))
    assert found["Mass"] > 0.75
    assert found["Edema"] == pytest.approx(0.5, abs=0.08)


def test_no_pixels_live_with_odd_records_and_missing_columns():
    train, test = table(), table(seed=1, first=10_000)
    train.loc[0, "age"], test.loc[0, "age"], test.loc[1, "age"] = 411, np.nan, 411
    scores = baselines.no_pixel_scores(train.drop(columns="view"), test, FINDINGS)
    assert np.isfinite(scores.to_numpy()).all()
    with pytest.raises(DataError, match="share none of age, sex, view, follow_up"):
        baselines.no_pixel_scores(train[["image", "age", *FINDINGS]], test[["image", "sex"]], FINDINGS)


def test_patient_means_are_worth_nothing_without_a_leak():
    train = table()
    clean = baselines.patient_mean_scores(train, table(seed=1, first=10_000), FINDINGS)
    assert (clean.nunique() == 1).all()
    leaky = baselines.patient_mean_scores(train, train, FINDINGS)
    assert (areas(train, leaky)[["Mass", "Edema"]] > 0.8).all()


def test_other_labels_leave_the_image_itself_out():
    own = table().sample(frac=1, random_state=0)
    scores = baselines.other_label_scores(own, FINDINGS)
    for row in own.itertuples():
        others = own[(own["patient"] == row.patient) & (own["image"] != row.image)]
        expected = others[FINDINGS].mean() if len(others) else own[FINDINGS].mean()
        assert scores.loc[row.image].tolist() == pytest.approx(expected.tolist())


def test_other_labels_know_nothing_of_independent_images():
    alone = table()
    alone["patient"] = alone["image"]
    found = areas(alone, baselines.other_label_scores(alone, FINDINGS))
    assert (found[["Mass", "Edema"]] == 0.5).all()


def test_thumbnails_see_a_bright_corner_and_not_noise():
    train, test = table(), table(seed=1, first=10_000)
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
    train = table(10)
    with pytest.raises(DataError, match="table of 10 images"):
        baselines.thumbnail_scores(np.zeros((9, 8, 8)), train, np.zeros((10, 8, 8)), train, FINDINGS)
    with pytest.raises(DataError, match="no column Fibrosis"):
        baselines.patient_mean_scores(train, train, ["Fibrosis"])
    with pytest.raises(DataError, match="no rows"):
        baselines.no_pixel_scores(train.iloc[:0], train, FINDINGS)


def test_subgroups_equal_the_table_of_the_selected_images():
    test = table()
    scores = test.set_index("image")[["age"]].to_numpy() + np.zeros(3)
    scores = pd.DataFrame(scores, index=test["image"], columns=FINDINGS)
    groups = subgroups.subgroup_labels(test)
    found = subgroups.subgroup_auc(test, scores, test["patient"], groups, replicates=50)
    own = test[test["sex"] == "F"].reset_index(drop=True)
    columns = ["Mass", "Edema"]
    expected = metrics.auc_table(
        own[["image", *columns]], scores.loc[own["image"], columns], own["patient"], replicates=50
    )
    women = found[(found["group"] == "F")].set_index("finding")
    numbers = ["auc", "low", "high", "positives", "patients"]
    pd.testing.assert_frame_equal(women.loc[columns, numbers], expected.loc[columns, numbers])
    assert women.loc["mean", "auc"] == pytest.approx(expected.loc["mean", "auc"])
    assert women.loc["mean", "reason"] == "mean of 2 of 3 findings"
    assert women.loc["Hernia", "reason"] == "patients with it: 0, fewer than 10"
    assert sorted(found["group"].unique()) == sorted(
        ["F", "M", "18-39", "40-59", "60-79", "80-120", "AP", "PA", "first", "later"]
    )


def test_small_groups_have_a_reason_and_no_area():
    test = table()
    test.loc[:30, "age"] = 10
    scores = pd.DataFrame(np.random.default_rng(0).random((600, 3)), index=test["image"], columns=FINDINGS)
    groups = subgroups.subgroup_labels(test)[["age"]]
    found = subgroups.subgroup_auc(test, scores, test["patient"], groups, fewest=100, replicates=20)
    children = found[found["group"] == "0-17"]
    assert children["auc"].isna().all() and (children["reason"] != "").all()
    assert children["patients"].unique().tolist() == [16]


def test_groups_of_other_images_are_refused():
    test = table()
    scores = pd.DataFrame(0.5, index=test["image"], columns=FINDINGS)
    groups = subgroups.subgroup_labels(test)
    with pytest.raises(DataError, match="600 images have no row in the groups"):
        subgroups.subgroup_auc(test, scores, test["patient"], groups.rename(index=lambda name: "x" + name))
    with pytest.raises(DataError, match="no characteristic"):
        subgroups.subgroup_auc(test, scores, test["patient"], groups[[]])


def groups_of(generator, patients, images):
    """Sex, age band and clinic belong to the patient; view and visit change between images."""
    patient = generator.integers(patients, size=images)
    own = {"sex": list("FM"), "age": ["18-39", "40-59", "60-79"], "clinic": list("abc")}
    groups = {name: generator.choice(kinds, size=patients)[patient] for name, kinds in own.items()}
    return patient, pd.DataFrame(groups | {"view": generator.choice(["PA", "AP"], size=images)})


def test_gap_test_calls_a_gap_in_five_studies_of_a_hundred_where_there_is_none():
    """300 studies of 10 groups without any gap; images of a patient share label and noise."""
    studies, called, called_alone = 300, 0, 0
    for seed in range(studies):
        generator = np.random.default_rng(seed)
        patient, groups = groups_of(generator, 150, 300)
        truth = (generator.random(150) < 0.4)[patient].astype(int)
        scores = truth + generator.normal(size=150)[patient] + generator.normal(size=300)
        found = subgroups.gap_test(truth, scores, patient, groups, replicates=199, seed=seed)
        called += (found["adjusted_p"] < 0.05).any()
        called_alone += (found["p_value"] < 0.05).any()
    assert 0.02 <= called / studies <= 0.08
    assert called_alone / studies > 0.15


def test_gap_test_finds_a_gap_and_its_interval_holds_it():
    generator = np.random.default_rng(0)
    patient, groups = groups_of(generator, 1500, 3000)
    truth = generator.integers(2, size=3000)
    blind = (groups["view"] == "AP").to_numpy()
    scores = truth * np.where(blind, 0.2, 1.5) + generator.normal(size=3000)
    found = subgroups.gap_test(truth, scores, patient, groups).set_index(["characteristic", "group"])
    ap = found.loc[("view", "AP")]
    inside, outside = (metrics.roc_auc(truth[own], scores[own]) for own in (blind, ~blind))
    assert ap["gap"] == pytest.approx(inside - outside, abs=1e-12)
    assert ap["low"] < ap["gap"] < ap["high"] < 0 and ap["adjusted_p"] < 0.01
    others = found.drop(("view", "AP")).drop(("view", "PA"))
    assert (others["adjusted_p"] > 0.05).all()
    assert (found["adjusted_p"] >= found["p_value"]).all()


def test_gap_of_several_findings_is_their_mean_and_small_groups_have_a_reason():
    test = table()
    test.loc[:9, "age"] = 10
    generator = np.random.default_rng(0)
    scores = pd.DataFrame(generator.random((600, 3)), index=test["image"], columns=FINDINGS)
    groups = subgroups.subgroup_labels(test)
    found = subgroups.gap_test(test, scores, test["patient"], groups, replicates=50).set_index("group")
    women = (test["sex"] == "F").to_numpy()
    gaps = [
        metrics.roc_auc(test.loc[women, name], scores.loc[women, name])
        - metrics.roc_auc(test.loc[~women, name], scores.loc[~women, name])
        for name in ("Mass", "Edema")
    ]
    assert found.loc["F", "gap"] == pytest.approx(np.mean(gaps), abs=1e-12)
    assert found.loc["F", "findings"] == 2  # nobody has a hernia
    assert np.isnan(found.loc["0-17", "gap"]) and "fewer than 10 patients" in found.loc["0-17", "reason"]


def test_gap_test_of_constant_scores_has_a_reason_and_no_p_value():
    test = table()
    scores = pd.DataFrame(0.5, index=test["image"], columns=FINDINGS)
    found = subgroups.gap_test(test, scores, test["patient"], subgroups.subgroup_labels(test), replicates=50)
    assert (found["gap"] == 0).all() and found["p_value"].isna().all()
    assert (found["reason"].str.contains("no test")).all()


def test_own_head_is_that_of_the_network_that_was_shipped(workplace):
    data = tiny_dataset(workplace / "images", images=10)
    network = models.densenet121(32, 14, weights=None)
    weights.assign(network, weights.read(weights.simulated_path()))
    columns = [weights.simulated_record()["findings"].index(name) for name in data.findings]
    logits = network.predict(pixelstore.standardised(pixelstore.pixels(data, 32)), verbose=0)[:, columns]
    scores = transfer.own_head_scores(data, 32)
    assert list(scores) == ["Mass", "Nodule"] and list(scores.index) == list(data.table["image"])
    assert np.allclose(scores, logits, atol=1e-4)
    other = replace(data, table=data.table.rename(columns={"Mass": "Gout"}), findings=("Gout", "Nodule"))
    assert transfer.own_head_scores(other, 32) is None
