"""Operating points against scikit-learn and by hand; net benefit against its definition (Vickers & Elkin 2006)."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as oracle

from cxr_utils.errors import CxrError
from cxr_utils.evaluation.intervals import share_interval
from cxr_utils.evaluation.thresholds import THRESHOLDS, choose_thresholds, decision_curve, operating_points


def simulated(seed=0, images=500):
    generator = np.random.default_rng(seed)
    truth = pd.DataFrame(generator.random((images, 2)) < [0.3, 0.05], columns=["Mass", "Hernia"]).astype(int)
    return truth, (truth + generator.normal(size=truth.shape)).round(1)


@pytest.mark.parametrize("seed", range(4))
def test_operating_points_equal_scikit_learn(seed):
    truth, scores = simulated(seed)
    table = operating_points(truth, scores, {"Mass": 0.8, "Hernia": 1.1})
    for name, threshold in (("Mass", 0.8), ("Hernia", 1.1)):
        called, row = scores[name] >= threshold, table.loc[name]
        tn, fp, fn, tp = oracle.confusion_matrix(truth[name], called).ravel()
        assert row[["tp", "fp", "fn", "tn"]].tolist() == [tp, fp, fn, tn]
        for column, function, label in (
            ("sensitivity", oracle.recall_score, 1),
            ("specificity", oracle.recall_score, 0),
            ("ppv", oracle.precision_score, 1),
            ("npv", oracle.precision_score, 0),
            ("f1", oracle.f1_score, 1),
        ):
            assert row[column] == pytest.approx(function(truth[name], called, pos_label=label), abs=1e-12)
        assert row["accuracy"] == pytest.approx(oracle.accuracy_score(truth[name], called), abs=1e-12)
        assert row["prevalence"] == pytest.approx(truth[name].mean(), abs=1e-12)


def test_by_hand():
    """Scores 1 to 6; positives are 3, 5 and 6."""
    truth, scores = np.array([0, 0, 1, 0, 1, 1]), np.array([1, 2, 3, 4, 5, 6])
    # At 5 two thirds are found and none is false, at 3 all are found and one third is false: the higher
    # counts.
    assert choose_thresholds(truth, scores).tolist() == [5]
    assert choose_thresholds(truth, scores, sensitivity=1.0).tolist() == [3]
    assert choose_thresholds(truth, scores, sensitivity=2 / 3).tolist() == [5]
    assert choose_thresholds(truth, scores, sensitivity=0.1).tolist() == [6]
    assert choose_thresholds(truth, scores, ppv=0.75).tolist() == [3]
    assert choose_thresholds(truth, scores, ppv=0.8).tolist() == [5]
    assert choose_thresholds(-truth + 1, scores, ppv=0.8).isna().all()  # the best it reaches is 1/2


@pytest.mark.parametrize("seed", range(4))
def test_chosen_thresholds_do_what_was_asked_and_no_neighbour_does_better(seed):
    truth, scores = simulated(seed)
    for name in truth:
        one = truth[[name]], scores[[name]]
        every = pd.concat([operating_points(*one, value) for value in np.unique(scores[name])])
        informed = every["sensitivity"] + every["specificity"]
        chosen = operating_points(*one, choose_thresholds(*one)).iloc[0]
        assert chosen["sensitivity"] + chosen["specificity"] == pytest.approx(informed.max(), abs=1e-12)
        chosen = choose_thresholds(*one, sensitivity=0.9).iloc[0]
        assert chosen == every.loc[every["sensitivity"] >= 0.9, "threshold"].max()
        chosen = choose_thresholds(*one, ppv=0.3).iloc[0]
        assert chosen == every.loc[every["ppv"] >= 0.3, "threshold"].min()


@pytest.mark.parametrize("miss", [0.2, 1, 5, 40])
@pytest.mark.parametrize("seed", range(3))
def test_no_threshold_costs_less_than_the_one_chosen_by_cost(seed, miss):
    truth, scores = simulated(seed)
    chosen = choose_thresholds(truth, scores, miss=miss)
    for name in truth:
        costs = {}
        for threshold in [*np.unique(scores[name]), np.inf]:
            called = scores[name] >= threshold
            costs[threshold] = miss * (truth[name] & ~called).sum() + (called & (truth[name] == 0)).sum()
        assert costs[chosen[name]] == min(costs.values())
        assert chosen[name] == max(t for t, cost in costs.items() if cost == min(costs.values()))


def test_of_calibrated_probabilities_cost_chooses_elkans_threshold():
    """Elkan 2001: act where p >= 1 / (1 + miss)."""
    generator = np.random.default_rng(0)
    probability = generator.random(200_000)
    truth = (generator.random(200_000) < probability).astype(int)
    assert choose_thresholds(truth, probability, miss=4).item() == pytest.approx(0.2, abs=0.02)


def test_where_misses_are_cheap_nobody_is_called():
    truth, scores = simulated()
    scores.loc[truth.idxmin()] = 99  # the highest score belongs to an image without the finding
    chosen = choose_thresholds(truth, scores, miss=0.001)
    assert np.isinf(chosen).all()
    assert operating_points(truth, scores, chosen)["sensitivity"].tolist() == [0, 0]
    for miss in (0, -1, np.inf, np.nan):
        with pytest.raises(CxrError, match="Expected a number above 0: what a miss costs"):
            choose_thresholds(truth, scores, miss=miss)


def test_intervals_of_shares_are_over_the_patients_whose_images_count():
    """14 of 14 positive images are found, and 0 of 19 negative ones called: Wilson's intervals by hand."""
    truth, scores = np.repeat([1, 0], [14, 19]), np.repeat([0.9, 0.1], [14, 19])
    point = operating_points(truth, scores, 0.5, np.arange(33)).loc["finding"]
    square = stats.norm.ppf(0.975) ** 2
    found = point[["sensitivity_low", "sensitivity_high", "specificity_low", "specificity_high"]].tolist()
    assert found == pytest.approx([14 / (14 + square), 1, 19 / (19 + square), 1])
    two_each = np.repeat(np.arange(17), 2)[:33]
    pairs = operating_points(truth, scores, 0.5, two_each).loc["finding"]
    assert pairs["sensitivity_low"] == pytest.approx(7 / (7 + square)) and pairs["ppv_low"] == pairs["sensitivity_low"]
    assert pairs["npv_low"] == pytest.approx(10 / (10 + square)) and pairs["accuracy_high"] == 1
    truth, scores = simulated()
    patient = np.arange(500) // 2
    points = operating_points(truth, scores, pd.Series({"Mass": 0.8, "Hernia": np.nan}), patient)
    assert points.loc["Hernia"].drop("prevalence").isna().all()
    hit, among = (scores[["Mass"]] >= 0.8).to_numpy(), (truth[["Mass"]] == 1).to_numpy()
    low, high = share_interval(hit, among, patient)
    assert points.loc["Mass", ["sensitivity_low", "sensitivity_high"]].tolist() == pytest.approx([low[0], high[0]])
    called_right = share_interval(among, hit, patient)
    assert points.loc["Mass", ["ppv_low", "ppv_high"]].tolist() == pytest.approx(np.ravel(called_right).tolist())
    without = operating_points(truth, scores, pd.Series({"Mass": 0.8, "Hernia": np.nan}))
    pd.testing.assert_frame_equal(without, points[list(without)])
    assert set(points) - set(without) == {
        f"{name}_{end}" for name in ("accuracy", "sensitivity", "specificity", "ppv", "npv") for end in ("low", "high")
    }


def test_missing_class_and_threshold_stay_visible():
    truth, scores = simulated()
    truth["Hernia"] = 0
    chosen = choose_thresholds(truth, scores)
    assert chosen.isna().tolist() == [False, True]
    table = operating_points(truth, scores, chosen)
    assert table.loc["Hernia"].drop("prevalence").isna().all()
    nothing_called = operating_points(truth, scores, 99).loc["Mass"]
    assert np.isnan(nothing_called["ppv"]) and nothing_called["sensitivity"] == 0


def test_wrong_requests_are_refused():
    truth, scores = simulated()
    with pytest.raises(CxrError, match="sensitivity=90"):
        choose_thresholds(truth, scores, sensitivity=90)
    with pytest.raises(CxrError, match="Received sensitivity and miss"):
        choose_thresholds(truth, scores, sensitivity=0.9, miss=2)
    with pytest.raises(CxrError, match="no threshold for Hernia"):
        operating_points(truth, scores, {"Mass": 0.5})


def test_thresholds_are_matched_by_name():
    truth, scores = simulated()
    thresholds = pd.Series({"Hernia": 1.0, "Mass": 0.2})
    assert operating_points(truth, scores, thresholds)["threshold"].tolist() == [0.2, 1.0]


def calibrated(seed=0, images=400):
    """Calibrated probabilities, some of them equal, and outcomes drawn from them."""
    generator = np.random.default_rng(seed)
    probability = generator.beta(1, 4, images).round(2).clip(0.01, 0.99)
    return (generator.random(images) < probability).astype(int), probability


def test_equals_the_definition_image_by_image():
    truth, probability = calibrated()
    curve = decision_curve(truth, probability, [0.05, 0.1, 0.2, 0.5, 0.9])
    for threshold, model in zip(curve["threshold"], curve["model"], strict=True):
        gained = [
            (1 if label else -threshold / (1 - threshold)) if p >= threshold else 0
            for label, p in zip(truth, probability, strict=True)
        ]
        assert model == pytest.approx(np.mean(gained), abs=1e-12)


def test_below_all_probabilities_the_model_treats_all_and_above_them_none():
    truth, probability = calibrated()
    curve = decision_curve(truth, probability.clip(0.2, 0.6), [0.1, 0.7])
    assert curve["model"].iloc[0] == pytest.approx(curve["treat_all"].iloc[0], abs=1e-12)
    assert curve["model"].iloc[1] == 0 and (curve["treat_none"] == 0).all()


def test_treating_all_is_worth_nothing_at_the_prevalence():
    truth, probability = calibrated()
    curve = decision_curve(truth, probability, [truth.mean()])
    assert curve["treat_all"].iloc[0] == pytest.approx(0, abs=1e-12)


def test_a_perfect_model_is_worth_the_prevalence_everywhere():
    truth, _ = calibrated()
    curve = decision_curve(truth, truth.astype(float))
    np.testing.assert_allclose(curve["model"], truth.mean(), atol=1e-12)
    assert len(curve) == 99


def test_wrong_probabilities_can_cost_more_than_they_bring():
    """The same order, so the same AUC; but calling three times too many at a threshold of 20 % does harm."""
    truth, probability = calibrated(images=20_000)
    honest, inflated = (
        decision_curve(truth, p, [0.2])["model"].iloc[0] for p in (probability, np.minimum(probability * 3, 1))
    )
    assert inflated < honest


def test_logits_and_impossible_thresholds_are_refused():
    with pytest.raises(CxrError, match="above 0 and below 1"):
        decision_curve([0, 1], [0.2, 0.8], [0.5, 1.0])
    with pytest.raises(CxrError, match="above 0 and below 1"):
        decision_curve([0, 1], [0.2, 0.8], [])
    with pytest.raises(CxrError, match="sigmoid of the logits"):
        decision_curve([0, 1], [-2.0, 3.0])


def test_thresholds_of_a_curve_are_the_whole_per_cents():
    assert [f"{value:.2f}" for value in THRESHOLDS] == [f"0.{n:02}" for n in range(1, 100)]
    assert decision_curve([0, 1], [0.2, 0.8])["threshold"].tolist() == list(THRESHOLDS)


def test_net_benefit_by_hand():
    """Ten images, four of them ill; at 0.25 three ill and two healthy ones are called, and a false alarm costs 1/3."""
    truth = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    curve = decision_curve(truth, [0.9, 0.5, 0.25, 0.1, 0.6, 0.25, 0.2, 0.1, 0.1, 0], [0.25]).iloc[0]
    assert curve["model"] == pytest.approx(3 / 10 - 2 / 10 / 3) and curve["treat_all"] == pytest.approx(0.4 - 0.6 / 3)


def test_of_equally_good_thresholds_the_highest_is_chosen():
    truth, scores = np.array([1, 0, 1, 0]), np.array([4, 3, 2, 1])
    assert choose_thresholds(truth, scores).item() == 4  # at 4 and at 2 Youden's index is one half
    # one miss costs as much as one alarm: calling one, and calling three, cost one each
    assert choose_thresholds(truth, scores, miss=1).item() == 4
    assert choose_thresholds(truth, scores, ppv=2 / 3).item() == 2
    assert choose_thresholds(truth, scores, sensitivity=0.5).item() == 4
    assert choose_thresholds(truth, scores, sensitivity=0.5 + 1e-9).item() == 2
    assert choose_thresholds(truth, scores, ppv=1).item() == 4
    # thirds: found 2/3 without an alarm, and all with one of three; 1 - 1/3 and 2/3 - 0 differ in the last bit
    third = choose_thresholds(np.array([1, 1, 0, 1, 0, 0]), np.arange(6)[::-1])
    assert third.item() == 4 and list(third.index) == ["finding"] and third.name == "threshold"


def test_what_a_share_and_a_cost_may_be():
    truth, scores = simulated()
    for rule in ({"sensitivity": 1}, {"ppv": 1e-9}, {"miss": 1e-9}, {"miss": 1e9}):
        assert choose_thresholds(truth, scores, **rule).notna().all()
    for rule in ({"sensitivity": 0}, {"sensitivity": 1.01}, {"ppv": 0}, {"ppv": -0.1}):
        with pytest.raises(CxrError, match="Expected a number above 0 and at most 1. Write 90 % as 0.9"):
            choose_thresholds(truth, scores, **rule)
    with pytest.raises(CxrError, match="Received sensitivity and ppv. Expected one rule"):
        choose_thresholds(truth, scores, sensitivity=0.5, ppv=0.5)


def test_a_finding_that_everybody_has_gets_no_threshold():
    truth, scores = simulated()
    assert choose_thresholds(truth.assign(Hernia=1), scores).isna().tolist() == [False, True]
    lone = truth.assign(Hernia=(truth.index == 3).astype(int))
    assert choose_thresholds(lone, scores).notna().all() and choose_thresholds(lone, scores, miss=2).notna().all()
    assert choose_thresholds(1 - lone, scores).notna().all()
