"""Makes the weights that the course ships: EfficientNet-Lite0, from photographs on to simulated radiographs.

`cxr pretrain` writes data/weights/efficientnet_lite0_simulated.npz and its record; `cxr pretrain --rehearse` does the
same on a handful of images, elsewhere.

The network starts from what photographs teach, and learns from pictures that differ in all that is no finding
(`randomization`): to name the findings, and, with a second head that is thrown away afterwards, to draw them, both
lungs and the heart, because only a simulator knows where they are. After every epoch the whole state is kept, so that a
run that was stopped goes on with the next epoch. Simulated patients cannot say what is worth most on real X-rays; real
ones can: `judge` looks at the validation parts of real collections and ships the best epoch.
"""

import functools
import json
import math
import os
import shutil
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from cxr_utils import cache
from cxr_utils.data.pixelstore import standardised
from cxr_utils.networks import losses, transfer, weights
from cxr_utils.networks.backend import backend, load_keras
from cxr_utils.networks.efficientnet import efficientnet_lite0
from cxr_utils.phantom import FINDINGS, simulator_version
from cxr_utils.training import randomization
from cxr_utils.training.fit import CODE

if TYPE_CHECKING:
    import keras

NETWORK = "efficientnet_lite0"
#: Batches that are made before they are asked for, for each process that makes them.
AHEAD = 3
_PICTURES_A_TASK = 40


@dataclass(frozen=True)
class Plan:
    """What a pretraining run does.

    Attributes:
        images: simulated radiographs; a twentieth of them is not learned from, but says how far the training is.
        drawn_at: their side in pixels.
        seed: of the pictures, of how they are changed, and of the training.
        size: side in pixels of what the network sees; a multiple of 32.
        epochs: times round the pictures, which look different each time.
        batch_size: images per step.
        learning_rate: of AdamW at its highest; it rises over the first twentieth and falls to zero as a cosine.
        weight_decay: of AdamW.
        frozen: stages that stay as photographs have taught them.
        mask_weight: what the drawing of masks counts beside the naming of findings.
    """

    images: int = 12_000
    drawn_at: int = 256
    seed: int = 1000
    size: int = 192
    epochs: int = 16
    batch_size: int = 64
    learning_rate: float = 5e-4
    weight_decay: float = 2e-2
    frozen: int = 2
    mask_weight: float = 1.0


PLAN = Plan()
REHEARSAL = replace(PLAN, images=80, drawn_at=64, size=64, epochs=2, batch_size=16)


@dataclass(frozen=True)
class Pictures:
    """Simulated radiographs on disk, memory-mapped: pixels (n, side, side), labels (n, 14), masks (n, 17, 32, 32)."""

    pixels: np.ndarray
    labels: np.ndarray
    masks: np.ndarray

    @classmethod
    def open(cls, folder: Path) -> "Pictures":
        """Those that `draw_pictures` has written."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("pixels", "labels", "masks")))


def pretrain(plan: Plan) -> Path:
    """Train, or go on training.

    Args:
        plan: what to do.

    Returns:
        The folder of the run: `state.json`, and weights of each epoch for `ship`.
    """
    folder = run_folder(plan)
    pictures = draw_pictures(plan)
    state: dict[str, Any] = {"epochs_done": 0, "seconds": 0.0, "history": [], "plan": asdict(plan), "code": _code()}
    if (folder / "state.json").exists():
        state = json.loads((folder / "state.json").read_text())
    with _processes() as pool:
        model = None
        for epoch in range(state["epochs_done"], plan.epochs):
            started = time.perf_counter()
            if model is None:
                model = _network(plan, folder / f"whole{(epoch - 1) % 2}.npz" if epoch else None)
            feed = _Feed(plan, pictures, epoch, pool)
            losses_seen = model.fit(
                feed.for_keras(), epochs=1, verbose=0, shuffle=False, callbacks=[_rate(plan, epoch, len(feed))]
            ).history
            seconds = state["seconds"] + time.perf_counter() - started
            row = {name: round(float(values[-1]), 4) for name, values in losses_seen.items() if name != "learning_rate"}
            row["auc_of_simulated_patients"] = round(_auc(plan, model, pictures, pool), 4)
            done = {"epochs_done": epoch + 1, "seconds": seconds, "history": [*state["history"], row]}
            state = {**state, **done, "backend": backend()}
            weights.save(folder / f"epoch{epoch + 1:02}.npz", _shipped(model), "float16")
            weights.save(folder / f"whole{epoch % 2}.npz", _whole(model))  # in turn: the state names a whole one
            cache.write_text(folder / "state.json", json.dumps(state))
            print(f"epoch {epoch + 1} of {plan.epochs}: {row}, {seconds:.0f} s in all", flush=True)
    return folder


def run_folder(plan: Plan) -> Path:
    """Where a run of this plan keeps its state; another simulator or other code is another run."""
    key = {"plan": asdict(plan), "simulator": simulator_version(), "code": _code()}
    folder = cache.root() / "pretraining" / cache.digest(key)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _code() -> str:
    return cache.code_version(*CODE, "cxr_utils.training.randomization", "cxr_utils.networks.efficientnet")


# --- pictures ------------------------------------------------------------------------------------------------------
def draw_pictures(plan: Plan) -> Path:
    """Make the simulated radiographs to learn from, once, by all cores.

    Args:
        plan: says how many, how large, and from which seed.

    Returns:
        A folder for `Pictures.open`.
    """
    version = cache.code_version("cxr_utils.training.randomization")
    name = f"{plan.images}-{plan.drawn_at}-{plan.seed}-{simulator_version()}-{version}"
    folder = cache.root() / "pretraining" / "pictures" / name
    if folder.exists():
        return folder
    beside = folder.with_name(f"{name}.{os.getpid()}.part")
    beside.mkdir(parents=True)
    shapes = {
        "pixels": (plan.drawn_at, plan.drawn_at),
        "labels": (len(FINDINGS),),
        "masks": (len(randomization.MASKS), randomization.MASK_SIZE, randomization.MASK_SIZE),
    }
    try:
        arrays = [
            np.lib.format.open_memmap(beside / f"{what}.npy", "w+", np.uint8, (plan.images, *shape))
            for what, shape in shapes.items()
        ]
        starts = range(0, plan.images, _PICTURES_A_TASK)
        with _processes() as pool, tqdm(total=plan.images, desc="simulating", unit="image") as bar:
            tasks = (range(start, min(start + _PICTURES_A_TASK, plan.images)) for start in starts)
            for numbers, drawn in pool.map(functools.partial(_draw_some, plan.seed, plan.drawn_at), tasks):
                for array, values in zip(arrays, drawn, strict=True):
                    array[numbers.start : numbers.stop] = values
                bar.update(len(numbers))
        for array in arrays:
            array.flush()
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _draw_some(seed: int, size: int, numbers: range) -> tuple[range, list[np.ndarray]]:
    drawn = zip(*(randomization.draw(seed, number, size) for number in numbers), strict=True)
    return numbers, [np.stack(values) for values in drawn]


def _processes() -> ProcessPoolExecutor:
    """All cores; by "spawn" everywhere, because a fork of a process with a backend's threads may hang."""
    return ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"), initializer=_one_thread)


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)  # the processes share the cores between them


# --- batches -------------------------------------------------------------------------------------------------------
def _held_out(plan: Plan) -> int:
    """How many pictures, the first ones, are not learned from."""
    return max(plan.images // 20, 8)


class _Feed:
    """The batches of one epoch, made by other processes before they are asked for.

    Args:
        plan: what to do.
        pictures: folder of `draw_pictures`.
        epoch: from 0.
        pool: the processes.
    """

    def __init__(self, plan: Plan, pictures: Path, epoch: int, pool: ProcessPoolExecutor) -> None:
        rows = _held_out(plan) + np.random.default_rng([plan.seed, epoch]).permutation(plan.images - _held_out(plan))
        self.batches = [rows[start : start + plan.batch_size] for start in range(0, len(rows), plan.batch_size)]
        self.pool, self.how = pool, (pictures, plan.seed, epoch, plan.size)
        self.started: dict[int, Future] = {}

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        for other in range(number, min(number + AHEAD * (os.cpu_count() or 1), len(self))):
            if other not in self.started:
                self.started[other] = self.pool.submit(_changed, *self.how, self.batches[other])
        pixels, labels, masks = self.started.pop(number).result()
        return standardised(pixels), {"logits": labels.astype(np.float32), "masks": masks.astype(np.float32) / 255}

    def for_keras(self) -> "keras.utils.PyDataset":
        """What `fit` takes."""
        base: Any = load_keras().utils.PyDataset

        class Fed(base):
            """One batch after the other, in order."""

            num_batches = len(self)

            def __getitem__(_, number: int):  # noqa: N805
                return self[number]

        return Fed()


def _changed(folder: Path, seed: int, epoch: int, size: int, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """A batch: pixels (b, size, size), labels (b, 14), masks (b, size / 16, size / 16, 17), all uint8."""
    pictures = _opened(folder)
    changed = [
        randomization.change(pictures.pixels[row], pictures.masks[row], np.random.default_rng([seed, epoch, row]), size)
        for row in rows
    ]
    pixels, masks = (np.stack(one) for one in zip(*changed, strict=True))
    return pixels, pictures.labels[rows], masks.transpose(0, 2, 3, 1)


_opened = functools.lru_cache(maxsize=1)(Pictures.open)


# --- the network ---------------------------------------------------------------------------------------------------
def _network(plan: Plan, state: Path | None) -> "keras.Model":
    """EfficientNet-Lite0 with two heads, findings and masks; as photographs have taught it, or as an epoch left it."""
    keras = load_keras()
    layers = keras.layers
    keras.utils.set_random_seed(plan.seed)
    one = efficientnet_lite0(plan.size, len(FINDINGS), "imagenet", dropout=0.2)
    names = [layer.name for layer in one.layers]
    for layer in one.layers[: names.index(f"stage{plan.frozen}") if plan.frozen else 0]:
        layer.trainable = False
    late = layers.UpSampling2D(2, interpolation="bilinear", name="late")(one.get_layer("stage7").output)
    seen = layers.Concatenate(name="early_and_late")([one.get_layer("stage5").output, late])
    drawn = layers.Conv2D(128, 1, activation="relu", name="masks_hidden")(seen)
    drawn = layers.Conv2D(len(randomization.MASKS), 1, dtype="float32", name="masks")(drawn)
    model = keras.Model(one.input, {"logits": one.output, "masks": drawn}, name=NETWORK)
    optimizer = keras.optimizers.AdamW(plan.learning_rate, weight_decay=plan.weight_decay)
    cross_entropy = functools.partial(keras.losses.BinaryCrossentropy, from_logits=True)
    model.compile(
        optimizer,
        {"logits": losses.bce(), "masks": cross_entropy()},
        loss_weights={"logits": 1.0, "masks": plan.mask_weight},
    )
    optimizer.build(model.trainable_variables)
    if state is not None:
        arrays = weights.read(state)
        weights.assign(model, arrays)
        for number, variable in enumerate(optimizer.variables):
            variable.assign(arrays[f"optimizer/{number}"])
    return model


def _shipped(model: "keras.Model") -> dict[str, np.ndarray]:
    """The weights without the head that draws masks."""
    return {name: array for name, array in weights.collect(model.layers).items() if not name.startswith("masks")}


def _whole(model: "keras.Model") -> dict[str, np.ndarray]:
    """All that the next epoch needs."""
    known = {
        f"optimizer/{number}": np.asarray(load_keras().ops.convert_to_numpy(variable), np.float32)
        for number, variable in enumerate(model.optimizer.variables)
    }
    return weights.collect(model.layers) | known


def _rate(plan: Plan, epoch: int, steps: int):
    """The learning rates of an epoch are its piece of the schedule of all."""
    from cxr_utils.training.callbacks import RateOfStep

    total = steps * plan.epochs
    return RateOfStep(lambda _, step: plan.learning_rate * schedule((epoch * steps + step + 1) / total))


def schedule(done: float) -> float:
    """Share of the highest learning rate.

    Args:
        done: share of all steps, from 0 to 1.

    Returns:
        Rises to 1 over the first twentieth, then falls to 0 as half a cosine.

    Example:
        >>> schedule(0.025), schedule(0.05), round(schedule(1), 9)
        (0.5, 1.0, 0.0)
    """
    warm = 0.05
    return done / warm if done < warm else (1 + math.cos(math.pi * (done - warm) / (1 - warm))) / 2


def _auc(plan: Plan, model: "keras.Model", pictures: Path, pool: ProcessPoolExecutor) -> float:
    """Mean AUC on the pictures that are not learned from, changed in the same way after every epoch."""
    rows = np.array_split(np.arange(_held_out(plan)), max(_held_out(plan) // plan.batch_size, 1))
    made = pool.map(functools.partial(_changed, pictures, plan.seed + 1, 0, plan.size), rows)
    pixels, labels = (np.concatenate(one) for one in zip(*((some[0], some[1]) for some in made), strict=True))
    logits = model.predict(standardised(pixels), batch_size=plan.batch_size, verbose=0)["logits"]
    return transfer.mean_auc(labels.astype(np.float32), logits)
