"""Maps that never look at the picture: what a heat map has to beat."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxr_utils.data.dataset import Dataset
from cxr_utils.errors import DataError
from cxr_utils.heatmaps.map_scores import box_mask


def centre_prior(size: int) -> np.ndarray:
    """The same blob in the centre for every image and finding: a normal density, a fifth of the side wide.

    Args:
        size: side of the map; take the resolution of the model's own maps.

    Returns:
        (1, 1, size, size) float32, maximum 1.

    Example:
        >>> centre_prior(3)[0, 0].round(2).tolist()[1]
        [0.25, 1.0, 0.25]
    """
    place = (np.arange(size) + 0.5) / size - 0.5
    blob = np.exp(-(place[:, None] ** 2 + place**2) / (2 * 0.2**2))
    return (blob / blob.max()).astype(np.float32)[None, None]


def random_maps(images: int, size: int, seed: int = 0) -> np.ndarray:
    """Noise, another for each image: what a map that points anywhere scores.

    Args:
        images: number of maps.
        size: side of each; take the resolution of the model's own maps, for enlarging makes noise smooth.
        seed: of the noise.

    Returns:
        (images, 1, size, size) float32 between 0 and 1.

    Example:
        >>> random_maps(5, 7).shape
        (5, 1, 7, 7)
    """
    return np.random.default_rng(seed).random((images, 1, size, size), dtype=np.float32)


def mean_box_map(boxes: pd.DataFrame, findings: Sequence[str], size: int) -> np.ndarray:
    """How often each place lay in a box of the finding: the best map that looks at no image.

    Args:
        boxes: of training images, never of the images that will be scored; columns as in `score_boxes`.
        findings: names of the findings, in the order of the result.
        size: side of the map; take the resolution of the model's own maps.

    Returns:
        (1, findings, size, size) float32, maximum 1. A finding without a box gets the mean of all boxes.

    Raises:
        DataError: where there is no box at all.

    Example:
        >>> boxes = pd.DataFrame([{"finding": "Mass", "x": 0.0, "y": 0.0, "width": 0.5, "height": 0.5}])
        >>> mean_box_map(boxes, ["Mass"], 2)[0, 0].tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    if boxes.empty:
        raise DataError(
            "Received no boxes. Expected boxes of training images. Ask dataset.knows('boxes') first, or use "
            "centre_prior."
        )
    masks = np.stack([box_mask(boxes.iloc[[place]], size) for place in range(len(boxes))])
    finding = boxes["finding"].to_numpy()
    means = np.stack(
        [masks[finding == name if (finding == name).any() else slice(None)].mean(axis=0) for name in findings]
    )
    return (means / means.max(axis=(1, 2), keepdims=True)).astype(np.float32)[None]


def blind_maps(train: Dataset, images: int, size: int, seed: int = 0) -> dict[str, np.ndarray]:
    """All maps of this module that a data set allows, for `score`.

    Args:
        train: whose boxes make the mean box; without a box there is none.
        images: how many images there are to score.
        size: side of the maps; take the resolution of the model's own maps.
        seed: of the random maps.

    Returns:
        "centre", "random" and, where `train` has boxes, "mean box".

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> dataset = open_dataset("phantom")
        >>> {name: maps.shape for name, maps in blind_maps(dataset, images=2, size=4).items()}
        {'centre': (1, 1, 4, 4), 'random': (2, 1, 4, 4), 'mean box': (1, 14, 4, 4)}
    """
    found = {"centre": centre_prior(size), "random": random_maps(images, size, seed)}
    if len(train.boxes):
        found["mean box"] = mean_box_map(train.boxes, train.findings, size)
    return found
