"""Are heat maps where the finding is? All of them scored, beside maps that know nothing of the image.

Four hand-picked heat maps prove nothing. Here every image with a box counts, four scores look at it from
different sides, and a blob in the centre is the one to beat: findings are rarely in the corner of a chest
X-ray.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from cxr_utils.data.dataset import Dataset
from cxr_utils.data.masks import GRID, shrink_mask
from cxr_utils.errors import DataError, Missing
from cxr_utils.evaluation.intervals import resample_weights, share_interval
from cxr_utils.evaluation.predictions import align_patients
from cxr_utils.heatmaps.gradcam import upsample
from cxr_utils.heatmaps.map_scores import (
    THRESHOLDS,
    box_mask,
    cut_at_each_value,
    energy_in_box,
    overlap_area,
    overlap_at,
    pointing_game,
)

SCORES = ("hit", "energy", "iou", "iou_area")
#: Where the overlap at each threshold stands in a table of scores.
CURVE = tuple(f"iou_at_{threshold}" for threshold in THRESHOLDS)
#: Classes of size: the share of the image that a box or mask covers, from (included) and to.
SIZES = {"below 1 %": (0.0, 0.01), "1 to 3 %": (0.01, 0.03), "3 to 10 %": (0.03, 0.1), "10 % or more": (0.1, np.inf)}


@dataclass(frozen=True, eq=False)
class Scored:
    """Heat maps scored one by one, and who the patients are.

    Attributes:
        rows: from `score_boxes` or `score_masks`: one row for each image and finding with a box or mask.
        patients: the patient of each image, by image.
        compared: whether the scores are differences.

    Example:
        >>> rows = pd.DataFrame({"image": ["a", "b"], "finding": "Mass", "area": 0.1, "size": "3 to 10 %",
        ...                      "hit": [1.0, 0.0], "energy": 0.3})
        >>> scored = Scored(rows, {"a": "1", "b": "2"})
        >>> scored.summary("size").loc["all", ["maps", "hit", "energy"]].tolist()
        [2.0, 0.5, 0.3]
        >>> scored.minus(scored).rows["hit"].tolist()
        [0.0, 0.0]
    """

    rows: pd.DataFrame
    patients: Mapping[str, str]
    compared: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def summary(self, by: str = "finding", *, replicates: int = 1000, seed: int = 0) -> pd.DataFrame:
        """Mean scores of each finding or size and of all, with 95 % intervals over patients.

        The share of hits has its `share_interval`; the others are the spread of a bootstrap times Student's t.

        Args:
            by: "finding" or "size".
            replicates: resamples of patients.
            seed: of the resamples.

        Returns:
            Index: findings in order of appearance or sizes from small to large, then "all". Columns: maps, patients,
            area (mean share of the image), and for each score its mean, <score>_low and <score>_high.

        Raises:
            DataError: where an image has no patient, or `by` is another word.
        """
        scored = self.rows
        patient = align_patients([self.patients.get(image) for image in scored["image"]], pd.Index(scored["image"]))
        groups, columns = _groups(scored, by), _scores_of(scored)
        values = scored[columns].to_numpy(dtype=np.float64)
        ends = np.stack([_bootstrap_interval(values[own], patient[own], replicates, seed) for own in groups.values()])
        ends = ends if self.compared else ends.clip(0, 1)
        if "hit" in columns and not self.compared:
            hit, among = columns.index("hit"), np.stack(list(groups.values()), axis=1)
            ends[:, :, hit] = np.transpose(share_interval(values[:, [hit]], among, patient))
        means = np.stack([values[own].mean(axis=0) for own in groups.values()])
        found = {"": means, "_low": ends[:, 0], "_high": ends[:, 1]}
        counts = {
            "maps": [int(own.sum()) for own in groups.values()],
            "patients": [len(np.unique(patient[own])) for own in groups.values()],
            "area": [scored.loc[own, "area"].mean() for own in groups.values()],
        }
        scores = {f"{name}{end}": found[end][:, place] for place, name in enumerate(columns) for end in found}
        return pd.DataFrame(counts | scores, index=pd.Index(groups, name=by))

    def minus(self, other: "Scored") -> "Scored":
        """How much better these maps score than others, pair by pair: what is hard about a picture cancels.

        Args:
            other: maps of another kind, scored against the same boxes or masks, in any order.

        Returns:
            As these, with differences for scores; its `summary` gives their mean and interval.

        Raises:
            DataError: where the two are not about the same images and findings.
        """
        pair, columns = ["image", "finding"], _scores_of(self.rows)
        own, others = (pd.MultiIndex.from_frame(rows[pair]) for rows in (self.rows, other.rows))
        if len(own) != len(others) or not own.isin(others).all():
            raise DataError(
                f"The two tables hold {len(own)} and {len(others)} pairs of an image and a finding, not the same ones. "
                "Expected two kinds of maps scored against the same boxes. Score both with the same images and "
                "findings."
            )
        matched = other.rows.set_index(pair)[columns].reindex(own).to_numpy()
        differences = dict(zip(columns, (self.rows[columns].to_numpy() - matched).T, strict=True))
        return Scored(self.rows.assign(**differences), self.patients, compared=True)


def score(
    maps: np.ndarray, dataset: Dataset, findings: Sequence[str] | None = None, *, against: str = "boxes"
) -> Scored | Missing:
    """Scores the heat maps of a data set's images against what is known of where the findings are.

    Args:
        maps: (images, findings, side, side), see `score_boxes`; images in the order of the table.
        dataset: whose boxes or masks judge.
        findings: in the order of `maps`; None takes those of the data set.
        against: "boxes", or "masks" (the pixels that the simulator has changed).

    Returns:
        The scores, or a `Missing` where the data set has no boxes or masks.

    Raises:
        DataError: where the maps are no heat maps of these images and findings, or `against` is another word.

    Example:
        >>> from cxr_utils.data import open_dataset
        >>> dataset = open_dataset("phantom")
        >>> maps = np.ones((len(dataset.table), 14, 4, 4), np.float32)
        >>> rows = score(maps, dataset).rows  # the same heat everywhere: of it the box holds its share of the image
        >>> bool(abs(rows["energy"] - rows["area"]).max() < 0.01)
        True
    """
    if against not in ("boxes", "masks"):
        raise DataError(f"Scores against {against!r} were asked for. Expected 'boxes' or 'masks'. Correct the word.")
    names, findings = dataset.table["image"].tolist(), list(findings or dataset.findings)
    known = dataset.knows("boxes")
    if isinstance(known, Missing):
        return known
    if against == "boxes":
        rows = score_boxes(maps, names, findings, dataset.boxes)
    else:
        masks = dataset.masks()
        if isinstance(masks, Missing):
            return masks
        rows = score_masks(maps, names, findings, masks)
    return Scored(rows, dict(zip(names, dataset.patients, strict=True)))


def score_boxes(maps: np.ndarray, images: Sequence[str], findings: Sequence[str], boxes: pd.DataFrame) -> pd.DataFrame:
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
        finding, area (the boxes' share of the image), size (its class), hit, energy, iou (at the best threshold),
        iou_area (over all thresholds) and the overlap at each of `THRESHOLDS`. A hit means that, across as well as
        down, the centre of the map's hottest cell lies in a box, or the centre of a box in that cell: compare maps
        of one resolution.

    Raises:
        DataError: where maps have another shape or negative or missing values, an image is named twice, or no
            box belongs to these images and findings.

    Example:
        >>> box = {"image": "a.png", "finding": "Mass", "x": 0.5, "y": 0.5, "width": 0.5, "height": 0.5}
        >>> boxes = pd.DataFrame([box])
        >>> scored = score_boxes(np.ones((1, 1, 4, 4)), ["a.png"], ["Mass"], boxes)
        >>> scored[["area", "hit", "energy", "iou", "iou_area"]].values.tolist()
        [[0.25, 0.25, 0.25, 0.25, 0.25]]
    """
    grouped = boxes.groupby(["image", "finding"], sort=False)
    return _score(maps, images, findings, ((*pair, _Boxes(own)) for pair, own in grouped), f"{len(boxes)} boxes")


def score_masks(
    maps: np.ndarray, images: Sequence[str], findings: Sequence[str], masks: Mapping[tuple[str, str], np.ndarray]
) -> pd.DataFrame:
    """Scores each heat map for which there is a mask: the pixels of the finding and not a rectangle around them.

    A box around a thin or slanting finding is mostly healthy; heat there counts for nothing here.

    Args:
        maps: as for `score_boxes`.
        images: names of the images, in the order of `maps`.
        findings: names of the findings, in the order of `maps`.
        masks: (image, finding) to (side, side) bool, not empty. Other images and findings are passed over.
            `masks.simulated_masks` draws those of the simulator.

    Returns:
        As `score_boxes`. A hit means that the centre of the map's hottest cell lies in the mask, or the middle of
        the mask (of its pixels the nearest to their mean) in that cell.

    Raises:
        DataError: as `score_boxes`; or a mask that is empty, not square or not of bool.

    Example:
        >>> mask = np.eye(4, dtype=bool)
        >>> scored = score_masks(np.ones((1, 1, 4, 4)), ["a.png"], ["Mass"], {("a.png", "Mass"): mask})
        >>> scored[["area", "hit", "energy"]].values.tolist()
        [[0.25, 0.25, 0.25]]
    """
    targets = ((*pair, _Mask(_checked_mask(mask, pair))) for pair, mask in masks.items())
    return _score(maps, images, findings, targets, f"{len(masks)} masks")


@dataclass(frozen=True)
class _Boxes:
    """Boxes of one finding on one image, on any grid."""

    boxes: pd.DataFrame

    def on(self, size: int) -> np.ndarray:
        return box_mask(self.boxes, size)

    cells = on


@dataclass(frozen=True)
class _Mask:
    """A mask of pixels, on any grid."""

    mask: np.ndarray

    def on(self, size: int) -> np.ndarray:
        return shrink_mask(self.mask, size)

    def cells(self, size: int) -> np.ndarray:
        """The cells whose centre lies in the mask, and the one with the mask's middle."""
        side = len(self.mask)
        centres = ((np.arange(size) + 0.5) / size * side).astype(int)
        cells = self.mask[np.ix_(centres, centres)].copy()
        pixels = np.argwhere(self.mask)
        middle = pixels[((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1).argmin()]
        cells[tuple(((middle + 0.5) / side * size).astype(int))] = True
        return cells


def _score(
    maps: np.ndarray,
    images: Sequence[str],
    findings: Sequence[str],
    targets: Iterable[tuple[str, str, _Boxes | _Mask]],
    what: str,
) -> pd.DataFrame:
    maps = _broadcast(maps, images, findings)
    row, column = ({name: place for place, name in enumerate(names)} for names in (images, findings))
    rows = []
    for image, finding, target in targets:
        if image not in row or finding not in column:
            continue
        # The hottest place is that of the map as it is: enlarging lowers peaks, and least so at the borders.
        coarse = maps[row[image], column[finding]]
        heat, mask = upsample(coarse, GRID), target.on(GRID)
        hit = pointing_game(coarse, target.cells(len(coarse)))
        values, overlap = cut_at_each_value(heat, mask)
        scores = (
            hit, energy_in_box(heat, mask), overlap.max(initial=0.0), overlap_area(values, overlap),
            *overlap_at(values, overlap, THRESHOLDS),
        )  # fmt: skip
        rows.append((image, finding, mask.mean(), _size_class(mask.mean()), *scores))
    if not rows:
        raise DataError(
            f"None of {what} belongs to these {len(images)} images and {len(findings)} findings. "
            "Expected at least one. Ask dataset.knows('boxes') first; names must be those of the image "
            "table."
        )
    return pd.DataFrame(rows, columns=["image", "finding", "area", "size", *SCORES, *CURVE])


def _size_class(area: float) -> str:
    """Which of `SIZES` a share of the image is."""
    return next(name for name, (low, high) in SIZES.items() if low <= area < high)


def _scores_of(scored: pd.DataFrame) -> list[str]:
    return [name for name in (*SCORES, *CURVE) if name in scored]


def _groups(scored: pd.DataFrame, by: str) -> dict[str, np.ndarray]:
    """Name of each group to its rows; at the end all rows."""
    if by not in ("finding", "size"):
        raise DataError(f"A summary by {by!r} was asked for. Expected 'finding' or 'size'. Correct the name.")
    names = pd.unique(scored["finding"]) if by == "finding" else [name for name in SIZES if name in set(scored["size"])]
    return {name: (scored[by] == name).to_numpy() for name in names} | {"all": np.full(len(scored), True)}


def _checked_mask(mask: np.ndarray, pair: tuple[str, str]) -> np.ndarray:
    if mask.dtype != bool or mask.ndim != 2 or mask.shape[0] != mask.shape[1] or not mask.any():
        raise DataError(
            f"The mask of {pair[1]} on {pair[0]} has shape {mask.shape}, type {mask.dtype} and "
            f"{np.count_nonzero(mask)} marked pixels. Expected a square of bool with at least one. Write mask > 0, "
            "and leave out findings without a pixel."
        )
    return mask


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


def _bootstrap_interval(values: np.ndarray, patient: np.ndarray, replicates: int, seed: int) -> np.ndarray:
    """Ends of the intervals of means over resampled patients: values (rows, scores) to (low and high, scores)."""
    unit = np.unique(patient, return_inverse=True)[1]
    sums, counts = np.stack([np.bincount(unit, column) for column in values.T]), np.bincount(unit)
    means = [(sums @ weights / (counts @ weights)).T for weights in resample_weights(len(counts), replicates, seed)]
    spread = np.vstack(means).std(axis=0) if means and len(counts) > 1 else np.full(len(sums), np.nan)
    # That all are alike may be luck: as far as Wilson's interval of a share reaches that is 0 or 1.
    alike = stats.norm.ppf(0.975) ** 2 / (len(counts) + stats.norm.ppf(0.975) ** 2)
    reach = np.where(spread <= 1e-9, alike, spread * stats.t.ppf(0.975, len(counts) / 2))
    return values.mean(axis=0) + np.outer([-1, 1], reach)
