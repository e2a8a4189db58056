"""One heat map against one mask: does it point there, how much of it lies there, has it that shape?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

#: Shares of a map's own maximum at which it is cut to see how its hot region overlaps the mask.
THRESHOLDS = tuple(round(0.1 * step, 1) for step in range(1, 10))


def box_mask(boxes: pd.DataFrame, size: int) -> np.ndarray:
    """The pixels whose centre lies in any of the boxes.

    Args:
        boxes: columns x, y, width, height in fractions of the image, x and y of the upper left corner.
        size: side of the mask in pixels.

    Returns:
        (size, size) bool. A box too small to hold a pixel's centre marks the pixel that holds the box's
        centre.

    Example:
        >>> boxes = pd.DataFrame({"x": [0.5], "y": [0.0], "width": [0.5], "height": [0.25]})
        >>> box_mask(boxes, 4).sum(axis=1).tolist()
        [2, 0, 0, 0]
    """
    centres = (np.arange(size) + 0.5) / size
    mask = np.zeros((size, size), dtype=bool)
    for x, y, width, height in boxes[["x", "y", "width", "height"]].to_numpy(dtype=np.float64):
        across = (centres >= x) & (centres < x + width)
        down = (centres >= y) & (centres < y + height)
        across[min(size - 1, max(0, int((x + width / 2) * size)))] = True
        down[min(size - 1, max(0, int((y + height / 2) * size)))] = True
        mask |= down[:, None] & across
    return mask


def pointing_game(heat: np.ndarray, mask: np.ndarray) -> float:
    """Tell whether the hottest place lies in the box (Zhang et al., ECCV 2016, without their margin of 15 pixels).

    Args:
        heat: (height, width), not negative.
        mask: (height, width) bool.

    Returns:
        1 or 0; where several places are equally hot, the share of them in the box. A map of zeros points
        nowhere: 0.

    Example:
        >>> pointing_game(np.array([[0.2, 1.0]]), np.array([[False, True]]))
        1.0
    """
    hottest = heat == heat.max()
    return float(mask[hottest].mean()) if heat.max() > 0 else 0.0


def energy_in_box(heat: np.ndarray, mask: np.ndarray) -> float:
    """Share of all heat that lies in the box (Wang et al., Score-CAM, 2020). A flat map reaches the box's area.

    Args:
        heat: (height, width), not negative.
        mask: (height, width) bool.

    Returns:
        From 0 to 1; 0 for a map of zeros.

    Example:
        >>> energy_in_box(np.array([[1.0, 3.0]]), np.array([[False, True]]))
        0.75
    """
    total = heat.sum(dtype=np.float64)
    return float(heat[mask].sum(dtype=np.float64) / total) if total > 0 else 0.0


def cut_at_each_value(heat: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cuts a map at each of its values: what all scores of overlap are made from.

    Args:
        heat: (height, width), not negative.
        mask: (height, width) bool.

    Returns:
        The different values above 0, as shares of the largest, falling; and the overlap of the mask with what is at
        least as hot. Both are empty for a map of zeros. The largest overlap flatters every map, for the best threshold
        is known only when the box is.

    Example:
        >>> heat, mask = np.array([[2.0, 1.0, 1.0, 0.0]]), np.array([[True, True, False, False]])
        >>> values, overlap = cut_at_each_value(heat, mask)
        >>> values.tolist(), overlap.round(2).tolist()
        ([1.0, 0.5], [0.5, 0.67])
    """
    order = np.argsort(-heat, axis=None)
    values = heat.ravel()[order].astype(np.float64)
    overlap = np.cumsum(mask.ravel()[order])
    iou = overlap / (np.arange(1, len(order) + 1) + mask.sum() - overlap)
    # A threshold takes all places of equal heat or none of them.
    last = (np.diff(values, append=-1) != 0) & (values > 0)
    return values[last] / max(values[0], np.finfo(float).tiny), iou[last]


def overlap_area(values: np.ndarray, overlap: np.ndarray) -> float:
    """Area under the curve of overlap against threshold, over all thresholds: no threshold needs to be chosen.

    Args:
        values: from `cut_at_each_value`.
        overlap: likewise.

    Returns:
        From 0 to 1; a flat map reaches the box's area; 0 for a map of zeros.

    Example:
        >>> float(overlap_area(np.array([1.0, 0.5]), np.array([0.5, 1.0])))
        0.75
    """
    # Between two neighbouring values the hot region, and with it the overlap, stays the same.
    return float(-overlap @ np.diff(values, append=0.0))


def overlap_at(values: np.ndarray, overlap: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Overlap of box and hot region at some thresholds: a map that is right at one only was lucky with that one.

    Args:
        values: from `cut_at_each_value`.
        overlap: likewise.
        thresholds: shares of the map's maximum, above 0 and at most 1; as hot or hotter is the hot region.

    Returns:
        (thresholds,) from 0 to 1; zeros for a map of zeros.

    Example:
        >>> overlap_at(np.array([1.0, 0.5]), np.array([0.5, 1.0]), (0.6, 0.4)).tolist()
        [0.5, 1.0]
    """
    # The values fall, so their negatives rise and can be searched.
    taken = np.searchsorted(-values, -np.asarray(thresholds, dtype=np.float64), side="right")
    return np.concatenate([[0.0], overlap])[taken]
