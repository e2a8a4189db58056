"""Decoded pixels on disk: every file is decoded once, when it is first asked for, by whoever asks first.

Each file has a numbered place in one memory-mapped array and a byte that says whether the place is filled. Places are
given out under a lock; filling one needs none, because two processes that fill it write the same bytes, and the
byte is set last: what a killed process left half-written is decoded again. So the first epoch of training need not
wait until the last file is decoded, and of several processes each decodes the files of its own batches.
"""

import functools
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from filelock import FileLock

from cxr_utils import cache
from cxr_utils.data import images
from cxr_utils.errors import ImageError, tell

if TYPE_CHECKING:
    from cxr_utils.data.dataset import Dataset

#: Images that wait for a thread at a time, where a whole data set is decoded.
_TOGETHER = 256


@dataclass(frozen=True, eq=False)
class Pixels:
    """The images of a data set at one size, in the order of its table; see `open_pixels`.

    Attributes:
        dataset: every row has its image file.
        size: side in pixels.
        rows: place of each image in the store, shape (images,).
        stored: memory-mapped uint8 (places, size, size).
        filled: memory-mapped bool (places,).
        pending: what threads are decoding now, by row of the table.
        lock: is held while that is looked up or changed.
    """

    dataset: "Dataset"
    size: int
    rows: np.ndarray
    stored: np.ndarray
    filled: np.ndarray
    pending: dict[int, Future] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, positions: np.ndarray) -> np.ndarray:
        """Pixels of some images; those that nobody has asked for before are decoded.

        Args:
            positions: rows of the table, shape (n,).

        Returns:
            uint8 (n, size, size), a copy.

        Raises:
            ImageError: a file is damaged; the message names it.
        """
        self._start(positions)
        for error in self._finish(positions).values():
            raise error
        return self.stored[self.rows[positions]]

    def whole(self) -> np.ndarray:
        """All images: a view of the store where their places lie together, a copy where they do not."""
        for error in self.fill(np.arange(len(self.rows))).values():
            raise error
        first, count = (int(self.rows[0]), len(self.rows)) if len(self.rows) else (0, 0)
        together = np.array_equal(self.rows, np.arange(first, first + count))
        result = self.stored[first : first + count] if together else self.stored[self.rows]
        result.flags.writeable = False  # it is everybody's
        return result

    def fill(self, positions: np.ndarray) -> dict[int, ImageError]:
        """Decode what is not decoded yet.

        Args:
            positions: rows of the table, shape (n,).

        Returns:
            What is wrong with each file that cannot be read, by row of the table.
        """
        damaged: dict[int, ImageError] = {}
        for start in range(0, len(positions), _TOGETHER):  # no long queue: an interrupted process ends its queue first
            some = positions[start : start + _TOGETHER]
            self._start(some)
            damaged |= self._finish(some)
        return damaged

    def _start(self, positions: np.ndarray) -> None:
        with self.lock:  # two batches may be read at once
            for position in positions[~self.filled[self.rows[positions]]].tolist():
                if position not in self.pending:
                    self.pending[position] = _threads().submit(self._fill_one, position)

    def _finish(self, positions: np.ndarray) -> dict[int, ImageError]:
        started = {position: self.pending.get(position) for position in positions.tolist()}
        results = {position: future.result() for position, future in started.items() if future}
        with self.lock:  # only now: what is neither filled nor pending would be begun again
            for position in results:
                self.pending.pop(position, None)
        return {position: error for position, error in results.items() if error}

    def _fill_one(self, position: int) -> ImageError | None:
        path = self.dataset.path(self.dataset.table["image"].iloc[position])
        try:
            self.stored[self.rows[position]] = images.resize(images.read_image(path), self.size)
        except ImageError as error:
            return error
        self.filled[self.rows[position]] = True
        return None


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """OpenCV works outside Python's lock, so that threads are enough."""
    return ThreadPoolExecutor(os.cpu_count())


def open_pixels(dataset: "Dataset", size: int) -> Pixels:
    """The store of a data set's images, with a place for each, filled or not.

    Args:
        dataset: every row must have its image file.
        size: side in pixels.

    Returns:
        Pixels that are decoded when they are read.

    Raises:
        DataError: a file is absent.
    """
    code = cache.code_version("cxr_utils.data.images", "cxr_utils.data.dicom", "cxr_utils.data.pixelstore")
    key = {"root": str(dataset.root.resolve()), "size": size, "code": code}
    folder = cache.root() / "pixels" / cache.digest(key)
    folder.mkdir(parents=True, exist_ok=True)
    names = file_names(dataset)
    places = _places(folder)
    if any(name not in places for name in names):
        places = _reserve(folder, names, size)
    if not places:
        return Pixels(dataset, size, np.zeros(0, np.int64), np.zeros((0, size, size), np.uint8), np.zeros(0, bool))
    stored = np.memmap(folder / "pixels.bin", np.uint8, "r+", shape=(len(places), size, size))
    filled = np.memmap(folder / "filled.bin", bool, "r+", shape=(len(places),))
    return Pixels(dataset, size, np.array([places[name] for name in names], np.int64), stored, filled)


def file_names(dataset: "Dataset") -> list[str]:
    """What identifies each image file for a cache: its name, size and date of change.

    Args:
        dataset: every row must have its image file.

    Returns:
        One string per row.
    """
    names = dataset.table["image"]
    for absent in names[~dataset.on_disk()]:
        dataset.path(absent)  # says so
    return [f"{name}/{dataset.files.stamp(name)}" for name in names]


def _places(folder: Path) -> dict[str, int]:
    names = folder / "names.json"
    return {name: place for place, name in enumerate(json.loads(names.read_text()))} if names.exists() else {}


def _reserve(folder: Path, names: list[str], size: int) -> dict[str, int]:
    """Give a place to each name that has none. The files grow first: a name in the list always has its place."""
    with FileLock(folder / "names.lock"):
        known = list(dict.fromkeys([*_places(folder), *names]))
        for file, width in (("pixels.bin", size * size), ("filled.bin", 1)):
            with open(folder / file, "ab") as data:
                _grow(data, max(len(known) * width, data.tell()))
        cache.write_text(folder / "names.json", json.dumps(known))
    return _places(folder)


def _grow(file: BinaryIO, size: int) -> None:
    """Make a file larger by zeros, and take the room for them now: what is mapped kills the process where it lacks."""
    if hasattr(os, "posix_fallocate") and size:
        os.posix_fallocate(file.fileno(), 0, size)
    file.truncate(size)


def without_damaged(dataset: "Dataset", size: int) -> tuple["Dataset", dict[str, str]]:
    """Leave out the images whose file cannot be read, and say which in one line.

    Args:
        dataset: every row must have its image file.
        size: side in pixels; all images are decoded.

    Returns:
        The rest of the data set, and for each image left out what is wrong with it.
    """
    pixels = open_pixels(dataset, size)
    damaged = pixels.fill(np.arange(len(dataset)))
    if not damaged:
        return dataset, {}
    names = dataset.table["image"]
    reasons = {str(names.iloc[position]): str(error) for position, error in sorted(damaged.items())}
    tell(f"{len(reasons)} of {len(dataset):,} image files cannot be read and are left out: {', '.join(reasons)}")
    keep = np.setdiff1d(np.arange(len(dataset)), list(damaged))
    return dataset.subset(keep, dataset.name), reasons


def pixels(dataset: "Dataset", size: int) -> np.ndarray:
    """All images of a data set as 8-bit pixels, decoded once per file and size.

    Args:
        dataset: every row must have its image file.
        size: side in pixels.

    Returns:
        uint8 (images, size, size) in the order of the table, not to be written to: a view of the cache where the
        rows lie together there, a copy where they do not.

    Raises:
        ImageError: a file is damaged; the message names it.
        DataError: a file is absent.
    """
    return open_pixels(dataset, size).whole()


def reader(dataset: "Dataset", size: int) -> Callable[[np.ndarray], np.ndarray]:
    """What networks see, wherever they look.

    Args:
        dataset: every row must have its image file.
        size: side in pixels.

    Returns:
        A function from rows of the table (n,) to pictures (n, size, size, 1) float32, each of mean 0 and standard
        deviation 1. It raises an ImageError that names a damaged file.
    """
    store = open_pixels(dataset, size)
    return lambda positions: standardised(store.read(positions))


def standardised(pictures: np.ndarray) -> np.ndarray:
    """(batch, size, size) of uint8 to (batch, size, size, 1) of float32, by the one path of `images`."""
    result = np.empty((*pictures.shape, 1), np.float32)
    for place, picture in zip(result, pictures, strict=True):
        place[..., 0] = images.standardise(picture)
    return result
