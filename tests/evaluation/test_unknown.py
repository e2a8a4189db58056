"""An unknown label counts in no figure: each is what it would be without the image, finding by finding."""

import warnings

import numpy as np
import pandas as pd
import pytest
from cohorts import FINDINGS, cohort, image_table
from hypothesis import given, settings
from hypothesis import strategies as st
from normal_intervals import delong, delong_test
from sklearn import metrics as oracle

from cxr_utils.errors import CxrError
from cxr_utils.evaluation import baselines, calibration, curves, intervals, metrics, subgroups, thresholds
from cxr_utils.evaluation.predictions import align, known


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def holed(truth, share, seed):
    """Some labels unknown, in every finding others."""
    return truth.mask(np.random.default_rng(seed).random(truth.shape) < share)


@pytest.fixture(params=[(0, 0.2, 400), (1, 0.7, 1500)], ids=["a fifth", "most"])
def case(request):
    """Labels with holes, probabilities, patients; and of each finding the known ones."""
    seed, share, images = request.param
    truth, scores, patients = cohort(images, images // 6, seed)
    truth, scores = holed(truth, share, seed), 1 / (1 + np.exp(1 - scores))
    here = {name: truth[name].notna() for name in FINDINGS}
    return truth, scores, patients, {name: (truth.loc[rows, name].astype(int), scores.loc[rows, name], patients[rows])
                                     for name, rows in here.items()}  # fmt: skip


def exactly(value):
    return pytest.approx(value, abs=1e-12, nan_ok=True)


def test_areas_and_counts_are_those_of_scikit_learn_on_the_known_ones(case):
    truth, scores, patients, pairs = case
    areas = metrics.auc_table(truth, scores, patients, replicates=0)
    precision = metrics.average_precision_table(truth, scores, patients, replicates=0)
    for name, (labels, values, own) in pairs.items():
        assert areas.loc[name, "auc"] == exactly(oracle.roc_auc_score(labels, values))
        assert metrics.roc_auc(truth[name], scores[name]) == areas.loc[name, "auc"]
        assert precision.loc[name, "ap"] == exactly(oracle.average_precision_score(labels, values))
        assert metrics.average_precision(truth[name], scores[name]) == precision.loc[name, "ap"]
        assert precision.loc[name, "prevalence"] == exactly(labels.mean())
        counts = [labels.sum(), len(labels) - labels.sum(), own.nunique()]
        assert areas.loc[name, ["positives", "negatives", "patients"]].tolist() == counts
    assert areas.loc["mean", "auc"] == exactly(areas["auc"].drop("mean").mean())
    assert areas.loc["mean", ["positives", "negatives"]].sum() == truth.notna().sum().sum()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, np.nan]), st.sampled_from([0.1, 0.2, 0.5, 0.8])), min_size=1, max_size=30
    )
)
def test_any_few_images_and_their_holes(images):
    truth, scores = np.array(images).T
    kept = ~np.isnan(truth)
    both = len(set(truth[kept])) == 2
    expected = oracle.roc_auc_score(truth[kept], scores[kept]) if both else np.nan
    assert metrics.roc_auc(truth, scores) == exactly(expected)
    some = (truth == 1).any()
    expected = oracle.average_precision_score(truth[kept], scores[kept]) if some else np.nan
    assert metrics.average_precision(truth, scores) == exactly(expected)
    points = thresholds.operating_points(truth, scores, 0.5).loc["finding"]
    matrix = (
        oracle.confusion_matrix(truth[kept], scores[kept] >= 0.5, labels=[0, 1]) if kept.any() else np.zeros((2, 2))
    )
    assert points[["tn", "fp", "fn", "tp"]].tolist() == matrix.ravel().tolist()


def test_micro_averages_and_curves_are_of_the_known_ones(case):
    truth, scores, _, pairs = case
    labels, values = (np.concatenate([pair[side] for pair in pairs.values()]) for side in (0, 1))
    flat = truth.to_numpy().ravel(), scores.to_numpy().ravel()
    assert metrics.roc_auc(*flat) == exactly(oracle.roc_auc_score(labels, values))
    assert metrics.average_precision(*flat) == exactly(oracle.average_precision_score(labels, values))
    macro = curves.macro_roc(truth, scores)
    mean = np.mean([oracle.roc_auc_score(*pair[:2]) for pair in pairs.values()])
    assert np.trapezoid(macro["sensitivity"], macro["false_positive_rate"]) == exactly(mean)
    steps = curves.macro_pr(truth, scores)
    mean = np.mean([oracle.average_precision_score(*pair[:2]) for pair in pairs.values()])
    assert np.diff(steps["recall"], prepend=0) @ steps["precision"] == exactly(mean)
    labels, values, _ = pairs["Mass"]
    false, sensitive, at = oracle.roc_curve(labels, values, drop_intermediate=False)
    np.testing.assert_allclose(
        curves.roc_points(truth["Mass"], scores["Mass"]).to_numpy(), np.column_stack([at, false, sensitive]), atol=1e-12
    )


def test_intervals_and_differences_are_over_patients_of_the_known_images(case):
    truth, scores, patients, pairs = case
    other = scores.sample(frac=1, random_state=0).set_axis(scores.index)
    codes = pd.factorize(patients)[0]
    (weights,) = intervals.resample_weights(codes.max() + 1, 60, seed=4)
    options = {"replicates": 60, "seed": 4}
    table = metrics.auc_table(truth, scores, patients, **options)
    sampled = {}
    for name, (labels, values, own) in pairs.items():
        own = codes[truth[name].notna()]
        for kind, score in (("a", values), ("b", other.loc[labels.index, name])):
            sampled[name, kind] = [
                oracle.roc_auc_score(labels, score, sample_weight=weights[own, column]) for column in range(60)
            ]
        alone = metrics.auc_table(labels, values, own, replicates=1).loc[name]
        assert table.loc[name, ["low", "high"]].tolist() == pytest.approx(alone[["low", "high"]].tolist(), abs=2e-3)
    found = metrics.auc_difference(truth, scores, other, patients, **options)
    means = [np.mean([sampled[name, kind] for name in FINDINGS], axis=0) for kind in ("a", "b")]
    tables = (table, metrics.auc_table(truth, other, patients, **options))
    (_, down_a, up_a), (_, down_b, up_b) = (
        np.abs(one.loc["mean", ["auc", "low", "high"]].to_numpy(float) - one.loc["mean", "auc"]) for one in tables
    )
    alike = np.corrcoef(means)[0, 1]
    common = max(alike, 0) * max(abs(up_a - up_b), abs(down_a - down_b)) ** 2
    reach = np.sqrt((1 - alike) * (up_a**2 + down_b**2) + common)
    assert found["high"] - found["difference"] == pytest.approx(reach, abs=1e-5)  # float32 products
    once = [oracle.roc_auc_score(labels, v) - oracle.roc_auc_score(labels, other.loc[labels.index, name])
            for name, (labels, v, _) in pairs.items()]  # fmt: skip
    assert found["difference"] == exactly(np.mean(once))


def test_every_figure_of_one_finding_is_that_of_its_known_images(case):
    truth, scores, patients, pairs = case
    for name, (labels, values, own) in pairs.items():
        whole = truth[name].to_numpy(), scores[name].to_numpy()
        few = labels.to_numpy(), values.to_numpy()
        for figure in (calibration.reliability_table, thresholds.decision_curve, curves.pr_points):
            pd.testing.assert_frame_equal(figure(*whole), figure(*few))
        test = [function(*arrays, p) for arrays, p in ((whole, patients), (few, own)) for function in (delong,)]
        pd.testing.assert_series_equal(*test)
        other = np.random.default_rng(0).random(len(truth))
        pd.testing.assert_series_equal(
            delong_test(*whole, other, patients),
            delong_test(*few, other[truth[name].notna()], own),
        )


def test_tables_over_findings_are_made_of_the_known_ones(case):
    truth, scores, _, pairs = case
    rules = [{}, {"sensitivity": 0.9}, {"ppv": 0.6}, {"miss": 5}]
    several = [thresholds.choose_thresholds(truth, scores, **rule) for rule in rules]
    points, table = thresholds.operating_points(truth, scores, 0.4), calibration.calibration_table(truth, scores)
    fits = [fit(truth, scores)(scores) for fit in (calibration.fit_platt, calibration.fit_isotonic)]
    for name, (labels, values, _) in pairs.items():
        one = labels.to_frame(), values.to_frame()
        for rule, chosen in zip(rules, several, strict=True):
            assert chosen[name] == thresholds.choose_thresholds(*one, **rule)[name]
        called = values >= 0.4
        assert points.loc[name, "prevalence"] == exactly(labels.mean())
        assert points.loc[name, "accuracy"] == exactly(oracle.accuracy_score(labels, called))
        assert points.loc[name, "f1"] == exactly(oracle.f1_score(labels, called))
        assert table.loc[name, "brier"] == exactly(oracle.brier_score_loss(labels, values))
        assert table.loc[name].to_numpy() == exactly(calibration.calibration_table(*one).loc[name].to_numpy())
        for fitted, fit in zip(fits, (calibration.fit_platt, calibration.fit_isotonic), strict=True):
            assert fitted[name].to_numpy() == exactly(fit(*one)(scores[[name]])[name].to_numpy())
    flat = (np.concatenate([pair[side] for pair in pairs.values()]) for side in (0, 1))
    slope = calibration.fit_temperature(*flat).slope.iloc[0]
    assert calibration.fit_temperature(truth, scores).slope["Mass"] == pytest.approx(slope, abs=1e-6)  # a minimum


def test_groups_count_patients_whose_label_is_known():
    table, scores = image_table(900), image_table(900, seed=1)[FINDINGS] * 0.0
    scores = scores.set_axis(pd.Index(table["image"], name="image"))
    scores["Mass"] = np.random.default_rng(0).random(900) + table["Mass"].to_numpy()
    women = (table["sex"] == "F").to_numpy()
    truth = table.set_index("image")[FINDINGS].astype(float)
    truth.loc[women & (np.arange(900) % 3 > 0), "Mass"] = np.nan
    one = {
        "truth": truth[["Mass"]],
        "scores": scores[["Mass"]],
        "table": table.drop(columns=["age", "view", "follow_up"]),
    }
    row = subgroups.subgroup_table(**one, replicates=20).set_index("group").loc["F"]
    here = women & truth["Mass"].notna().to_numpy()
    assert row["auc"] == exactly(oracle.roc_auc_score(truth["Mass"][here], scores["Mass"][here]))
    assert row["positives"] + row["negatives"] == here.sum()
    gaps = subgroups.gap_test(
        truth[["Mass"]], scores[["Mass"]], table["patient"].to_numpy(), subgroups.subgroup_labels(table)[["sex"]],
        replicates=0,
    ).set_index("group")  # fmt: skip
    inside, outside = (oracle.roc_auc_score(truth["Mass"][own], scores["Mass"][own]) for own in (here, ~women))
    assert gaps.loc["F", "gap"] == pytest.approx(inside - outside, abs=1e-6)
    for label in (0, 1):
        one["truth"] = truth[["Mass"]].mask(women[:, None] & (truth[["Mass"]] == label))
        row = subgroups.subgroup_table(**one, replicates=20).set_index("group").loc["F"]
        assert np.isnan(row["auc"]) and np.isnan(row["low"]) and row["reason"] == "mean of 0 of 1 findings"


def test_baselines_learn_from_known_labels_only():
    train, test = image_table(400), image_table(100, seed=1, first=1000)
    holes = train.assign(Mass=train["Mass"].mask(np.arange(400) % 4 == 0), Hernia=np.nan)
    found = baselines.no_pixel_scores(holes, test, FINDINGS)
    expected = baselines.no_pixel_scores(train[np.arange(400) % 4 > 0], test, FINDINGS)
    assert found["Mass"].to_numpy() == exactly(expected["Mass"].to_numpy()) and set(found["Hernia"]) == {0.5}
    table = pd.DataFrame(
        {"image": list("abcde"), "patient": list("ppppq"), "Mass": [1, np.nan, 0, 1, 1], "Edema": np.nan}
    )
    others = baselines.other_label_scores(table, ["Mass", "Edema"])
    assert others["Mass"].to_numpy() == exactly([1 / 2, 2 / 3, 1.0, 1 / 2, 3 / 4]) and set(others["Edema"]) == {0.5}
    seen = baselines.patient_mean_scores(table, table.assign(patient=list("pqrpq")), ["Mass", "Edema"])
    assert seen["Mass"].to_numpy() == exactly([2 / 3, 1, 3 / 4, 2 / 3, 1]) and set(seen["Edema"]) == {0.5}


def test_a_finding_of_which_nothing_is_known_has_a_reason_and_no_figure():
    truth, scores, patients = cohort()
    truth, scores = truth.assign(Hernia=np.nan), 1 / (1 + np.exp(-scores))
    areas = metrics.auc_table(truth, scores, patients, replicates=20)
    assert areas.loc["Hernia", "reason"] == "no label is known" and np.isnan(areas.loc["Hernia", "auc"])
    assert areas.loc["Hernia", ["positives", "negatives", "patients"]].tolist() == [0, 0, 0]
    assert areas.loc["mean", "reason"] == "mean of 2 of 3 findings"
    assert metrics.average_precision_table(truth, scores, patients, replicates=20)["ap"].isna().tolist() == [
        False, False, True, False,
    ]  # fmt: skip
    assert np.isnan(thresholds.choose_thresholds(truth, scores)["Hernia"])
    assert np.isnan(thresholds.operating_points(truth, scores, 0.5).loc["Hernia", "prevalence"])
    assert calibration.calibration_table(truth, scores).loc["Hernia"].isna().all()
    for fit in (calibration.fit_platt, calibration.fit_isotonic):
        assert fit(truth, scores)(scores)["Hernia"].to_numpy() == exactly(scores["Hernia"].to_numpy())
    one = truth["Hernia"], scores["Hernia"]
    assert np.isnan(metrics.roc_auc(*one)) and np.isnan(metrics.average_precision(*one))
    for function in (calibration.reliability_table, thresholds.decision_curve, curves.roc_points, curves.pr_points):
        with pytest.raises(CxrError, match=r"None of 400 labels is known|All 0 labels|None of 0 labels"):
            function(*one)
    with pytest.raises(CxrError, match="positive images of 0 and negative images of 0 patients"):
        delong(*one)


def test_a_score_beside_an_unknown_label_is_not_asked_for_and_not_kept():
    truth, scores = align(np.array([0, np.nan, 1]), np.array([0.2, np.inf, 0.7]))
    assert truth["finding"].isna().tolist() == scores["finding"].isna().tolist() == [False, True, False]
    assert [column.tolist() for column in known([0, None, 1], [0.2, np.nan, 0.7])] == [[0, 1], [0.2, 0.7]]
