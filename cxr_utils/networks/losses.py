"""What a network is told to minimise: binary cross-entropy, weighted by class, and focal loss.

Every loss is written twice: in numpy, to be read and checked, and with Keras operations, to train with. Both take
logits, the numbers before the sigmoid, because `log(sigmoid(x))` written out overflows and `softplus` does not.
Each is a mean over images and findings.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from cxr_utils.errors import RecipeError
from cxr_utils.networks.backend import load_keras

Loss = Callable[[Any, Any], Any]  # of tensors of Keras' backend
Weight = float | np.ndarray


def class_weights(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights that make both classes of each finding contribute the same: each gets the other one's frequency.

    Args:
        labels: 0 or 1, shape (images, findings).

    Returns:
        Weights of the positive and of the negative class, each of shape (findings,).

    Example:
        >>> positive, negative = class_weights(np.array([[1], [0], [0], [0]]))
        >>> positive.tolist(), negative.tolist()  # one image weighing 3/4, three weighing 1/4
        ([0.75], [0.25])
    """
    positive = _checked(labels).mean(axis=0)
    return 1 - positive, positive


def prior_logits(labels: np.ndarray, draws: np.ndarray | None = None) -> np.ndarray:
    """Log-odds of how often each finding is: what a network should say before it has looked at a picture.

    A network whose last bias starts here need not learn first that findings are rare. Otherwise it learns that by
    weights that speak against a finding wherever anything is seen, and its heat maps come out empty. Lin et al. (focal
    loss, ICCV 2017) start from such a prior.

    Args:
        labels: 0 or 1, shape (images, findings).
        draws: how often each image is seen, of `expected_draws`; None: equally often.

    Returns:
        (findings,) float64. A finding that is never (always) present counts as present in (absent from) half an image.

    Example:
        >>> prior_logits(np.array([[1, 0], [0, 0], [0, 0], [0, 0]])).round(3).tolist()  # ln(1/3) and ln(0.5/3.5)
        [-1.099, -1.946]
    """
    seen = _checked(labels) if draws is None else _checked(labels) * draws[:, np.newaxis]
    positives = np.clip(seen.sum(axis=0, dtype=np.float64), 0.5, len(labels) - 0.5)
    return np.log(positives / (len(labels) - positives))


def sample_weights(labels: np.ndarray) -> np.ndarray:
    """A weight per image, growing with its number of findings, so that the many normal images do not drown the rest.

    Args:
        labels: 0 or 1, shape (images, findings).

    Returns:
        Positive weights of mean 1, shape (images,).

    Example:
        >>> sample_weights(np.array([[0, 0], [0, 1], [1, 1]])).tolist()
        [0.5, 1.0, 1.5]
    """
    weights = 1 + _checked(labels).sum(axis=1)
    return weights / weights.mean()


def expected_draws(labels: np.ndarray) -> np.ndarray:
    """How often each image is drawn in an epoch that shows the rare ones more often (oversampling).

    An image counts as much as the rarest of its findings asks for: the inverse of that finding's frequency. Having no
    finding counts as a label like the others. With a single finding this makes the two classes equally frequent;
    with several it cannot, because a rare finding brings its companions along.

    Args:
        labels: 0 or 1, shape (images, findings).

    Returns:
        (images,) float64, above 0, with a sum of `images`: the epoch keeps its length.

    Example:
        >>> expected_draws(np.array([[1], [0], [0], [0]])).round(3).tolist()  # both classes fill half an epoch
        [2.0, 0.667, 0.667, 0.667]
    """
    labels = _checked(labels)
    labels = np.column_stack([labels, labels.max(axis=1) == 0])
    rarity = (labels / np.maximum(labels.sum(axis=0), 1)).max(axis=1)
    return rarity * (len(labels) / rarity.sum())


def _checked(labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels, dtype=float)
    if labels.ndim != 2 or not len(labels) or not np.isin(labels, (0, 1)).all():
        raise RecipeError(
            f"Labels of shape {labels.shape} with values from {np.unique(labels)[:5]}. Expected 0 and 1 in a table "
            "of images x findings with at least one row. Take them from Dataset.labels."
        )
    return labels


def bce_numpy(truth: np.ndarray, logits: np.ndarray, positive: Weight = 1.0, negative: Weight = 1.0) -> float:
    """Binary cross-entropy: minus the log of the probability given to what is true.

    Args:
        truth: 0 or 1, shape (images, findings).
        logits: any real numbers, same shape.
        positive: weight where truth is 1, a number or shape (findings,).
        negative: weight where truth is 0, a number or shape (findings,).

    Returns:
        The mean over images and findings, in nats.

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
    return float(np.mean(present + absent))


def focal_loss_numpy(truth: np.ndarray, logits: np.ndarray, gamma: float = 2.0, alpha: float = 0.25) -> float:
    """Focal loss (Lin et al. 2017): cross-entropy that counts less where the network is already right.

    Args:
        truth: 0 or 1, shape (images, findings).
        logits: any real numbers, same shape.
        gamma: how much less; 0 gives weighted cross-entropy.
        alpha: weight of the positive class, from 0 to 1; the negative one has `1 - alpha`.

    Returns:
        The mean of `-alpha_t * (1 - p_t) ** gamma * log(p_t)`, where `p_t` is the probability given to the truth.

    Example:
        >>> round(focal_loss_numpy(np.array([[1.0]]), np.array([[0.0]])), 5)  # 1/4 * (1/2)**2 * log 2
        0.04332
    """
    towards_truth = np.where(truth == 1, logits, -logits)
    weight = np.where(truth == 1, alpha, 1 - alpha)
    cross_entropy = np.logaddexp(0, -towards_truth)
    doubt = np.exp(-gamma * np.logaddexp(0, towards_truth))  # (1 - p_t) ** gamma
    return float(np.mean(weight * doubt * cross_entropy))


def bce(positive: Weight = 1.0, negative: Weight = 1.0) -> Loss:
    """Binary cross-entropy for Keras; see `bce_numpy`.

    Args:
        positive: weight where truth is 1, a number or shape (findings,).
        negative: weight where truth is 0, a number or shape (findings,).

    Returns:
        A function of truth and logits, (batch, findings) each, that gives the loss of each image, (batch,).
    """
    ops = load_keras().ops
    positive, negative = (ops.convert_to_tensor(weight, "float32") for weight in (positive, negative))

    def bce_of_logits(truth, logits):
        present = positive * truth * ops.softplus(-logits)
        absent = negative * (1 - truth) * ops.softplus(logits)
        return ops.mean(present + absent, axis=-1)

    return bce_of_logits


def focal_loss(gamma: float = 2.0, alpha: float = 0.25) -> Loss:
    """Focal loss for Keras; see `focal_loss_numpy`.

    Args:
        gamma: how much less an image counts where the network is right.
        alpha: weight of the positive class, from 0 to 1.

    Returns:
        A function of truth and logits, (batch, findings) each, that gives the loss of each image, (batch,).
    """
    ops = load_keras().ops

    def focal_loss_of_logits(truth, logits):
        towards_truth = logits * (2 * truth - 1)
        weight = alpha * truth + (1 - alpha) * (1 - truth)
        doubt = ops.exp(-gamma * ops.softplus(towards_truth))
        return ops.mean(weight * doubt * ops.softplus(-towards_truth), axis=-1)

    return focal_loss_of_logits
