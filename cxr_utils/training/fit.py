"""Training: a recipe, a data set and a seed go in, and a network that can predict comes out.

Everything is cached by content: the same recipe on the same data with the same seed and code is trained once, for all
lessons together. A run that is killed goes on after the last whole epoch and ends as if it had not been. The cost of
training is counted in multiply-add operations, which are the same on every machine.
"""

import functools
import importlib.util
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import cxr_utils
from cxr_utils import cache
from cxr_utils.data import pixelstore
from cxr_utils.data.dataset import Dataset
from cxr_utils.errors import DataError, RecipeError, tell
from cxr_utils.networks import losses, models, trained, transfer, weights
from cxr_utils.networks.backend import backend, load_keras, rounding
from cxr_utils.networks.recipes import Recipe, head_of
from cxr_utils.networks.trained import PREPROCESSING, Trained, from_trunk, inputs
from cxr_utils.networks.transfer import build, features
from cxr_utils.training import devices, memory, pipeline

if TYPE_CHECKING:
    import keras

#: The modules whose code decides what a training run gives.
CODE = (
    *trained.CODE,
    "cxr_utils.networks.losses",
    *(f"cxr_utils.training.{name}" for name in ("pipeline", "callbacks", "devices", "fit")),
)


@dataclass(frozen=True)
class Options:
    """How a run is carried out, as against what it makes, which the recipe says.

    Attributes:
        verbose: whether to print a line per epoch; a terminal gets it anyway.
        devices: "1", another number, or "all"; see `cxr_utils.training.devices`.
        resume: whether to go on where a run of the same recipe, data, seed and code was killed; else begin anew.
        skip_corrupt: whether to leave out images whose file is damaged, instead of stopping at the first.
        tensorboard: a folder for TensorBoard's curves, or None.

    Example:
        >>> Options(devices="all").resume
        True
    """

    verbose: bool = False
    devices: str = "1"
    resume: bool = True
    skip_corrupt: bool = False
    tensorboard: Path | None = None


@dataclass(frozen=True)
class _Run:
    """One training run: what goes in, and where its state is kept while it lasts."""

    recipe: Recipe
    dataset: Dataset
    seed: int
    options: Options
    skipped: dict[str, str]

    @functools.cached_property
    def parts(self) -> list[Dataset]:
        return [self.dataset.part(name).with_images() for name in ("train", "valid")]

    @functools.cached_property
    def key(self) -> dict:
        key = {
            "recipe": asdict(self.recipe),
            "data": self.dataset.digest,
            "weights": weights.identity(self.recipe.network, self.recipe.weights),
            "seed": self.seed,
            "code": cache.code_version(*CODE),
        }
        key |= rounding()
        together = devices.cluster()
        # Other devices round otherwise: what they make is a result of its own.
        if self.options.devices != "1" or together.workers > 1:
            key["devices"] = [self.options.devices, together.workers]
        if devices.precision(self.recipe.mixed_precision) != "float32":
            key["precision"] = devices.precision(self.recipe.mixed_precision)
        if self.skipped:
            key["skipped"] = list(self.skipped)
        return key

    @property
    def state(self) -> Path:
        """Folder of the state after the last whole epoch; outside the entry, which is made as a whole or not at all."""
        return cache.root() / "training" / cache.digest(self.key)

    @property
    def finished(self) -> Path:
        """Where the network lies in the cache once it is whole."""
        return cache.root() / "models" / cache.digest(self.key)

    def entry(self) -> Path:
        """The finished network's folder in the cache, trained if need be.

        Of several processes that train together the first one keeps the network. The others must not wait for it at
        the door: they make an entry of their own, unless they find that all has been done before.
        """
        worker = devices.cluster().worker
        if worker and not self.finished.exists():
            return cache.entry("workers", self.key | {"worker": worker}, lambda new: _train_into(new, self))
        return cache.entry("models", self.key, lambda new: _train_into(new, self))


def train(recipe: Recipe, dataset: Dataset, seed: int = 0, *, options: Options | None = None) -> Trained:
    """Train on the part "train", choose the best epoch on the part "valid"; or find that this has been done before.

    Training that starts from a head ends no worse: the head counts as epoch 0, and of the epochs that cost no more than
    `callbacks.AUC_SPARED` of its mean validation AUC the one with the lowest validation loss is kept. A recipe without
    patience chooses nothing: its last epoch is kept. One with question="any" is asked whether there is
    any finding, whatever findings the data set has (`Dataset.any_finding`).

    Args:
        recipe: how.
        dataset: on what; images without a file are left out.
        seed: of weights, order and augmentation. The same seed gives the same network on the same machine.
        options: devices, and what to do about interruptions and damaged files.

    Returns:
        The trained network.

    Raises:
        DataError: the data set has no training or no validation images, no label of a finding is known among the
            training images, or none at all among the validation images.
        RecipeError: the weights to start from are not at hand, the loss is no longer a number, memory does not
            suffice, there are not as many devices as asked for, or curves are asked for without TensorBoard.
        ImageError: a file is damaged.

    Example:
        >>> from cxr_utils import data; dataset = data.open_dataset("phantom")
        >>> trained = train(Recipe(network="normal_abnormal_cnn", size=32, epochs=1), dataset)
        >>> trained.predict(dataset.part("test")).shape[1]
        14
    """
    options = options or Options()
    dataset = _asked(recipe, dataset)
    skipped: dict[str, str] = {}
    if options.skip_corrupt:
        dataset, skipped = pixelstore.without_damaged(dataset, recipe.size)
    run = _Run(recipe, dataset, seed, options, skipped)
    _check_known(*run.parts)
    if options.tensorboard:
        _check_tensorboard(run)
    entry = run.entry()
    shutil.rmtree(run.state, ignore_errors=True)
    return Trained(entry)


def cached(recipe: Recipe, dataset: Dataset, seed: int = 0) -> Trained | None:
    """The network that `train` would return for the same arguments, or None if it has not been trained yet.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> cached(Recipe(learning_rate=0.123), open_dataset("phantom"))
    """
    run = _Run(recipe, _asked(recipe, dataset), seed, Options(), {})
    return Trained(run.finished) if run.finished.exists() else None


def _asked(recipe: Recipe, dataset: Dataset) -> Dataset:
    """What is trained on. Only images with a file, so that a lesson that left the others out shares what is trained."""
    seen = dataset.with_images()
    return seen.any_finding() if recipe.question == "any" else seen


def _check_known(train_part: Dataset, valid_part: Dataset) -> None:
    """Refuse what cannot be learned: a network would answer all the same, and nobody could tell that it knows nothing.

    Raises:
        DataError: see `train`.
    """
    known = ~np.isnan(train_part.labels).all(axis=0)
    if not known.all():
        names = ", ".join(np.array(train_part.findings)[~known])
        raise DataError(
            f"{train_part.name}: not one label of {names} is known. Expected at least one of each finding to learn "
            "from. Leave such findings out, or add images for which they are known."
        )
    if np.isnan(valid_part.labels).all():
        raise DataError(
            f"{valid_part.name}: not one label is known. Expected some, because they choose the epoch that is kept. "
            "Add images whose labels are known, or divide the images anew with split_by_patient."
        )


def _train_into(folder: Path, run: _Run) -> None:
    recipe, parts = run.recipe, run.parts
    if recipe.trainable == "head":
        for part in parts:  # what this takes is known for each image, whichever run had computed it
            features(part, recipe)
        started = time.perf_counter()
        arrays, history = transfer.fit_head(recipe, *parts)
        table = pd.DataFrame(history).assign(epoch=range(1, len(history) + 1), learning_rate=np.nan)
        table["images_seen"] = len(parts[0])
        table["multiply_adds"] = transfer.frozen_cost(recipe) * len(parts[0])
        seconds = time.perf_counter() - started
        seconds += sum(transfer.frozen_seconds(part, recipe) for part in parts)
    else:
        arrays, table, seconds = _fit(run)
    weights.save(folder / "weights.npz", arrays)
    table.to_csv(folder / "history.csv", index=False)
    card = _card(run) | {"seconds": round(seconds, 1)}
    (folder / "card.json").write_text(json.dumps(card, indent=1), encoding="utf-8")


def _fit(run: _Run) -> tuple[dict[str, np.ndarray], pd.DataFrame, float]:
    """Weights of the epoch that is kept, the history, and the seconds it took."""
    from cxr_utils.training import callbacks

    recipe, (train_part, valid_part) = run.recipe, run.parts
    if recipe.trainable == "last_block":
        transfer.require_tail(recipe)
    head = train(head_of(recipe), run.dataset, run.seed) if recipe.weights else None
    started = time.perf_counter()
    with devices.open_devices(run.options.devices) as chosen:
        chosen.check(recipe.batch_size)
        keras_loss, numpy_loss = _losses(recipe, train_part)
        model, fitted = _prepared(run, chosen, keras_loss, head)
        predict = chosen.predictor(fitted, inputs(recipe, valid_part), len(valid_part))
        watch = callbacks.Watch(predict, valid_part.labels, numpy_loss, run.options.verbose or sys.stdout.isatty())
        layers = _trained_layers(model, recipe)
        standard = callbacks.standard(recipe, watch, _state_file(run), lambda: weights.collect(layers))
        keeper = standard[-1]
        keeper.started = started
        keeper.restore(fitted)
        if keeper.epochs_done < recipe.epochs and not keeper.stopped:
            with memory.shortage_explained(fitted, recipe.batch_size):
                if head and not watch.history:
                    keeper.begin()
                _fit_epochs(run, chosen, fitted, keras_loss, standard)
    seconds = keeper.elapsed() + (head.card["seconds"] if head else 0)
    history = pd.DataFrame(watch.history)
    seen, kept = history["epoch"] * len(train_part), history["epoch"] == keeper.kept_epoch
    cost = models.training_cost(model, seen, len(train_part), from_trunk(recipe))
    return keeper.kept, history.assign(images_seen=seen, multiply_adds=cost, kept=kept), seconds


def _fit_epochs(run: _Run, chosen: devices.Devices, fitted: "keras.Model", loss: losses.Loss, standard: list) -> None:
    from cxr_utils.training import callbacks

    recipe, done = run.recipe, standard[-1].epochs_done
    steps = -(-len(run.parts[0]) // recipe.batch_size)
    warm_up = [callbacks.warm_up(recipe.learning_rate, steps)] if recipe.weights else []
    batches = _shuffled(run, done, chosen.share)
    with pipeline.failures_named(batches):
        chosen.fit(
            fitted,
            loss,
            batches,
            epochs=recipe.epochs,
            initial_epoch=done,
            steps_per_epoch=steps,
            callbacks=[standard[0], *_tensorboard(run.options), *standard[1:-1], *warm_up, standard[-1]],
        )


def _state_file(run: _Run) -> Path | None:
    if not run.options.resume and devices.cluster().worker == 0:
        shutil.rmtree(run.state, ignore_errors=True)
    return run.state / "state.npz"


def _check_tensorboard(run: _Run) -> None:
    """Before anything slow begins: whether there will be curves, and if not, why."""
    folder = run.options.tensorboard
    if importlib.util.find_spec("tensorboard") is None or backend() != "tensorflow":
        raise RecipeError(
            f"TensorBoard's curves were asked for in {folder}, which takes Keras on TensorFlow and the package "
            f"tensorboard. Expected both, and found Keras on {backend()}. Install them (pip install 'cxr-utils"
            "[tensorflow]' tensorboard), or leave the option out: the history is a table in history.csv anyway."
        )
    if run.recipe.trainable == "head":
        tell(f"no curves in {folder}: a head is fitted at once, not in epochs. history.csv tells what was tried")
    elif run.finished.exists():
        tell(f"no curves in {folder}: this network has been trained before. history.csv has its figures")


def _tensorboard(options: Options) -> list:
    if options.tensorboard is None or devices.cluster().worker:  # all processes measure the same; one writes
        return []
    return [load_keras().callbacks.TensorBoard(options.tensorboard, write_graph=False)]


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


def _prepared(
    run: _Run, chosen: devices.Devices, loss: losses.Loss, head: Trained | None
) -> tuple["keras.Model", "keras.Model"]:
    """The whole network, and the part of it that `fit` shall see, compiled."""
    recipe, keras = run.recipe, load_keras()
    keras.utils.set_random_seed(run.seed)
    with chosen.scope(), devices.computing_in(devices.precision(recipe.mixed_precision)):
        model = build(recipe, len(run.dataset.findings))
        _start_from_prior(model, recipe, run.parts[0])
        if head:
            weights.assign(model, weights.read(head.folder / "weights.npz"))
        if recipe.trainable == "last_block":
            learning = {layer.name for layer in _trained_layers(model, recipe)}
            for layer in model.layers:
                # Batch normalisation that is not trainable also keeps the averages it has learned on more images.
                layer.trainable = layer.name in learning and not isinstance(layer, keras.layers.BatchNormalization)
        chosen.synchronise(model)
        fitted = transfer.tail(model, recipe) if from_trunk(recipe) else model
        return model, compiled(fitted, keras.optimizers.Adam(recipe.learning_rate), loss)


def _start_from_prior(model: "keras.Model", recipe: Recipe, part: Dataset) -> None:
    """Know from the first step how rare each finding is; a weighted loss makes them all even."""
    if recipe.loss != "weighted":
        kernel, _ = model.get_layer("logits").get_weights()
        model.get_layer("logits").set_weights([kernel, losses.prior_logits(part.labels, _draws(recipe, part))])


def _draws(recipe: Recipe, part: Dataset) -> np.ndarray | None:
    return losses.expected_draws(part.labels) if recipe.oversample else None


def _trained_layers(model: "keras.Model", recipe: Recipe) -> list["keras.Layer"]:
    if recipe.trainable == "all":
        return model.layers
    names = [layer.name for layer in model.layers]
    return model.layers[names.index(models.CUTS[recipe.network]) + 1 :]


def _losses(recipe: Recipe, part: Dataset) -> tuple[losses.Loss, Callable[[np.ndarray, np.ndarray], float]]:
    """The loss to train with, and its twin in numpy to measure with."""
    known = losses.share_known(part.labels, _draws(recipe, part))
    if recipe.loss == "focal":
        return losses.focal_loss(known=known), losses.focal_loss_numpy
    positive, negative = losses.class_weights(part.labels) if recipe.loss == "weighted" else (1.0, 1.0)
    numpy_loss = functools.partial(losses.bce_numpy, positive=positive, negative=negative)
    return losses.bce(positive, negative, known), numpy_loss


def _shuffled(run: _Run, first_epoch: int, share: pipeline.Share | None) -> pipeline.Batches:
    """What is learned from, in all epochs from `first_epoch` (from 0) on."""
    recipe, part = run.recipe, run.parts[0]
    return pipeline.batches(
        inputs(recipe, part),
        part.labels,
        recipe.batch_size,
        augment=recipe.augment,
        shuffle_seed=run.seed,
        epochs=range(first_epoch, recipe.epochs),
        sample_weights=losses.sample_weights(part.labels) if recipe.sample_weights else None,
        times=_draws(recipe, part),
        share=share,
    )


def _card(run: _Run) -> dict:
    sizes = dict(zip(("train", "valid"), run.parts, strict=True))
    return {
        "findings": list(run.dataset.findings),
        "preprocessing": PREPROCESSING | {"size": run.recipe.size},
        "recipe": asdict(run.recipe),
        "seed": run.seed,
        "weights": weights.identity(run.recipe.network, run.recipe.weights),
        "data": {"name": run.dataset.name, "digest": run.dataset.digest},
        "images": {name: len(part) for name, part in sizes.items()},
        "patients": {name: len(set(part.patients)) for name, part in sizes.items()},
        "skipped": run.skipped,
        "devices": run.options.devices,
        "precision": devices.precision(run.recipe.mixed_precision),
        "version": cxr_utils.__version__,
        "backend": load_keras().backend.backend(),
    }
