"""Makes the weights that the course ships: DenseNet121, from scratch, on simulated radiographs of other patients.

`cxr pretrain` writes data/weights/densenet121_simulated.npz and its record; `cxr pretrain --rehearse` does the same on
a handful of images, elsewhere.

Images grow as training goes on: most epochs see small ones, which cost a quarter, and the last see the size that
lessons use. After every epoch the state is kept, so that a run that was stopped goes on with the next epoch, and the
shipped file is replaced whenever the validation patients say that the network has become better.
"""

import functools
import json
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import cxr_utils
from cxr_utils import cache
from cxr_utils.data import pixelstore
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset
from cxr_utils.networks import losses, models, transfer, weights
from cxr_utils.networks.backend import load_keras
from cxr_utils.phantom import make_cohort, simulator_version
from cxr_utils.training import pipeline
from cxr_utils.training.fit import CODE, compiled

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Plan:
    """What a pretraining run does.

    Attributes:
        images: simulated radiographs, all parts together.
        drawn_at: their side in pixels.
        seed: of the cohort and of the training; another one than that of the course, so these are other patients.
        stages: (side in pixels, epochs), one after the other.
        judged_at: side in pixels at which the validation patients are looked at.
        batch_size: images per step.
        learning_rate: of Adam at its highest; it rises over the first twentieth and falls to zero as a cosine.
        weight_decay: of AdamW.
        augment: names from `pipeline.AUGMENTATIONS`.
    """

    images: int = 8000
    drawn_at: int = 128
    seed: int = 1000
    stages: tuple[tuple[int, int], ...] = ((64, 6), (96, 3))
    judged_at: int = 96
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    augment: tuple[str, ...] = ("rotate", "shift", "brightness")

    @property
    def sizes(self) -> list[int]:
        """Side in pixels of the images of each epoch."""
        return [size for size, epochs in self.stages for _ in range(epochs)]


PLAN = Plan()
REHEARSAL = replace(PLAN, images=80, stages=((32, 1), (64, 1)), judged_at=64, batch_size=16)


def pretrain(plan: Plan, target: Path) -> Path:
    """Train, or go on training, and write the best weights so far.

    Args:
        plan: what to do.
        target: the .npz file; the record goes beside it, ending in .json.

    Returns:
        The file.
    """
    key = {"plan": asdict(plan), "simulator": simulator_version(), "code": cache.code_version(*CODE)}
    folder = cache.root() / "pretraining" / cache.digest(key)
    folder.mkdir(parents=True, exist_ok=True)
    train, valid = cohort(plan)
    state: dict[str, Any] = {"epochs_done": 0, "best": 0.0, "seconds": 0.0, "history": []}
    if (folder / "state.json").exists():
        state = json.loads((folder / "state.json").read_text())
    model = None
    for epoch, size in list(enumerate(plan.sizes))[state["epochs_done"] :]:
        started = time.perf_counter()
        if model is None or model.input_shape[1] != size:
            model = _network(plan, folder, len(train.findings), epoch, size)
        _learn(plan, model, train, epoch, size)
        arrays = weights.collect(model.layers)
        auc = _auc(plan, arrays, valid)
        state = _next_state(plan, state, size, auc["mean"], time.perf_counter() - started)
        if auc["mean"] == state["best"]:
            weights.save(target, arrays, "float16")
            record = _record(plan, train, valid, auc, state)
            cache.write_text(target.with_suffix(".json"), json.dumps(record, indent=1) + "\n")
        weights.save(folder / f"epoch{epoch % 2}.npz", arrays)  # two files in turn: the state names a whole one
        cache.write_text(folder / "state.json", json.dumps(state))
        print(f"epoch {epoch + 1} at {size} pixels: AUC {auc['mean']:.4f}, {state['seconds']:.0f} s in all", flush=True)
    return target


def _next_state(plan: Plan, state: dict, size: int, auc: float, seconds: float) -> dict:
    return {
        "epochs_done": state["epochs_done"] + 1,
        "best": max(state["best"], auc),
        "seconds": state["seconds"] + seconds,
        "history": [*state["history"], {"size": size, "auc": round(auc, 4), "of_epochs": len(plan.sizes)}],
    }


def cohort(plan: Plan) -> tuple[Dataset, Dataset]:
    """The simulated patients to train on and those to judge by, labelled with what was drawn into the pictures.

    Args:
        plan: says how many, how large, and from which seed.

    Returns:
        Data sets to train on (its parts train and test) and to validate with.
    """
    name = f"{plan.images}-{plan.drawn_at}-{plan.seed}-{simulator_version()}"
    folder = cache.root() / "cohorts" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    make_cohort(folder, images=plan.images, size=plan.drawn_at, seed=plan.seed)
    dataset = open_dataset(folder)
    table = dataset.table.copy()
    table[list(dataset.findings)] = dataset.truth()[list(dataset.findings)].to_numpy(np.int8)
    dataset = replace(dataset, table=table)
    judged = (table["split"] == "valid").to_numpy()
    return dataset.subset(~judged, "pretraining"), dataset.subset(judged, "pretraining, judged")


def _network(plan: Plan, folder: Path, outputs: int, epoch: int, size: int) -> "keras.Model":
    """A network for images of this size, with the weights of the epoch before, if there is one."""
    keras = load_keras()
    keras.utils.set_random_seed(plan.seed)
    model = models.densenet121(size, outputs, weights=None)
    compiled(model, keras.optimizers.AdamW(plan.learning_rate, weight_decay=plan.weight_decay), losses.bce())
    if epoch:
        weights.assign(model, weights.read(folder / f"epoch{(epoch - 1) % 2}.npz"))
    return model


def _learn(plan: Plan, model: "keras.Model", train: Dataset, epoch: int, size: int) -> None:
    """One epoch; its learning rates are its piece of the schedule of all."""
    from cxr_utils.training.callbacks import RateOfStep

    steps = -(-len(train) // plan.batch_size)
    total = steps * len(plan.sizes)
    rate = RateOfStep(lambda _, step: plan.learning_rate * schedule((epoch * steps + step + 1) / total))
    batches = pipeline.batches(
        pixelstore.reader(train, size),
        train.labels,
        plan.batch_size,
        augment=plan.augment,
        shuffle_seed=plan.seed,
        epochs=[epoch],
    )
    model.fit(pipeline.for_keras(batches), epochs=1, verbose=0, shuffle=False, callbacks=[rate])


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


def _auc(plan: Plan, arrays: dict[str, np.ndarray], valid: Dataset) -> dict[str, float]:
    """AUC of each finding on the validation patients, at one size for all epochs."""
    model = _judge(plan.judged_at, len(valid.findings))
    weights.assign(model, arrays)
    read = pixelstore.reader(valid, plan.judged_at)
    logits = np.concatenate([*transfer.in_chunks(model, read, np.arange(len(valid)))])
    columns = enumerate(valid.findings)
    auc = {name: transfer.mean_auc(valid.labels[:, [c]], logits[:, [c]]) for c, name in columns}
    return auc | {"mean": transfer.mean_auc(valid.labels, logits)}


@functools.cache
def _judge(size: int, outputs: int) -> "keras.Model":
    return models.densenet121(size, outputs, weights=None)


def _record(plan: Plan, train: Dataset, valid: Dataset, auc: dict[str, float], state: dict) -> dict:
    return {
        "network": "densenet121",
        "findings": list(train.findings),
        "plan": asdict(plan),
        "epochs_done": state["epochs_done"],
        "history": state["history"],  # where a plan was changed on the way, `of_epochs` shows it
        "data": {
            "what": "simulated radiographs with the simulator's own truth as labels",
            "simulator": simulator_version(),
            "images": {"train": len(train), "judged": len(valid)},
            "patients": {"train": len(set(train.patients)), "judged": len(set(valid.patients))},
        },
        "auc_of_judged_patients": {name: round(value, 4) for name, value in auc.items()},
        "seconds": round(state["seconds"]),
        "version": cxr_utils.__version__,
        "code": cache.code_version(*CODE),
    }
