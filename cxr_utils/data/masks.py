"""Masks of the findings on simulated radiographs: which pixels each of them has changed.

A cohort on disk holds pictures and boxes. The simulator knows more, and because the same order always gives the same
pictures, it can be asked again: a picture is drawn once more, and its masks are kept this time.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cxr_utils import cache
from cxr_utils.data.schema import FINDINGS
from cxr_utils.errors import DataError
from cxr_utils.phantom import cohort, records
from cxr_utils.phantom.render import radiograph

if TYPE_CHECKING:
    from cxr_utils.data.dataset import Dataset

#: Side in pixels of the grid on which energy and overlap are measured. A nodule of 3 % of the
#: width is 4 pixels wide.
GRID = 128


def simulated_masks(dataset: "Dataset", side: int = GRID) -> dict[tuple[str, str], np.ndarray]:
    """Draws the masks of all findings on the images of a simulated data set. Cached; about 15 ms an image.

    Args:
        dataset: the phantom, or a part of it, or a copy with a planted marker.
        side: of the masks in pixels.

    Returns:
        (image, finding) to (side, side) bool, for each finding that was drawn into a picture, whatever its label says,
        and left a pixel. A pixel belongs to the mask when at least half of it does, or as much of it as of any other.

    Raises:
        DataError: the data set is not simulated, or was made by another version of the simulator.
    """
    order, odd = _description(dataset)
    wanted = [name for name in dataset.table["image"] if odd.get(name) not in records.TURNED]
    key = {
        "order": order,
        "images": wanted,
        "side": side,
        "simulator": cohort.simulator_version(),
        "code": cache.code_version("cxr_utils.data.masks"),
    }
    folder = cache.entry("masks", key, lambda new: _write(new, records.Order(**order), odd, wanted, side))
    with np.load(folder / "masks.npz") as stored:
        flat = np.unpackbits(stored["bits"], axis=1, count=side * side).astype(bool).reshape(-1, side, side)
        pairs = zip(stored["images"].tolist(), stored["findings"].tolist(), strict=True)
        return dict(zip(pairs, flat, strict=True))


def _description(dataset: "Dataset") -> tuple[dict, dict[str, str]]:
    """What was ordered, and which records are odd."""
    if not (known := dataset.knows("simulated_truth")):
        raise DataError(f"{dataset.name}: {known} Expected the phantom. Open it with open_dataset('phantom').")
    made = json.loads((dataset.root / cohort.DESCRIPTION).read_text(encoding="utf-8"))
    if made["simulator"] != cohort.simulator_version():
        raise DataError(
            f"{dataset.root.name} was made by version {made['simulator']} of the simulator. Expected "
            f"{cohort.simulator_version()}: another version draws other masks. Delete the folder and let it be made "
            "again."
        )
    return made["order"], made["odd_records"]


def _write(folder: Path, order: records.Order, odd: dict[str, str], wanted: list[str], side: int) -> None:
    patients = {record.number: record for record in records.draw_records(order)[0]}
    sources = {name: how.removeprefix(records.COPY) for name, how in odd.items() if how.startswith(records.COPY)}
    with ThreadPoolExecutor() as threads:  # numpy and OpenCV work outside Python's lock
        originals = [sources.get(name, name) for name in wanted]
        drawn = threads.map(lambda name: _masks(order, patients, name, side), originals)
        found = [(name, *pair) for name, pairs in zip(wanted, drawn, strict=True) for pair in pairs]
    flat = np.array([mask.ravel() for _, _, mask in found], dtype=bool).reshape(len(found), side * side)
    names, findings = (np.array([row[place] for row in found], dtype=str) for place in (0, 1))
    np.savez(folder / "masks.npz", images=names, findings=findings, bits=np.packbits(flat, axis=1))


def _masks(
    order: records.Order, patients: dict[int, records.Record], name: str, side: int
) -> list[tuple[str, np.ndarray]]:
    """Finding and mask, for each finding of one picture."""
    number, follow = map(int, name.removesuffix(".png").split("_"))
    scene = records.scene(order, patients[number], follow)
    if not scene[2]:  # healthy: there is nothing to draw
        return []
    masks = {finding: mask for finding, mask in radiograph(*scene, size=order.size).masks.items() if mask.any()}
    return [(finding, shrink_mask(masks[finding], side)) for finding in FINDINGS if finding in masks]


def shrink_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """A mask on another grid: the cells of which at least half is marked, or as much as of any other cell.

    Args:
        mask: (side, side) bool with at least one pixel.
        size: side of the result.

    Returns:
        (size, size) bool with at least one cell.

    Example:
        >>> shrink_mask(np.tril(np.ones((4, 4), dtype=bool)), 2).tolist()
        [[True, False], [True, True]]
    """
    shares = cv2.resize(mask.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    return shares >= min(0.5, shares.max())
