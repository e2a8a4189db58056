"""How much a picture looks like those that a network has learned from: the simplest check for a stranger.

A network answers whatever it is shown. So before its answer is believed, the picture is compared with the typical
training image: the correlation of two thumbnails. What is no upright chest X-ray correlates badly. A good
correlation proves nothing: the check knows shape and light, not medicine.
"""

import numpy as np

from cxr_utils import pipeline
from cxr_utils.datasets import Dataset
from cxr_utils.images import resize, standardise

THUMBNAIL = 32


def typical_image(dataset: Dataset, size: int) -> np.ndarray:
    """The median of all images of a data set, pixel by pixel.

    Args:
        dataset: usually the training part; every row must have its image file.
        size: side in pixels at which the images are read (the model's, so that they are already decoded).

    Returns:
        float32 (THUMBNAIL, THUMBNAIL), in standard deviations.
    """
    return np.median([_thumbnail(picture) for picture in pipeline.pixels(dataset, size)], axis=0)


def likeness(pixels: np.ndarray, typical: np.ndarray) -> float:
    """Correlation of a picture with the typical image, both as thumbnails.

    Args:
        pixels: uint8 (height, width), as `images.read_image` gives it.
        typical: from `typical_image`.

    Returns:
        1 for the same picture up to brightness and contrast, 0 for an unrelated one (or one of a single grey), -1 for
        its negative.

    Example:
        >>> ramp = np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1))
        >>> round(likeness(ramp, standardise(ramp)), 3), round(likeness(255 - ramp, standardise(ramp)), 3)
        (1.0, -1.0)
    """
    one, other = _thumbnail(pixels).ravel(), standardise(typical).ravel()
    return float(one @ other / len(one))


def likenesses(dataset: Dataset, typical: np.ndarray, size: int) -> np.ndarray:
    """Likeness of every image of a data set.

    Args:
        dataset: every row must have its image file.
        typical: from `typical_image`.
        size: side in pixels at which the images are read.

    Returns:
        Shape (images,).
    """
    return np.array([likeness(picture, typical) for picture in pipeline.pixels(dataset, size)])


def _thumbnail(pixels: np.ndarray) -> np.ndarray:
    return standardise(resize(pixels, THUMBNAIL))
