"""Losses against closed forms, hand-computed cases, scikit-learn and finite differences."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from cxr_utils.errors import RecipeError
from cxr_utils.networks import losses

RNG = np.random.default_rng(0)
TRUTH = (RNG.random((40, 3)) < [0.1, 0.3, 0.6]).astype(np.float32)
LOGITS = RNG.normal(0, 2, TRUTH.shape).astype(np.float32)
POSITIVE, NEGATIVE = losses.class_weights(TRUTH)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_class_weights_make_both_classes_contribute_the_same():
    assert np.allclose((POSITIVE * TRUTH).sum(0), (NEGATIVE * (1 - TRUTH)).sum(0))


def test_no_other_constant_has_a_smaller_loss_than_the_prior_logits():
    labels = (np.random.default_rng(0).random((200, 3)) < [0.02, 0.1, 0.6]).astype(np.float32)
    prior = losses.prior_logits(labels)
    for column in range(3):
        truth = labels[:, [column]]
        found = minimize_scalar(lambda logit, truth=truth: losses.bce_numpy(truth, np.full((200, 1), logit)))
        assert found.x == pytest.approx(prior[column], abs=1e-4)
    drawn = losses.prior_logits(labels[:, :1], losses.expected_draws(labels[:, :1]))
    assert drawn == pytest.approx([0], abs=1e-9)  # a single finding is drawn as often as its absence
    assert losses.prior_logits(np.array([[0, 1]] * 50)).tolist() == pytest.approx([-np.log(99), np.log(99)])


def test_class_weights_of_a_constant_finding_are_zero_for_what_is_there():
    positive, negative = losses.class_weights(np.array([[0, 0, 1], [1, 0, 1]]))
    assert positive.tolist() == [0.5, 1, 0] and negative.tolist() == [0.5, 0, 1]


def test_sample_weights_grow_with_findings_and_have_mean_one():
    assert losses.sample_weights(np.array([[0, 0], [1, 0], [1, 1]])).tolist() == [0.5, 1, 1.5]
    assert losses.sample_weights(np.array([[0, 0, 0], [1, 1, 1]])).tolist() == [0.4, 1.6]


def test_draws_by_hand():
    """Of eight images four have no finding, three the first one and two the second; one has both."""
    labels = np.array([[0, 0]] * 4 + [[1, 0]] * 2 + [[1, 1], [0, 1]])
    asked = np.array([1 / 4] * 4 + [1 / 3] * 2 + [1 / 2] * 2)
    assert losses.expected_draws(labels) == pytest.approx(8 * asked / (1 + 2 / 3 + 1))
    assert losses.expected_draws(np.ones((3, 1))).tolist() == [1, 1, 1]  # nothing to even out


def test_prior_logits_count_what_is_drawn():
    labels, draws = np.array([[1, 0], [0, 0], [0, 1], [0, 0]]), np.array([1.5, 0.5, 1.0, 1.0])
    assert losses.prior_logits(labels, draws) == pytest.approx([np.log(1.5 / 2.5), np.log(1 / 3)])
    assert losses.prior_logits(labels[:, ::-1]) == pytest.approx([np.log(1 / 3)] * 2)


@pytest.mark.parametrize("labels", [np.array([[0, 2]]), np.array([0, 1]), np.zeros((0, 3)), np.array([[np.nan]])])
def test_labels_that_are_none_are_refused(labels):
    with pytest.raises(RecipeError, match="Expected 0 and 1"):
        losses.class_weights(labels)


def test_bce_is_scikit_learns_log_loss():
    expected = log_loss(TRUTH.ravel(), sigmoid(LOGITS.astype(float)).ravel())
    assert np.isclose(losses.bce_numpy(TRUTH, LOGITS), expected)


def test_weighted_bce_by_hand():
    truth, logits = np.array([[1.0], [0.0]]), np.array([[0.0], [np.log(3)]])  # probabilities 1/2 and 3/4
    expected = (3 * np.log(2) + 5 * np.log(4)) / 2
    assert np.isclose(losses.bce_numpy(truth, logits, np.array([3.0]), np.array([5.0])), expected)


def test_focal_loss_is_its_formula():
    p = sigmoid(LOGITS.astype(float))
    for gamma, alpha in ((2.0, 0.25), (0.5, 0.7), (0.0, 0.5)):
        p_t = np.where(TRUTH == 1, p, 1 - p)
        alpha_t = np.where(TRUTH == 1, alpha, 1 - alpha)
        expected = np.mean(-alpha_t * (1 - p_t) ** gamma * np.log(p_t))
        assert np.isclose(losses.focal_loss_numpy(TRUTH, LOGITS, gamma, alpha), expected)


def test_focal_loss_without_focus_is_half_of_bce():
    assert np.isclose(losses.focal_loss_numpy(TRUTH, LOGITS, 0.0, 0.5), losses.bce_numpy(TRUTH, LOGITS) / 2)


PAIRS = {
    "bce": (losses.bce, losses.bce_numpy),
    "weighted": (
        lambda: losses.bce(POSITIVE, NEGATIVE),
        lambda truth, logits: losses.bce_numpy(truth, logits, POSITIVE, NEGATIVE),
    ),
    "focal": (lambda: losses.focal_loss(1.5, 0.3), lambda t, x: losses.focal_loss_numpy(t, x, 1.5, 0.3)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_keras_and_numpy_agree(name):
    for_keras, in_numpy = PAIRS[name]
    per_image = np.array(for_keras()(TRUTH, LOGITS))
    assert per_image.shape == (40,)
    assert np.isclose(per_image.mean(), in_numpy(TRUTH, LOGITS), rtol=1e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_extreme_logits_give_finite_losses_and_gradients(name):
    import tensorflow as tf

    for_keras, in_numpy = PAIRS[name]
    logits = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 500.0]], np.float32)
    truth = np.array([[0, 1, 1], [0, 1, 0]], np.float32)
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(for_keras()(truth, variable))
    assert np.isfinite(in_numpy(truth, logits)) and np.isfinite(value)
    assert np.isfinite(tape.gradient(value, variable)).all()


@pytest.mark.parametrize("name", PAIRS)
def test_gradient_is_the_finite_difference(name):
    import tensorflow as tf

    for_keras, in_numpy = PAIRS[name]
    variable = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(for_keras()(TRUTH, variable))
    gradient = np.array(tape.gradient(value, variable))
    for row, column in ((0, 0), (7, 1), (39, 2)):
        step = np.zeros(TRUTH.shape)
        step[row, column] = 1e-5
        logits = LOGITS.astype(float)
        difference = (in_numpy(TRUTH, logits + step) - in_numpy(TRUTH, logits - step)) / 2e-5
        assert np.isclose(gradient[row, column], difference, rtol=1e-3, atol=1e-8)


def test_bce_gradient_is_probability_minus_truth():
    import tensorflow as tf

    variable = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(losses.bce()(TRUTH, variable))
    assert np.allclose(tape.gradient(value, variable), (sigmoid(LOGITS) - TRUTH) / TRUTH.size, atol=1e-7)
