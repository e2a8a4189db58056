"""Frugal transfer: what a trained network already sees, computed once an image, and a head fitted to it in seconds.

A network is cut where fine-tuning begins (`models.CUTS`). Most of its work lies before the cut (of DenseNet121 24 of 25
multiplications) and is the same for every head and every fine-tuning, so its result is kept on disk, one row per image.
"""

import functools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_utils import cache
from cxr_utils.data import pixelstore
from cxr_utils.data.dataset import Dataset
from cxr_utils.errors import RecipeError
from cxr_utils.networks import efficientnet, losses, models, weights
from cxr_utils.networks.backend import load_keras, rounding
from cxr_utils.networks.readout import fit_regressions, layer_name
from cxr_utils.networks.recipes import PRETRAINED, Recipe

if TYPE_CHECKING:
    import keras

#: Images in a batch that is predicted, and batches that are read together.
BATCH, TOGETHER = 64, 8


def build(recipe: Recipe, outputs: int) -> "keras.Model":
    """The network of a recipe, as it is before training.

    Args:
        recipe: names network, size, readout, dropout and weights.
        outputs: number of findings.

    Returns:
        A network from images (batch, size, size, 1) to logits (batch, outputs).

    Raises:
        RecipeError: the weights are not at hand, or the readout does not fit the network.
    """
    pretrained = recipe.network in PRETRAINED
    options: dict[str, Any] = {"weights": recipe.weights, "readout": recipe.readout} if pretrained else {}
    home = efficientnet if recipe.network == "efficientnet_lite0" else models
    return getattr(home, recipe.network)(recipe.size, outputs, dropout=recipe.dropout, **options)


def features(dataset: Dataset, recipe: Recipe) -> np.ndarray:
    """What the frozen network says about each image: the averages that the head reads. Cached.

    Args:
        dataset: every row must have its image file.
        recipe: names network, weights, size and readout.

    Returns:
        float32, shape (images, features).

    Raises:
        RecipeError: the weights are not at hand, or the readout does not fit the network.
    """
    started = time.perf_counter()
    parts, key = _parts(recipe), _key(dataset, recipe) | {"readout": recipe.readout}
    building = time.perf_counter() - started
    none = np.zeros((0, parts["features"]), np.float32)

    def averaged(missing: list[int], rows: Callable | None) -> Iterator[np.ndarray]:
        whole = _whole(recipe)
        read = rows or pixelstore.reader(dataset, recipe.size)
        seen = _at_cut(whole, recipe) if rows else whole.input
        yield from in_chunks(load_keras().Model(seen, _read_by(whole)), read, missing)

    def compute(missing: list[int]) -> Iterator[np.ndarray]:
        rows = tail_reader(dataset, recipe) if parts["trunk"] else None  # has clocks of its own
        yield from _timed(_clock("features", key), averaged(missing, rows), building)

    stored, rows = cache.rows("features", key, pixelstore.file_names(dataset), none, compute)
    return stored[rows]


def tail_reader(dataset: Dataset, recipe: Recipe) -> Callable[[np.ndarray], Any]:
    """What the part of a network behind its cut sees, read from what the frozen part has computed.

    Args:
        dataset: every row must have its image file.
        recipe: names network, weights, size and readout.

    Returns:
        A function from rows of the table (n,) to maps at the cut (n, height, width, channels). Where the head reads
        layers before the cut too, to a tuple of these maps and each such layer's averages (n, features).
    """
    stored, rows = _trunk_rows(dataset, recipe)
    early = [features(dataset, one) for one in _early(recipe)]
    if not early:
        return lambda positions: stored[rows[positions]]
    return lambda positions: (stored[rows[positions]], *(averages[positions] for averages in early))


def _trunk_rows(dataset: Dataset, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """The maps at the cut, memory-mapped (m, height, width, channels), and the row of each image (n,). Cached."""
    require_tail(recipe)
    none, key = np.zeros((0, *_parts(recipe)["trunk"]), np.float32), _key(dataset, recipe)

    def frozen_maps(missing: list[int]) -> Iterator[np.ndarray]:
        whole = _whole(recipe)
        trunk = load_keras().Model(whole.input, whole.get_layer(models.CUTS[recipe.network]).output)
        yield from in_chunks(trunk, pixelstore.reader(dataset, recipe.size), missing)

    def compute(missing: list[int]) -> Iterator[np.ndarray]:
        return _timed(_clock("trunk", key), frozen_maps(missing))

    return cache.rows("trunk", key, pixelstore.file_names(dataset), none, compute)


def require_tail(recipe: Recipe) -> None:
    """Make sure that there is something to fine-tune behind the cut.

    Args:
        recipe: of a network of `models.CUTS`.

    Raises:
        RecipeError: its head reads nothing that lies behind.
    """
    if not _parts(recipe)["trunk"]:
        raise RecipeError(
            f"The readout {recipe.readout} of {recipe.network} ends before what fine-tuning trains. Expected a layer "
            f'behind {models.CUTS[recipe.network]!r}. Read a later one, or use trainable="head".'
        )


def frozen_seconds(dataset: Dataset, recipe: Recipe) -> float:
    """How long the frozen features of some images take on this machine, whether computed now or found in the cache.

    Args:
        dataset: its features have been computed before.
        recipe: names network, weights, size and readout.

    Returns:
        Seconds, from what images of this collection took on average; reading their files is counted in.
    """
    key = _key(dataset, recipe)
    readouts = [one.readout for one in (recipe, *_early(recipe))]
    files = [_clock("trunk", key)] if _parts(recipe)["trunk"] else []
    clocks = [_read_clock(file) for file in files + [_clock("features", key | {"readout": one}) for one in readouts]]
    return len(dataset) * sum(clock["seconds"] / max(1, clock["images"]) for clock in clocks)


def _early(recipe: Recipe) -> list[Recipe]:
    """For each pair of the readout that must be computed beside the maps at the cut: the recipe of it alone."""
    return [replace(recipe, readout=((layer, fields),)) for layer, fields in _parts(recipe)["early"]]


def _parts(recipe: Recipe) -> dict:
    """How a network is divided. Kept on disk, because to see it a network must be built, which takes seconds.

    Its entries: `features`, their number; `trunk`, the shape of the maps at the cut, or None where the head reads
    nothing behind it; and if it does, `early`, the pairs of its readout before the cut.
    """

    def make(folder: Path) -> None:
        model, cut = _whole(recipe), models.CUTS[recipe.network]
        names = [layer.name for layer in model.layers]  # in the order in which they are computed
        place = names.index(cut) if cut in names else len(names)
        reached = max((names.index(layer) for layer, _ in recipe.readout), default=len(names))
        divided = place < reached
        early = [pair for pair in recipe.readout if divided and names.index(pair[0]) < place]
        trunk = model.get_layer(cut).output.shape[1:] if divided else None
        parts = {"features": _read_by(model).shape[1], "trunk": trunk, "early": early}
        (folder / "parts.json").write_text(json.dumps(parts))

    key = {"network": recipe.network, "size": recipe.size, "readout": recipe.readout, "code": _code()}
    return json.loads((cache.entry("parts", key, make) / "parts.json").read_text())


def _read_by(model: "keras.Model") -> Any:
    """What the head reads: a tensor (batch, features)."""
    return model.get_layer("dropout").input


def _at_cut(model: "keras.Model", recipe: Recipe) -> Any:
    """What `tail_reader` gives, as tensors of the network."""
    early = [model.get_layer(layer_name(*pair)).output for one in _early(recipe) for pair in one.readout]
    maps = model.get_layer(models.CUTS[recipe.network]).output
    return (maps, *early) if early else maps


def _clock(kind: str, key: dict) -> Path:
    return cache.root() / "clocks" / f"{kind}-{cache.digest(key)}.json"


def _read_clock(file: Path) -> dict:
    return json.loads(file.read_text()) if file.exists() else {"images": 0, "seconds": 0.0}


def _timed(file: Path, rows: Iterator[np.ndarray], before: float = 0.0) -> Iterator[np.ndarray]:
    """Pass rows on as they are computed; add up in a file how many came, and the seconds of them and of all before."""
    total = _read_clock(file)
    total["seconds"] += before
    while True:
        started = time.perf_counter()
        chunk = next(rows, None)
        if chunk is None:
            return
        total["seconds"] += time.perf_counter() - started
        total["images"] += len(chunk)
        file.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(file, json.dumps(total))
        yield chunk


@functools.lru_cache(maxsize=2)
def _frozen(identity: str, recipe: Recipe) -> "keras.Model":
    """Kept, because building a DenseNet121 takes seconds; `identity` notices when the file has changed."""
    return build(recipe, 1)


def _whole(recipe: Recipe) -> "keras.Model":
    frozen = Recipe(recipe.network, recipe.size, weights=recipe.weights, readout=recipe.readout)
    return _frozen(weights.identity(recipe.network, recipe.weights), frozen)


def in_chunks(
    model: "keras.Model", read: Callable, positions: Sequence[int] | np.ndarray, batch: int = BATCH
) -> Iterator[np.ndarray]:
    """What a network says, so that memory holds one chunk of its inputs at a time.

    Args:
        model: any network with one output.
        read: a function from n positions to the network's inputs there, (n, ...), or a tuple of several.
        positions: where to read.
        batch: images that the network is shown together.

    Yields:
        Outputs (n, ...), to the bit those that `model.predict` gives for all positions in such batches.
    """
    for start in range(0, len(positions), TOGETHER * batch):
        yield model.predict(read(np.asarray(positions[start : start + TOGETHER * batch])), batch_size=batch, verbose=0)


def frozen_cost(recipe: Recipe) -> int:
    """Multiply-adds of the frozen network with a head of one output, for one image.

    Args:
        recipe: names network, weights, size and readout.
    """
    return models.multiply_adds(_whole(recipe))


def tail(model: "keras.Model", recipe: Recipe) -> "keras.Model":
    """The part of a network behind the cut; it shares its layers with the whole.

    Args:
        model: the network of the recipe.
        recipe: names network, size and readout.

    Returns:
        A network from what `tail_reader` gives to logits.

    Raises:
        RecipeError: nothing that the head reads lies behind the cut.
    """
    require_tail(recipe)
    return load_keras().Model(_at_cut(model, recipe), model.output, name="tail")


def _key(dataset: Dataset, recipe: Recipe) -> dict:
    return {
        "root": str(dataset.root.resolve()),
        "network": recipe.network,
        "size": recipe.size,
        "weights": weights.identity(recipe.network, recipe.weights),
        "code": _code(),
    } | rounding()


def _code() -> str:
    names = ("efficientnet", "models", "readout", "torch_file", "transfer", "weights")
    return cache.code_version("cxr_utils.data.images", *(f"cxr_utils.networks.{name}" for name in names))


def fit_head(recipe: Recipe, train: Dataset, valid: Dataset) -> tuple[dict[str, np.ndarray], list[dict]]:
    """Fit a head to the frozen features of the images whose label is known.

    Args:
        recipe: with trainable="head".
        train: the images to fit to.
        valid: the images to choose with.

    Returns:
        As `readout.fit_regressions`.
    """
    seen, unseen = ((features(part, recipe), part.labels) for part in (train, valid))
    return fit_regressions(seen, unseen, losses.example_weights(recipe, train.labels))
