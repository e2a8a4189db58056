"""A trained network in its folder: how to use it, how to hand it on, and what to refuse.

Two forms. The cached one holds only the layers that were trained and finds the rest among the shipped weights; it is
small, because lessons train many. The exported one (`export`, `cxr train`) holds everything and works on a machine
that has this package and nothing else.
"""

import contextlib
import errno
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxr_utils import cache
from cxr_utils.data import images, pixelstore
from cxr_utils.data.dataset import Dataset
from cxr_utils.errors import RecipeError
from cxr_utils.networks import transfer, weights
from cxr_utils.networks.backend import backend, load_keras, rounding
from cxr_utils.networks.readout import Readout
from cxr_utils.networks.recipes import Recipe
from cxr_utils.networks.transfer import build

if TYPE_CHECKING:
    import keras

#: What `images.load_image` does. A model that learned from pictures prepared in another way is refused.
PREPROCESSING = {"version": 1, "grey": "8 bits", "standardised": "image by image"}
#: The modules whose code decides what a trained network answers.
CODE = tuple(
    f"cxr_utils.{name}"
    for name in (
        "data.images",
        "data.dicom",
        "data.pixelstore",
        "networks.efficientnet",
        "networks.models",
        "networks.readout",
        "networks.torch_file",
        "networks.weights",
        "networks.transfer",
        "networks.trained",
    )
)


@dataclass(frozen=True)
class Trained:
    """A trained network in its folder, with the card that says how to use it.

    Attributes:
        folder: holds `weights.npz`, `history.csv` and `card.json`.

    Example:
        >>> Trained(Path("nowhere")).folder.name
        'nowhere'
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
        told = self.card["recipe"]
        pairs = tuple((layer, fields) for layer, fields in told.get("readout", ()))
        return Recipe(**told | {"augment": tuple(told["augment"]), "readout": pairs})

    @functools.cached_property
    def history(self) -> pd.DataFrame:
        """A row per epoch (for a head: per penalty tried); 0 is the head that fine-tuning starts from.

        Columns: epoch, loss, val_loss, val_auc, learning_rate; what it had cost by then: images_seen and
        multiply_adds; and which row is `kept`.
        """
        return pd.read_csv(self.folder / "history.csv")

    @property
    def kept(self) -> pd.Series:
        """The row of `history` whose weights these are: the lowest validation loss, without patience the last one.

        Fine-tuning's head is epoch 0, and an epoch whose validation AUC is lower than the head's by more than
        `callbacks.AUC_SPARED` is not kept. Of a head the penalty with the highest validation AUC, where there is one.
        """
        return self.history[self.history["kept"]].iloc[0]

    @property
    def weights_count(self) -> int:
        """How many weights (numbers, not arrays) the whole network has, also those that were not trained."""
        return _weights_count(self.recipe.network, self.recipe.size, self.recipe.readout, len(self.findings))

    @functools.cached_property
    def model(self) -> "keras.Model":
        """The network, loaded when first asked for."""
        if self._exported:
            with _undrawn():
                model = build(replace(self.recipe, weights=None, trainable="all"), len(self.findings))
            return _filled(model, weights.read(self.folder / "weights.npz"), self.folder)
        self._require_same_start()
        model = build(self.recipe, len(self.findings))
        weights.assign(model, weights.read(self.folder / "weights.npz"))
        return model

    def _require_same_start(self) -> None:
        if weights.identity(self.recipe.network, self.recipe.weights) != self.card["weights"]:
            raise RecipeError(
                f"Weights {self.recipe.weights!r} have changed since this network was trained. Expected the file with "
                f"hash {self.card['weights']}. Train again, or put the old file back."
            )

    def predict(self, dataset: Dataset) -> pd.DataFrame:
        """Probability of each finding in each image that has its file. Cached.

        Args:
            dataset: of any findings; its labels are not looked at.

        Returns:
            A column per finding of the network, index `image`.

        Raises:
            ImageError: a file is damaged.
        """
        dataset = dataset.with_images()
        model = self.card["weights_file"] if self._exported else self.folder.name
        key = {"model": model, "data": dataset.digest, "code": cache.code_version(*CODE)} | rounding()
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
        if backend() == "jax":  # operation by operation it would compile each by itself
            logits = self.model.predict_on_batch(picture)[0]
        else:
            logits = load_keras().ops.convert_to_numpy(self.model(picture, training=False))[0]
        return pd.Series(_sigmoid(logits), index=list(self.findings))

    def export(self, folder: str | Path) -> "Trained":
        """Write the whole network, with the layers that were not trained, as a folder that needs nothing else.

        Args:
            folder: a new one, or one that holds an exported network, which is replaced.

        Returns:
            The network in its new folder.

        Raises:
            RecipeError: there is something else in the folder.
        """
        folder = Path(folder).resolve()
        if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / "card.json").exists())):
            raise RecipeError(
                f"{folder} exists and is no trained network. Expected a new folder, or one that `cxr train` wrote. "
                "Choose another --out."
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        try:
            self._write(beside)
            beside.chmod(0o755)
            _put(beside, folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return Trained(folder)

    def _write(self, folder: Path) -> None:
        weights.save(folder / "weights.npz", weights.collect(self.model.layers))
        shutil.copyfile(self.folder / "history.csv", folder / "history.csv")
        card = self.card | {"whole": True, "weights_file": _hash(folder / "weights.npz")}
        cache.write_text(folder / "card.json", json.dumps(card, indent=1))

    @property
    def _exported(self) -> bool:
        return self.card.get("whole", False)

    def _logits(self, dataset: Dataset) -> np.ndarray:
        if self.recipe.trainable == "head" and not self._exported:  # features and a product: no network is built
            head = weights.read(self.folder / "weights.npz")
            seen = transfer.features(dataset, self.recipe)
            return seen @ head["logits/kernel"] + head["logits/bias"]
        whole = replace(self.recipe, trainable="all") if self._exported else self.recipe
        model = self._tail() if from_trunk(whole) else self.model
        return np.concatenate([*transfer.in_chunks(model, inputs(whole, dataset), np.arange(len(dataset)))])

    def _tail(self) -> "keras.Model":
        self._require_same_start()
        tail = _shared_tail(self.recipe.network, self.recipe.size, self.recipe.readout, len(self.findings))
        weights.assign(tail, weights.read(self.folder / "weights.npz"))
        return tail


@functools.lru_cache(maxsize=1)
def _shared_tail(network: str, size: int, readout: Readout, outputs: int) -> "keras.Model":
    """What stands behind the frozen part, for predictions: building a network anew for each takes seconds."""
    recipe = Recipe(network, size, readout=readout)
    return transfer.tail(build(recipe, outputs), recipe)


@functools.cache
def _weights_count(network: str, size: int, readout: Readout, outputs: int) -> int:
    return build(Recipe(network, size, readout=readout), outputs).count_params()


def inputs(recipe: Recipe, dataset: Dataset) -> Callable[[np.ndarray], Any]:
    """What the trained part of a network sees: pictures, or rows that the frozen part has computed.

    Args:
        recipe: of the network.
        dataset: every row must have its image file.

    Returns:
        A function from rows of the table (n,) to inputs (n, ...), or a tuple of them; see `transfer.tail_reader`.
    """
    if from_trunk(recipe):
        return transfer.tail_reader(dataset, recipe)
    return pixelstore.reader(dataset, recipe.size)


def from_trunk(recipe: Recipe) -> bool:
    """Whether the frozen part's output can be computed once: not if every epoch changes the images."""
    return recipe.trainable != "all" and not recipe.augment


def _put(whole: Path, folder: Path) -> None:
    """Give a folder its name, whatever bears it. Another process may do the same just now: the last one stays."""
    for attempt in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            whole.rename(folder)
            return
        except OSError as error:
            if attempt == 19 or error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise


def open_model(folder: str | Path, findings: Sequence[str] | None = None, size: int | None = None) -> Trained:
    """Open the folder of a trained network, and refuse one that is damaged or meant for something else.

    Args:
        folder: written by `cxr train` or `Trained.export`, or an entry of the cache.
        findings: what the outputs must mean, in order; None takes any.
        size: side in pixels that the images must have; None takes any.

    Returns:
        The network; its weights are read when they are first needed.

    Raises:
        RecipeError: the folder is no trained network, is damaged or half-written, was trained on pictures that were
            prepared in another way, or its labels or size are not those that were asked for.

    Example:
        >>> from cxr_utils.data import open_dataset; from cxr_utils.training import train
        >>> recipe = Recipe(network="normal_abnormal_cnn", size=32, epochs=1)
        >>> open_model(train(recipe, open_dataset("phantom")).folder, size=32).card["recipe"]["network"]
        'normal_abnormal_cnn'
    """
    trained = Trained(Path(folder).expanduser().resolve())
    _check_files(trained)
    card = trained.card
    told = {name: card["preprocessing"].get(name) for name in PREPROCESSING}
    if told != PREPROCESSING:
        raise RecipeError(
            f"{folder} was trained on pictures prepared by {told}. Expected {PREPROCESSING}, which is what "
            f"version {card['version']} of this package does. Use the version that trained it, or train it again."
        )
    if size is not None and card["preprocessing"]["size"] != size:
        raise RecipeError(
            f"{folder} is a network for images of {card['preprocessing']['size']} pixels. Expected one for {size}. "
            "Choose another network, or leave the size out."
        )
    if findings is not None and list(findings) != card["findings"]:
        raise RecipeError(
            f"{folder} is a network for {', '.join(card['findings'])}. Expected one for {', '.join(findings)}, in this "
            "order. Choose another network, or train one on these findings."
        )
    return trained


def _check_files(trained: Trained) -> None:
    folder = trained.folder
    missing = [name for name in ("card.json", "weights.npz", "history.csv") if not (folder / name).is_file()]
    if missing:
        raise RecipeError(
            f"{folder} is not the folder of a trained network: it has no {', '.join(missing)}. Expected a folder that "
            "`cxr train --out FOLDER` has written. Check the path, or train one."
        )
    try:
        card = trained.card
        needed = {"findings", "preprocessing", "recipe", "version"} - set(card)
        if needed or card["preprocessing"]["size"] != trained.recipe.size:
            raise ValueError(f"of its entries {sorted(needed) or 'size'} do not fit")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, RecipeError):
            raise
        raise _damaged(folder, f"card.json cannot be understood ({error})") from None
    if "weights_file" in card and _hash(folder / "weights.npz") != card["weights_file"]:
        raise _damaged(folder, "weights.npz is not the file that card.json was written for")


@contextlib.contextmanager
def _undrawn() -> Iterator[None]:
    """Networks made within it begin at zero: where all weights are read, to draw them first takes half a second."""
    drawn = load_keras().initializers.VarianceScaling
    call = drawn.__call__
    drawn.__call__ = lambda self, shape, dtype=None, **_: np.zeros(shape, dtype)
    try:
        yield
    finally:
        drawn.__call__ = call


def _filled(model: "keras.Model", arrays: dict[str, np.ndarray], folder: Path) -> "keras.Model":
    wanted = {name: array.shape for name, array in weights.collect(model.layers).items()}
    given = {name: array.shape for name, array in arrays.items()}
    if given != wanted:
        name = next(name for name in [*wanted, *given] if wanted.get(name) != given.get(name))
        raise RecipeError(
            f"{folder} has {given.get(name, 'no array')} as {name}, where its card (findings and size) makes it "
            f"{wanted.get(name, 'absent')}. Expected weights and card of one training run. Train it again."
        )
    weights.assign(model, arrays)
    return model


def _damaged(folder: Path, how: str) -> RecipeError:
    return RecipeError(
        f"{folder} is damaged: {how}. Expected the folder as `cxr train` wrote it. Copy it again, or train it again."
    )


@functools.lru_cache(maxsize=8)
def _hash_of(path: Path, size: int, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:24]


def _hash(path: Path) -> str:
    status = os.stat(path)
    return _hash_of(path, status.st_size, status.st_mtime_ns)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -500, 500)))
