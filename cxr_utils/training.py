"""Training: a recipe, a data set and a seed go in, and a network that can predict comes out.

Everything is cached by content: the same recipe on the same data with the same seed and code is trained once, for all
lessons together. The cost of training is counted in multiply-add operations, which are the same on every machine.
"""

import functools
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import cxr_utils
from cxr_utils import cache, images, losses, models, pipeline, transfer, weights
from cxr_utils.backend import load_keras
from cxr_utils.datasets import Dataset
from cxr_utils.errors import RecipeError
from cxr_utils.recipes import Recipe, head_of
from cxr_utils.transfer import features

if TYPE_CHECKING:
    import keras

__all__ = ["Recipe", "Trained", "build", "features", "train"]

#: The modules whose code decides what a training run gives.
CODE = tuple(
    f"cxr_utils.{name}"
    for name in ("images", "pipeline", "models", "losses", "weights", "transfer", "callbacks", "training")
)


@dataclass(frozen=True)
class Trained:
    """A trained network in its folder, with the card that says how to use it.

    Attributes:
        folder: holds `weights.npz` (of the layers that were trained), `history.csv` and `card.json`.
    """

    folder: Path

    @functools.cached_property
    def card(self) -> dict:
        """Label order, preprocessing, version, recipe, seed, numbers of images and patients, seconds."""
        return json.loads((self.folder / "card.json").read_text(encoding="utf-8"))

    @property
    def findings(self) -> tuple[str, ...]:
        """What each output means."""
        return tuple(self.card["findings"])

    @functools.cached_property
    def recipe(self) -> Recipe:
        """What it was trained by."""
        return Recipe(**{**self.card["recipe"], "augment": tuple(self.card["recipe"]["augment"])})

    @functools.cached_property
    def history(self) -> pd.DataFrame:
        """A row per epoch (for a head: per penalty tried).

        Columns: epoch, loss, val_loss, val_auc, learning_rate; and what it had cost by then: images_seen and
        multiply_adds.
        """
        return pd.read_csv(self.folder / "history.csv")

    @functools.cached_property
    def model(self) -> "keras.Model":
        """The network, loaded when first asked for."""
        if weights.identity(self.recipe.weights) != self.card["weights"]:
            raise RecipeError(
                f"Weights {self.recipe.weights!r} have changed since this network was trained. Expected the file with "
                f"hash {self.card['weights']}. Train again, or put the old file back."
            )
        model = build(self.recipe, len(self.findings))
        weights.assign(model, weights.read(self.folder / "weights.npz"))
        return model

    def predict(self, dataset: Dataset) -> pd.DataFrame:
        """Probability of each finding in each image that has its file. Cached.

        Args:
            dataset: of any findings; its labels are not looked at.

        Returns:
            A column per finding of the network, index `image`.
        """
        dataset = dataset.with_images()
        key = {"model": self.folder.name, "data": dataset.digest, "code": cache.code_version(*CODE)}
        folder = cache.entry("predictions", key, lambda new: np.save(new / "logits.npy", self._logits(dataset)))
        index = pd.Index(dataset.table["image"], name="image")
        return pd.DataFrame(_sigmoid(np.load(folder / "logits.npy")), index=index, columns=list(self.findings))

    def predict_file(self, path: str | Path) -> pd.Series:
        """Probability of each finding in one file, prepared as the training images were.

        Args:
            path: PNG, JPEG or DICOM.

        Returns:
            A value per finding.

        Raises:
            ImageError: the file is missing or damaged.
        """
        picture = images.load_image(path, self.recipe.size)[np.newaxis]
        logits = load_keras().ops.convert_to_numpy(self.model(picture, training=False))[0]
        return pd.Series(_sigmoid(logits), index=list(self.findings))

    def _logits(self, dataset: Dataset) -> np.ndarray:
        if self.recipe.trainable == "head":  # features and a product: no network needs to be built
            head = weights.read(self.folder / "weights.npz")
            seen = transfer.features(dataset, self.recipe.weights, self.recipe.size)
            return seen @ head["logits/kernel"] + head["logits/bias"]
        model = transfer.tail(self.model) if _from_trunk(self.recipe) else self.model
        return model.predict(_ordered(self.recipe, dataset), verbose=0)


def build(recipe: Recipe, outputs: int) -> "keras.Model":
    """The network of a recipe, as it is before training.

    Args:
        recipe: names network, size, dropout and weights.
        outputs: number of findings.

    Returns:
        A network from images (batch, size, size, 1) to logits (batch, outputs).

    Raises:
        RecipeError: the weights are not at hand.
    """
    options = {"weights": recipe.weights} if recipe.network == "densenet121" else {}
    return getattr(models, recipe.network)(recipe.size, outputs, dropout=recipe.dropout, **options)


def train(recipe: Recipe, dataset: Dataset, seed: int = 0, *, verbose: bool = False) -> Trained:
    """Train on the part "train", choose the best epoch on the part "valid"; or find that this has been done before.

    Args:
        recipe: how.
        dataset: on what; images without a file are left out.
        seed: of weights, order and augmentation. The same seed gives the same network on the same machine.
        verbose: whether to print a line per epoch; a terminal gets it anyway.

    Returns:
        The trained network.

    Raises:
        DataError: the data set has no training or no validation images.
        RecipeError: the weights to start from are not at hand, or the loss is no longer a number.
        ImageError: a file is damaged.
    """
    dataset = dataset.with_images()  # so that a lesson that left rows out and one that did not share what is trained
    key = {
        "recipe": asdict(recipe),
        "data": dataset.digest,
        "weights": weights.identity(recipe.weights),
        "seed": seed,
        "code": cache.code_version(*CODE),
    }
    return Trained(cache.entry("models", key, lambda new: _train_into(new, recipe, dataset, seed, verbose)))


def _train_into(folder: Path, recipe: Recipe, dataset: Dataset, seed: int, verbose: bool) -> None:
    started = time.perf_counter()
    parts = [dataset.part(name).with_images() for name in ("train", "valid")]
    if recipe.trainable == "head":
        arrays, history = transfer.fit_head(recipe, *parts)
        table = pd.DataFrame(history).assign(epoch=range(1, len(history) + 1), learning_rate=np.nan)
        table["images_seen"] = len(parts[0])
        table["multiply_adds"] = transfer.frozen_cost(recipe.weights, recipe.size) * len(parts[0])
    else:
        arrays, table = _fit(recipe, dataset, parts, seed, folder / "best.weights.h5", verbose)
    weights.save(folder / "weights.npz", arrays)
    table.to_csv(folder / "history.csv", index=False)
    card = _card(recipe, dataset, parts, seed) | {"seconds": round(time.perf_counter() - started, 1)}
    (folder / "card.json").write_text(json.dumps(card, indent=1), encoding="utf-8")


def _fit(recipe: Recipe, dataset: Dataset, parts: list[Dataset], seed: int, checkpoint: Path, verbose: bool):
    from cxr_utils import callbacks

    model, fitted = _prepared(recipe, dataset, seed)
    keras_loss, numpy_loss = _losses(recipe, parts[0].labels)
    compiled(fitted, load_keras().optimizers.Adam(recipe.learning_rate), keras_loss)
    watch = callbacks.Watch(_ordered(recipe, parts[1]), parts[1].labels, numpy_loss, verbose or sys.stdout.isatty())
    steps = -(-len(parts[0]) // recipe.batch_size)
    more = [callbacks.WarmUp(recipe.learning_rate, steps)] if recipe.weights else []
    fitted.fit(
        _shuffled(recipe, parts[0], seed),
        epochs=recipe.epochs,
        shuffle=False,  # the batches are
        verbose=0,
        callbacks=[*callbacks.standard(recipe, checkpoint, watch), *more],
    )
    fitted.load_weights(checkpoint)
    checkpoint.unlink()
    return weights.collect(_trained_layers(model, recipe)), _with_cost(watch.history, recipe, model, len(parts[0]))


def compiled(model: "keras.Model", optimizer: "keras.Optimizer", loss: losses.Loss) -> "keras.Model":
    """Make ready for `fit`. An optimizer that is built before saves half of the first step.

    Args:
        model: is changed.
        optimizer: new.
        loss: a function of truth and logits.

    Returns:
        The same model.
    """
    model.compile(optimizer, loss)
    optimizer.build(model.trainable_variables)  # otherwise TensorFlow traces twice, to see what was made
    return model


def _prepared(recipe: Recipe, dataset: Dataset, seed: int) -> tuple["keras.Model", "keras.Model"]:
    """The whole network, and the part of it that `fit` shall see."""
    head = train(head_of(recipe), dataset, seed) if recipe.weights else None
    load_keras().utils.set_random_seed(seed)
    model = build(recipe, len(dataset.findings))
    _start_from_prior(model, recipe, dataset.part("train").labels)
    if head:
        weights.assign(model, weights.read(head.folder / "weights.npz"))
    if recipe.trainable == "last_block":
        learning = {layer.name for layer in _trained_layers(model, recipe)}
        norm = load_keras().layers.BatchNormalization
        for layer in model.layers:
            # Batch normalisation that is not trainable also keeps the averages it has learned on more images.
            layer.trainable = layer.name in learning and not isinstance(layer, norm)
    return model, transfer.tail(model) if _from_trunk(recipe) else model


def _start_from_prior(model: "keras.Model", recipe: Recipe, labels: np.ndarray) -> None:
    """Know from the first step how rare each finding is; a weighted loss makes them all even."""
    if recipe.loss != "weighted":
        kernel, _ = model.get_layer("logits").get_weights()
        model.get_layer("logits").set_weights([kernel, losses.prior_logits(labels)])


def _from_trunk(recipe: Recipe) -> bool:
    """Whether the frozen part's output can be computed once: not if every epoch changes the images."""
    return recipe.trainable != "all" and not recipe.augment


def _trained_layers(model: "keras.Model", recipe: Recipe) -> list["keras.Layer"]:
    if recipe.trainable == "all":
        return model.layers
    names = [layer.name for layer in model.layers]
    return model.layers[names.index(models.LAST_FROZEN) + 1 :]


def _losses(recipe: Recipe, labels: np.ndarray):
    """The loss to train with, and its twin in numpy to measure with."""
    if recipe.loss == "focal":
        return losses.focal_loss(), losses.focal_loss_numpy
    positive, negative = losses.class_weights(labels) if recipe.loss == "weighted" else (1.0, 1.0)
    measure = functools.partial(losses.weighted_bce_numpy, positive=positive, negative=negative)
    return losses.weighted_bce(positive, negative), measure


def _shuffled(recipe: Recipe, part: Dataset, seed: int):
    image_weights = losses.sample_weights(part.labels) if recipe.sample_weights else None
    if _from_trunk(recipe):
        stored, rows = transfer.trunk_rows(part, recipe.weights, recipe.size)
        return pipeline.row_batches(
            stored, rows, part.labels, recipe.batch_size, shuffle_seed=seed, sample_weights=image_weights
        )
    return pipeline.batches(
        part, recipe.size, recipe.batch_size,
        augment=recipe.augment, shuffle_seed=seed, sample_weights=image_weights,
    )  # fmt: skip


def _ordered(recipe: Recipe, part: Dataset):
    if _from_trunk(recipe):
        stored, rows = transfer.trunk_rows(part, recipe.weights, recipe.size)
        return pipeline.row_batches(stored, rows, part.labels, 64)
    return pipeline.batches(part, recipe.size, 64)


def _with_cost(history: list[dict], recipe: Recipe, model: "keras.Model", count: int) -> pd.DataFrame:
    """Add what each epoch had cost: forward once for every layer, and twice as much again for those that learn."""
    table = pd.DataFrame(history)
    table["images_seen"] = table["epoch"] * count
    forward, learning = models.multiply_adds(model), models.multiply_adds(model, trained_only=True)
    if _from_trunk(recipe):  # computed once, before the first epoch
        table["multiply_adds"] = (forward - learning) * count + 3 * learning * table["images_seen"]
    else:
        table["multiply_adds"] = (forward + 2 * learning) * table["images_seen"]
    return table


def _card(recipe: Recipe, dataset: Dataset, parts: list[Dataset], seed: int) -> dict:
    return {
        "findings": list(dataset.findings),
        "preprocessing": {"size": recipe.size, "grey": "8 bits", "standardised": "image by image"},
        "recipe": asdict(recipe),
        "seed": seed,
        "weights": weights.identity(recipe.weights),
        "data": {"name": dataset.name, "digest": dataset.digest},
        "images": {name: len(part) for name, part in zip(("train", "valid"), parts, strict=True)},
        "patients": {name: len(set(part.patients)) for name, part in zip(("train", "valid"), parts, strict=True)},
        "version": cxr_utils.__version__,
        "backend": load_keras().backend.backend(),
    }


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -500, 500)))
