"""How much a picture looks like those that a network has learned from: the simplest check for a stranger.

A network answers whatever it is shown. So before its answer is believed, the picture is compared with the typical
training image: the correlation of two thumbnails. What is no upright chest X-ray correlates badly. A good
correlation proves nothing: the check knows shape and light, not medicine.
"""

from dataclasses import dataclass

import numpy as np

from cxr_utils.data.dataset import Dataset
from cxr_utils.data.images import resize, standardise

THUMBNAIL = 32
#: Share of the usual images that are flagged.
FLAGGED = 0.01


@dataclass(frozen=True, eq=False)
class Likeness:
    """A check of pictures against those that a network knows.

    Attributes:
        typical: float32 (THUMBNAIL, THUMBNAIL), the median training image in standard deviations.
        usual: likeness of images of other patients, shape (images,).

    Example:
        >>> ramp = np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1))
        >>> check = Likeness(standardise(ramp), np.linspace(0.5, 1, 101))
        >>> round(check.of(ramp), 3), round(check.of(255 - ramp), 3), check.limit
        (1.0, -1.0, 0.505)
    """

    typical: np.ndarray
    usual: np.ndarray

    @classmethod
    def learn(cls, train: Dataset, valid: Dataset, size: int) -> "Likeness":
        """Take the median of the training images, pixel by pixel, and see how usual images compare.

        Args:
            train: what the network has learned from; every row must have its image file.
            valid: images of other patients.
            size: side in pixels at which the images are read (the network's, so that they are already decoded).
        """
        typical = np.median([_thumbnail(picture) for picture in train.pixels(size)], axis=0)
        return cls(typical, np.array([_correlation(picture, typical) for picture in valid.pixels(size)]))

    @property
    def limit(self) -> float:
        """Less like the typical image than all but one in a hundred usual ones: such a picture is flagged."""
        return float(np.quantile(self.usual, FLAGGED))

    def of(self, pixels: np.ndarray) -> float:
        """Correlation of a picture with the typical image, both as thumbnails.

        Args:
            pixels: uint8 (height, width), as `images.read_image` gives it.

        Returns:
            1 for the same picture up to brightness and contrast, 0 for an unrelated one (or one of a single grey),
            -1 for its negative.
        """
        return _correlation(pixels, self.typical)


def _correlation(pixels: np.ndarray, typical: np.ndarray) -> float:
    one, other = _thumbnail(pixels).ravel(), standardise(typical).ravel()
    return float(one @ other / len(one))


def _thumbnail(pixels: np.ndarray) -> np.ndarray:
    return standardise(resize(pixels, THUMBNAIL))
