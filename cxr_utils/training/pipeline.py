"""From image files to batches: decode once, keep 8-bit pixels in a memory-mapped cache, shuffle, augment.

The first epoch reads every file as it comes to it; every later one reads the cache, however often the data set is cut
into parts. The order and the changes of an epoch follow from the seed and the number of the epoch and from nothing
else, so that a run that was interrupted can go on at any epoch as if it had not been.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxr_utils.data.dataset import Dataset
from cxr_utils.data.pixelstore import open_pixels, standardised
from cxr_utils.errors import RecipeError
from cxr_utils.networks.backend import load_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

AUGMENTATIONS = ("flip_horizontal", "rotate", "shift", "brightness")
LARGEST_ANGLE = np.radians(10)  # patients do not stand more askew than that
LARGEST_SHIFT = 0.08  # of the image's side
LARGEST_BRIGHTNESS = 0.3  # standard deviations added to, and fraction multiplied with, the standardised image
_DRAWS = 6  # random numbers that the changes of one image take


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


def batches(
    dataset: Dataset,
    size: int,
    batch_size: int,
    *,
    augment: tuple[str, ...] = (),
    shuffle_seed: int | None = None,
    epochs: Iterable[int] = (0,),
    sample_weights: np.ndarray | None = None,
    times: np.ndarray | None = None,
    share: Share | None = None,
) -> "tf.data.Dataset":
    """Batches for training or prediction.

    Args:
        dataset: every row must have its image file.
        size: side in pixels.
        batch_size: images in a batch; the last one of an epoch may be smaller.
        augment: names from `AUGMENTATIONS`, drawn anew for each image in each epoch.
        shuffle_seed: None keeps the order of the table. A number shuffles, each epoch differently.
        epochs: the numbers of the epochs that follow each other. The same seed and number give the same epoch, changes
            included: to go on, name more numbers; `.repeat()` would show the same pictures again.
        sample_weights: one weight per image, shape (images,).
        times: how often each image is to be drawn in an epoch, shape (images,), with a sum of `images`. In every epoch
            it is drawn that often, rounded up or down at random; None draws each once. Needs a `shuffle_seed`.
        share: None gives whole batches. A share gives its pieces, with weights by which losses add up to the mean of
            the batch: the sum over all pieces (`padded=False`), or the mean over the padded batch.

    Returns:
        A `tf.data.Dataset` of images (batch, size, size, 1) float32, mean 0 and standard deviation 1 before they are
        augmented, labels (batch, findings) float32 and, if given or shared, weights (batch,) float32. A damaged file
        stops the iteration with an error that names it (see `pixelstore.damage_named`).

    Raises:
        RecipeError: an augmentation is unknown, or images are to be drawn unequally often without a seed.
    """
    _check_augmentations(augment)
    stored = open_pixels(dataset, size)
    columns = [dataset.labels] if sample_weights is None else [dataset.labels, sample_weights]
    load = _loader(lambda rows, following: standardised(stored.read(rows, following)), (size, size, 1), columns)
    plan = _Plan(len(dataset), batch_size, shuffle_seed, tuple(epochs), share, times)
    return _batches(load, plan, augment)


def row_batches(
    stored: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    *,
    shuffle_seed: int | None = None,
    epochs: Iterable[int] = (0,),
    sample_weights: np.ndarray | None = None,
    times: np.ndarray | None = None,
    share: Share | None = None,
) -> "tf.data.Dataset":
    """As `batches`, for rows of any memory-mapped array, given as they are: features instead of pixels.

    Args:
        stored: shape (m, ...).
        rows: which of them, shape (n,).
        labels: shape (n, findings).
        batch_size: rows in a batch.
        shuffle_seed: see `batches`.
        epochs: see `batches`.
        sample_weights: shape (n,).
        times: shape (n,), see `batches`.
        share: see `batches`.

    Returns:
        A `tf.data.Dataset` of rows (batch, ...), labels (batch, findings) and, if given or shared, weights (batch,).
    """
    columns = [labels] if sample_weights is None else [labels, sample_weights]
    load = _loader(lambda positions, _: np.asarray(stored[rows[positions]]), stored.shape[1:], columns)
    return _batches(load, _Plan(len(rows), batch_size, shuffle_seed, tuple(epochs), share, times), ())


@dataclass(frozen=True)
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

    def pieces(self) -> np.ndarray:
        """`Share.pieces`, and where the piece after each starts and stops; the last one is followed by none."""
        pieces = np.array((self.share or Share()).pieces(self.count, self.batch_size), np.int64).reshape(-1, 4)
        following = np.concatenate([pieces[1:, :2], np.zeros((min(1, len(pieces)), 2), np.int64)])
        return np.concatenate([pieces, following], axis=1)


def _batches(load: Callable, plan: _Plan, augment: tuple[str, ...]) -> "tf.data.Dataset":
    tf = load_tensorflow()

    def fetch(rows, following, draws, weights):
        pictures, labels, *given = load(rows, following)
        if augment:
            pictures = _changed(pictures, tf.transpose(draws), augment)
        if plan.share:
            given = [weights * given[0]] if given else [weights]
        return (pictures, labels, *given)

    # No num_parallel_calls: made deterministic, TensorFlow takes it back and complains to standard error.
    order = tf.data.Dataset.from_tensor_slices(np.array(plan.epochs, np.int64)).flat_map(lambda e: _epoch(plan, e))
    batched = order.map(fetch).prefetch(4)
    return batched.apply(tf.data.experimental.assert_cardinality(len(plan.epochs) * len(plan.pieces())))


def _epoch(plan: _Plan, epoch: "tf.Tensor") -> "tf.data.Dataset":
    """For each piece of one epoch its rows (b,), those of the next piece, random numbers (b, _DRAWS), weights (b,).

    An image's random numbers are its own: they do not depend on how batches are divided among devices.
    """
    tf = load_tensorflow()
    seed = tf.stack([tf.constant(plan.shuffle_seed or 0, tf.int64), epoch])
    order = tf.range(plan.count, dtype=tf.int64)
    if plan.times is not None:
        order = _drawn(plan.times, seed)
    elif plan.shuffle_seed is not None:
        order = tf.random.experimental.stateless_shuffle(order, seed=seed)
    draws = tf.random.stateless_uniform([plan.count, _DRAWS], seed, -1, 1)

    def piece(numbers):
        start, stop, given, total, next_start, next_stop = tf.unstack(numbers)
        places = tf.range(start, start + given)
        inside = tf.minimum(places, stop - 1)
        scale = given / total if plan.share and plan.share.padded else 1 / total
        weights = tf.where(places < stop, tf.cast(scale, tf.float32), 0.0)
        return tf.gather(order, inside), order[next_start:next_stop], tf.gather(draws, inside), weights

    return tf.data.Dataset.from_tensor_slices(plan.pieces()).map(piece)


def _drawn(times: np.ndarray, seed: "tf.Tensor") -> "tf.Tensor":
    """Rows (images,), each as often as `times` says, rounded up or down, in random order.

    Systematic sampling: the images lie side by side, each as wide as it is to be drawn often, and one ruler with a mark
    at every unit is laid over them. Images of one width lie together, in random order, so that a whole class is hit as
    often as it should be, and not only on average.
    """
    tf = load_tensorflow()
    shuffle = tf.random.experimental.stateless_shuffle
    first, second, third = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    order = shuffle(tf.range(len(times), dtype=tf.int64), seed=first)
    order = tf.gather(order, tf.argsort(tf.gather(times, order), stable=True))
    ends = tf.cumsum(tf.gather(times, order))  # float64: single precision would miscount large collections
    marks = tf.range(len(times), dtype=tf.float64) + tf.random.stateless_uniform([], second, dtype=tf.float64)
    places = tf.minimum(tf.searchsorted(ends, marks, side="right"), len(times) - 1)  # a sum rounded down ends early
    return shuffle(tf.gather(order, places), seed=third)


def _loader(read: Callable, shape: tuple[int, ...], columns: list[np.ndarray]) -> Callable:
    """A function from positions (b,), and those that follow, to what is read (b, *shape) and the columns' rows."""
    tf = load_tensorflow()
    columns = [np.ascontiguousarray(column, np.float32) for column in columns]

    def fetch(positions: np.ndarray, following: np.ndarray) -> list[np.ndarray]:
        return [read(positions, following), *(column[positions] for column in columns)]

    def load(positions, following):
        tensors = tf.numpy_function(fetch, [positions, following], [tf.float32] * (1 + len(columns)), stateful=False)
        shapes = [(None, *shape), *((None, *column.shape[1:]) for column in columns)]
        return [tf.ensure_shape(tensor, shape) for tensor, shape in zip(tensors, shapes, strict=True)]

    return load


def augmented(pictures: "tf.Tensor", seed: "tf.Tensor", augment: tuple[str, ...]) -> "tf.Tensor":
    """Draw a changed version of each picture; the same seed draws the same changes.

    Brightness acts on the standardised picture: done before, standardising would undo it.

    Args:
        pictures: float32 (batch, size, size, 1).
        seed: two integers.
        augment: names from `AUGMENTATIONS`.

    Returns:
        float32, same shape.
    """
    tf = load_tensorflow()
    return _changed(pictures, tf.random.stateless_uniform([_DRAWS, tf.shape(pictures)[0]], seed, -1, 1), augment)


def _changed(pictures: "tf.Tensor", draws: "tf.Tensor", augment: tuple[str, ...]) -> "tf.Tensor":
    tf = load_tensorflow()
    flip, angle, right, down, gain, offset = tf.unstack(draws)  # (batch,) each
    if augment != ("brightness",):
        flip = tf.where(flip < 0, -1.0, 1.0) if "flip_horizontal" in augment else tf.ones_like(flip)
        angle = angle * float(LARGEST_ANGLE) * float("rotate" in augment)
        reach = LARGEST_SHIFT * pictures.shape[1] * float("shift" in augment)
        pictures = _moved(pictures, flip, angle, right * reach, down * reach)
    if "brightness" in augment:
        gain, offset = (LARGEST_BRIGHTNESS * draw[:, None, None, None] for draw in (gain, offset))
        pictures = pictures * (1 + gain) + offset
    return pictures


def _moved(pictures: "tf.Tensor", flip: "tf.Tensor", angle: "tf.Tensor", right: "tf.Tensor", down: "tf.Tensor"):
    """Flip, rotate about the centre and shift, in one interpolation; the edge is continued outward."""
    tf = load_tensorflow()
    side = pictures.shape[1]
    centre = (side - 1) / 2
    # where each pixel of the result comes from: [x', y'] = [[a, b], [d, e]] [x, y] + [c, f]
    a, b = flip * tf.cos(angle), -flip * tf.sin(angle)
    d, e = tf.sin(angle), tf.cos(angle)
    c = centre - a * centre - b * centre + right
    f = centre - d * centre - e * centre + down
    none = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=tf.stack([a, b, c, d, e, f, none, none], axis=1),
        output_shape=[side, side],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _check_augmentations(augment: tuple[str, ...]) -> None:
    unknown = sorted(set(augment) - set(AUGMENTATIONS))
    if unknown:
        raise RecipeError(
            f"Augmentation {unknown[0]!r} is unknown. Expected some of {', '.join(AUGMENTATIONS)}. Correct the name."
        )
