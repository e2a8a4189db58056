"""Calibration against scikit-learn, closed forms and simulated truth."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import binomtest
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from cxr_utils.errors import CxrError
from cxr_utils.evaluation import calibration
from cxr_utils.evaluation.metrics import roc_auc


def simulated(images=20_000, seed=0):
    """True probabilities and outcomes drawn from them: perfectly calibrated."""
    generator = np.random.default_rng(seed)
    probability = expit(generator.normal(-1, 1.5, images))
    return (generator.random(images) < probability).astype(int), probability


def test_brier_and_bins_equal_scikit_learn():
    truth, probability = simulated(1000)
    assert calibration.calibration_table(truth, probability)["brier"].item() == pytest.approx(
        brier_score_loss(truth, probability)
    )
    table = calibration.reliability_table(truth, probability, bins=10)
    observed, predicted = calibration_curve(truth, probability, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(table["observed"], observed, atol=1e-12)
    np.testing.assert_allclose(table["predicted"], predicted, atol=1e-12)
    assert table["images"].tolist() == [100] * 10


def test_bins_have_wilsons_interval_where_every_image_is_of_another_patient():
    truth, probability = simulated(1000)
    table = calibration.reliability_table(truth, probability, bins=5, patients=np.arange(1000))
    for row in table.itertuples():
        expected = binomtest(round(row.observed * 200), 200).proportion_ci(method="wilson")
        assert (row.low, row.high) == pytest.approx((expected.low, expected.high), abs=4e-3)  # t, not 1.96
    twice = [np.repeat(values, 2) for values in (truth, probability, np.arange(1000))]
    again = calibration.reliability_table(*twice[:2], bins=5, patients=twice[2])
    np.testing.assert_allclose(again[["low", "high"]], table[["low", "high"]], atol=1e-12)
    gaps = np.r_[np.nan, truth, np.nan], np.r_[0.5, probability, 0.9]
    known = calibration.reliability_table(*gaps, bins=5, patients=["x", *map(str, range(1000)), "y"])
    pd.testing.assert_frame_equal(known, table)
    assert list(calibration.reliability_table(truth, probability)) == ["predicted", "observed", "images"]


def test_equal_probabilities_share_a_bin():
    truth, probability = np.array([1, 0, 1, 0, 1, 0]), np.array([0.2, 0.2, 0.2, 0.2, 0.2, 0.9])
    table = calibration.reliability_table(truth, probability, bins=3)
    assert table["images"].tolist() == [5, 1]
    assert table["observed"].tolist() == [0.6, 0.0]
    by_hand = (5 * 0.4 + 1 * 0.9) / 6
    assert calibration.expected_calibration_error(truth, probability, bins=3) == pytest.approx(by_hand)


def test_platt_equals_scikit_learns_sigmoid():
    truth, probability = simulated(2000)
    logits = logit(probability) * 2 + 1
    frozen = FrozenEstimator(LogisticRegression().fit([[-1.0], [1.0]], [0, 1]))
    model = frozen.estimator
    model.coef_[:], model.intercept_[:] = 1, 0  # decision_function gives back the logit
    expected = CalibratedClassifierCV(frozen, method="sigmoid").fit(logits[:, None], truth)
    expected = expected.predict_proba(logits[:, None])[:, 1]
    fit = calibration.fit_platt(truth, expit(logits))
    np.testing.assert_allclose(fit(pd.DataFrame({"finding": expit(logits)}))["finding"], expected, atol=1e-5)


def test_platt_undoes_a_known_distortion():
    truth, probability = simulated()
    distorted = expit(2 * logit(probability) + 1)
    fit = calibration.fit_platt(truth, distorted)
    assert fit.slope.iloc[0] == pytest.approx(0.5, abs=0.03)
    assert fit.intercept.iloc[0] == pytest.approx(-0.5, abs=0.05)


def test_temperature_undoes_overconfidence_and_keeps_the_order():
    truth, probability = simulated()
    sure = pd.DataFrame({"Mass": expit(3 * logit(probability))})
    calibrate = calibration.fit_temperature(truth, sure)
    assert 1 / calibrate.slope["Mass"] == pytest.approx(3, rel=0.05)
    better = calibrate(sure)["Mass"]
    assert calibration.expected_calibration_error(truth, better) < 0.02
    assert calibration.expected_calibration_error(truth, sure["Mass"]) > 0.05
    assert roc_auc(truth, better) == pytest.approx(roc_auc(truth, sure["Mass"]), abs=1e-12)


@pytest.mark.parametrize("bins", [5, 10, 1000])
def test_brier_score_is_the_sum_of_its_parts(bins):
    truth, probability = simulated(1000)
    row = calibration.calibration_table(truth, probability, bins).iloc[0]
    assert row["brier"] == pytest.approx(brier_score_loss(truth, probability), abs=1e-12)
    total = row["reliability"] - row["resolution"] + row["uncertainty"] + row["within_bins"]
    assert total == pytest.approx(row["brier"], abs=1e-12)
    assert row["uncertainty"] == pytest.approx(truth.var(), abs=1e-12)


def test_murphys_terms_by_their_definition_where_forecasts_repeat():
    """Forecasts in tenths, as in Murphy 1973: one bin for each forecast, and nothing is left within bins."""
    truth, probability = simulated(2000)
    forecast = probability.round(1)
    reliability = resolution = 0.0
    for value in np.unique(forecast):
        own = forecast == value
        reliability += own.sum() * (value - truth[own].mean()) ** 2 / 2000
        resolution += own.sum() * (truth[own].mean() - truth.mean()) ** 2 / 2000
    row = calibration.calibration_table(truth, forecast, bins=2000).iloc[0]
    assert row[["reliability", "resolution"]].tolist() == pytest.approx([reliability, resolution], abs=1e-12)
    assert row["within_bins"] == pytest.approx(0, abs=1e-12)


def test_overconfidence_is_lost_reliability_and_no_lost_resolution():
    truth, probability = simulated()
    sure = expit(3 * logit(probability))
    honest, overconfident = (calibration.calibration_table(truth, p).iloc[0] for p in (probability, sure))
    assert overconfident["reliability"] > 5 * honest["reliability"]
    assert overconfident["resolution"] == pytest.approx(honest["resolution"], abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_isotonic_equals_the_max_min_formula(seed):
    """Barlow et al. 1972: the fit at i is the largest, over a <= i, of the least mean from a to some b >= i."""
    truth, probability = simulated(60, seed)
    order = np.argsort(probability)
    y = truth[order]
    expected = [max(min(y[a : b + 1].mean() for b in range(i, 60)) for a in range(i + 1)) for i in range(60)]
    fit = calibration.fit_isotonic(truth, probability)
    found = fit(pd.DataFrame({"finding": probability[order]}))["finding"]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_isotonic_undoes_any_rising_distortion_and_matches_findings_by_name():
    truth, probability = simulated()
    bent = pd.DataFrame({"Mass": probability**3, "Edema": np.sqrt(probability)})
    labels = pd.DataFrame({"Mass": truth, "Edema": truth})
    fit = calibration.fit_isotonic(labels, bent)
    fresh_truth, fresh = simulated(seed=1)
    straight = fit(pd.DataFrame({"Edema": np.sqrt(fresh), "Mass": fresh**3}))
    for name in ("Mass", "Edema"):
        assert np.abs(straight[name] - fresh).mean() < 0.03
        assert calibration.expected_calibration_error(fresh_truth, straight[name]) < 0.02
    with pytest.raises(CxrError, match="knows Mass, Edema and not Hernia"):
        fit(pd.DataFrame({"Hernia": [0.5]}))
    with pytest.raises(CxrError, match="between 0 and 1"):
        fit(pd.DataFrame({"Mass": [np.nan]}))


def test_extreme_probabilities_stay_finite():
    truth, probability = np.array([0, 1, 0, 1]), np.array([0.0, 1.0, 0.0, 1.0])
    for fit in (calibration.fit_platt, calibration.fit_temperature):
        changed = fit(truth, probability)(pd.DataFrame({"finding": probability}))["finding"]
        assert np.isfinite(changed).all() and changed[1] > 0.5 > changed[0]


def test_table_has_a_row_for_each_finding():
    truth, probability = simulated(500)
    labels = pd.DataFrame({"Mass": truth, "Edema": 1 - truth})
    table = calibration.calibration_table(labels, pd.DataFrame({"Mass": probability, "Edema": 1 - probability}))
    assert table.loc["Mass", "brier"] == pytest.approx(table.loc["Edema", "brier"])
    assert (table["brier"] < table["brier_of_prevalence"]).all()


def test_logits_and_unknown_findings_are_refused():
    with pytest.raises(CxrError, match="sigmoid of the logits"):
        calibration.reliability_table([0, 1], [-2.0, 3.0])
    with pytest.raises(CxrError, match="knows finding and not Mass"):
        calibration.fit_platt([0, 1], [0.2, 0.8])(pd.DataFrame({"Mass": [0.5]}))


def test_bins_hold_equally_many_and_are_as_many_as_asked_for():
    probability = np.random.default_rng(0).permutation(np.linspace(0.005, 0.995, 100))
    truth = (np.arange(100) % 3 == 0).astype(int)
    table = calibration.reliability_table(truth, probability)
    assert table["images"].tolist() == [10] * 10 and list(table) == ["predicted", "observed", "images"]
    np.testing.assert_allclose(table["predicted"], np.arange(10) / 10 + 0.05, atol=1e-3)
    for place, row in table.iterrows():
        own = (probability > place / 10) & (probability < place / 10 + 0.1)
        assert row["observed"] == pytest.approx(truth[own].mean())
    assert calibration.reliability_table(truth, probability, bins=4)["images"].tolist() == [25] * 4
    assert calibration.reliability_table(truth[:3], probability[:3], bins=7)["images"].tolist() == [1] * 3
    error = calibration.expected_calibration_error(truth, probability)
    assert error == pytest.approx((table["predicted"] - table["observed"]).abs().mean())
    table = calibration.calibration_table(truth, probability)
    assert table["ece"].item() == pytest.approx(error)


def test_the_table_by_hand():
    truth, probability = np.array([0, 0, 0, 1]), np.array([0.2, 0.4, 0.6, 0.6])
    row = calibration.calibration_table(truth, probability, bins=2).loc["finding"]
    assert row[["prevalence", "mean_probability", "brier_of_prevalence"]].tolist() == pytest.approx(
        [0.25, 0.45, 0.1875]
    )
    assert row["brier"] == pytest.approx((0.04 + 0.16 + 0.36 + 0.16) / 4)
    # Bins: {0.2, 0.4} with none of two, {0.6, 0.6} with one of two. Within the first 0.1 ** 2 of spread on average.
    assert row["ece"] == pytest.approx((0.3 + 0.1) / 2)
    assert row["reliability"] == pytest.approx((0.09 + 0.01) / 2) and row["resolution"] == pytest.approx(0.0625)
    assert row["uncertainty"] == pytest.approx(0.1875) and row["within_bins"] == pytest.approx(0.01 / 2)


def test_a_calibrator_is_slope_and_intercept_of_the_logit_by_name():
    slope, intercept = pd.Series({"Mass": 2.0, "Edema": 0.5}), pd.Series({"Mass": 1.0, "Edema": -1.0})
    given = pd.DataFrame({"Edema": [0.2, 0.5], "Mass": [0.5, 0.9]}, index=["a", "b"])
    found = calibration.Calibrator(slope, intercept)(given)
    assert list(found) == ["Edema", "Mass"] and list(found.index) == ["a", "b"]
    assert found["Mass"].tolist() == pytest.approx([np.e / (1 + np.e), 81 * np.e / (1 + 81 * np.e)])
    assert found["Edema"].tolist() == pytest.approx([0.5 / (0.5 + np.e), 1 / (1 + np.e)])
    sure = calibration.Calibrator(slope * 0 + 1, intercept * 0)(given.assign(Mass=[0.0, 1.0]))
    assert sure["Mass"].tolist() == pytest.approx([1e-7, 1 - 1e-7], rel=1e-6, abs=1e-12)
    for wrong in (-0.01, 1.01):
        with pytest.raises(CxrError, match="between 0 and 1"):
            calibration.Calibrator(slope, intercept)(given.assign(Mass=wrong))


def test_temperature_is_where_the_slope_of_the_loss_is_zero():
    truth, probability = simulated(3000)
    fit = calibration.fit_temperature(truth, expit(2.5 * logit(probability)))
    logits, inverse = 2.5 * logit(probability), fit.slope.iloc[0]
    slope = np.mean((expit(inverse * logits) - truth) * logits)  # of the cross entropy, by hand
    assert slope == pytest.approx(0, abs=1e-5) and fit.intercept.eq(0).all()
    two = pd.DataFrame({"Mass": probability, "Edema": expit(3 * logit(probability))})
    both = calibration.fit_temperature(pd.DataFrame({"Mass": truth, "Edema": truth}), two)
    assert both.slope["Mass"] == both.slope["Edema"] and 1 / 3 < both.slope["Mass"] < 1


def test_platts_softened_targets_keep_a_perfect_separation_finite():
    """Three of each class at logits -1 and 1: the targets are 1/5 and 4/5, so the slope is their logit."""
    truth, probability = np.repeat([0, 1], 3), expit(np.repeat([-1.0, 1.0], 3))
    fit = calibration.fit_platt(truth, probability)
    assert (fit.slope.item(), fit.intercept.item()) == pytest.approx((np.log(4), 0), abs=1e-6)
    uneven = calibration.fit_platt(np.repeat([0, 1], [1, 8]), expit(np.repeat([-1.0, 1.0], [1, 8])))
    # targets 1 / 3 and 9 / 10
    low, high = uneven.intercept.item() - uneven.slope.item(), uneven.intercept.item() + uneven.slope.item()
    assert (low, high) == pytest.approx((np.log(1 / 2), np.log(9)), abs=1e-5)


def test_every_way_to_calibrate_keeps_images_apart():
    assert set(calibration.CALIBRATIONS) == {"temperature", "Platt", "isotonic"}
    truth, probability = simulated(200)
    for fit in calibration.CALIBRATIONS.values():
        assert fit(truth, probability)(pd.DataFrame({"finding": probability})).to_numpy().std() > 0.1


def test_calibration_error_by_chance_is_that_of_coins():
    """Of a coin, E|X/n - 1/2| = C(n, n/2) / 2^(n+1); one bin, since all probabilities are equal."""
    images = 100
    probabilities = pd.DataFrame({"Mass": np.full(images, 0.5), "Edema": np.zeros(images)})
    found = calibration.ece_by_chance(probabilities, draws=20_000)
    assert found["Mass"] == pytest.approx(math.comb(images, images // 2) / 2 ** (images + 1), rel=0.02)
    assert found["Edema"] == 0


def test_calibration_error_by_chance_is_what_calibrated_probabilities_show():
    """Drawn labels, scored one by one by the error itself, have the mean that is promised."""
    generator = np.random.default_rng(0)
    probability = generator.beta(0.5, 3, size=300)
    promised = calibration.ece_by_chance(pd.DataFrame({"Mass": probability}), draws=2000)["Mass"]
    drawn = [generator.random(300) < probability for _ in range(500)]
    seen = np.mean([calibration.expected_calibration_error(labels, probability) for labels in drawn])
    assert promised == pytest.approx(seen, rel=0.05)
