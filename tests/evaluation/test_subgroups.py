"""Groups of patients: areas within them, and gaps that chance does not make."""

import numpy as np
import pandas as pd
import pytest
from cohorts import FINDINGS, image_table

from cxr_utils.errors import DataError
from cxr_utils.evaluation import metrics, subgroups


def test_subgroups_equal_the_table_of_the_selected_images():
    test = image_table()
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
    test = image_table()
    test.loc[:30, "age"] = 10
    scores = pd.DataFrame(np.random.default_rng(0).random((600, 3)), index=test["image"], columns=FINDINGS)
    groups = subgroups.subgroup_labels(test)[["age"]]
    found = subgroups.subgroup_auc(test, scores, test["patient"], groups, fewest=100, replicates=20)
    children = found[found["group"] == "0-17"]
    assert children["auc"].isna().all() and (children["reason"] != "").all()
    assert children["patients"].unique().tolist() == [16]


def test_groups_of_other_images_are_refused():
    test = image_table()
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
    test = image_table()
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
    test = image_table()
    scores = pd.DataFrame(0.5, index=test["image"], columns=FINDINGS)
    found = subgroups.gap_test(test, scores, test["patient"], subgroups.subgroup_labels(test), replicates=50)
    assert (found["gap"] == 0).all() and found["p_value"].isna().all()
    assert (found["reason"].str.contains("no test")).all()
