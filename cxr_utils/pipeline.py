"""From image files to batches: decode once, keep 8-bit pixels in a memory-mapped cache, shuffle, augment.

The first epoch reads every file; every later one reads the cache, however often the data set is cut into parts.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from cxr_utils import cache, images
from cxr_utils.backend import load_tensorflow
from cxr_utils.datasets import Dataset
from cxr_utils.errors import RecipeError

if TYPE_CHECKING:
    import tensorflow as tf

AUGMENTATIONS = ("flip_horizontal", "rotate", "shift", "brightness")
LARGEST_ANGLE = np.radians(10)  # patients do not stand more askew than that
LARGEST_SHIFT = 0.08  # of the image's side
LARGEST_BRIGHTNESS = 0.3  # standard deviations added to, and fraction multiplied with, the standardised image
_DECODED_TOGETHER = 256


def pixels(dataset: Dataset, size: int) -> np.ndarray:
    """All images of a data set as 8-bit pixels, decoded once per file and size.

    Args:
        dataset: every row must have its image file.
        size: side in pixels.

    Returns:
        uint8 (images, size, size) in the order of the table: a view of the cache where the rows lie together there,
        a copy where they do not.

    Raises:
        ImageError: a file is damaged; the message names it.
        DataError: a file is absent.
    """
    stored, rows = _stored_pixels(dataset, size)
    together = len(rows) and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows)))
    return stored[rows[0] : rows[0] + len(rows)] if together else stored[rows]


def _stored_pixels(dataset: Dataset, size: int) -> tuple[np.ndarray, np.ndarray]:
    key = {"root": str(dataset.root.resolve()), "size": size, "code": cache.code_version("cxr_utils.images")}
    none = np.zeros((0, size, size), np.uint8)
    return cache.rows("pixels", key, file_names(dataset), none, lambda missing: _decode(dataset, size, missing))


def file_names(dataset: Dataset) -> list[str]:
    """What identifies each image file for a cache: its name, size and date of change.

    Args:
        dataset: every row must have its image file.

    Returns:
        One string per row.
    """
    names = dataset.table["image"]
    return [f"{name}/{file.st_size}/{file.st_mtime_ns}" for name in names for file in (os.stat(dataset.path(name)),)]


def _decode(dataset: Dataset, size: int, positions: list[int]) -> Iterator[np.ndarray]:
    names = dataset.table["image"].to_numpy()

    def decode(position: int) -> np.ndarray:
        return images.resize(images.read_image(dataset.path(names[position])), size)

    with ThreadPoolExecutor() as threads:  # OpenCV decodes outside Python's lock
        for start in range(0, len(positions), _DECODED_TOGETHER):
            yield np.stack(list(threads.map(decode, positions[start : start + _DECODED_TOGETHER])))


def batches(
    dataset: Dataset,
    size: int,
    batch_size: int,
    *,
    augment: tuple[str, ...] = (),
    shuffle_seed: int | None = None,
    sample_weights: np.ndarray | None = None,
) -> "tf.data.Dataset":
    """Batches for training or prediction.

    Args:
        dataset: every row must have its image file.
        size: side in pixels.
        batch_size: images in a batch; the last one may be smaller.
        augment: names from `AUGMENTATIONS`, drawn anew for each image each time round.
        shuffle_seed: None keeps the order of the table. A number shuffles, differently each time round, and the same
            number gives the same sequence of epochs.
        sample_weights: one weight per image, shape (images,).

    Returns:
        A `tf.data.Dataset` of images (batch, size, size, 1) float32, mean 0 and standard deviation 1 before they are
        augmented, labels (batch, findings) float32 and, if given, weights (batch,) float32.

    Raises:
        RecipeError: an augmentation is unknown.
        ImageError: a file is damaged.
    """
    _check_augmentations(augment)
    stored, rows = _stored_pixels(dataset, size)

    columns = [dataset.labels] if sample_weights is None else [dataset.labels, sample_weights]
    return _batches(_loader(stored, rows, columns, standardised), len(rows), batch_size, shuffle_seed, augment)


def standardised(pictures: np.ndarray) -> np.ndarray:
    """(batch, size, size) of uint8 to (batch, size, size, 1) of float32, by the one path of `images`."""
    result = np.empty((*pictures.shape, 1), np.float32)
    for place, picture in zip(result, pictures, strict=True):
        place[..., 0] = images.standardise(picture)
    return result


def row_batches(
    stored: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    *,
    shuffle_seed: int | None = None,
    sample_weights: np.ndarray | None = None,
) -> "tf.data.Dataset":
    """As `batches`, for rows of any memory-mapped array, given as they are: features instead of pixels.

    Args:
        stored: shape (m, ...).
        rows: which of them, shape (n,).
        labels: shape (n, findings).
        batch_size: rows in a batch.
        shuffle_seed: see `batches`.
        sample_weights: shape (n,).

    Returns:
        A `tf.data.Dataset` of rows (batch, ...), labels (batch, findings) and, if given, weights (batch,).
    """
    columns = [labels] if sample_weights is None else [labels, sample_weights]
    return _batches(_loader(stored, rows, columns, np.asarray), len(rows), batch_size, shuffle_seed, ())


def _batches(load: Callable, count: int, batch_size: int, shuffle_seed: int | None, augment: tuple[str, ...]):
    tf = load_tensorflow()
    seed = 0 if shuffle_seed is None else shuffle_seed
    # One random number each time round; the order and all changes of that epoch follow from it.
    rounds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).take(1)
    order = rounds.flat_map(lambda draw: _epoch(count, draw, shuffle_seed is not None))

    def fetch(rows: "tf.Tensor", seeds: "tf.Tensor") -> tuple["tf.Tensor", ...]:
        pictures, *others = load(rows)
        return (augmented(pictures, seeds[0], augment) if augment else pictures, *others)

    # No num_parallel_calls: made deterministic, TensorFlow takes it back and complains to standard error.
    batched = order.batch(batch_size).map(fetch).prefetch(4)
    return batched.apply(tf.data.experimental.assert_cardinality(-(-count // batch_size)))


def _epoch(count: int, draw: "tf.Tensor", shuffled: bool) -> "tf.data.Dataset":
    """Row numbers of one time round, each with a seed (2,); a batch draws its changes from that of its first row."""
    tf = load_tensorflow()
    draw = tf.bitwise.bitwise_and(draw, 2**31 - 1)
    rows = tf.range(count, dtype=tf.int64)
    if shuffled:
        rows = tf.random.experimental.stateless_shuffle(rows, seed=tf.stack([draw, 0]))
    seeds = tf.stack([tf.fill([count], draw), tf.range(1, count + 1, dtype=tf.int64)], axis=1)
    return tf.data.Dataset.from_tensor_slices((rows, seeds))


def _loader(stored: np.ndarray, rows: np.ndarray, columns: list[np.ndarray], prepare: Callable):
    """A function from positions (b,) to what belongs to them: prepared rows of the memory map, then the columns."""
    tf = load_tensorflow()
    columns = [np.ascontiguousarray(column, np.float32) for column in columns]
    first = prepare(stored[rows[:1]])

    def read(positions: np.ndarray) -> list[np.ndarray]:
        return [prepare(stored[rows[positions]]), *(column[positions] for column in columns)]

    def load(positions: "tf.Tensor") -> list["tf.Tensor"]:
        tensors = tf.numpy_function(read, [positions], [tf.float32] * (1 + len(columns)), stateful=False)
        shapes = [(None, *array.shape[1:]) for array in (first, *columns)]
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
    draws = tf.random.stateless_uniform([6, tf.shape(pictures)[0]], seed, -1, 1)
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
