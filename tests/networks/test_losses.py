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


@pytest.mark.parametrize("labels", [np.array([[0, 2]]), np.array([0, 1]), np.zeros((0, 3)), np.array([[-1]])])
def test_labels_that_are_none_are_refused(labels):
    with pytest.raises(RecipeError, match="Expected 0, 1 and, for unknown, NaN"):
        losses.class_weights(labels)


UNKNOWN = np.where(RNG.random(TRUTH.shape) < [0.2, 0.5, 0.0], np.nan, TRUTH).astype(np.float32)
UNKNOWN[5] = np.nan  # an image of which nothing is known


def test_weights_are_those_of_the_known_labels():
    positive, negative = losses.class_weights(UNKNOWN)
    for column, truth in enumerate(UNKNOWN.T):
        known = truth[~np.isnan(truth)][:, np.newaxis]
        assert (positive[[column]], negative[[column]]) == losses.class_weights(known)
        assert losses.prior_logits(UNKNOWN)[column] == losses.prior_logits(known)[0]
    assert np.isnan(losses.class_weights(np.array([[np.nan], [np.nan]]))).all()
    assert losses.prior_logits(np.array([[np.nan, 1], [np.nan, 0]])).tolist() == [0, 0]


def test_weights_of_images_with_unknown_labels_by_hand():
    labels = np.array([[1, np.nan], [np.nan, np.nan], [np.nan, 0], [1, 0]])
    assert losses.sample_weights(labels).tolist() == [4 / 3, 2 / 3, 2 / 3, 4 / 3]
    # two with the first finding, one known to lack the second and to have none: 1/2, 0, 1 and 1/2 of 2
    assert losses.expected_draws(labels).tolist() == [1, 0, 2, 1]
    # of the drawn images 2 have the first finding and none lacks it; none of 3 has the second
    assert losses.prior_logits(labels, losses.expected_draws(labels)) == pytest.approx(
        [np.log(1.5 / 0.5), np.log(0.5 / 2.5)]
    )
    assert losses.share_known(labels) == 4 / 8
    assert losses.share_known(labels, losses.expected_draws(labels)) == (1 * 1 + 2 * 1 + 1 * 2) / 8
    assert losses.share_known(TRUTH, losses.expected_draws(TRUTH)) == 1  # exactly: then nothing is masked


@pytest.mark.parametrize("draw", [False, True])
def test_with_everything_known_weights_are_to_the_bit_what_they_were(draw):
    """The formulas of the version before labels could be unknown."""
    draws = losses.expected_draws(TRUTH) if draw else None
    labels = TRUTH.astype(float)
    with_none = np.column_stack([labels, labels.max(axis=1) == 0])
    rarity = (with_none / np.maximum(with_none.sum(axis=0), 1)).max(axis=1)
    assert np.array_equal(losses.expected_draws(TRUTH), rarity * (len(labels) / rarity.sum()))
    seen = labels if draws is None else labels * draws[:, np.newaxis]
    positives = np.clip(seen.sum(axis=0, dtype=np.float64), 0.5, len(labels) - 0.5)
    assert np.array_equal(losses.prior_logits(TRUTH, draws), np.log(positives / (len(labels) - positives)))
    assert np.array_equal(losses.class_weights(TRUTH), [1 - labels.mean(axis=0), labels.mean(axis=0)])
    weights = 1 + labels.sum(axis=1)
    assert np.array_equal(losses.sample_weights(TRUTH), weights / weights.mean())
    present, absent = TRUTH * np.logaddexp(0, -LOGITS), (1 - TRUTH) * np.logaddexp(0, LOGITS)
    assert losses.bce_numpy(TRUTH, LOGITS) == float(np.mean(present + absent))


def test_bce_is_scikit_learns_log_loss():
    expected = log_loss(TRUTH.ravel(), sigmoid(LOGITS.astype(float)).ravel())
    assert np.isclose(losses.bce_numpy(TRUTH, LOGITS), expected)
    known = ~np.isnan(UNKNOWN)
    expected = log_loss(UNKNOWN[known], sigmoid(LOGITS.astype(float))[known])
    assert losses.bce_numpy(UNKNOWN, LOGITS.astype(float)) == pytest.approx(expected, abs=1e-12)


def test_a_network_that_says_nan_is_noticed():
    logits = LOGITS.copy()
    logits[0] = np.nan
    with np.errstate(invalid="ignore"):
        assert np.isnan(losses.bce_numpy(UNKNOWN, logits)) and np.isnan(losses.focal_loss_numpy(UNKNOWN, logits))


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
    "bce": (lambda known=1.0: losses.bce(known=known), losses.bce_numpy),
    "weighted": (
        lambda known=1.0: losses.bce(POSITIVE, NEGATIVE, known),
        lambda truth, logits: losses.bce_numpy(truth, logits, POSITIVE, NEGATIVE),
    ),
    "focal": (
        lambda known=1.0: losses.focal_loss(1.5, 0.3, known),
        lambda truth, logits: losses.focal_loss_numpy(truth, logits, 1.5, 0.3),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_keras_and_numpy_agree(name):
    for_keras, in_numpy = PAIRS[name]
    per_image = np.array(for_keras()(TRUTH, LOGITS))
    assert per_image.shape == (40,)
    assert np.isclose(per_image.mean(), in_numpy(TRUTH, LOGITS), rtol=1e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_unknown_labels_cost_and_teach_nothing(name):
    """The other backends: tests/test_backends.py."""
    import tensorflow as tf

    for_keras, in_numpy = PAIRS[name]
    variable, known = tf.Variable(LOGITS), ~np.isnan(UNKNOWN)
    with tf.GradientTape() as tape:
        per_image = for_keras(losses.share_known(UNKNOWN))(UNKNOWN, variable)
        value = tf.reduce_mean(per_image)
    gradient = np.array(tape.gradient(value, variable))
    assert per_image[5] == 0 and float(value) == pytest.approx(in_numpy(UNKNOWN, LOGITS), abs=1e-6)
    assert not gradient[~known].any() and known.sum() == (gradient != 0).sum()
    for row, column in np.argwhere(known):
        step = np.zeros(TRUTH.shape)
        step[row, column] = 1e-5
        logits = LOGITS.astype(float)
        difference = (in_numpy(UNKNOWN, logits + step) - in_numpy(UNKNOWN, logits - step)) / 2e-5
        assert np.isclose(gradient[row, column], difference, rtol=1e-3, atol=1e-8)


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
