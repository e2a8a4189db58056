"""From image files to batches, in NumPy and OpenCV: decode once, keep 8-bit pixels, shuffle, augment.

The first epoch reads every file as it comes to it; every later one reads a memory-mapped cache, however often the data
set is cut into parts. The order of an epoch follows from the seed and its number, and how an image is changed in it
from the image too, and from nothing else: the numbers come from a generator that counts (Philox; Salmon et al.,
"Parallel random numbers: as easy as 1, 2, 3", SC 2011). So a run that was interrupted can go on at any epoch as if it
had not been, and every backend and every number of devices sees the same pictures.
"""

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cxr_utils.errors import RecipeError
from cxr_utils.networks.backend import load_keras

if TYPE_CHECKING:
    import keras

#: Changes that `augmented` can make to a training image, each by chance.
AUGMENTATIONS = ("flip_horizontal", "rotate", "shift", "brightness")
LARGEST_ANGLE = np.radians(10)  # patients do not stand more askew than that
LARGEST_SHIFT = 0.08  # of the image's side
LARGEST_BRIGHTNESS = 0.3  # standard deviations added to, and fraction multiplied with, the standardised image
#: Batches that threads make ready before they are asked for.
AHEAD = 4
_CHANGES = 6  # random numbers that the changes of one image take
_ORDER, _TIES, _RULER, _IMAGE = range(4)  # what random numbers are for; no two share any


@dataclass(frozen=True)
class Share:
    """The part of every batch that one process feeds to its devices; the batches themselves stay the same.

    Attributes:
        devices: among which a batch is divided, of all processes together.
        first: number of this process's first device.
        count: of this process's devices; each gets a piece of its own.
        padded: whether a batch is given whole, filled up to a multiple of `devices` with copies of weight zero.

    Example:
        >>> Share(devices=4, first=2, count=2).pieces(10, batch_size=8)  # start, stop, rows given, rows of the batch
        [(4, 6, 2, 8), (6, 8, 2, 8), (10, 10, 0, 2), (10, 10, 0, 2)]
        >>> Share(devices=4, padded=True).pieces(10, batch_size=8)
        [(0, 8, 8, 8), (8, 10, 4, 2)]
    """

    devices: int = 1
    first: int = 0
    count: int = 1
    padded: bool = False

    def pieces(self, images: int, batch_size: int) -> list[tuple[int, int, int, int]]:
        """Where each piece of an epoch starts and stops, how many rows are given, and how many its batch has."""
        result = []
        for start in range(0, images, batch_size):
            total = min(batch_size, images - start)
            if self.padded:
                result.append((start, start + total, -(-total // self.devices) * self.devices, total))
                continue
            sizes = [total // self.devices + (number < total % self.devices) for number in range(self.devices)]
            for number in range(self.first, self.first + self.count):
                begin = start + sum(sizes[:number])
                result.append((begin, begin + sizes[number], sizes[number], total))
        return result


@dataclass(frozen=True, eq=False)
class Batches:
    """All batches of some epochs, one after the other: `len`, `[number]` and iteration; see `batches`.

    Attributes:
        read: from positions (b,) to what is there (b, ...), float32.
        columns: labels, and weights where there are any, by position.
        plan: which positions make which batch.
        augment: names from `AUGMENTATIONS`.
        started: what threads make ready now, by number.
        failed: what went wrong there.
        lock: is held while that is looked up or changed.
    """

    read: Callable[[np.ndarray], np.ndarray]
    columns: list[np.ndarray]
    plan: "_Plan"
    augment: tuple[str, ...] = ()
    started: dict[int, Future] = field(default_factory=dict)
    failed: list[Exception] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self.plan.epochs) * len(self.plan.pieces)

    def __getitem__(self, number: int) -> tuple[np.ndarray, ...]:
        if not 0 <= number < len(self):
            raise IndexError(number)
        wanted = range(number, min(number + AHEAD, len(self)))
        with self.lock:
            for other in [other for other in self.started if other not in wanted]:
                self.started.pop(other).cancel()
            for other in wanted:
                if other not in self.started:
                    self.started[other] = _threads().submit(self._make, other)
            batch = self.started.pop(number)
        try:
            return batch.result()
        except Exception as error:
            self.failed.append(error)
            raise

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        return (self[number] for number in range(len(self)))

    def _make(self, number: int) -> tuple[np.ndarray, ...]:
        epoch, place = divmod(number, len(self.plan.pieces))
        positions, times_before, weights = self.plan.piece(self.plan.epochs[epoch], place)
        pictures = self.read(positions)
        if self.augment:
            key = (self.plan.seed, self.plan.epochs[epoch])
            draws = np.stack([_draw(key, _IMAGE, *one) for one in zip(positions, times_before, strict=True)])
            pictures = _changed(pictures, draws, self.augment)
        labels, *given = (column[positions] for column in self.columns)
        if self.plan.share:
            given = [weights * given[0]] if given else [weights]
        return pictures, labels, *given


def batches(
    read: Callable[[np.ndarray], np.ndarray],
    labels: np.ndarray,
    batch_size: int,
    *,
    augment: tuple[str, ...] = (),
    shuffle_seed: int | None = None,
    epochs: Iterable[int] = (0,),
    sample_weights: np.ndarray | None = None,
    times: np.ndarray | None = None,
    share: Share | None = None,
) -> Batches:
    """Batches to train on.

    Args:
        read: from positions (b,) to what is learned from there (b, ...), such as `pixelstore.reader(dataset, size)`;
            several threads call it at once.
        labels: shape (images, findings).
        batch_size: images in a batch; the last one of an epoch may be smaller.
        augment: names from `AUGMENTATIONS`, drawn anew for each image in each epoch.
        shuffle_seed: None keeps the order. A number shuffles, each epoch differently.
        epochs: the numbers of the epochs that follow each other. The same seed and number give the same epoch, changes
            included: to go on, name more numbers.
        sample_weights: one weight per image, shape (images,).
        times: how often each image is to be drawn in an epoch, shape (images,), with a sum of `images`. In every epoch
            it is drawn that often, rounded up or down at random; None draws each once. Needs a `shuffle_seed`.
        share: None gives whole batches. A share gives its pieces, with weights by which losses add up to the mean of
            the batch: the sum over all pieces (`padded=False`), or the mean over the padded batch.

    Returns:
        Images (batch, ...) and labels (batch, findings), and, if given or shared, weights (batch,); float32. An error
        of `read`, such as an ImageError that names a damaged file, is raised where its batch is asked for.

    Raises:
        RecipeError: an augmentation is unknown, or images are to be drawn unequally often without a seed.

    Example:
        >>> some = batches(lambda rows: np.ones((len(rows), 8, 8, 1)), np.zeros((10, 3)), 8, augment=("rotate",))
        >>> [(pictures.shape, labels.shape) for pictures, labels in some]
        [((8, 8, 8, 1), (8, 3)), ((2, 8, 8, 1), (2, 3))]
    """
    unknown = sorted(set(augment) - set(AUGMENTATIONS))
    if unknown:
        raise RecipeError(
            f"Augmentation {unknown[0]!r} is unknown. Expected some of {', '.join(AUGMENTATIONS)}. Correct the name."
        )
    columns = [labels] if sample_weights is None else [labels, sample_weights]
    columns = [np.ascontiguousarray(column, np.float32) for column in columns]
    return Batches(read, columns, _Plan(len(labels), batch_size, shuffle_seed, tuple(epochs), share, times), augment)


def for_keras(batches: Batches) -> "keras.utils.PyDataset":
    """What `fit` takes on every backend.

    Args:
        batches: of all the epochs that `fit` is to go through; give it `steps_per_epoch` and `shuffle=False` as well.
    """
    base: Any = load_keras().utils.PyDataset

    class Fed(base):
        """Reads ahead by itself, so that Keras' own queue, which stops at the end of each epoch, is not needed."""

        num_batches = len(batches)

        def __getitem__(self, number: int) -> tuple[np.ndarray, ...]:
            return batches[number]

    return Fed()


@contextlib.contextmanager
def failures_named(batches: Batches) -> Iterator[None]:
    """Raise what has failed in reading, where a backend has made an error of its own of it.

    Args:
        batches: that are read within the block.

    Raises:
        ImageError: a file is damaged; the message names it.
    """
    try:
        yield
    except Exception:
        if batches.failed:
            raise batches.failed[0] from None
        raise


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """NumPy and OpenCV work outside Python's lock, so that threads are enough."""
    return ThreadPoolExecutor(os.cpu_count(), "batches")


@dataclass(frozen=True, eq=False)
class _Plan:
    """Which rows make which batch of which epoch."""

    count: int
    batch_size: int
    shuffle_seed: int | None
    epochs: tuple[int, ...]
    share: Share | None
    times: np.ndarray | None

    def __post_init__(self) -> None:
        if self.times is not None and self.shuffle_seed is None:
            raise RecipeError(
                "Images are to be drawn more or less often, without a seed. Expected shuffle_seed, because the draw is "
                "random. Give one, or leave times out."
            )

    @property
    def seed(self) -> int:
        return self.shuffle_seed or 0

    @functools.cached_property
    def pieces(self) -> list[tuple[int, int, int, int]]:
        return (self.share or Share()).pieces(self.count, self.batch_size)

    def piece(self, epoch: int, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows (b,) of a piece, how often each has come before in this epoch (b,), and what it weighs (b,)."""
        start, stop, given, total = self.pieces[number]
        order, before = _order(self, epoch)
        inside = np.minimum(np.arange(start, start + given), stop - 1)
        share = self.share or Share()
        scale = given / total if share.padded else 1 / total
        weights = np.where(np.arange(given) < stop - start, scale, 0)
        return order[inside], before[inside], weights.astype(np.float32)


@functools.lru_cache(maxsize=4)
def _order(plan: _Plan, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (count,) in the order of an epoch, and how often each has come before in it."""
    key, before = (plan.seed, epoch), np.zeros(plan.count, np.int64)
    if plan.times is None:
        return (np.arange(plan.count) if plan.shuffle_seed is None else _shuffled(plan.count, key, _ORDER)), before
    order = _drawn(plan.times, key)
    places = np.argsort(order, kind="stable")
    before[places] = np.arange(plan.count) - np.searchsorted(order[places], order[places])
    return order, before


def _numbers(key: tuple[int, int], purpose: int, *counter: int) -> np.random.Philox:
    """A stream of random bits of its own for each seed, epoch, purpose and, if given, image and time it is shown."""
    words = [0, *counter, *[0] * (2 - len(counter)), purpose]
    return np.random.Philox(key=np.array(key, np.int64).view(np.uint64), counter=np.array(words, np.uint64))


def _draw(key: tuple[int, int], purpose: int, *counter: int, count: int = _CHANGES) -> np.ndarray:
    """Numbers from 0 up to 1, float64; bits, unlike NumPy's distributions, are promised to stay what they are."""
    return (_numbers(key, purpose, *counter).random_raw(count) >> np.uint64(11)) * 2.0**-53


def _shuffled(count: int, key: tuple[int, int], purpose: int) -> np.ndarray:
    return np.argsort(_numbers(key, purpose).random_raw(count), kind="stable")


def _drawn(times: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Rows (images,), each as often as `times` says, rounded up or down, in random order.

    Systematic sampling: the images lie side by side, each as wide as it is to be drawn often, and one ruler with a mark
    at every unit is laid over them. Images of one width lie together, in random order, so that a whole class is hit as
    often as it should be, and not only on average.
    """
    order = _shuffled(len(times), key, _TIES)
    order = order[np.argsort(times[order], kind="stable")]
    marks = np.arange(len(times)) + _draw(key, _RULER, count=1)
    places = np.searchsorted(np.cumsum(times[order]), marks, side="right")
    places = np.minimum(places, len(times) - 1)  # a sum rounded down ends early
    return order[places][_shuffled(len(times), key, _ORDER)]


def augmented(pictures: np.ndarray, seed: tuple[int, int], augment: tuple[str, ...]) -> np.ndarray:
    """Draw a changed version of each picture; the same seed draws the same changes.

    Args:
        pictures: float32 (batch, size, size, 1).
        seed: two integers.
        augment: names from `AUGMENTATIONS`.

    Returns:
        float32, same shape.

    Example:
        >>> picture = np.float32([[1, 2], [3, 4]])[np.newaxis, ..., np.newaxis]
        >>> augmented(picture, (0, 2), ("flip_horizontal",))[0, ..., 0].tolist()
        [[2.0, 1.0], [4.0, 3.0]]
    """
    draws = np.stack([_draw(seed, _IMAGE, place, 0) for place in range(len(pictures))])
    return _changed(pictures, draws, augment)


def _changed(pictures: np.ndarray, draws: np.ndarray, augment: tuple[str, ...]) -> np.ndarray:
    """Brightness acts on the standardised picture: done before, standardising would undo it."""
    result = np.array(pictures, np.float32)
    reach = LARGEST_SHIFT * pictures.shape[1] * ("shift" in augment)
    for picture, numbers in zip(result, 2 * draws - 1, strict=True):
        flip, angle, right, down, gain, offset = numbers
        if augment != ("brightness",):
            flip = -1.0 if flip < 0 and "flip_horizontal" in augment else 1.0
            angle *= LARGEST_ANGLE * ("rotate" in augment)
            picture[..., 0] = _moved(picture[..., 0], flip, angle, right * reach, down * reach)
        if "brightness" in augment:
            picture *= np.float32(1 + LARGEST_BRIGHTNESS * gain)
            picture += np.float32(LARGEST_BRIGHTNESS * offset)
    return result


def _moved(picture: np.ndarray, flip: float, angle: float, right: float, down: float) -> np.ndarray:
    """Flip, rotate about the centre and shift, in one interpolation; the edge is continued outward."""
    centre = (picture.shape[0] - 1) / 2
    # where each pixel of the result comes from
    turn = np.array([[flip * np.cos(angle), -flip * np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([turn, centre - turn @ [centre, centre] + [right, down]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, picture.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
