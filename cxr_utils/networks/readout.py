"""A linear readout: what a head reads of a network, and the penalised regression that the head is.

It reads the averages of some layers' maps over grids of fields, side by side. A middle layer says what a place looks
like, the last one what the network learned to call it. Averaged over a grid and not over the whole image, a head also
sees where ("spatial pyramid pooling"; He et al., ECCV 2014).
"""

import difflib
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxr_utils.errors import RecipeError
from cxr_utils.networks import losses
from cxr_utils.networks.backend import load_keras

if TYPE_CHECKING:
    import keras

#: Pairs of a layer's name and the number of fields along a side of its map.
Readout = tuple[tuple[str, int], ...]
#: Strengths of the head's penalty; the validation images decide.
PENALTIES = (3.0, 1e1, 3e1, 1e2, 3e2, 1e3, 3e3, 1e4)
#: Those that are tried first; then the neighbours of the best, as long as one of them is new.
TRIED_FIRST = (3e1, 3e2, 3e3)


def averages(model: "keras.Model", readout: Readout) -> Any:
    """The averages of each layer's maps over its grid of fields, one layer after the other.

    Where the fields do not divide a map, they are larger and overlap, so that every place is read.

    Args:
        model: from images to maps.
        readout: which layers, and how many fields along a side; "image" is the image itself.

    Returns:
        A Keras tensor (batch, sum over the layers of fields * fields * channels).

    Raises:
        RecipeError: there is no such layer, or its map has fewer places than fields.

    Example:
        >>> keras = load_keras()
        >>> image = keras.Input((8, 8, 1), name="image")
        >>> maps = keras.layers.Conv2D(5, 3, name="maps")(image)  # 6 x 6 places
        >>> averages(keras.Model(image, maps), (("maps", 3), ("image", 2))).shape  # 5 * 9 + 1 * 4
        (None, 49)
    """
    flat = [_averaged(_maps(model, layer, fields), layer, fields) for layer, fields in readout]
    return load_keras().layers.Concatenate(name="readout")(flat) if len(flat) > 1 else flat[0]


def layer_name(layer: str, fields: int) -> str:
    """Of the layer in a network that puts out the averages of a pair of a readout.

    Args:
        layer: whose maps are averaged.
        fields: along a side.

    Example:
        >>> layer_name("stage5", 3)
        'stage5_3x3'
    """
    return f"{layer}_{fields}x{fields}"


def _maps(model: "keras.Model", layer: str, fields: int) -> Any:
    outputs = {one.name: one.output for one in model.layers}
    if layer not in outputs:
        like = ", ".join(difflib.get_close_matches(layer, outputs, 5, 0))
        raise RecipeError(
            f"The readout names a layer {layer!r}. Expected one of the {len(outputs)} that the network has, such as "
            f"{like}. Correct the name."
        )
    side = outputs[layer].shape[1]
    if fields > side:
        raise RecipeError(
            f"The readout divides {layer!r} into {fields} x {fields} fields, but its map has {side} x {side} places. "
            f"Expected at most {side} along a side. Take fewer fields, or larger images."
        )
    return outputs[layer]


def _averaged(maps: Any, layer: str, fields: int) -> Any:
    layers, side = load_keras().layers, maps.shape[1]
    stride = side // fields
    window = side - stride * (fields - 1)
    averaged = layers.AveragePooling2D(window, stride, name=f"{layer_name(layer, fields)}_average")(maps)
    return layers.Flatten(name=layer_name(layer, fields))(averaged)


def fit_regressions(
    seen: tuple[np.ndarray, np.ndarray],
    unseen: tuple[np.ndarray, np.ndarray],
    image_weights: np.ndarray | None = None,
) -> tuple[dict[str, np.ndarray], list[dict]]:
    """Fit one penalised logistic regression per finding.

    The strength of the penalty, one for all findings, is the one with the best mean AUC on the validation images, found
    by trying a few and walking on from the best of them to its neighbours in `PENALTIES`.

    Args:
        seen: features (images, features) to fit to, and labels (images, findings) of 0, 1 or NaN.
        unseen: the same to choose with.
        image_weights: how much each label of `seen` counts, shape (images, findings); all alike where not given.

    Returns:
        The weights of the logits layer, and for each penalty that was tried, from the weakest, a row of history.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = rng.integers(0, 2, (80, 1)).astype(np.float32)
        >>> inputs = labels + rng.normal(0, 0.1, (80, 5))
        >>> head, history = fit_regressions((inputs[:60], labels[:60]), (inputs[60:], labels[60:]))
        >>> head["logits/kernel"].shape, max(row["val_auc"] for row in history)
        ((5, 1), 1.0)
    """
    image_weights = np.ones_like(seen[1]) if image_weights is None else image_weights
    tried: dict[float, tuple[dict, dict]] = {}
    waiting = set(TRIED_FIRST)
    while waiting:
        tried |= {penalty: _head(seen, unseen, image_weights, penalty) for penalty in waiting}
        place = PENALTIES.index(_best(tried))
        waiting = set(PENALTIES[max(place - 1, 0) : place + 2]) - set(tried)
    best = _best(tried)
    return tried[best][0], [tried[penalty][1] | {"kept": penalty == best} for penalty in sorted(tried)]


class Split(NamedTuple):
    """Rows (n,) to fit to, to choose the penalty by, and to judge."""

    learn: np.ndarray
    choose: np.ndarray
    judge: np.ndarray


def folds(patients: np.ndarray, seed: int = 0, number: int = 5) -> list[Split]:
    """Patients dealt into folds, each of which is judged once; the next one chooses, the others are learned from.

    Args:
        patients: of each image, shape (images,).
        seed: another one deals otherwise.
        number: of folds, at least three.

    Returns:
        As many splits.

    Example:
        >>> sorted(split.judge.tolist() for split in folds(np.array(["a", "a", "b", "c"]), number=3))
        [[0, 1], [2], [3]]
    """
    people, which = np.unique(patients, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(people)) % number)[which]
    rows = [np.flatnonzero(fold == one) for one in range(number)]
    turns = [[rows[(first + step) % number] for step in range(number)] for first in range(number)]
    return [Split(np.concatenate(turn[2:]), turn[1], turn[0]) for turn in turns]


def fewest_patients(labels: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """How many patients have a finding or have it not, whichever is fewer: what an AUC of it rests on.

    Args:
        labels: 0, 1 or NaN, shape (images, findings).
        patients: of each image, shape (images,).

    Returns:
        Numbers, shape (findings,).

    Example:
        >>> fewest_patients(np.array([[1, 0], [0, 0], [0, 0]]), np.array(["a", "a", "b"])).tolist()
        [1, 0]
    """
    return np.array([min(len(set(patients[column == value])) for value in (0, 1)) for column in labels.T])


def judged(features: np.ndarray, labels: np.ndarray, splits: Sequence[Split]) -> np.ndarray:
    """What regressions say of images that they were not fitted to.

    Args:
        features: shape (images, features).
        labels: 0, 1 or NaN, shape (images, findings).
        splits: such as `folds` gives.

    Returns:
        Logits (images, findings); NaN where no split judges an image.

    Example:
        >>> labels = np.arange(60).reshape(60, 1) % 2 * 1.0
        >>> said = judged(labels * 3, labels, folds(np.arange(60)))
        >>> mean_auc(labels, said)
        1.0
    """
    said = np.full(labels.shape, np.nan)
    for split in splits:
        seen, unseen = ((features[rows], labels[rows]) for rows in (split.learn, split.choose))
        head, _ = fit_regressions(seen, unseen)
        said[split.judge] = features[split.judge] @ head["logits/kernel"] + head["logits/bias"]
    return said


def _best(tried: dict[float, tuple[dict, dict]]) -> float:
    def quality(penalty: float) -> float:
        row = tried[penalty][1]
        return row["val_auc"] if np.isfinite(row["val_auc"]) else -row["val_loss"]

    return max(sorted(tried), key=quality)


def _head(train: tuple, valid: tuple, image_weights: np.ndarray, penalty: float) -> tuple[dict, dict]:
    """Weights of the logits layer and a row of history, from features and labels of two parts."""
    seen, labels = train
    centre, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6
    kernel, bias = _regressions((seen - centre) / spread, labels, image_weights, penalty)
    kernel = kernel / spread[:, np.newaxis]
    arrays = {"logits/kernel": kernel, "logits/bias": bias - centre @ kernel}
    logits = [inputs @ arrays["logits/kernel"] + arrays["logits/bias"] for inputs, _ in (train, valid)]
    row = {"penalty": penalty, "loss": losses.bce_numpy(labels, logits[0])}
    row |= {"val_loss": losses.bce_numpy(valid[1], logits[1]), "val_auc": mean_auc(valid[1], logits[1])}
    return arrays, row


def _regressions(inputs: np.ndarray, labels: np.ndarray, weight: np.ndarray, penalty: float):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    kernel, bias = np.zeros((inputs.shape[1], labels.shape[1])), np.zeros(labels.shape[1])
    for column, given in enumerate(labels.T):
        rows = known_rows(given)
        truth = given[rows]
        if truth.min() == truth.max():  # nothing to tell apart: the frequency, one image short of certain
            bias[column] = np.log((truth.sum() + 0.5) / (len(truth) - truth.sum() + 0.5))
            continue
        # One thread: for matrices this small, threads wait for each other, and on a busy machine almost only wait.
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits do not matter here
            model = LogisticRegression(C=1 / penalty, max_iter=100).fit(inputs[rows], truth, weight[rows, column])
        kernel[:, column], bias[column] = model.coef_[0], model.intercept_[0]
    return kernel.astype(np.float32), bias.astype(np.float32)


def known_rows(truth: np.ndarray) -> np.ndarray | slice:
    """Where labels (images,) are known; a slice where all are, because it copies nothing."""
    known = ~np.isnan(truth)
    return slice(None) if known.all() else known


def mean_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve over the images whose label is known, averaged over the findings that have both classes.

    Args:
        labels: 0, 1 or NaN, shape (images, findings).
        scores: any increasing function of the probability, same shape.

    Returns:
        From 0 to 1; NaN if no finding has both classes.

    Example:
        >>> mean_auc(np.array([[0, 0], [1, 0]]), np.array([[0.1, 0.3], [0.2, 0.1]]))
        1.0
    """
    from sklearn.metrics import roc_auc_score

    pairs = [
        (truth[known_rows(truth)], said[known_rows(truth)]) for truth, said in zip(labels.T, scores.T, strict=True)
    ]
    areas = [roc_auc_score(truth, said) for truth, said in pairs if len(truth) and truth.min() != truth.max()]
    return float(np.mean(areas)) if areas else float("nan")
