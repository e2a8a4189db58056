"""Resamples against scikit-learn; DeLong's errors against published figures and the definition, written out."""

import numpy as np
import pandas as pd
import pytest
from cohorts import FINDINGS, cohort
from normal_intervals import delong, delong_test
from scipy import stats
from sklearn import metrics as oracle

from cxr_utils.errors import CxrError
from cxr_utils.evaluation import intervals
from cxr_utils.evaluation.intervals import (
    auc_and_influence,
    bootstrap,
    ladder,
    resample_weights,
    share_interval,
    spread_over_patients,
    weighted_auc,
    weighted_average_precision,
    wilson_interval,
)
from cxr_utils.evaluation.metrics import auc_difference, roc_auc


def by_definition(truth, models):
    """Areas and covariance from all pairs: the kernel is 1, 1/2 or 0 (DeLong et al. 1988)."""
    kernels = [
        np.array([[1.0 if p > n else 0.5 if p == n else 0.0 for n in scores[truth == 0]] for p in scores[truth == 1]])
        for scores in models
    ]
    areas = np.array([kernel.mean() for kernel in kernels])
    covariance = sum(
        np.cov(np.array([kernel.mean(axis=axis) for kernel in kernels])) / kernels[0].shape[1 - axis] for axis in (0, 1)
    )
    return areas, covariance


def test_published_example():
    """Hanley & McNeil 1982, 109 CT images; Stata's manual ([R] roctab) gives DeLong's error and interval."""
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    truth = np.repeat([0, 1], [sum(normal), sum(abnormal)])
    scores = np.concatenate([np.repeat(np.arange(1, 6), counts) for counts in (normal, abnormal)])
    found = delong(truth, scores)
    assert found["auc"] == pytest.approx(0.8932, abs=5e-5)
    assert found["standard_error"] == pytest.approx(0.0307, abs=5e-5)
    assert (found["low"], found["high"]) == pytest.approx((0.83295, 0.95339), abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_definition(seed):
    generator = np.random.default_rng(seed)
    truth = np.r_[0, 0, 1, 1, generator.integers(2, size=50)]
    first = (truth + generator.normal(size=54)).round(1)
    second = (first + generator.normal(size=54)).round(1)
    areas, covariance = by_definition(truth, [first, second])
    single = delong(truth, first)
    assert single["auc"] == pytest.approx(roc_auc(truth, first), abs=1e-12)
    assert single["standard_error"] == pytest.approx(np.sqrt(covariance[0, 0]), abs=1e-12)
    paired = delong_test(truth, first, second)
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert paired["difference"] == pytest.approx(areas[0] - areas[1], abs=1e-12)
    assert paired["standard_error"] == pytest.approx(error, abs=1e-12)
    assert paired["p_value"] == pytest.approx(2 * (1 - stats.norm.cdf(abs(paired["difference"]) / error)), abs=1e-9)


# DeLong, DeLong & Clarke-Pearson 1988: 43 women with ovarian cancer and an obstruction of the bowel. Albumin and
# total protein (g/100 ml), Krebs-Goplerud score, whether surgery could help. Printed with the results below in the
# SAS/STAT manual, PROC LOGISTIC, "Comparing Receiver Operating Characteristic Curves".
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


def test_published_comparison_of_correlated_areas():
    """A lower Krebs-Goplerud score is better, so its sign is turned."""
    albumin, protein, krebs, helped = np.array(OVARIAN.split(), dtype=float).reshape(-1, 4).T
    for scores, expected in (
        (-krebs, (0.7258, 0.1028, 0.5243, 0.9273)),
        (albumin, (0.7366, 0.0927, 0.5549, 0.9182)),
        (protein, (0.6478, 0.1000, 0.4518, 0.8439)),
    ):
        assert delong(helped, scores).tolist() == pytest.approx(expected, abs=5.1e-5)
    columns = ["difference", "standard_error", "low", "high", "p_value"]
    for scores, expected in (
        (albumin, (0.0108, 0.0953, -0.1761, 0.1976, 0.9102)),
        (protein, (-0.0780, 0.1046, -0.2830, 0.1271, 0.4561)),
    ):
        assert delong_test(helped, scores, -krebs)[columns].tolist() == pytest.approx(expected, abs=5.1e-5)


def clustered(seed, patients=150):
    """Patients with 1 to 6 images that share a label and half of their noise; the true area is 0.760250."""
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), generator.integers(1, 7, size=patients))
    truth = (generator.random(patients) < 0.4)[patient].astype(int)
    noise = (generator.normal(size=patients)[patient] + generator.normal(size=len(patient))) / np.sqrt(2)
    return truth, truth + noise, patient


def by_patient_loops(truth, scores, patient):
    """Obuchowski 1997, equations 1 to 5, one patient at a time."""
    x, y = scores[truth == 1], scores[truth == 0]
    theta = np.mean([[(p > n) + (p == n) / 2 for n in y] for p in x])
    terms = {}
    for one in np.unique(patient):
        own = patient == one
        up = [np.mean((s > y) + (s == y) / 2) for s in scores[own & (truth == 1)]]
        down = [np.mean((x > s) + (x == s) / 2) for s in scores[own & (truth == 0)]]
        terms[one] = len(up), len(down), sum(up) - len(up) * theta, sum(down) - len(down) * theta
    m, n, up, down = np.array(list(terms.values())).T
    units_up, units_down, units = (m > 0).sum(), (n > 0).sum(), len(m)
    s10 = units_up / ((units_up - 1) * len(x)) * (up**2).sum()
    s01 = units_down / ((units_down - 1) * len(y)) * (down**2).sum()
    s11 = units / (units - 1) * (up * down).sum()
    return np.sqrt(s10 / len(x) + s01 / len(y) + 2 * s11 / (len(x) * len(y)))


@pytest.mark.parametrize("seed", range(3))
def test_with_patients_equals_obuchowskis_equations(seed):
    generator = np.random.default_rng(seed)
    patient, truth = generator.integers(12, size=60), generator.integers(2, size=60)
    scores = (truth + generator.normal(size=60)).round(1)
    assert delong(truth, scores, patient)["standard_error"] == pytest.approx(
        by_patient_loops(truth, scores, patient), abs=1e-12
    )
    alone = delong(truth, scores, np.arange(60)[::-1])
    assert alone.tolist() == pytest.approx(delong(truth, scores).tolist(), abs=1e-12)


def test_with_patients_the_interval_covers_the_truth_and_without_it_does_not():
    covered = np.zeros(2)
    for seed in range(500):
        truth, scores, patient = clustered(seed)
        for kind, units in enumerate((patient, None)):
            low, high = delong(truth, scores, units)[["low", "high"]]
            covered[kind] += low <= 0.760250 <= high
    assert 0.92 <= covered[0] / 500 <= 0.98
    assert covered[1] / 500 < 0.90


def test_with_patients_agrees_with_the_bootstrap_over_patients():
    truth, first, patient = clustered(0, patients=400)
    second = first + np.random.default_rng(1).normal(size=len(first))
    normal = delong_test(truth, first, second, patient)
    resampled = auc_difference(truth, first, second, patient, replicates=4000)
    assert resampled["low"] == pytest.approx(normal["low"], abs=0.005)
    assert resampled["high"] == pytest.approx(normal["high"], abs=0.005)
    with pytest.raises(CxrError, match="positive images of 1 and negative images of 1 patients"):
        delong(truth, first, np.zeros(len(truth)))


def test_agrees_with_the_bootstrap_where_each_patient_has_one_image():
    generator = np.random.default_rng(0)
    truth = generator.integers(2, size=600)
    first, second = truth + generator.normal(size=600), truth * 0.8 + generator.normal(size=600)
    normal = delong_test(truth, first, second)
    resampled = auc_difference(truth, first, second, np.arange(600), replicates=4000)
    assert resampled["low"] == pytest.approx(normal["low"], abs=0.004)
    assert resampled["high"] == pytest.approx(normal["high"], abs=0.004)


def test_equal_models_and_too_few_images():
    same = delong_test([0, 0, 1, 1], [1, 2, 3, 4], [2, 4, 6, 8])
    assert same["difference"] == 0 and same["p_value"] == 1 and np.isnan(same["z"])
    with pytest.raises(CxrError, match="positive images of 1 and negative images of 3 patients"):
        delong([0, 0, 0, 1], [1, 2, 3, 4])


@pytest.mark.parametrize("seed", range(3))
def test_weighted_areas_equal_scikit_learn_on_repeated_images(seed):
    truth, scores, patients = cohort(seed=seed)
    codes, names = pd.factorize(patients)
    weights = next(resample_weights(len(names), 20, seed))
    for name in FINDINGS:
        arrays = truth[name].to_numpy(), scores[name].to_numpy(), codes
        areas = weighted_auc(ladder(*arrays, tied=0.5), weights)
        precisions = weighted_average_precision(ladder(*arrays, tied=0.0), weights)
        for replicate in range(20):
            rows = np.repeat(np.arange(len(codes)), weights[codes, replicate].astype(int))
            again = truth[name].iloc[rows], scores[name].iloc[rows]
            assert areas[replicate] == pytest.approx(oracle.roc_auc_score(*again), abs=1e-12)
            assert precisions[replicate] == pytest.approx(oracle.average_precision_score(*again), abs=1e-12)


def test_influence_gives_obuchowskis_error_in_every_resample():
    """A resample with weights is the sample whose patients are copied under new names."""
    truth, scores, patients = cohort(images=120, patients=20)
    codes = pd.factorize(patients)[0]
    steps = ladder(truth["Mass"].to_numpy(), scores["Mass"].to_numpy(), codes, tied=0.5)
    weights = next(resample_weights(20, 5, seed=0))
    areas, influence = auc_and_influence(steps, weights)
    for replicate in range(5):
        drawn = np.repeat(np.arange(20), weights[:, replicate].astype(int))
        rows = [np.flatnonzero(codes == one) for one in drawn]
        copy = np.repeat(np.arange(20), [len(own) for own in rows])
        rows = np.concatenate(rows)
        expected = delong(truth["Mass"].iloc[rows], scores["Mass"].iloc[rows], copy)
        assert areas[replicate] == pytest.approx(expected["auc"], abs=1e-6)
        # Obuchowski counts separately the patients with positive and with negative images; here all are counted once.
        error = np.sqrt((weights[:, replicate] * influence[:, replicate] ** 2).sum() * 20 / 19)
        assert error == pytest.approx(expected["standard_error"], rel=0.03)


def test_weights_are_resamples_with_replacement():
    weights = np.hstack(list(resample_weights(50, 2000, seed=0)))
    assert weights.shape == (50, 2000)
    assert (weights.sum(axis=0) == 50).all()
    assert weights.mean(axis=1) == pytest.approx(1, abs=0.12)
    assert weights.var() == pytest.approx(1 - 1 / 50, abs=0.02)


def test_intervals_of_shares_as_published():
    """Newcombe, Statistics in Medicine 1998, table I, method 3."""
    hits, images = np.array([81, 15, 0, 1]), np.array([263, 148, 20, 29])
    low, high = wilson_interval(hits / images, np.zeros(4), np.zeros(4), images)
    assert low.tolist() == pytest.approx([0.2553, 0.0624, 0, 0.0061], abs=5e-5)
    assert high.tolist() == pytest.approx([0.3662, 0.1605, 0.1611, 0.1718], abs=5e-5)


def test_variance_over_patients_and_its_freedom_by_hand():
    """Squares 1, 1, 4; then all that one patient does; then nobody pulls; then all alike."""
    influence = np.array([[1, 0, 0, 1], [-1, 3, 0, -1], [2, 0, 0, 1], [0, 0, 0, -1]], dtype=float)
    variance, freedom = spread_over_patients(influence)
    assert variance.tolist() == pytest.approx([6 * 4 / 3, 9 * 4 / 3, 0, 4 * 4 / 3])
    # 2 / (18/36 - 1/4) = 8, and 2 / (1 - 1/4); of four patients no more than three
    assert freedom.tolist() == pytest.approx([3, 8 / 3, 0, 3])


def test_a_surer_variance_outweighs_what_is_expected():
    """Half the variance of a share of 30: with much freedom as of 60 trials, with none as of 30."""
    variance = 0.2 * 0.8 / 60
    free, bound = (wilson_interval(0.2, variance, freedom, 30) for freedom in (1e9, 1e-9))
    assert free == pytest.approx(wilson_interval(0.2, 0.0, 0.0, 60), abs=1e-6)
    reach = stats.t.ppf(0.975, 3) / stats.norm.ppf(0.975)
    assert bound == pytest.approx(wilson_interval(0.2, 0.0, 0.0, 30 / reach**2), abs=1e-6)
    assert np.isnan(wilson_interval(np.array([np.nan, 0.5]), np.zeros(2), np.zeros(2), np.array([5, 0]))).all()


def test_interval_of_a_share_knows_patients_and_which_images_count():
    generator = np.random.default_rng(0)
    patient = generator.integers(30, size=80)
    hits = (generator.normal(size=30)[patient] + generator.normal(size=80) > 0).astype(float)[:, None]
    among = np.column_stack([np.arange(80) < 80, np.arange(80) < 50, np.arange(80) < 0])
    low, high = share_interval(hits, among, patient)
    alone = share_interval(hits[:50], np.ones((50, 1), dtype=bool), patient[:50])
    assert (low[1], high[1]) == pytest.approx(
        (alone[0][0], alone[1][0]), abs=0.01
    )  # others count as patients who pull nothing
    assert np.isnan([low[2], high[2]]).all()
    often = share_interval(np.tile(hits, (4, 1)), np.tile(among, (4, 1)), np.tile(patient, 4))
    np.testing.assert_allclose(often, (low, high), atol=1e-12)
    single = share_interval(hits, among, np.arange(80))
    assert high[0] - low[0] > 1.1 * (single[1][0] - single[0][0])
    many = np.arange(4000)[:, None] % 5 == 0  # one image a patient: as of 4000 independent trials
    found = np.ravel(share_interval(many, many | True, np.arange(4000)))
    assert found == pytest.approx(wilson_interval(0.2, 0.0, 0.0, 4000), abs=2e-4)


def test_resamples_in_chunks_are_the_same_and_as_many(monkeypatch):
    whole = list(resample_weights(10, 25, seed=1))
    assert len(whole) == 1
    monkeypatch.setattr(intervals, "CHUNK_BYTES", 8 * 10 * 7)
    parts = list(resample_weights(10, 25, seed=1))
    assert [part.shape for part in parts] == [(10, 7)] * 3 + [(10, 4)]
    np.testing.assert_array_equal(np.hstack(parts), whole[0])
    monkeypatch.setattr(intervals, "CHUNK_BYTES", 1)
    assert [part.shape for part in resample_weights(10, 2, seed=1)] == [(10, 1)] * 2


def test_all_findings_see_the_same_resamples():
    truth, scores, patients = cohort(images=80, patients=20)
    arrays = truth["Mass"].to_numpy(), scores["Mass"].to_numpy(), pd.factorize(patients)[0]
    twice = bootstrap([ladder(*arrays, tied=0.5)] * 2, weighted_auc, 30, seed=2)
    assert twice.shape == (30, 2) and twice[:, 0].std() > 0
    np.testing.assert_array_equal(twice[:, 0], twice[:, 1])
    other = bootstrap([ladder(*arrays, tied=0.5)], weighted_auc, 30, seed=3)
    assert (twice[:, :1] != other).mean() > 0.9
    assert bootstrap([ladder(*arrays, tied=0.5)] * 2, weighted_auc, 0, seed=2).shape == (0, 2)


def test_a_resample_of_one_class_has_no_area():
    arrays = np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.4, 0.1]), np.array([0, 0, 1, 2])
    steps = ladder(*arrays, tied=0.5, units=4)  # the fourth patient has no image here
    weights = np.array([[1, 1, 1, 1], [3, 0, 0, 0], [0, 1, 2, 1], [0, 1, 0, 3]], dtype=np.float32).T
    assert steps.negatives.tolist() == [0, 1, 1, 0]
    with np.errstate(all="raise"):  # nothing is divided by nothing on the way
        np.testing.assert_allclose(weighted_auc(steps, weights), [3.5 / 4, np.nan, np.nan, np.nan])
        area, influence = auc_and_influence(steps, weights)
    np.testing.assert_allclose(area, [3.5 / 4, np.nan, np.nan, np.nan])
    assert np.isnan(influence[:, 1:]).all()
    # Placements by hand: the positives outrank 2 and 1.5 of 2 negatives, the negatives are outranked by 1.5 and 2 of 2.
    expected = np.array([3.5 - 2 * 2 * 0.875, 1.5 - 2 * 0.875, 2 - 2 * 0.875, 0]) / 4
    np.testing.assert_allclose(influence[:, 0], expected, atol=1e-7)
    with np.errstate(all="raise"):
        precision = weighted_average_precision(ladder(*arrays, tied=0.0, units=4), weights)
    np.testing.assert_allclose(precision, [(1 + 2 / 3) / 2, 1, np.nan, np.nan])


def test_z_is_the_difference_in_standard_errors_and_intervals_end_at_one():
    truth = [0, 0, 0, 1, 1, 1]
    test = delong_test(truth, [4, 1, 3, 5, 2, 6], [1, 2, 4, 3, 5, 6])
    assert test["difference"] == pytest.approx(7 / 9 - 8 / 9) and test["z"] < 0
    assert test["z"] == pytest.approx(test["difference"] / test["standard_error"])
    reach = stats.norm.ppf(0.975) * test["standard_error"]
    assert test[["low", "high"]].tolist() == pytest.approx([test["difference"] - reach, test["difference"] + reach])
    assert delong(truth, [1, 2, 4, 3, 5, 6])["high"] == 1 and delong(truth, [6, 5, 3, 4, 2, 1])["low"] == 0


def test_one_image_of_each_class_is_a_pair():
    arrays, weights = (np.array([1, 0]), np.array([0.9, 0.1]), np.array([0, 1])), np.ones((2, 1), np.float32)
    assert weighted_auc(ladder(*arrays, tied=0.5), weights) == 1
    area, influence = auc_and_influence(ladder(*arrays, tied=0.5), weights)
    assert area == 1 and (influence == 0).all()
    assert weighted_average_precision(ladder(*arrays, tied=0.0), weights) == 1
