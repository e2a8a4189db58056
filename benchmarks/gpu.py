"""What a GPU makes of the course, as a page. Run there: python benchmarks/gpu.py [--profile full] [--out FILE]

First the whole sequence under papermill, as `cxr run --profile full` runs it, with what every lesson claims. Then one
recipe (`--recipe`) on the same data:
- images a second in training, with batches from the pipeline, as a median over epochs; the first epoch of each round,
  which compiles and fills caches, is left out;
- the share of time in which the device waits for data: the same epochs, with one batch from memory over and over, are
  what they would be without waiting. Both take turns, in one process, on the same network;
- images a second in prediction;
- the AUC of every finding on the test part, with 95 % intervals over patients, of the network as the recipe trains it.

The page is written when all of it is done. `--profile quick` rehearses on a processor (`--only 02` with one lesson);
`KERAS_BACKEND=jax` before the command measures JAX. For the speed, frozen parts are trained too.
"""

import argparse
import os
import platform
import statistics
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from cxr_utils import cache
from cxr_utils.course.lessons import choose_lessons, find_lessons
from cxr_utils.course.record import total
from cxr_utils.course.run import Settings
from cxr_utils.course.run import run as run_lessons
from cxr_utils.data import pixelstore
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset
from cxr_utils.evaluation.metrics import auc_table
from cxr_utils.networks import losses
from cxr_utils.networks.backend import load_keras, load_tensorflow
from cxr_utils.networks.recipes import Recipe, recipe
from cxr_utils.networks.trained import build
from cxr_utils.training import devices, fit, pipeline

ROUNDS, EPOCHS = 3, 3


def machine() -> list[str]:
    """What it is measured on."""
    keras = load_keras()
    backend = keras.backend.backend()
    tensorflow = load_tensorflow()
    if backend == "jax":
        import jax

        version, found = jax.__version__, [device.device_kind for device in jax.devices()]
    else:
        version = tensorflow.__version__
        kinds = tensorflow.config.list_physical_devices("GPU") or tensorflow.config.list_physical_devices("CPU")
        details = [tensorflow.config.experimental.get_device_details(kind) for kind in kinds]
        found = [one.get("device_name", kind.device_type) for one, kind in zip(details, kinds, strict=True)]
    return [
        f"- device: {', '.join(found)}; {os.cpu_count()} processor cores",
        f"- Keras {keras.__version__} on {backend} {version}, Python {platform.python_version()}, {platform.system()}",
        f"- commit {commit()}",
    ]


def commit() -> str:
    """Of the checkout; with a word where files differ from it."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def sequence(settings: Settings, only: list[str], folder: Path) -> list[str]:
    """Run the lessons; a line of Markdown each."""
    results = run_lessons(choose_lessons(find_lessons(cache.repository()), only), settings, folder)
    rows = ["| lesson | claims held | seconds | memory (MB) | ended | |", "|:--|--:|--:|--:|:--|:--|"]
    for one in results:
        ended = f"failed: {one.error.splitlines()[0]}" if one.error else "well"
        cells = one.lesson, one.claims, f"{one.seconds:.0f}", f"{one.peak_mb:,}", ended, one.headline
        rows.append(f"| {' | '.join(cells)} |")
    return [*rows, "", f"Claims held: {total(results).claims}."]


def epoch_rates(model, batches, steps: int, images: int) -> list[float]:
    """Images a second of each epoch but the first."""
    keras = load_keras()

    class Clock(keras.callbacks.Callback):
        """Notes when epochs end."""

        def on_epoch_end(self, epoch, logs=None):
            ends.append(time.perf_counter())

    ends: list[float] = []
    model.fit(batches, steps_per_epoch=steps, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[Clock()])
    return (images / np.diff(ends)).tolist()


def speed(asked: Recipe, dataset: Dataset, most: int) -> list[str]:
    """Images a second in training and prediction, and how long the device waits for them."""
    keras, tf = load_keras(), load_tensorflow()
    part = dataset.part("train")
    part = part.subset(np.arange(min(most, len(part))), part.name)
    pixelstore.pixels(part, asked.size)  # decoding is not what is measured here: see bench_input.py
    with devices.computing_in(devices.precision(asked.mixed_precision)):
        model = fit.compiled(build(asked, len(part.findings)), keras.optimizers.Adam(asked.learning_rate), losses.bce())
    how = {"augment": asked.augment, "shuffle_seed": 0, "epochs": range(EPOCHS)}
    steps, whole = -(-len(part) // asked.batch_size), len(part) // asked.batch_size
    first = next(iter(pipeline.batches(part, asked.size, asked.batch_size, **how)))
    rates: dict[str, list[float]] = {"pipeline": [], "memory": []}
    for _ in range(ROUNDS):
        batches = pipeline.batches(part, asked.size, asked.batch_size, **how)
        rates["pipeline"] += epoch_rates(model, batches, steps, len(part))
        repeated = tf.data.Dataset.from_tensors(first).repeat()
        rates["memory"] += epoch_rates(model, repeated, whole, whole * asked.batch_size)
    fed, unfed = (statistics.median(rates[name]) for name in ("pipeline", "memory"))
    predicted = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        model.predict(pipeline.batches(part, asked.size, 64), verbose=0)
        predicted.append(len(part) / (time.perf_counter() - started))
    return [
        f"- training: {fed:,.0f} images/s from the pipeline, {unfed:,.0f} from memory: the device waits for data "
        f"{max(0.0, 1 - fed / unfed):.1%} of the time",
        f"- prediction: {statistics.median(predicted):,.0f} images/s",
        f"- {len(part):,} images of {asked.size} pixels, batches of {asked.batch_size}, all layers trained, "
        f"{devices.precision(asked.mixed_precision)}",
    ]


def quality(asked: Recipe, dataset: Dataset, seed: int) -> list[str]:
    """AUC of every finding, of the network that the recipe makes."""
    run, test = fit.train(asked, dataset, seed, verbose=True), dataset.part("test")
    table = auc_table(test.table, run.predict(test), test.patients)
    rows = ["| finding | AUC | 95 % interval |", "|:--|--:|:--|"]
    rows += [f"| {name} | {row['auc']:.3f} | {row['low']:.3f} to {row['high']:.3f} |" for name, row in table.iterrows()]
    sizes = f"{run.card['images']['train']:,} training images, {len(test):,} test images"
    return [f"{sizes}; {len(run.history)} epochs in {run.card['seconds']:,.0f} s.", "", *rows]


def main() -> int:
    """Measure, and write the page; returns 1 when a lesson failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="phantom")
    parser.add_argument("--profile", choices=("quick", "full"), default="full")
    parser.add_argument("--recipe", default="densenet-transfer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=4000, help="at most, for images a second")
    parser.add_argument("--only", default="", help="lessons, separated by commas")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("gpu.md"))
    asked = parser.parse_args()
    data = asked.data if asked.data == "phantom" else str(Path(asked.data).resolve())
    settings = Settings(data, asked.profile, asked.seed)
    only = [item for item in asked.only.split(",") if item.strip()]
    lessons = sequence(settings, only, cache.repository() / "runs" / settings.name)  # before this process takes the GPU
    dataset = open_dataset(data, profile=asked.profile, seed=asked.seed).with_images()
    one = recipe(asked.recipe, asked.profile)
    everything = replace(one, trainable="all")
    page = [
        "# The course on one machine", "", f"`python benchmarks/gpu.py --profile {asked.profile}` printed this.", "",
        *machine(), "", "## Speed", "", *speed(everything, dataset, asked.images), "",
        f"## `{asked.recipe}` on the test part", "", *quality(one, dataset, asked.seed), "",
        "## The lessons", "", *lessons,
    ]  # fmt: skip
    cache.write_text(asked.out, "\n".join(page) + "\n")
    print("\n".join(page))
    return int(any("| failed:" in line for line in lessons))


if __name__ == "__main__":
    raise SystemExit(main())
