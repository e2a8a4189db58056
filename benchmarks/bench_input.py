"""Input speed: this package's pipeline beside Keras' ImageDataGenerator, on 1024-pixel PNG files at 224 pixels.

Run from the checkout: python benchmarks/bench_input.py [--images 300] [--size 224]
Both shuffle and standardise image by image; the generator is what the seeds of this course use. The files are copies
of the real ones beside the checkout (CXR_REAL_DATA or ../shared/real), or simulated where those are absent. Then
`fit` through the pipeline beside `fit` on arrays that are in memory already. Measure on an idle machine.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils import models, phantom, pipeline
from cxr_utils.backend import load_keras, load_tensorflow
from cxr_utils.datasets import Dataset, open_dataset
from cxr_utils.layouts.files import Files
from cxr_utils.losses import bce
from cxr_utils.schema import FINDINGS

REAL = Path(os.environ.get("CXR_REAL_DATA", Path(__file__).parents[2] / "shared" / "real")) / "nih" / "original"
LIMITS = {"first epoch": 1.7, "later epochs": 50.0, "fit": 0.95}


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


def seconds_of(batches: Iterable) -> float:
    """Time to go round once."""
    started = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - started


def generator(dataset: Dataset, size: int):
    """Keras' generator as the seeds use it: from a data frame, standardised image by image, shuffled."""
    load_keras()
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    table = dataset.table.assign(path=[str(dataset.path(image)) for image in dataset.table["image"]])
    made = ImageDataGenerator(samplewise_center=True, samplewise_std_normalization=True)
    return made.flow_from_dataframe(
        table, x_col="path", y_col=list(dataset.findings), class_mode="raw", target_size=(size, size),
        color_mode="grayscale", batch_size=32, shuffle=True, seed=0,
    )  # fmt: skip


def input_speed(dataset: Dataset, size: int) -> dict[str, float]:
    """Times as fast as the generator: the first epoch and the median of later ones."""
    keras_batches = generator(dataset, size)
    keras_seconds = statistics.median(
        seconds_of(keras_batches[number] for number in range(len(keras_batches))) for _ in range(2)
    )
    load_tensorflow()
    started = time.perf_counter()
    batches = pipeline.batches(dataset, size, 32, shuffle_seed=0)
    seconds_of(batches)
    first = time.perf_counter() - started
    later = statistics.median(seconds_of(batches) for _ in range(5))
    for name, seconds in (("ImageDataGenerator", keras_seconds), ("first epoch", first), ("later epochs", later)):
        print(f"{name:20} {len(dataset) / seconds:9.0f} images/s")
    return {"first epoch": keras_seconds / first, "later epochs": keras_seconds / later}


def fit_speed(dataset: Dataset, size: int, repeats: int = 5) -> dict[str, float]:
    """Speed of `fit` through the pipeline, as a share of that on arrays in memory; epochs take turns."""
    keras = load_keras()
    model = models.xray_cnn(size, len(dataset.findings))
    model.compile(keras.optimizers.Adam(1e-3), bce())
    batches = pipeline.batches(dataset, size, 32, shuffle_seed=0)
    pictures, labels = (np.concatenate(part) for part in zip(*batches.as_numpy_iterator(), strict=True))

    def through_the_pipeline() -> None:
        model.fit(batches, verbose=0, shuffle=False)

    def on_arrays() -> None:
        model.fit(pictures, labels, batch_size=32, verbose=0)

    times: dict = {through_the_pipeline: [], on_arrays: []}
    for number in range(repeats + 1):
        for work in times:
            started = time.perf_counter()
            work()
            if number:  # the first compiles
                times[work].append(time.perf_counter() - started)
    medians = {work.__name__: statistics.median(seconds) for work, seconds in times.items()}
    for name, seconds in medians.items():
        print(f"fit {name:20} {len(dataset) / seconds:9.0f} images/s")
    return {"fit": medians["on_arrays"] / medians["through_the_pipeline"]}


def main() -> None:
    """Print speeds, each ratio beside its limit, and end with 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--size", type=int, default=224)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ["CXR_CACHE"] = f"{folder}/cache"  # the first epoch must be a first one
        dataset = images_to_read(asked.images, Path(folder))
        ratios = input_speed(dataset, asked.size) | fit_speed(dataset, 64)
    for name, ratio in ratios.items():
        print(
            f"{name:14} {ratio:7.2f} times  (at least {LIMITS[name]})  {'held' if ratio >= LIMITS[name] else 'MISSED'}"
        )
    raise SystemExit(any(ratio < LIMITS[name] for name, ratio in ratios.items()))


if __name__ == "__main__":
    main()
