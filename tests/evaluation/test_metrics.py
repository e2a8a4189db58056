"""Areas and their intervals against scikit-learn, naive loops and a published example."""

import numpy as np
import pandas as pd
import pytest
from cohorts import FINDINGS, cohort
from normal_intervals import delong_test
from scipy import stats
from scipy.optimize import brentq
from sklearn import metrics as oracle

from cxr_utils.errors import DataError, Missing
from cxr_utils.evaluation import metrics
from cxr_utils.evaluation.intervals import bootstrap, ladder, resample_weights, weighted_auc


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_areas_equal_scikit_learn(seed, ties):
    truth, scores, patients = cohort(seed=seed, ties=ties)
    areas = metrics.auc_table(truth, scores, patients, replicates=0)["auc"]
    precisions = metrics.average_precision_table(truth, scores, patients, replicates=0)["ap"]
    for name in FINDINGS:
        expected = oracle.roc_auc_score(truth[name], scores[name])
        assert areas[name] == pytest.approx(expected, abs=1e-12)
        assert metrics.roc_auc(truth[name], scores[name]) == pytest.approx(expected, abs=1e-12)
        expected = oracle.average_precision_score(truth[name], scores[name])
        assert precisions[name] == pytest.approx(expected, abs=1e-12)
        assert metrics.average_precision(truth[name], scores[name]) == pytest.approx(expected, abs=1e-12)
    assert areas["mean"] == pytest.approx(oracle.roc_auc_score(truth, scores, average="macro"), abs=1e-12)
    assert precisions["mean"] == pytest.approx(oracle.average_precision_score(truth, scores), abs=1e-12)


def test_hanley_and_mcneils_published_example():
    """Radiology 1982, table II: 109 CT images rated 1 to 5; the area is 0.893."""
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    truth = np.repeat([0, 1], [sum(normal), sum(abnormal)])
    scores = np.concatenate([np.repeat(np.arange(1, 6), counts) for counts in (normal, abnormal)])
    assert metrics.roc_auc(truth, scores) == pytest.approx(0.893, abs=5e-4)


def test_interval_covers_the_truth_19_times_in_20():
    """Patients bring 1 to 6 alike images; the true area is Phi(1 / sqrt(2)) = 0.7602."""
    generator, covered, simulations = np.random.default_rng(0), 0, 500
    for seed in range(simulations):
        patient = np.repeat(np.arange(150), generator.integers(1, 7, size=150))
        present = (generator.random(150) < 0.4)[patient].astype(int)
        noise = (generator.normal(size=150)[patient] + generator.normal(size=len(patient))) / np.sqrt(2)
        interval = metrics.auc_table(present, present + noise, patient, replicates=300, seed=seed).loc["finding"]
        covered += interval["low"] <= 0.760250 <= interval["high"]
    assert 0.92 <= covered / simulations <= 0.98


def rare_and_easy(studies=600, patients=179, seed=1):
    """Studies with a finding in 5 % of images and an AUC of 0.96, by those with at least 10 patients who have it."""
    generator = np.random.default_rng(seed)
    patient = np.repeat(
        np.arange(patients), generator.choice([1, 2, 3, 4, 5], patients, p=[0.68, 0.18, 0.08, 0.04, 0.02])
    )

    def alike(share):
        own = generator.normal(size=(patients, studies))[patient]
        return np.sqrt(share) * own + np.sqrt(1 - share) * generator.normal(size=(len(patient), studies))

    truth = (alike(0.6) > stats.norm.ppf(0.95)).astype(int)
    noise = alike(0.4)
    scores = np.where(truth, stats.norm.ppf(0.96) * np.sqrt(1 + 1.5**2) + 1.5 * noise, noise)
    kept = [len(np.unique(patient[own == 1])) >= 10 for own in truth.T]
    return truth[:, kept], scores[:, kept], patient


def test_of_rare_and_easy_findings_the_interval_covers_where_the_middle_of_the_resamples_does_not():
    truth, scores, patient = rare_and_easy()
    table = metrics.auc_table(truth, scores, patient, replicates=1).drop("mean")
    too_high, too_low = (table["low"] > 0.96).mean(), (table["high"] < 0.96).mean()
    assert 0.92 <= 1 - too_high - too_low <= 0.98 and max(too_high, too_low) < 0.05
    steps = [ladder(*own, patient, tied=0.5) for own in zip(truth.T[:150], scores.T[:150], strict=True)]
    low, high = np.percentile(bootstrap(steps, weighted_auc, 300, seed=0), [2.5, 97.5], axis=0)
    assert ((low <= 0.96) & (high >= 0.96)).mean() < 0.87


def test_images_as_units_make_the_interval_too_narrow():
    truth, scores, patients = cohort(images=1000, patients=50)
    one = truth["Mass"], scores["Mass"]
    wide, narrow = (metrics.auc_table(*one, units).loc["Mass"] for units in (patients, np.arange(len(truth))))
    assert wide["auc"] == narrow["auc"]
    assert wide["high"] - wide["low"] > 1.3 * (narrow["high"] - narrow["low"])


def test_single_images_are_their_own_patients():
    truth, scores, _ = cohort()
    patients = truth.index.to_numpy()
    by_patient, by_image = (metrics.auc_table(truth, scores, units) for units in (patients, np.arange(len(truth))))
    pd.testing.assert_frame_equal(by_patient, by_image)


def test_same_seed_same_interval_and_other_seed_another():
    truth, scores, patients = cohort()
    first, again, other = (metrics.auc_table(truth, scores, patients, replicates=100, seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first["low"].equals(other["low"])


def test_difference_is_paired():
    """Two nearly equal models: the paired interval is far narrower than either model's own."""
    truth, scores, patients = cohort(ties=False)
    other = scores + 0.05 * np.random.default_rng(1).normal(size=scores.shape)
    paired = metrics.auc_difference(truth, scores, other, patients)
    tables = [metrics.auc_table(truth, each, patients) for each in (scores, other)]
    areas = [table.loc["mean", "auc"] for table in tables]
    assert paired["difference"] == pytest.approx(areas[0] - areas[1], abs=1e-12)
    assert paired["low"] <= paired["difference"] <= paired["high"]
    assert paired["high"] - paired["low"] < 0.3 * (tables[0].loc["mean", "high"] - tables[0].loc["mean", "low"])


def test_columns_and_images_in_another_order_are_matched_by_name():
    truth, scores, patients = cohort()
    shuffled = scores.sample(frac=1, random_state=0)[FINDINGS[::-1]]
    pd.testing.assert_frame_equal(
        metrics.auc_table(truth, scores, patients, replicates=20),
        metrics.auc_table(truth, shuffled, patients.sample(frac=1, random_state=1), replicates=20),
    )


def test_image_table_arrays_and_frames_give_the_same():
    truth, scores, patients = cohort()
    table = truth.assign(patient=patients, age=50.0, split="test").reset_index()
    expected = metrics.auc_table(truth, scores, patients, replicates=20)
    arrays = metrics.auc_table(truth.to_numpy(), scores.to_numpy(), patients.to_numpy(), replicates=20)
    pd.testing.assert_frame_equal(expected, metrics.auc_table(table, scores, table["patient"], replicates=20))
    pd.testing.assert_frame_equal(expected, metrics.auc_table(truth.to_numpy(), scores, patients, replicates=20))
    np.testing.assert_array_equal(expected["low"], arrays["low"])


def test_filtered_columns_of_a_table_are_taken_row_by_row():
    """table[mask]["patient"] is numbered by the rows of the whole table, and names no image."""
    truth, scores, patients = cohort()
    table = truth.assign(patient=patients).reset_index().iloc[100:300]
    part = metrics.auc_table(table, scores.iloc[100:300], table["patient"], replicates=20)
    expected = metrics.auc_table(truth.iloc[100:300], scores.iloc[100:300], patients, replicates=20)
    pd.testing.assert_frame_equal(part, expected)
    arrays = truth.to_numpy(), scores.to_numpy()
    with pytest.raises(DataError, match="stand in another order"):
        metrics.auc_table(*arrays, patients.reset_index(drop=True).iloc[::-1], replicates=0)


def test_absent_class_constant_scores_and_single_patients_have_a_reason():
    truth, scores, patients = cohort(images=100)
    truth["Mass"], truth["Edema"] = 0, 1
    scores["Hernia"] = 0.5
    table = metrics.auc_table(truth, scores, patients, replicates=50)
    assert table["reason"].tolist() == [
        "no positive image",
        "no negative image",
        "every score is the same: no interval",
        "mean of 1 of 3 findings",
    ]
    assert table["auc"].tolist()[2:] == [0.5, 0.5]
    assert table["auc"].isna().tolist() == [True, True, False, False]
    one = metrics.auc_table(*cohort()[:2], ["13"] * 400, replicates=50)
    assert one["low"].isna().all() and one["auc"].notna().all()
    assert "one patient" in one.loc["Mass", "reason"]


def without(table, column):
    return table.drop(columns=column)


def replaced(table, value):
    changed = table.astype(float)
    changed.iloc[3, 1] = value
    return changed


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t, s, p: (t, replaced(s, np.nan), p), "missing or infinite .* Edema of image 3.png"),
        (lambda t, s, p: (t, replaced(s, np.inf), p), "missing or infinite"),
        (lambda t, s, p: (t, s.astype(str) + "x", p), "not a number"),
        (lambda t, s, p: (replaced(t, 2), s, p), "label of Edema for image 3.png is .*2.0"),
        (lambda t, s, p: (replaced(t, -1), s, p), "Expected 0 or 1, or NaN where it is unknown"),
        (lambda t, s, p: (t, without(s, "Edema"), p), "1 findings have labels but no score"),
        (lambda t, s, p: (without(t, "Edema"), s, p), "1 a score but no label"),
        (lambda t, s, p: (t, s.iloc[1:], p), "1 images have labels but no score"),
        (lambda t, s, p: (t.reset_index(drop=True), s, p), "set_index"),
        (lambda t, s, p: (t, pd.concat([s, s.iloc[:1]]), p), "appear more than once .* 0.png"),
        (lambda t, s, p: (t, s[["Mass", "Mass", "Hernia"]], p), "findings appear more than once"),
        (lambda t, s, p: (t.to_numpy()[:, :2], s, p), "shape"),
        (lambda t, s, p: (t.iloc[:0], s.iloc[:0], p.iloc[:0]), "at least one image"),
        (lambda t, s, p: (t, s, p.iloc[1:]), "1 images have no patient"),
        (lambda t, s, p: (t, s, p.where(p != "7")), "have no patient"),
        (lambda t, s, p: (t, s, p.tolist()[1:]), "patients of shape"),
        (lambda t, s, p: (t, s, pd.concat([p, p])), "name an image twice"),
    ],
)
def test_damaged_input_is_refused(damage, message):
    with pytest.raises(DataError, match=message):
        metrics.auc_table(*damage(*cohort()), replicates=0)


def drawn_rows(patients, replicates, seed):
    """The rows of each resample of patients, written out: who is drawn twice brings all images twice."""
    codes, names = pd.factorize(patients)
    for weights in next(resample_weights(len(names), replicates, seed)).T:
        yield np.repeat(np.arange(len(codes)), weights[codes].astype(int))


def holders(truth, patients, label):
    return np.array([patients[truth[name] == label].nunique() for name in FINDINGS])


def solved(value, variance, freedom, trials):
    """Wilson's interval by its definition: what lies as far off as its own error allows, found by search."""
    share = (3 + freedom * variance * trials / (value * (1 - value))) / (3 + freedom) / trials
    reach = stats.t.ppf(0.975, 3 + freedom)

    def beyond(end):
        return (value - end) ** 2 - reach**2 * share * end * (1 - end)

    return [brentq(beyond, 0, value), brentq(beyond, value, 1)]


@pytest.mark.parametrize(
    ("table", "score"),
    [(metrics.auc_table, oracle.roc_auc_score), (metrics.average_precision_table, oracle.average_precision_score)],
)
def test_intervals_spread_as_scikit_learns_figure_on_every_resample(table, score):
    truth, scores, patients = cohort(images=150, patients=40, seed=3)
    samples = [
        [score(truth[name].iloc[rows], scores[name].iloc[rows]) for name in FINDINGS]
        for rows in drawn_rows(patients, 60, seed=5)
    ]
    found = table(truth, scores, patients, replicates=60, seed=5)
    present, absent = (holders(truth, patients, label) for label in (1, 0))
    trials = present if score is oracle.average_precision_score else 3 / (1 / present + 1 / absent)
    fewer, mean = np.minimum(present, absent).sum(), found.iloc[:-1, 0].mean()
    ends = solved(mean, np.var(np.mean(samples, axis=1)) * fewer / (fewer - 3), fewer / 2, trials.sum())
    np.testing.assert_allclose(found.loc["mean", ["low", "high"]].tolist(), ends, atol=1e-6)
    if score is oracle.average_precision_score:
        for name, variance, count in zip(FINDINGS, np.var(samples, axis=0), present, strict=True):
            ends = solved(found.loc[name, "ap"], variance, count / 2, count)
            np.testing.assert_allclose(found.loc[name, ["low", "high"]].tolist(), ends, atol=1e-6)


def pulls(truth, scores, patient):
    """How far each patient pulls the area, one patient and all pairs at a time."""
    x, y = scores[truth == 1], scores[truth == 0]
    area = np.mean([[(p > n) + (p == n) / 2 for n in y] for p in x])
    for one in np.unique(patient):
        own = patient == one
        up = [np.mean((s > y) + (s == y) / 2) - area for s in scores[own & (truth == 1)]]
        down = [np.mean((x > s) + (x == s) / 2) - area for s in scores[own & (truth == 0)]]
        yield sum(up) / len(x) + sum(down) / len(y)


@pytest.mark.parametrize("seed", range(3))
def test_interval_of_a_single_area_is_wilsons_for_what_its_patients_are_worth(seed):
    truth, scores, patients = cohort(images=150, patients=40, seed=seed)
    found = metrics.auc_table(truth, scores, patients, replicates=1)
    present, absent = (holders(truth, patients, label) for label in (1, 0))
    for name, m, n in zip(FINDINGS, present, absent, strict=True):
        square = np.array(list(pulls(truth[name].to_numpy(), scores[name].to_numpy(), patients.to_numpy()))) ** 2
        units = len(square)
        freedom = min(2 / ((square**2).sum() / square.sum() ** 2 - 1 / units), units - 1)
        ends = solved(found.loc[name, "auc"], square.sum() * units / (units - 1), freedom, 3 / (1 / m + 1 / n))
        np.testing.assert_allclose(found.loc[name, ["low", "high"]].tolist(), ends, atol=1e-5)  # float32 products


@pytest.mark.parametrize("sign", [1, -1])
def test_no_area_is_certain(sign):
    """12 positive and 12 negative patients, perfectly apart: 3 / (1/12 + 1/12) = 18 trials, all of them right."""
    truth = np.repeat([0, 1], 12)
    found = metrics.auc_table(truth, sign * truth.astype(float), np.arange(24)).loc["finding"]
    end, reach = 18 / (18 + stats.norm.ppf(0.975) ** 2), [found["low"], found["high"]]
    assert reach == pytest.approx([end, 1] if sign > 0 else [0, 1 - end])
    precise = metrics.average_precision_table(truth, truth.astype(float), np.arange(24)).loc["finding"]
    assert (precise["low"], precise["high"]) == pytest.approx((12 / (12 + stats.norm.ppf(0.975) ** 2), 1))
    assert found["reason"] == precise["reason"] == ""


def test_the_mean_of_one_finding_is_that_finding_and_few_patients_are_named():
    truth, scores, patients = cohort(images=150, patients=40)
    truth["Edema"], truth["Hernia"] = 0, np.nan
    found = metrics.auc_table(truth, scores, patients, replicates=50)
    assert found.loc["mean", ["auc", "low", "high"]].tolist() == found.loc["Mass", ["auc", "low", "high"]].tolist()
    for count in (9, 10):
        table = metrics.auc_table(np.arange(30) < count, np.arange(30), np.arange(30), replicates=20).loc["finding"]
        assert table["reason"] == ("patients with it: 9, too few to trust the interval" if count == 9 else "")
        table = metrics.auc_table(np.arange(30) >= count, np.arange(30), np.arange(30), replicates=20).loc["finding"]
        assert table["reason"] == ("patients without it: 9, too few to trust the interval" if count == 9 else "")
        assert table["low"] < table["auc"]


def test_interval_of_a_difference_is_of_both_intervals_and_what_resamples_have_in_common():
    """By Zou & Donner (2008) for the errors of each, with the correlation that scikit-learn's areas show."""
    truth, scores, patients = cohort(images=150, patients=40, seed=3)
    other = (scores + np.random.default_rng(1).normal(size=scores.shape)).round(1)
    samples = [
        [oracle.roc_auc_score(truth.iloc[rows], each.iloc[rows]) for each in (scores, other)]
        for rows in drawn_rows(patients, 60, seed=5)
    ]
    options = {"replicates": 60, "seed": 5}
    (a, low_a, high_a), (b, low_b, high_b) = (
        metrics.auc_table(truth, each, patients, **options).loc["mean", ["auc", "low", "high"]]
        for each in (scores, other)
    )
    alike, found = (
        np.corrcoef(samples, rowvar=False)[0, 1],
        metrics.auc_difference(truth, scores, other, patients, **options),
    )
    common = max(abs((a - low_a) - (b - low_b)), abs((high_a - a) - (high_b - b)))
    assert 0.2 < alike < 0.95 and found["difference"] == pytest.approx(a - b, abs=1e-12)
    down = (1 - alike) * ((a - low_a) ** 2 + (high_b - b) ** 2) + alike * common**2
    up = (1 - alike) * ((high_a - a) ** 2 + (b - low_b) ** 2) + alike * common**2
    assert [found["low"], found["high"]] == pytest.approx([a - b - down**0.5, a - b + up**0.5], abs=1e-6)
    turned = metrics.auc_difference(truth, other, scores, patients, **options)
    assert turned.tolist() == pytest.approx([-found["difference"], -found["high"], -found["low"]], abs=1e-12)


@pytest.mark.parametrize("own", [0.3, 1, 5])
def test_of_many_patients_with_an_image_each_the_interval_of_a_difference_is_delongs(own):
    generator = np.random.default_rng(4)
    truth, seen = np.arange(2000) % 2, generator.normal(size=2000)
    a, b = (truth + seen + own * generator.normal(size=2000) for _ in range(2))
    expected, found = delong_test(truth, a, b), metrics.auc_difference(truth, a, b, np.arange(2000), replicates=2000)
    assert found["difference"] == pytest.approx(expected["difference"], abs=1e-12)
    width = expected["high"] - expected["low"]
    assert found[["low", "high"]].tolist() == pytest.approx(expected[["low", "high"]].tolist(), abs=0.04 * width)


def test_two_networks_without_a_mistake_may_still_differ():
    truth = np.repeat([0, 1], 12)
    found = metrics.auc_difference(truth, truth + 0.1 * np.arange(24), truth - 0.01 * np.arange(24), np.arange(24))
    reach = 1 - 18 / (18 + stats.norm.ppf(0.975) ** 2)
    assert found.tolist() == pytest.approx([0, -reach, reach])
    same = metrics.auc_difference(truth, np.sin(np.arange(24)), np.sin(np.arange(24)), np.arange(24))
    assert same.tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_models_with_opposite_mistakes_are_not_paired_to_their_advantage():
    generator = np.random.default_rng(0)
    truth, noise = np.arange(400) % 2, 2 * generator.normal(size=400)
    opposite = metrics.auc_difference(truth, truth + noise, truth - noise, np.arange(400))
    expected = delong_test(truth, truth + noise, truth - noise)
    assert opposite["high"] - opposite["low"] > 0.97 * (expected["high"] - expected["low"])
    few, noise = np.arange(60) % 5 == 0, generator.normal(size=60)
    a, b = 3 * few + noise, 3 * few - noise  # near 1, where intervals reach further down than up
    found = metrics.auc_difference(few, a, b, np.arange(60))
    down, up = (metrics.auc_table(few, each, np.arange(60)).loc["mean", ["auc", "low", "high"]] for each in (a, b))
    apart = np.hypot(down["auc"] - down["low"], up["high"] - up["auc"])  # were their mistakes independent
    assert found["difference"] - found["low"] > apart


def test_copies_of_a_patients_images_are_no_news():
    """Four copies of every image of every patient: the areas and all intervals stay exactly as they are."""
    truth, scores, patients = cohort(images=120, patients=40)
    other = scores + np.random.default_rng(1).normal(size=scores.shape)
    four = {name: pd.concat([table] * 4, ignore_index=True) for name, table in
            (("truth", truth), ("scores", scores), ("other", other))}  # fmt: skip
    owner = np.tile(patients.to_numpy(), 4)
    for table, column in ((metrics.auc_table, "auc"), (metrics.average_precision_table, "ap")):
        once = table(truth, scores, patients, replicates=100)
        often = table(four["truth"], four["scores"], owner, replicates=100)
        np.testing.assert_allclose(often[[column, "low", "high"]], once[[column, "low", "high"]], atol=1e-9)
        assert often["positives"].tolist() == (4 * once["positives"]).tolist()
        assert often["patients"].tolist() == once["patients"].tolist() == [patients.nunique()] * 4
    once = metrics.auc_difference(truth, scores, other, patients, replicates=100)
    often = metrics.auc_difference(*four.values(), owner, replicates=100)
    assert often.tolist() == pytest.approx(once.tolist(), abs=1e-9)


def test_counts_prevalence_and_the_mean_by_hand():
    truth = pd.DataFrame({"Mass": [1, 0, 0, 1], "Edema": [1, 0, 0, 0], "Hernia": 0}, index=list("abcd"))
    scores = pd.DataFrame(
        {"Mass": [0.9, 0.8, 0.1, 0.7], "Edema": [0.2, 0.1, 0.3, 0.1], "Hernia": 0.5}, index=truth.index
    )
    table = metrics.average_precision_table(truth, scores, list("ppqr"), replicates=20)
    assert table["positives"].tolist() == [2, 1, 0, 3] and table["negatives"].tolist() == [2, 3, 4, 9]
    assert table["prevalence"].tolist() == [0.5, 0.25, 0, 0.25] and set(table["patients"]) == {3}
    # Mass: precision 1 at the first, 2/3 at the second. Edema: found as the second of two.
    assert table["ap"].tolist() == pytest.approx([5 / 6, 1 / 2, np.nan, 2 / 3], nan_ok=True)
    areas = metrics.auc_table(truth, scores, list("ppqr"), replicates=20)
    assert areas["auc"].tolist() == pytest.approx([3 / 4, 2 / 3, np.nan, 17 / 24], nan_ok=True)
    assert areas["reason"].tolist() == [
        "patients with it: 2, too few to trust the interval",
        "all positive images are of one patient: no interval",
        "no positive image",
        "mean of 2 of 3 findings",
    ]
    assert areas["low"].notna().tolist() == [True, False, False, True]
    turned = metrics.auc_table(1 - truth[["Edema"]], -scores[["Edema"]], list("ppqr"), replicates=20)
    assert turned.loc["Edema", "reason"] == "all negative images are of one patient: no interval"
    assert turned.loc["mean", ["low", "high"]].isna().all() and turned.loc["mean", "reason"] == ""


def test_without_resamples_there_is_an_area_and_no_interval():
    table = metrics.auc_table(*cohort(), replicates=0)
    assert table["auc"].notna().all() and table[["low", "high"]].isna().all(axis=None)


def test_a_figure_of_what_is_missing_is_missing():
    missing = Missing("This data set has no boxes.")
    assert metrics.auc_table(missing, 1, 2) is missing and metrics.auc_difference(1, 2, missing, 3) is missing


def test_columns_and_what_is_taken_where_nothing_is_said():
    arguments, options = cohort(images=60, patients=20), {"replicates": 1000, "seed": 0}
    table = metrics.auc_table(*arguments)
    assert list(table) == ["auc", "low", "high", "positives", "negatives", "patients", "reason"]
    pd.testing.assert_frame_equal(table, metrics.auc_table(*arguments, **options))
    table = metrics.average_precision_table(*arguments)
    assert list(table) == ["ap", "low", "high", "prevalence", "positives", "negatives", "patients", "reason"]
    pd.testing.assert_frame_equal(table, metrics.average_precision_table(*arguments, **options))
    truth, scores, patients = arguments
    models = truth, scores, scores + np.random.default_rng(0).normal(size=scores.shape), patients
    pd.testing.assert_series_equal(metrics.auc_difference(*models), metrics.auc_difference(*models, **options))


def test_one_class_has_no_area_and_nothing_is_divided_by_nothing():
    with np.errstate(all="raise"):
        for labels in ([0, 0], [1, 1]):
            assert np.isnan(metrics.roc_auc(labels, [0.1, 0.2]))
        assert np.isnan(metrics.average_precision([0, 0], [0.1, 0.2]))
        assert metrics.average_precision([1, 1], [0.1, 0.2]) == metrics.roc_auc([0, 1], [0.1, 0.2]) == 1
        table = metrics.auc_table(np.array([0, 0]), np.array([0.1, 0.2]), list("pq"), replicates=5)
    assert table[["auc", "low", "high"]].isna().all(axis=None)
