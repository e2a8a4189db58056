"""Weights from simulation: EfficientNet-Lite0, from photographs on to simulated radiographs.

`cxr pretrain` writes data/weights/efficientnet_lite0_simulated.npz and its record; `cxr pretrain --rehearse` does the
same on a handful of images, elsewhere.

The network starts from what photographs teach, and learns from pictures that differ in all that is no finding
(`randomization`): to name the findings, and, with a second head that is thrown away afterwards, to draw them, both
lungs and the heart, because only a simulator knows where they are. After every epoch weights and optimizer are kept, so
that a run that was stopped goes on with the next epoch; only dropout begins its random numbers anew.

Simulated patients cannot say what is worth most on real X-rays; real ones can. Given some, `ship` looks at all but
their test parts and takes the best of the last epochs.
"""

import functools
import json
import math
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import cxr_utils
from cxr_utils import cache
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.pixelstore import standardised
from cxr_utils.errors import RecipeError
from cxr_utils.networks import losses, readout, transfer, weights
from cxr_utils.networks.backend import backend, load_keras
from cxr_utils.networks.efficientnet import efficientnet_lite0
from cxr_utils.networks.recipes import recipe
from cxr_utils.phantom import FINDINGS, simulator_version
from cxr_utils.training import randomization, simulated
from cxr_utils.training.fit import CODE

if TYPE_CHECKING:
    import keras

NETWORK = "efficientnet_lite0"


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

    Example:
        >>> Plan(epochs=3).size
        192
    """

    images: int = 12_000
    drawn_at: int = 256
    seed: int = 1000
    size: int = 192
    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 5e-4
    weight_decay: float = 2e-2
    frozen: int = 2
    mask_weight: float = 1.0


PLAN = Plan()
REHEARSAL = replace(PLAN, images=80, drawn_at=64, size=64, epochs=2, batch_size=16)


def pretrain(plan: Plan) -> Path:
    """Train, or go on training.

    Args:
        plan: what to do.

    Returns:
        The folder of the run: `state.json`, and weights of each epoch for `ship`.

    Example:
        >>> import contextlib, io
        >>> with contextlib.redirect_stdout(io.StringIO()):  # a line an epoch, where it was not trained before
        ...     folder = pretrain(replace(REHEARSAL, images=40, size=32, epochs=1))
        >>> (folder / "state.json").exists()
        True
    """
    folder = run_folder(plan)
    pictures = simulated.draw_pictures(plan.images, plan.drawn_at, plan.seed)
    state: dict[str, Any] = {
        "epochs_done": 0, "seconds": 0.0, "history": [], "plan": asdict(plan), "simulator": simulator_version(),
        "code": _code(),
    }  # fmt: skip
    if (folder / "state.json").exists():
        state = json.loads((folder / "state.json").read_text())
    with simulated.processes() as pool:
        model = None
        for epoch in range(state["epochs_done"], plan.epochs):
            started = time.perf_counter()
            if model is None:
                model = _network(plan, folder / f"whole{(epoch - 1) % 2}.npz" if epoch else None)
            learned = _learn(plan, model, epoch, pictures, pool)
            seconds = state["seconds"] + time.perf_counter() - started
            row: dict[str, Any] = {name: round(float(value), 4) for name, value in learned.items()}
            row["auc_of_simulated_patients"] = _auc(plan, model, pictures, pool)
            done = {"epochs_done": epoch + 1, "seconds": seconds, "history": [*state["history"], row]}
            state = state | done | {"backend": backend()}
            weights.save(folder / _epoch(epoch + 1), _shipped(model), "float16")
            weights.save(folder / f"whole{epoch % 2}.npz", _whole(model))  # in turn: the state names a whole one
            cache.write_text(folder / "state.json", json.dumps(state))
            print(
                f"epoch {epoch + 1} of {plan.epochs}: loss {row['loss']}, AUC of simulated patients "
                f"{row['auc_of_simulated_patients']['mean']}, {seconds:.0f} s in all",
                flush=True,
            )
    return folder


def run_folder(plan: Plan) -> Path:
    """Where a run of this plan keeps its state; another simulator or other code is another run."""
    key = {"plan": asdict(plan), "simulator": simulator_version(), "code": _code()}
    folder = cache.root() / "pretraining" / cache.digest(key)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _code() -> str:
    return cache.code_version(*CODE, "cxr_utils.training.randomization", "cxr_utils.training.simulated")


def _held_out(plan: Plan) -> int:
    """How many pictures, the first ones, are not learned from."""
    return max(plan.images // 20, 8)


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
    model.compile(
        optimizer,
        {"logits": losses.bce(), "masks": keras.losses.BinaryCrossentropy(from_logits=True)},
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


def _learn(plan: Plan, model: "keras.Model", epoch: int, pictures: Path, pool: Executor) -> dict[str, float]:
    """One epoch; its learning rates are its piece of the schedule of all. Returns its mean losses."""
    first = _held_out(plan)
    rows = first + np.random.default_rng([plan.seed, epoch]).permutation(plan.images - first)
    batches = [rows[start : start + plan.batch_size] for start in range(0, len(rows), plan.batch_size)]
    feed = simulated.feed(pictures, batches, (plan.seed, epoch), plan.size, pool)
    model.reset_metrics()
    seen: dict[str, float] = {}
    for step, (images, targets) in enumerate(feed):  # not `fit`: TensorFlow's own queue may hang where an epoch ends
        done = (epoch * len(batches) + step + 1) / (len(batches) * plan.epochs)
        model.optimizer.learning_rate = plan.learning_rate * schedule(done)
        seen = model.train_on_batch(images, targets, return_dict=True)
    return seen


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


def _auc(plan: Plan, model: "keras.Model", pictures: Path, pool: Executor) -> dict[str, float]:
    """AUC of each finding on the pictures that are not learned from, changed in the same way after every epoch."""
    rows = np.array_split(np.arange(_held_out(plan)), max(_held_out(plan) // plan.batch_size, 1))
    change = functools.partial(simulated.Batch.changed, pictures, (plan.seed + 1, 0), plan.size)
    made = [*pool.map(change, rows)]
    pixels, labels = (np.concatenate([getattr(batch, what) for batch in made]) for what in ("pixels", "labels"))
    logits = model.predict(standardised(pixels), batch_size=plan.batch_size, verbose=0)["logits"]
    auc = {name: readout.mean_auc(labels[:, [place]] * 1.0, logits[:, [place]]) for place, name in enumerate(FINDINGS)}
    return {name: round(area, 4) for name, area in (auc | {"mean": float(np.nanmean(list(auc.values())))}).items()}


# --- what is shipped -----------------------------------------------------------------------------------------------
def ship(run: Path, target: Path, judges: Sequence[Dataset] = ()) -> Path:
    """Write the weights that a run has ended with, or those of the epoch that is worth most on real X-rays.

    Args:
        run: of `pretrain`.
        target: the .npz file; the record goes beside it, ending in .json.
        judges: real collections, of which all but the test part is looked at. Heads are fitted to the frozen features
            of each of the last epochs, and judged by their mean AUC over folds of patients; the best mean over the
            collections counts.

    Returns:
        The file.

    Raises:
        RecipeError: the run has not ended.
    """
    state = json.loads((run / "state.json").read_text())
    plan = Plan(**state["plan"])
    if state["epochs_done"] < plan.epochs:
        raise RecipeError(
            f"The run in {run} has gone through {state['epochs_done']} of {plan.epochs} epochs. Expected all, because "
            'the learning rate falls until the last. Go on with "cxr pretrain".'
        )
    worth = {epoch: _worth(run / _epoch(epoch), judges) for epoch in _last_epochs(plan)} if judges else {}
    best = max(worth, key=lambda epoch: np.mean(list(worth[epoch].values()))) if worth else plan.epochs
    weights.save(target, weights.read(run / _epoch(best)), "float16")
    record = {
        "network": NETWORK,
        "findings": list(FINDINGS),
        "plan": state["plan"],
        "epoch": best,
        "auc_of_simulated_patients": state["history"][best - 1]["auc_of_simulated_patients"],
        "auc_of_frozen_features_on_real_patients": {str(epoch): areas for epoch, areas in worth.items()},
        "history": state["history"],
        "data": "simulated radiographs with the simulator's own truth as labels; a twentieth is not learned from",
        "start": f"photographs, {weights.identity(NETWORK, 'imagenet')}",
        "seconds": round(state["seconds"]),
        "backend": state["backend"],
        "simulator": state["simulator"],
        "code": state["code"],
        "version": cxr_utils.__version__,
    }
    cache.write_text(target.with_suffix(".json"), json.dumps(record, indent=1) + "\n")
    return target


def _epoch(number: int) -> str:
    return f"epoch{number:02}.npz"


def _last_epochs(plan: Plan) -> range:
    """Those of the last quarter, and the one before it."""
    return range(plan.epochs - plan.epochs // 4, plan.epochs + 1)


def _worth(file: Path, judges: Sequence[Dataset]) -> dict[str, float]:
    """Mean AUC over folds of the patients of each collection, those of its test part left out.

    Only findings count that ten patients have and ten have not.
    """
    frozen, worth = replace(recipe("lite0-head"), weights=str(file)), {}
    for one in judges:
        looked_at = one.subset(one.table["split"].to_numpy() != "test", one.name)
        patients, labels = looked_at.patients, looked_at.labels
        labels = labels[:, readout.fewest_patients(labels, patients) >= 10]
        said = readout.judged(transfer.features(looked_at, frozen), labels, readout.folds(patients))
        worth[one.name] = round(readout.mean_auc(labels, said), 4)
    return worth
