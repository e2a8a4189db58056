"""Simulated cohorts for measurements: made once below the cache, labelled with what was drawn into the pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from cxr_utils import cache, phantom
from cxr_utils.data.dataset import Dataset
from cxr_utils.data.opening import open_dataset


def cohort_folder(images: int, size: int, seed: int) -> Path:
    """Folder of a cohort of this version of the simulator, made where it is missing."""
    name = f"{images}-{size}-{seed}-{phantom.simulator_version()}"
    folder = cache.root() / "cohorts" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{name}.lock")):  # of two measurements at once, one makes it and one waits
        return phantom.make_cohort(folder, images=images, size=size, seed=seed)


def true_cohort(images: int, size: int, seed: int) -> Dataset:
    """A cohort whose labels are the simulator's own truth and not what a text miner made of it."""
    dataset = open_dataset(cohort_folder(images, size, seed))
    table = dataset.table.copy()
    table[list(dataset.findings)] = dataset.truth()[list(dataset.findings)].to_numpy(np.int8)
    return replace(dataset, table=table)


def to_learn_from(images: int, size: int, seed: int) -> Dataset:
    """A whole cohort for learning: its valid part chooses, all the rest trains; other cohorts test."""
    dataset = true_cohort(images, size, seed)
    split = dataset.table["split"].replace("test", "train")
    return replace(dataset, name=f"simulated {images:,}", table=dataset.table.assign(split=split))


def severities(dataset: Dataset) -> pd.DataFrame:
    """How severe each finding is in each image, 0 where it is absent: index image, columns findings."""
    hidden = pd.read_csv(dataset.root / "truth.csv").set_index("Image Index").loc[dataset.table["image"]]
    return pd.DataFrame({name: hidden[f"severity_{name}"] for name in dataset.findings})
