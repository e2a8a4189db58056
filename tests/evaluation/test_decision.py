"""Net benefit against its definition, written out, and against what Vickers and Elkin derive from it."""

import numpy as np
import pytest

from cxr_utils.errors import CxrError
from cxr_utils.evaluation.thresholds import decision_curve


def simulated(seed=0, images=400):
    """Calibrated probabilities, some of them equal, and outcomes drawn from them."""
    generator = np.random.default_rng(seed)
    probability = generator.beta(1, 4, images).round(2).clip(0.01, 0.99)
    return (generator.random(images) < probability).astype(int), probability


def test_equals_the_definition_image_by_image():
    truth, probability = simulated()
    curve = decision_curve(truth, probability, [0.05, 0.1, 0.2, 0.5, 0.9])
    for threshold, model in zip(curve["threshold"], curve["model"], strict=True):
        gained = [
            (1 if label else -threshold / (1 - threshold)) if p >= threshold else 0
            for label, p in zip(truth, probability, strict=True)
        ]
        assert model == pytest.approx(np.mean(gained), abs=1e-12)


def test_below_all_probabilities_the_model_treats_all_and_above_them_none():
    truth, probability = simulated()
    curve = decision_curve(truth, probability.clip(0.2, 0.6), [0.1, 0.7])
    assert curve["model"].iloc[0] == pytest.approx(curve["treat_all"].iloc[0], abs=1e-12)
    assert curve["model"].iloc[1] == 0 and (curve["treat_none"] == 0).all()


def test_treating_all_is_worth_nothing_at_the_prevalence():
    truth, probability = simulated()
    curve = decision_curve(truth, probability, [truth.mean()])
    assert curve["treat_all"].iloc[0] == pytest.approx(0, abs=1e-12)


def test_a_perfect_model_is_worth_the_prevalence_everywhere():
    truth, _ = simulated()
    curve = decision_curve(truth, truth.astype(float))
    np.testing.assert_allclose(curve["model"], truth.mean(), atol=1e-12)
    assert len(curve) == 99


def test_wrong_probabilities_can_cost_more_than_they_bring():
    """The same order, so the same AUC; but calling three times too many at a threshold of 20 % does harm."""
    truth, probability = simulated(images=20_000)
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
