"""Groups of patients: areas within them, and gaps that chance does not make."""

import numpy as np
import pandas as pd
import pytest
from cohorts import FINDINGS, image_table
from normal_intervals import delong
from scipy import stats

from cxr_utils.errors import DataError, Missing
from cxr_utils.evaluation import metrics, subgroups
from cxr_utils.evaluation.intervals import resample_weights


def test_subgroups_equal_the_table_of_the_selected_images():
    test = image_table()
    scores = test.set_index("image")[["age"]].to_numpy() + np.zeros(3)
    scores = pd.DataFrame(scores, index=test["image"], columns=FINDINGS)
    found = subgroups.subgroup_table(test, scores, test, replicates=50).set_index("group")
    own = test[test["sex"] == "F"].reset_index(drop=True)
    columns = ["Mass", "Edema"]
    expected = metrics.auc_table(
        own[["image", *columns]], scores.loc[own["image"], columns], own["patient"], replicates=50
    ).loc["mean"]
    numbers = ["auc", "low", "high", "positives", "negatives", "patients"]
    assert found.loc["F", numbers].tolist() == expected[numbers].tolist()
    assert found.loc["F", "reason"] == "mean of 2 of 3 findings"  # nobody has a hernia
    assert sorted(found.index) == sorted(["F", "M", "18-39", "40-59", "60-79", "80-120", "AP", "PA", "first", "later"])


def test_small_groups_have_a_reason_and_no_area():
    test = image_table()
    test.loc[:30, "age"] = 10
    scores = pd.DataFrame(np.random.default_rng(0).random((600, 3)), index=test["image"], columns=FINDINGS)
    found = subgroups.subgroup_table(test, scores, test, fewest=100, replicates=20).set_index("group")
    children = found.loc["0-17"]
    assert children[["auc", "low", "high"]].isna().all() and children["reason"] == "mean of 0 of 3 findings"
    assert children["patients"] == 16


def test_groups_of_other_images_are_refused():
    test = image_table()
    scores = pd.DataFrame(0.5, index=test["image"], columns=FINDINGS)
    groups = subgroups.subgroup_labels(test)
    with pytest.raises(DataError, match="600 images have no row in the groups"):
        subgroups.gap_test(test, scores, test["patient"], groups.rename(index=lambda name: "x" + name))
    with pytest.raises(DataError, match="no characteristic"):
        subgroups.gap_test(test, scores, test["patient"], groups[[]])


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


def test_edges_of_the_age_bands_and_of_the_first_visit():
    ages = [0, 17, 18, 39, 40, 59, 60, 79, 80, 120, 121, np.nan]
    own = pd.DataFrame({"image": [str(n) for n in range(12)], "age": ages, "follow_up": [0, 1] * 6, "view": "PA"})
    labels = subgroups.subgroup_labels(own)
    assert list(labels) == ["age", "view", "follow_up"] and list(labels.index) == list(own["image"])
    bands = ["0-17", "18-39", "40-59", "60-79", "80-120"]
    assert labels["age"].tolist()[:10] == [band for band in bands for _ in range(2)]
    assert labels["age"].isna().tolist() == [False] * 10 + [True] * 2
    assert labels["follow_up"].tolist() == ["first", "later"] * 6


def two_groups(patients=160, gap=0.0, seed=0, effect=1.2):
    """Women and men, one image each; the score is as good for both, but for `gap`."""
    generator = np.random.default_rng(seed)
    groups = pd.DataFrame({"sex": np.repeat(["F", "M"], patients // 2)})
    truth = generator.integers(2, size=patients)
    scores = truth * np.where(groups["sex"] == "F", effect + gap, effect) + generator.normal(size=patients)
    return truth, scores, np.arange(patients), groups


def delongs_gap(truth, scores, groups):
    """Gap of two groups that share no patient, and its standard error, from DeLong's of each group."""
    women = (groups["sex"] == "F").to_numpy()
    first, second = (delong(truth[own], scores[own]) for own in (women, ~women))
    return first["auc"] - second["auc"], np.hypot(first["standard_error"], second["standard_error"])


@pytest.mark.parametrize(("gap", "seed"), [(0.8, 0), (-0.6, 3), (0.2, 5)])
def test_of_two_groups_the_interval_and_both_p_values_are_two_sided(gap, seed):
    truth, scores, patients, groups = two_groups(400, gap, seed)
    difference, error = delongs_gap(truth, scores, groups)
    found = subgroups.gap_test(truth, scores, patients, groups, replicates=2000).set_index("group")
    assert found["gap"].tolist() == pytest.approx([difference, -difference], abs=1e-12)
    for sign, row in zip((1, -1), found.itertuples(), strict=True):
        assert (row.low + row.high) / 2 == pytest.approx(sign * difference, abs=1e-12)
        assert (row.high - row.low) / 2 == pytest.approx(stats.norm.ppf(0.975) * error, rel=0.08)
        assert row.p_value == row.adjusted_p == pytest.approx(2 * stats.norm.sf(abs(difference) / error), abs=0.03)
    turned = subgroups.gap_test(truth, -scores, patients, groups, replicates=200)
    straight = subgroups.gap_test(truth, scores, patients, groups, replicates=200)
    np.testing.assert_allclose(turned["gap"], -straight["gap"], atol=1e-12)
    np.testing.assert_allclose(turned["p_value"], straight["p_value"], atol=0.011)


def test_the_smallest_p_value_counts_the_sample_itself():
    truth, scores, patients, groups = two_groups(400, gap=4, seed=1)
    scores = np.where(groups["sex"] == "M", np.random.default_rng(0).normal(size=400), scores)
    found = subgroups.gap_test(truth, scores, patients, groups, replicates=99)
    assert found[["p_value", "adjusted_p"]].to_numpy().tolist() == [[1 / 100] * 2] * 2
    assert found["gap"].iloc[0] > 0.3 and found["low"].iloc[0] > 0


def test_as_many_patients_as_asked_for_are_enough():
    truth, scores = np.array([0, 1] * 12), np.random.default_rng(0).normal(size=24)
    groups = pd.DataFrame({"sex": ["F"] * 8 + ["M"] * 16})  # four women with and four without the finding
    table = groups.assign(image=np.arange(24), patient=np.arange(24))
    for fewest, measured in ((4, True), (5, False)):
        options = {"fewest": fewest, "replicates": 20}
        areas = subgroups.subgroup_table(truth, scores, table, **options).set_index("group")
        assert np.isfinite(areas.loc["F", "auc"]) == measured
        assert areas.loc["M", "auc"] == metrics.roc_auc(truth[8:], scores[8:])
        gaps = subgroups.gap_test(truth, scores, np.arange(24), groups, **options)
        assert np.isfinite(gaps["gap"]).tolist() == [measured] * 2
        assert (gaps["reason"] == "").tolist() == [measured] * 2
    assert areas.loc["F", "reason"] == "mean of 0 of 1 findings" and areas.loc["F", "patients"] == 8
    shared = table.assign(patient=np.arange(24) // 4)  # two women who have it, and have it not
    for fewest, measured in ((2, True), (3, False)):
        areas = subgroups.subgroup_table(truth, scores, shared, fewest=fewest, replicates=20).set_index("group")
        assert np.isfinite(areas.loc["F", "auc"]) == measured


def test_the_table_joins_the_areas_and_the_gaps_of_each_group():
    test = image_table(300)
    scores = pd.DataFrame(np.random.default_rng(0).random((300, 3)), index=test["image"], columns=FINDINGS)
    groups = subgroups.subgroup_labels(test)
    arguments = test, scores, test["patient"].to_numpy(), groups
    found = subgroups.subgroup_table(test, scores, test, fewest=8, replicates=60, seed=2)
    men, kept = (test["sex"] == "M").to_numpy(), ["Mass", "Edema"]
    mean = metrics.auc_table(test[["image", *kept]][men], scores.loc[men, kept], test["patient"][men].to_numpy(),
                             replicates=60, seed=2).loc["mean"]  # fmt: skip
    row = found[found["group"] == "M"].iloc[0]
    assert row["characteristic"] == "sex" and row[list(mean.index[:-1])].tolist() == mean.iloc[:-1].tolist()
    gaps = subgroups.gap_test(*arguments, fewest=8, replicates=60, seed=2)
    columns = ["gap", "gap_low", "gap_high", "p_value", "adjusted_p", "gap_findings", "gap_reason"]
    expected = gaps[["gap", "low", "high", "p_value", "adjusted_p", "findings", "reason"]].set_axis(columns, axis=1)
    pd.testing.assert_frame_equal(found[columns], expected)
    assert found["group"].tolist() == gaps["group"].tolist()


def test_the_gaps_take_few_resamples_and_unknown_groups_are_missing(monkeypatch):
    test = image_table(100)
    scores = pd.DataFrame(np.random.default_rng(0).random((100, 3)), index=test["image"], columns=FINDINGS)
    asked = []
    names = ["characteristic", "group", "low", "high", "reason", "findings"]
    gaps = pd.DataFrame([("sex", "F", 0, 0, "", 1), ("sex", "M", 0, 0, "", 1)], columns=names)
    monkeypatch.setattr(subgroups, "gap_test", lambda *_, replicates, **__: asked.append(replicates) or gaps)
    own = test[["image", "patient", "sex", *FINDINGS]]
    for replicates in (20, 600):
        subgroups.subgroup_table(own, scores, own, replicates=replicates)
    assert asked == [20, 399]
    unknown = subgroups.subgroup_table(own, scores, own.drop(columns="sex"))
    assert isinstance(unknown, Missing) and "neither sex, age, view nor follow-up" in str(unknown)
    assert isinstance(subgroups.subgroup_table(own, scores, own.assign(sex=None)), Missing)


@pytest.mark.parametrize(("effect", "wrong"), [(1.2, "one for all"), (1.8, "as small as it is")])
def test_each_resample_is_measured_by_its_own_standard_error(effect, wrong):
    """A bootstrap-t written out, with DeLong's errors of the drawn images; few patients, so the errors differ much.

    Near 1 some are far too small, and none is taken for less than 0.7 of the sample's.
    """
    truth, scores, patients, groups = two_groups(50, gap=0.5, seed=4, effect=effect)
    difference, error = delongs_gap(truth, scores, groups)
    deviations, others = [], {"one for all": [], "as small as it is": []}
    for weights in next(resample_weights(50, 300, seed=0)).T.astype(int):
        rows = np.repeat(np.arange(50), weights)
        counts = [truth[rows][groups["sex"].iloc[rows] == sex] for sex in "FM"]
        if min(min(count.sum(), (1 - count).sum()) for count in counts) > 1:
            gap, own_error = delongs_gap(truth[rows], scores[rows], groups.iloc[rows])
            deviations.append(abs(gap - difference) / max(own_error, 0.7 * error))
            others["as small as it is"].append(abs(gap - difference) / max(own_error, 0.05 * error))
            others["one for all"].append(abs(gap - difference) / error)
    found = subgroups.gap_test(truth, scores, patients, groups, fewest=1, replicates=300).iloc[0]
    reach = (found["high"] - found["low"]) / 2
    assert reach == pytest.approx(np.quantile(deviations, 0.95) * error, rel=0.06)
    assert reach != pytest.approx(np.quantile(others[wrong], 0.95) * error, rel=0.07)
    share = np.mean(np.array(deviations) >= abs(difference) / error)
    assert found["p_value"] == pytest.approx(share, abs=0.03)
