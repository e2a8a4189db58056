"""Simulated radiographs for pretraining: drawn once, kept on disk, and changed anew for every batch by all cores."""

import functools
import os
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cxr_utils import cache
from cxr_utils.data.pixelstore import standardised
from cxr_utils.phantom import FINDINGS, simulator_version
from cxr_utils.phantom.cohort import _start_worker
from cxr_utils.training import randomization

#: Batches that are made before they are asked for, for each process that makes them.
AHEAD = 3
_PICTURES_A_TASK = 40


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


def draw_pictures(images: int, size: int, seed: int) -> Path:
    """Make the simulated radiographs to learn from, once; never half.

    Args:
        images: how many.
        size: side in pixels.
        seed: another seed, other people.

    Returns:
        A folder for `Pictures.open`.
    """
    version = cache.code_version("cxr_utils.training.randomization")
    folder = cache.root() / "pretraining" / "pictures" / f"{images}-{size}-{seed}-{simulator_version()}-{version}"
    if folder.exists():
        return folder
    beside = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    beside.mkdir(parents=True)
    masks = (len(randomization.MASKS), randomization.MASK_SIZE, randomization.MASK_SIZE)
    shapes = {"pixels": (size, size), "labels": (len(FINDINGS),), "masks": masks}
    try:
        arrays = [
            np.lib.format.open_memmap(beside / f"{what}.npy", "w+", np.uint8, (images, *shape))
            for what, shape in shapes.items()
        ]
        tasks = (range(start, min(start + _PICTURES_A_TASK, images)) for start in range(0, images, _PICTURES_A_TASK))
        with processes() as pool, tqdm(total=images, desc="simulating", unit="image") as bar:
            for numbers, drawn in pool.map(functools.partial(_drawn, seed, size), tasks):
                for array, values in zip(arrays, drawn, strict=True):
                    array[numbers.start : numbers.stop] = values
                bar.update(len(numbers))
        for array in arrays:
            array.flush()
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _drawn(seed: int, size: int, numbers: range) -> tuple[range, list[np.ndarray]]:
    drawn = zip(*(randomization.draw(seed, number, size) for number in numbers), strict=True)
    return numbers, [np.stack(values) for values in drawn]


def processes() -> ProcessPoolExecutor:
    """One a core; by "spawn" everywhere, because a fork of a process with a backend's threads may hang."""
    return ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"), initializer=_start_worker)


@dataclass(frozen=True)
class Batch:
    """Pictures as one epoch shows them: pixels (b, size, size), labels (b, 14), masks (b, size/16, size/16, 17)."""

    pixels: np.ndarray
    labels: np.ndarray
    masks: np.ndarray

    @classmethod
    def changed(cls, folder: Path, seed: tuple[int, int], size: int, rows: np.ndarray) -> "Batch":
        """Change some pictures; the same seed changes a picture in the same way.

        Args:
            folder: of `draw_pictures`.
            seed: of the run, and the number of the epoch.
            size: side in pixels; a multiple of 16.
            rows: which pictures, shape (b,).
        """
        pictures = _opened(folder)
        changed = [
            randomization.change(pictures.pixels[row], pictures.masks[row], np.random.default_rng([*seed, row]), size)
            for row in rows
        ]
        pixels, masks = (np.stack(one) for one in zip(*changed, strict=True))
        return cls(pixels, pictures.labels[rows], masks.transpose(0, 2, 3, 1))


_opened = functools.lru_cache(maxsize=1)(Pictures.open)


def feed(
    folder: Path, batches: Sequence[np.ndarray], seed: tuple[int, int], size: int, pool: Executor
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """The batches of one epoch, made by other processes before they are asked for.

    Args:
        folder: of `draw_pictures`.
        batches: which pictures make which batch.
        seed: of the run, and the number of the epoch.
        size: side in pixels.
        pool: of `processes`.

    Yields:
        Standardised images (b, size, size, 1), and targets: "logits" (b, 14), and "masks" from 0 to 1.
    """
    waiting = deque[Future[Batch]]()
    rows = iter(batches)
    ahead = AHEAD * (os.cpu_count() or 1)
    for _ in batches:
        waiting.extend(
            pool.submit(Batch.changed, folder, seed, size, some) for some in islice(rows, ahead - len(waiting))
        )
        batch = waiting.popleft().result()
        targets: dict[str, np.ndarray] = {
            "logits": batch.labels.astype(np.float32),
            "masks": batch.masks.astype(np.float32) / 255,
        }
        yield standardised(batch.pixels), targets
