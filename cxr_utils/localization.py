"""Are heat maps where the finding is? Scores against boxes, beside maps that know nothing of the image.

Four hand-picked heat maps prove nothing. Here every image with a box counts, three scores look at it from
different sides, and a blob in the centre is the one to beat: findings are rarely in the corner of a chest
X-ray.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cxr_utils.alignment import align_patients
from cxr_utils.bootstrap import percentile_interval, resample_weights
from cxr_utils.errors import DataError
from cxr_utils.gradcam import upsample

#: Side in pixels of the grid on which energy and overlap are measured. A nodule of 3 % of the
#: width is 4 pixels wide.
GRID = 128
SCORES = ("hit", "energy", "iou")


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
    """Does the hottest place lie in the box? (Zhang et al., ECCV 2016, without their margin of 15 pixels.)

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
    """Share of all heat that lies in the box (Wang et al., Score-CAM, 2020). A flat map reaches the box's
    area.

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


def best_iou(heat: np.ndarray, mask: np.ndarray) -> float:
    """Overlap of box and hot region, intersection over union, at the threshold that suits this map best.

    The best threshold is known only when the box is, so this flatters every map, the baselines included.

    Args:
        heat: (height, width), not negative.
        mask: (height, width) bool.

    Returns:
        From 0 to 1; 0 for a map of zeros.

    Example:
        >>> best_iou(np.array([[0.1, 0.9, 0.5, 0.0]]), np.array([[False, True, True, False]]))
        1.0
    """
    order = np.argsort(-heat, axis=None)
    values = heat.ravel()[order]
    overlap = np.cumsum(mask.ravel()[order])
    iou = overlap / (np.arange(1, len(order) + 1) + mask.sum() - overlap)
    # A threshold takes all places of equal heat or none of them.
    thresholds = (np.diff(values, append=-1) != 0) & (values > 0)
    return float(iou[thresholds].max()) if thresholds.any() else 0.0


def score_boxes(
    maps: np.ndarray, images: Sequence[str], findings: Sequence[str], boxes: pd.DataFrame
) -> pd.DataFrame:
    """Scores each heat map for which there is a box.

    Args:
        maps: (images, findings, side, side), not negative, of any resolution; either of the first two may
            be 1: one map for all images, or for all findings (the baselines of this module).
        images: names of the images, in the order of `maps`.
        findings: names of the findings, in the order of `maps`.
        boxes: columns image, finding, x, y, width, height (fractions). Other images and findings are passed
            over.

    Returns:
        One row for each image and finding with a box, several boxes of one finding taken together: image,
        finding, boxes (how many), area (their share of the image), hit, energy, iou. A hit means that the
        centre of the map's hottest cell lies in a box, or the centre of a box in that cell: compare maps of
        one resolution.

    Raises:
        DataError: where maps have another shape or negative or missing values, an image is named twice, or no
            box belongs to these images and findings.

    Example:
        >>> box = {"image": "a.png", "finding": "Mass", "x": 0.5, "y": 0.5, "width": 0.5, "height": 0.5}
        >>> boxes = pd.DataFrame([box])
        >>> scored = score_boxes(np.ones((1, 1, 4, 4)), ["a.png"], ["Mass"], boxes)
        >>> scored[["area", "hit", "energy", "iou"]].values.tolist()
        [[0.25, 0.25, 0.25, 0.25]]
    """
    maps = _broadcast(maps, images, findings)
    row, column = ({name: place for place, name in enumerate(names)} for names in (images, findings))
    known = boxes[boxes["image"].isin(row) & boxes["finding"].isin(column)]
    if known.empty:
        raise DataError(
            f"None of {len(boxes)} boxes belongs to these {len(images)} images and {len(findings)} findings. "
            "Expected at least one. Ask dataset.lacks('boxes') first; names must be those of the image "
            "table."
        )
    rows = []
    for (image, finding), own in known.groupby(["image", "finding"], sort=False):
        # The hottest place is that of the map as it is: enlarging lowers peaks, and least so at the borders.
        coarse = maps[row[image], column[finding]]
        heat = upsample(coarse, GRID)
        mask = box_mask(own, GRID)
        hit = pointing_game(coarse, box_mask(own, len(coarse)))
        rows.append(
            (image, finding, len(own), mask.mean(), hit, energy_in_box(heat, mask), best_iou(heat, mask))
        )
    return pd.DataFrame(rows, columns=["image", "finding", "boxes", "area", *SCORES])


def summarise_boxes(
    scored: pd.DataFrame, patients: Mapping[str, str] | pd.Series, *, replicates: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Mean scores of each finding and of all, with 95 % intervals from a bootstrap over patients.

    To compare two kinds of maps, subtract their scores row by row and summarise the differences.

    Args:
        scored: from `score_boxes`.
        patients: the patient of each image, by image.
        replicates: resamples of patients.
        seed: of the resamples.

    Returns:
        Index: findings in order of appearance, then "all". Columns: maps, patients, area, and for each of
        hit, energy and iou its mean, <score>_low and <score>_high.

    Raises:
        DataError: where an image has no patient.

    Example:
        >>> scored = pd.DataFrame({"image": ["a", "b"], "finding": "Mass", "boxes": 1, "area": 0.1,
        ...                        "hit": [1.0, 0.0], "energy": 0.3, "iou": 0.2})
        >>> summarise_boxes(scored, {"a": "1", "b": "2"}).loc["all", ["maps", "hit", "energy"]].tolist()
        [2.0, 0.5, 0.3]
    """
    patient = align_patients([patients.get(image) for image in scored["image"]], pd.Index(scored["image"]))
    finding = scored["finding"].to_numpy()
    rows = {name: finding == name for name in pd.unique(finding)} | {"all": np.full(len(scored), True)}
    table = pd.DataFrame(
        {
            "maps": {name: int(own.sum()) for name, own in rows.items()},
            "patients": {name: len(np.unique(patient[own])) for name, own in rows.items()},
            "area": {name: scored.loc[own, "area"].mean() for name, own in rows.items()},
        }
    ).loc[list(rows)]
    for score in SCORES:
        values = scored[score].to_numpy(dtype=np.float64)
        table[score] = [values[own].mean() for own in rows.values()]
        samples = _bootstrap_means(values, list(rows.values()), patient, replicates, seed)
        table[f"{score}_low"], table[f"{score}_high"] = percentile_interval(samples)
    return table.rename_axis("finding")


def score_maps(
    maps: np.ndarray,
    images: Sequence[str],
    findings: Sequence[str],
    boxes: pd.DataFrame,
    patients: Sequence[str],
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Heat maps against boxes in one table: `score_boxes`, then `summarise_boxes`.

    Args:
        maps: (images, findings, side, side), see `score_boxes`.
        images: names of the images, in the order of `maps`.
        findings: names of the findings, in the order of `maps`.
        boxes: columns image, finding, x, y, width, height (fractions).
        patients: the patient of each of `images`, in their order.
        replicates: resamples of patients.
        seed: of the resamples.

    Returns:
        As `summarise_boxes`.

    Raises:
        DataError: as `score_boxes`, or where patients are not as many as images.

    Example:
        >>> box = {"image": "a.png", "finding": "Mass", "x": 0.4, "y": 0.4, "width": 0.2, "height": 0.2}
        >>> boxes = pd.DataFrame([box])
        >>> score_maps(centre_prior(8), ["a.png"], ["Mass"], boxes, ["13"])["hit"].tolist()
        [1.0, 1.0]
    """
    if len(patients) != len(images):
        raise DataError(
            f"Received {len(patients)} patients for {len(images)} images. Expected one for each. Take both "
            "from the same table."
        )
    scored = score_boxes(maps, images, findings, boxes)
    by_image = dict(zip(images, patients, strict=True))
    return summarise_boxes(scored, by_image, replicates=replicates, seed=seed)


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
            "Received no boxes. Expected boxes of training images. Ask dataset.lacks('boxes') first, or use "
            "centre_prior."
        )
    masks = np.stack([box_mask(boxes.iloc[[place]], size) for place in range(len(boxes))])
    finding = boxes["finding"].to_numpy()
    means = np.stack(
        [masks[finding == name if (finding == name).any() else slice(None)].mean(axis=0) for name in findings]
    )
    return (means / means.max(axis=(1, 2), keepdims=True)).astype(np.float32)[None]


def _broadcast(maps: np.ndarray, images: Sequence[str], findings: Sequence[str]) -> np.ndarray:
    """Maps for each image and finding (a view), refused where they do not fit or are no heat maps."""
    maps = np.asarray(maps)
    fits = maps.ndim == 4 and maps.shape[0] in (1, len(images)) and maps.shape[1] in (1, len(findings))
    if (
        not fits
        or maps.shape[2] != maps.shape[3]
        or len(set(images)) != len(images)
        or len(set(findings)) != len(findings)
    ):
        raise DataError(
            f"Received maps of shape {maps.shape} for {len(images)} images and {len(findings)} findings. "
            "Expected (images, findings, side, side) and each name once. Pass the names in the order of "
            "the maps."
        )
    if not (np.isfinite(maps).all() and (maps >= 0).all()):
        raise DataError(
            "The maps hold negative or missing values. Expected heat from 0 up. Rectify them first: "
            "numpy.maximum(maps, 0)."
        )
    return np.broadcast_to(maps, (len(images), len(findings), *maps.shape[2:]))


def _bootstrap_means(
    values: np.ndarray, rows: list[np.ndarray], patient: np.ndarray, replicates: int, seed: int
) -> np.ndarray:
    """Mean of each group of rows in each resample of patients: (replicates, groups)."""
    units = int(patient.max()) + 1
    sums = np.stack([np.bincount(patient[own], values[own], minlength=units) for own in rows])
    counts = np.stack([np.bincount(patient[own], minlength=units) for own in rows]).astype(np.float64)
    chunks = []
    for weights in resample_weights(units, replicates, seed):
        total = counts @ weights
        mean = np.divide(sums @ weights, total, out=np.full(total.shape, np.nan), where=total > 0)
        chunks.append(mean.T)
    return np.concatenate(chunks) if chunks else np.empty((0, len(sums)))
