"""Frugal transfer: what a trained network already sees, computed once an image, and a head fitted to it in seconds.

DenseNet121 is cut before its last dense block. Nearly all of its work (24 of 25 multiplications) lies before the cut
and is the same for every head and every fine-tuning, so its result is kept on disk, one row per image.
"""

import functools
import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cxr_utils import cache
from cxr_utils.data import pixelstore
from cxr_utils.data.dataset import Dataset
from cxr_utils.errors import Missing
from cxr_utils.networks import losses, models, weights
from cxr_utils.networks.backend import load_keras, rounding
from cxr_utils.networks.recipes import Recipe

if TYPE_CHECKING:
    import keras

#: Strengths of the head's penalty that are tried; the validation images decide.
PENALTIES = (1e2, 3e2, 1e3, 3e3, 1e4)
#: Images in a batch that is predicted, and batches that are read together.
BATCH, TOGETHER = 64, 8


def features(dataset: Dataset, source: str | None = "simulated", size: int = 96) -> np.ndarray:
    """What the frozen DenseNet121 says about each image: the average of each of its maps. Cached.

    Args:
        dataset: every row must have its image file.
        source: weights, as for `models.densenet121`.
        size: side of the image in pixels.

    Returns:
        float32, shape (images, 1024).
    """
    none, key = np.zeros((0, 1024), np.float32), _key(dataset, source, size)

    def pooled(stored: np.ndarray, rows: np.ndarray, missing: list[int]) -> Iterator[np.ndarray]:
        whole = _frozen(weights.identity("densenet121", source), source, size)
        averaged = load_keras().Model(whole.get_layer(models.LAST_FROZEN).output, whole.get_layer("avg_pool").output)
        yield from in_chunks(averaged, lambda positions: stored[rows[positions]], missing)

    def compute(missing: list[int]) -> Iterator[np.ndarray]:
        stored, rows = trunk_rows(dataset, source, size)  # has a clock of its own
        yield from _timed(_clock("features", key), pooled(stored, rows, missing))

    stored, rows = cache.rows("features", key, pixelstore.file_names(dataset), none, compute)
    return stored[rows]


def trunk_rows(dataset: Dataset, source: str | None, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The output of DenseNet121's frozen part, up to the cut. Cached.

    Args:
        dataset: every row must have its image file.
        source: weights, as for `models.densenet121`.
        size: side of the image in pixels.

    Returns:
        A memory-mapped array (m, height, width, 512) and the row number of each image (n,).
    """
    side = (size + 3) // 4 // 8  # a convolution and a pooling that round up, then three that round down
    none, key = np.zeros((0, side, side, 512), np.float32), _key(dataset, source, size)

    def frozen_maps(missing: list[int]) -> Iterator[np.ndarray]:
        whole = _frozen(weights.identity("densenet121", source), source, size)
        trunk = load_keras().Model(whole.input, whole.get_layer(models.LAST_FROZEN).output)
        yield from in_chunks(trunk, pixelstore.reader(dataset, size), missing)

    def compute(missing: list[int]) -> Iterator[np.ndarray]:
        return _timed(_clock("trunk", key), frozen_maps(missing))

    return cache.rows("trunk", key, pixelstore.file_names(dataset), none, compute)


def frozen_seconds(dataset: Dataset, source: str | None, size: int) -> float:
    """How long the frozen features of some images take on this machine, whether computed now or found in the cache.

    Args:
        dataset: its features have been computed before.
        source: weights, as for `models.densenet121`.
        size: side of the image in pixels.

    Returns:
        Seconds, from what images of this collection took on average; reading their files is counted in.
    """
    key = _key(dataset, source, size)
    clocks = [_read_clock(_clock(kind, key)) for kind in ("trunk", "features")]
    return len(dataset) * sum(clock["seconds"] / max(1, clock["images"]) for clock in clocks)


def _clock(kind: str, key: dict) -> Path:
    return cache.root() / "clocks" / f"{kind}-{cache.digest(key)}.json"


def _read_clock(file: Path) -> dict:
    return json.loads(file.read_text()) if file.exists() else {"images": 0, "seconds": 0.0}


def _timed(file: Path, rows: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Pass rows on as they are computed, and add up in a file how many came and how long they took."""
    total = _read_clock(file)
    while True:
        started = time.perf_counter()
        chunk = next(rows, None)
        if chunk is None:
            return
        total = {
            "images": total["images"] + len(chunk), "seconds": total["seconds"] + time.perf_counter() - started
        }  # fmt: skip
        file.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(file, json.dumps(total))
        yield chunk


@functools.lru_cache(maxsize=1)
def _frozen(identity: str, source: str | None, size: int) -> "keras.Model":
    """Kept, because building a DenseNet121 takes seconds; `identity` notices when the file has changed."""
    return models.densenet121(size, 1, source)


def in_chunks(
    model: "keras.Model", read: Callable, positions: Sequence[int] | np.ndarray, batch: int = BATCH
) -> Iterator[np.ndarray]:
    """What a network says, so that memory holds one chunk of its inputs at a time.

    Args:
        model: any network with one output.
        read: a function from n positions to the network's inputs there, (n, ...).
        positions: where to read.
        batch: images that the network is shown together.

    Yields:
        Outputs (n, ...), to the bit those that `model.predict` gives for all positions in such batches.
    """
    for start in range(0, len(positions), TOGETHER * batch):
        yield model.predict(read(np.asarray(positions[start : start + TOGETHER * batch])), batch_size=batch, verbose=0)


def frozen_cost(source: str | None, size: int) -> int:
    """Multiply-adds of the frozen network with a head of one output, for one image.

    Args:
        source: weights, as for `models.densenet121`.
        size: side of the image in pixels.
    """
    return models.multiply_adds(_frozen(weights.identity("densenet121", source), source, size))


def tail(model: "keras.Model") -> "keras.Model":
    """The part of a DenseNet121 behind the cut; it shares its layers with the whole.

    Args:
        model: made by `models.densenet121`.

    Returns:
        A network from the rows of `trunk_rows` to logits.
    """
    return load_keras().Model(model.get_layer(models.LAST_FROZEN).output, model.output, name="tail")


def _key(dataset: Dataset, source: str | None, size: int) -> dict:
    modules = ["cxr_utils.data.images", *(f"cxr_utils.networks.{name}" for name in ("models", "transfer", "weights"))]
    return {
        "root": str(dataset.root.resolve()),
        "size": size,
        "weights": weights.identity("densenet121", source),
        "code": cache.code_version(*modules),
    } | rounding()


def fit_head(recipe: Recipe, train: Dataset, valid: Dataset) -> tuple[dict[str, np.ndarray], list[dict]]:
    """Fit one penalised logistic regression per finding to the frozen features of the images whose label is known.

    The strength of the penalty, one for all findings, is the one with the best mean AUC on the validation images.

    Args:
        recipe: with trainable="head".
        train: the images to fit to.
        valid: the images to choose with.

    Returns:
        The weights of the logits layer, and for each penalty a row of history.
    """
    seen, unseen = (features(part, recipe.weights, recipe.size) for part in (train, valid))
    centre, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6
    image_weights = example_weights(recipe, train.labels)
    scaled = (seen - centre) / spread
    fits, history = [], []
    for penalty in PENALTIES:
        kernel, bias = _regressions(scaled, train.labels, image_weights, penalty)
        kernel = kernel / spread[:, np.newaxis]
        fits.append({"logits/kernel": kernel, "logits/bias": bias - centre @ kernel})
        logits = [part @ fits[-1]["logits/kernel"] + fits[-1]["logits/bias"] for part in (seen, unseen)]
        row = {"loss": losses.bce_numpy(train.labels, logits[0]), "val_loss": losses.bce_numpy(valid.labels, logits[1])}
        history.append({"penalty": penalty, **row, "val_auc": mean_auc(valid.labels, logits[1])})
    best = int(np.argmax([row["val_auc"] if np.isfinite(row["val_auc"]) else -row["val_loss"] for row in history]))
    return fits[best], history


def example_weights(recipe: Recipe, labels: np.ndarray) -> np.ndarray:
    """How much each label of each image counts in the loss.

    Args:
        recipe: its `loss` and `sample_weights` decide.
        labels: 0, 1 or NaN, shape (images, findings).

    Returns:
        Shape (images, findings), mean 1 over the known labels of each column, NaN for unknown ones.
    """
    result = np.where(np.isnan(labels), np.nan, 1.0)
    if recipe.loss == "weighted":
        positive, negative = losses.class_weights(labels)
        result = result * np.where(labels == 1, positive, negative)
    if recipe.sample_weights:
        result = result * losses.sample_weights(labels)[:, np.newaxis]
    return result / np.maximum(np.nanmean(result, axis=0), 1e-12)


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


def own_head_scores(dataset: Dataset, size: int = 96) -> pd.DataFrame | Missing:
    """What the head says that the shipped weights were learned with: how much a new head on them could gain.

    Args:
        dataset: every row must have its image file.
        size: side of the image in pixels.

    Returns:
        Logits, index image, columns the data set's findings; a `Missing` where that head does not know all of them.
    """
    known = weights.simulated_record()["findings"]
    if not set(dataset.findings) <= set(known):
        return Missing("The head that the shipped weights were learned with does not know these findings.")
    arrays, columns = (
        weights.read(weights.simulated_path("densenet121")),
        [known.index(name) for name in dataset.findings],
    )
    seen = features(dataset, "simulated", size)
    logits = seen @ arrays["logits/kernel"][:, columns] + arrays["logits/bias"][columns]
    return pd.DataFrame(logits, pd.Index(dataset.table["image"], name="image"), list(dataset.findings))
