"""What a network is told to minimise: binary cross-entropy, weighted by class, and focal loss.

Every loss is written twice: in numpy, to be read and checked, and with Keras operations, to train with. Both take
logits, the numbers before the sigmoid, because `log(sigmoid(x))` written out overflows and `softplus` does not.
Each is a mean over images and findings. A label may be unknown (NaN): it is left out of every mean and weight, and
teaches nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxr_utils.errors import RecipeError
from cxr_utils.networks.backend import load_keras

if TYPE_CHECKING:
    from cxr_utils.networks.recipes import Recipe

Loss = Callable[[Any, Any], Any]  # of tensors of Keras' backend
Weight = float | np.ndarray


def class_weights(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights that make both classes of each finding contribute the same: each gets the other one's frequency.

    Args:
        labels: 0, 1 or NaN, shape (images, findings).

    Returns:
        Weights of the positive and of the negative class, each of shape (findings,); NaN where nothing is known.

    Example:
        >>> positive, negative = class_weights(np.array([[1], [0], [0], [0]]))
        >>> positive.tolist(), negative.tolist()  # one image weighing 3/4, three weighing 1/4
        ([0.75], [0.25])
    """
    positive = pd.DataFrame(_checked(labels)).mean().to_numpy()
    return 1 - positive, positive


def prior_logits(labels: np.ndarray, draws: np.ndarray | None = None) -> np.ndarray:
    """Log-odds of how often each finding is: what a network should say before it has looked at a picture.

    A network whose last bias starts here need not learn first that findings are rare. Otherwise it learns that by
    weights that speak against a finding wherever anything is seen, and its heat maps come out empty. Lin et al. (focal
    loss, ICCV 2017) start from such a prior.

    Args:
        labels: 0, 1 or NaN, shape (images, findings).
        draws: how often each image is seen, of `expected_draws`; None: equally often.

    Returns:
        (findings,) float64. A finding that is never (always) present counts as present in (absent from) half an image.

    Example:
        >>> prior_logits(np.array([[1, 0], [0, 0], [0, 0], [0, 0]])).round(3).tolist()  # ln(1/3) and ln(0.5/3.5)
        [-1.099, -1.946]
    """
    labels, times = _checked(labels), 1.0 if draws is None else draws[:, np.newaxis]
    known = np.maximum(len(labels) - (np.isnan(labels) * times).sum(axis=0), 1)
    positives = np.clip(np.nansum(labels * times, axis=0), 0.5, known - 0.5)
    return np.log(positives / (known - positives))


def sample_weights(labels: np.ndarray) -> np.ndarray:
    """A weight per image, growing with its number of findings, so that the many normal images do not drown the rest.

    Args:
        labels: 0, 1 or NaN, shape (images, findings).

    Returns:
        Positive weights of mean 1, shape (images,); they grow with the findings that an image is known to have.

    Example:
        >>> sample_weights(np.array([[0, 0], [0, 1], [1, 1]])).tolist()
        [0.5, 1.0, 1.5]
    """
    weights = 1 + np.nansum(_checked(labels), axis=1)
    return weights / weights.mean()


def expected_draws(labels: np.ndarray) -> np.ndarray:
    """How often each image is drawn in an epoch that shows the rare ones more often (oversampling).

    An image counts as much as the rarest of its findings asks for: the inverse of that finding's frequency. Having no
    finding counts as a label like the others. With a single finding this makes the two classes equally frequent;
    with several it cannot, because a rare finding brings its companions along.

    Args:
        labels: 0, 1 or NaN, shape (images, findings). An image counts as one without a
            finding where some are known to be absent and none is known to be there.

    Returns:
        (images,) float64 with a sum of `images`: the epoch keeps its length. 0 for an image of which nothing is known.

    Example:
        >>> expected_draws(np.array([[1], [0], [0], [0]])).round(3).tolist()  # both classes fill half an epoch
        [2.0, 0.667, 0.667, 0.667]
    """
    labels = _checked(labels)
    labels = np.nan_to_num(np.column_stack([labels, np.fmax.reduce(labels, axis=1) == 0]))
    rarity = (labels / np.maximum(labels.sum(axis=0), 1)).max(axis=1)
    return rarity * (len(labels) / rarity.sum())


def share_known(labels: np.ndarray, draws: np.ndarray | None = None) -> float:
    """Tell which share of the labels that training sees is known: what the Keras losses are divided by.

    Args:
        labels: 0, 1 or NaN, shape (images, findings).
        draws: how often each image is seen, of `expected_draws`; None: equally often.

    Returns:
        From 0 to 1.

    Example:
        >>> share_known(np.array([[1, np.nan], [0, 1]])), share_known(np.array([[1], [0]]))
        (0.75, 1.0)
    """
    return float(np.average((~np.isnan(_checked(labels))).mean(axis=1), weights=draws))


def _checked(labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels, dtype=float)
    if labels.ndim != 2 or not len(labels) or not (np.isin(labels, (0, 1)) | np.isnan(labels)).all():
        raise RecipeError(
            f"Labels of shape {labels.shape} with values from {np.unique(labels)[:5]}. Expected 0, 1 and, for unknown, "
            "NaN in a table of images x findings with at least one row. Take them from Dataset.labels."
        )
    return labels


def _mean_of_known(values: np.ndarray, truth: np.ndarray) -> float:
    """By the truth and not by the values, so that a network that says NaN is noticed."""
    known = ~np.isnan(truth)
    return float(np.mean(values if known.all() else values[known]))


def bce_numpy(truth: np.ndarray, logits: np.ndarray, positive: Weight = 1.0, negative: Weight = 1.0) -> float:
    """Binary cross-entropy: minus the log of the probability given to what is true.

    Args:
        truth: 0, 1 or NaN, shape (images, findings).
        logits: any real numbers, same shape.
        positive: weight where truth is 1, a number or shape (findings,).
        negative: weight where truth is 0, a number or shape (findings,).

    Returns:
        The mean over all known labels, in nats.

    Example:
        >>> round(bce_numpy(np.array([[1.0]]), np.array([[0.0]])), 4)  # a coin toss: log 2
        0.6931
        >>> truth, logits = np.array([[1.0], [0.0], [0.0], [0.0]]), np.zeros((4, 1))
        >>> round(bce_numpy(truth, logits, *class_weights(truth)), 4)  # 2 * 3/4 * 1/4 * log 2
        0.2599
    """
    # -log(sigmoid(x)) = log(1 + exp(-x)) = logaddexp(0, -x), which never overflows
    present = positive * truth * np.logaddexp(0, -logits)
    absent = negative * (1 - truth) * np.logaddexp(0, logits)
    return _mean_of_known(present + absent, truth)


def focal_loss_numpy(truth: np.ndarray, logits: np.ndarray, gamma: float = 2.0, alpha: float = 0.25) -> float:
    """Focal loss (Lin et al. 2017): cross-entropy that counts less where the network is already right.

    Args:
        truth: 0, 1 or NaN, shape (images, findings).
        logits: any real numbers, same shape.
        gamma: how much less; 0 gives weighted cross-entropy.
        alpha: weight of the positive class, from 0 to 1; the negative one has `1 - alpha`.

    Returns:
        The mean over all known labels of `-alpha_t * (1 - p_t) ** gamma * log(p_t)`, where `p_t` is the probability
        given to the truth.

    Example:
        >>> round(focal_loss_numpy(np.array([[1.0]]), np.array([[0.0]])), 5)  # 1/4 * (1/2)**2 * log 2
        0.04332
    """
    towards_truth = np.where(truth == 1, logits, -logits)
    weight = np.where(truth == 1, alpha, 1 - alpha)
    cross_entropy = np.logaddexp(0, -towards_truth)
    doubt = np.exp(-gamma * np.logaddexp(0, towards_truth))  # (1 - p_t) ** gamma
    return _mean_of_known(weight * doubt * cross_entropy, truth)


def bce(positive: Weight = 1.0, negative: Weight = 1.0, known: float = 1.0) -> Loss:
    """Binary cross-entropy for Keras; see `bce_numpy`.

    Args:
        positive: weight where truth is 1, a number or shape (findings,).
        negative: weight where truth is 0, a number or shape (findings,).
        known: share of the training labels that are known, of `share_known`.

    Returns:
        A function of truth and logits, (batch, findings) each, that gives the loss of each image, (batch,).
    """
    ops = load_keras().ops
    positive, negative = (ops.convert_to_tensor(weight, "float32") for weight in (positive, negative))

    def bce_of_logits(truth, logits):
        present = positive * truth * ops.softplus(-logits)
        absent = negative * (1 - truth) * ops.softplus(logits)
        return present + absent

    return _averaged(bce_of_logits, known)


def focal_loss(gamma: float = 2.0, alpha: float = 0.25, known: float = 1.0) -> Loss:
    """Focal loss for Keras; see `focal_loss_numpy`.

    Args:
        gamma: how much less an image counts where the network is right.
        alpha: weight of the positive class, from 0 to 1.
        known: share of the training labels that are known, of `share_known`.

    Returns:
        A function of truth and logits, (batch, findings) each, that gives the loss of each image, (batch,).
    """
    ops = load_keras().ops

    def focal_loss_of_logits(truth, logits):
        towards_truth = logits * (2 * truth - 1)
        weight = alpha * truth + (1 - alpha) * (1 - truth)
        doubt = ops.exp(-gamma * ops.softplus(towards_truth))
        return weight * doubt * ops.softplus(-towards_truth)

    return _averaged(focal_loss_of_logits, known)


def _averaged(each: Loss, known: float) -> Loss:
    """From the loss of each label, (batch, findings), to that of each image, (batch,).

    An image counts as much as it has known labels. Divided by the share of the known ones, the mean over all images
    is the mean over all known labels.
    """
    ops = load_keras().ops

    def of_all(truth, logits):
        return ops.mean(each(truth, logits), axis=-1)

    def of_known(truth, logits):
        unknown = ops.isnan(truth)
        # Put in before anything is computed: the gradient of NaN times 0 would be NaN.
        truth = ops.where(unknown, ops.zeros_like(truth), truth)
        losses = each(truth, logits)
        return ops.mean(ops.where(unknown, ops.zeros_like(losses), losses), axis=-1) / known

    return of_all if known == 1 else of_known


def example_weights(recipe: "Recipe", labels: np.ndarray) -> np.ndarray:
    """How much each label of each image counts in the loss.

    Args:
        recipe: its `loss` and `sample_weights` decide.
        labels: 0, 1 or NaN, shape (images, findings).

    Returns:
        Shape (images, findings), mean 1 over the known labels of each column, NaN for unknown ones.
    """
    result = np.where(np.isnan(labels), np.nan, 1.0)
    if recipe.loss == "weighted":
        positive, negative = class_weights(labels)
        result = result * np.where(labels == 1, positive, negative)
    if recipe.sample_weights:
        result = result * sample_weights(labels)[:, np.newaxis]
    return result / np.maximum(np.nanmean(result, axis=0), 1e-12)
