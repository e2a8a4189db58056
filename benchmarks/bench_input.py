"""Input speed: this package's pipeline beside Keras' ImageDataGenerator, on 1024-pixel PNG files at 224 pixels.

Run from the checkout: python benchmarks/bench_input.py [--images 300] [--size 224]
Both shuffle and standardise image by image; the generator is what the seeds of this course use. As in training, one
series of batches gives all epochs; what it needs to start counts as the first one's. The files are copies of the real
ones beside the checkout (CXR_REAL_DATA or ../shared/real), or simulated where those are absent. Then
`fit` through the pipeline beside `fit` on arrays that are in memory already. Rounds take turns and a ratio is the
median of the rounds' ratios, so that a machine that slows down does not decide; still, measure on an idle one. The
processor time an image takes is printed too: it says what the first epoch costs where other work takes the cores.

Last, what 20,000 images of 224 pixels need, in a process of its own that feeds a whole epoch of them and trains on each
tenth batch. Memory is resident memory that belongs to this process alone (RSS less shared pages): pages of the cache
file that lie in memory are counted by the system as its own too, but it takes them back when anyone needs them.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil

from cxr_utils import phantom
from cxr_utils.data import pixelstore
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset
from cxr_utils.data.readers.files import Files
from cxr_utils.data.schema import FINDINGS
from cxr_utils.networks import models
from cxr_utils.networks.backend import load_keras
from cxr_utils.networks.losses import bce
from cxr_utils.training import pipeline

REAL = Path(os.environ.get("CXR_REAL_DATA", Path(__file__).parents[2] / "shared" / "real")) / "nih" / "original"
LIMITS = {"first epoch": 1.7, "later epochs": 50.0, "fit": 0.95}
MOST_MEMORY = 2.0  # GB


def images_to_read(count: int, folder: Path) -> Dataset:
    """Files of 1024 pixels: the real ones, each copied as often as needed, else simulated ones."""
    if not REAL.is_dir():
        return open_dataset(phantom.make_cohort(folder / "phantom", images=count, size=1024, seed=1))
    originals = sorted(REAL.iterdir())
    files = {f"{number:05}.png": str(folder / f"{number:05}.png") for number in range(count)}
    for number, file in enumerate(files.values()):
        shutil.copyfile(originals[number % len(originals)], file)
    columns = {"image": list(files), "patient": list(files), "split": "train"}
    labels = np.random.default_rng(0).integers(0, 2, (count, len(FINDINGS)))
    table = pd.DataFrame({**columns, **dict(zip(FINDINGS, labels.T, strict=True))})
    return Dataset("to read", "folders", folder, table, FINDINGS, pd.DataFrame(), None, Files(files))


def seconds_of(batches: Iterable) -> tuple[float, float]:
    """Time to take all of some batches, and the processor time of all threads that it took."""
    started, worked = time.perf_counter(), time.process_time()
    for _ in batches:
        pass
    return time.perf_counter() - started, time.process_time() - worked


def generator(dataset: Dataset, size: int):
    """Keras' generator as the seeds use it: from a data frame, standardised image by image, shuffled."""
    load_keras()
    from keras.src.legacy.preprocessing.image import ImageDataGenerator  # where it lies for every backend

    table = dataset.table.assign(path=[str(dataset.path(image)) for image in dataset.table["image"]])
    made = ImageDataGenerator(samplewise_center=True, samplewise_std_normalization=True)
    return made.flow_from_dataframe(
        table, x_col="path", y_col=list(dataset.findings), class_mode="raw", target_size=(size, size),
        color_mode="grayscale", batch_size=32, shuffle=True, seed=0,
    )  # fmt: skip


def batches(dataset: Dataset, size: int, **how) -> pipeline.Batches:
    """This package's batches of 32."""
    return pipeline.batches(pixelstore.reader(dataset, size), dataset.labels, 32, **how)


def course_batches(dataset: Dataset, size: int, seed: int) -> Iterator:
    """Six epochs of this package's batches, one after the other; what they need is made when the first is asked for."""
    yield from batches(dataset, size, shuffle_seed=seed, epochs=range(6))


def input_speed(dataset: Dataset, size: int, cache: Path, rounds: int = 3) -> dict[str, float]:
    """Times as fast as the generator: a first epoch, with an empty cache each time, and the median of later ones."""
    keras_batches = generator(dataset, size)
    times: dict[str, list] = {"ImageDataGenerator": [], "first epoch": [], "later epochs": []}
    for number in range(rounds):
        os.environ["CXR_CACHE"] = str(cache / f"round{number}")
        times["ImageDataGenerator"].append(seconds_of(keras_batches[n] for n in range(len(keras_batches))))
        ours = course_batches(dataset, size, number)
        epochs = [seconds_of(islice(ours, len(keras_batches))) for _ in range(6)]
        times["first epoch"].append(epochs[0])
        times["later epochs"].append(sorted(epochs[1:])[2])
    for name, rows in times.items():
        seconds, worked = np.median(rows, axis=0)
        print(f"{name:20} {len(dataset) / seconds:9.0f} images/s {1e3 * worked / len(dataset):8.2f} ms of processor")
    reference = [seconds for seconds, _ in times.pop("ImageDataGenerator")]
    return {
        name: statistics.median(one / other for one, (other, _) in zip(reference, rows, strict=True))
        for name, rows in times.items()
    }


def fit_speed(dataset: Dataset, size: int, rounds: int = 5, epochs: int = 6) -> dict[str, float]:
    """Speed of `fit` through the pipeline, as a share of that on arrays in memory; calls of six epochs take turns.

    As in training, one call goes through all epochs: to begin takes some tenths of a second, the next epoch nothing.
    """
    keras = load_keras()
    model = models.xray_cnn(size, len(dataset.findings))
    model.compile(keras.optimizers.Adam(1e-3), bce())
    ours = batches(dataset, size, shuffle_seed=0, epochs=range(epochs))
    pictures, labels = (np.concatenate(part) for part in zip(*batches(dataset, size), strict=True))
    how = {"epochs": epochs, "steps_per_epoch": len(ours) // epochs, "verbose": 0}
    ways = {
        "through the pipeline": lambda: model.fit(pipeline.for_keras(ours), shuffle=False, **how),
        "on arrays": lambda: model.fit(pictures, labels, batch_size=32, **how),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in sorted(ways, reverse=number % 2 == 1):
            started = time.perf_counter()
            ways[name]()
            if number:  # the first compiles
                times[name].append(time.perf_counter() - started)
    for name, seconds in times.items():
        print(f"fit {name:20} {epochs * len(dataset) / statistics.median(seconds):9.0f} images/s")
    pairs = zip(times["on arrays"], times["through the pipeline"], strict=True)
    return {"fit": statistics.median(one / other for one, other in pairs)}


def synthetic(count: int, size: int, folder: Path) -> Dataset:
    """As many files as asked for, all one small picture, whose places in the store are filled with random pixels."""
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "one.png"), np.zeros((8, 8), np.uint8))
    files = {f"{number:05}.png": str(folder / f"{number:05}.png") for number in range(count)}
    for file in files.values():
        os.link(folder / "one.png", file)
    table = pd.DataFrame({"image": list(files), "patient": list(files), "split": "train"})
    labels = np.random.default_rng(0).integers(0, 2, (count, len(FINDINGS)))
    table = pd.concat([table, pd.DataFrame(labels, columns=list(FINDINGS))], axis=1)
    dataset = Dataset("synthetic", "folders", folder, table, FINDINGS, pd.DataFrame(), None, Files(files))
    store = pixelstore.open_pixels(dataset, size)
    with open(store.stored.filename, "r+b") as file:
        for _ in range(count):
            file.write(np.random.default_rng(1).bytes(size * size))
    store.filled[:] = True
    return dataset


def peak_memory(count: int, size: int, folder: Path) -> dict[str, float]:
    """Feed one epoch, train on each tenth batch, and give the most memory in GB: private, and with mapped pages."""
    dataset = synthetic(count, size, folder)
    keras, process, most, done = load_keras(), psutil.Process(), {"private": 0.0, "resident": 0.0}, threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            now = process.memory_info()
            most["private"] = max(most["private"], (now.rss - now.shared) / 1e9)
            most["resident"] = max(most["resident"], now.rss / 1e9)

    watching = threading.Thread(target=watch)
    watching.start()
    model = models.xray_cnn(size, len(dataset.findings))
    model.compile(keras.optimizers.Adam(1e-3), bce())
    for number, (pictures, labels) in enumerate(batches(dataset, size, shuffle_seed=0)):
        if number % 10 == 0:
            model.train_on_batch(pictures, labels)
    done.set()
    watching.join()
    return most


def memory_elsewhere(count: int, folder: Path) -> float:
    """`peak_memory` in a process that has done nothing else."""
    environment = os.environ | {"CXR_CACHE": str(folder / "cache")}
    command = [sys.executable, __file__, "--memory-of", str(count), "--folder", str(folder / "many")]
    most = json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    print(
        f"memory, {count:,} images of 224 pixels: {most['private']:.2f} GB private, {most['resident']:.2f} GB resident"
    )
    return most["private"]


def main() -> None:
    """Print speeds and memory, each beside its limit, and end with 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.memory_of:
        print(json.dumps(peak_memory(asked.memory_of, 224, asked.folder)))
        return
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = images_to_read(asked.images, Path(folder))
        ratios = input_speed(dataset, asked.size, Path(folder)) | fit_speed(dataset, 64)
        memory = memory_elsewhere(20_000, Path(folder))
    for name, ratio in ratios.items():
        print(
            f"{name:14} {ratio:7.2f} times  (at least {LIMITS[name]})  {'held' if ratio >= LIMITS[name] else 'MISSED'}"
        )
    print(
        f"{'memory':14} {memory:7.2f} GB     (at most {MOST_MEMORY})  {'held' if memory <= MOST_MEMORY else 'MISSED'}"
    )
    raise SystemExit(memory > MOST_MEMORY or any(ratio < LIMITS[name] for name, ratio in ratios.items()))


if __name__ == "__main__":
    main()
