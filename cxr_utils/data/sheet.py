"""Contact sheets: of the simulator, each finding at three severities; of any data set, its labels and boxes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cxr_utils.cache import written_whole
from cxr_utils.data.images import read_image, resize
from cxr_utils.data.schema import FINDINGS
from cxr_utils.errors import DataError, ImageError
from cxr_utils.phantom.cohort import DESCRIPTION, description
from cxr_utils.phantom.findings import draw_boxes
from cxr_utils.phantom.patient import draw_patient, draw_visit
from cxr_utils.phantom.records import Order
from cxr_utils.phantom.render import Finding, radiograph

if TYPE_CHECKING:
    from cxr_utils.data.dataset import Dataset

SEVERITIES = (0.15, 0.5, 0.9)
_COLUMNS = 8


def contact_sheet(folder: str | Path, path: str | Path, *, beside: Sequence[Path] = (), tile: int = 192) -> Path:
    """Draw a sheet for a cohort: a row of normals, then the findings, each at three severities with its box.

    The pictures are drawn anew from the cohort's seed, because no patient of a cohort was seen with and without.

    Args:
        folder: of a cohort.
        path: the PNG to write.
        beside: files of real X-rays, for rows of simulated and of real ones in turn at the end of the sheet.
        tile: pixels a side of each picture.

    Returns:
        The path.

    Raises:
        DataError: the folder is no cohort.

    Example:
        >>> import tempfile; from cxr_utils.phantom import make_cohort
        >>> folder = make_cohort(tempfile.mkdtemp(), images=20, size=64, workers=1)
        >>> contact_sheet(folder, folder / "sheet.png", tile=32).name
        'sheet.png'
    """
    made = description(Path(folder))
    if made is None:
        raise DataError(f"{folder} holds no {DESCRIPTION}. Expected a simulated cohort. Make one with make_cohort.")
    order = Order(**made["order"])
    normals = [_picture(order, 7000 + number, None, 0.0, tile) for number in range(_COLUMNS)]
    rows = [np.hstack([_labelled(picture, "No Finding" if i == 0 else "") for i, picture in enumerate(normals)])]
    for first, second in zip(FINDINGS[::2], FINDINGS[1::2], strict=True):
        rows.append(np.hstack(_progress(order, first, tile) + _progress(order, second, tile)))
    rows += _simulated_and_real(Path(folder), beside, tile)
    return _written(path, np.vstack(rows))


def labelled_sheet(dataset: "Dataset", path: str | Path, *, tile: int = 240) -> Path:
    """Draw pictures of a data set with labels and boxes, as a look at what no table says: up to two of each finding.

    Args:
        dataset: with image files. Pictures with boxes come first, then those of the train part.
        path: the PNG to write.
        tile: pixels a side of each picture.

    Returns:
        The path.

    Raises:
        DataError: no image file is there, or the place cannot be written to.
    """
    dataset = dataset.with_images()
    labels = dataset.table[list(dataset.findings)]
    boxed = dataset.table["image"].isin(dataset.boxes["image"]) if len(dataset.boxes) else np.zeros(len(dataset), bool)
    order = np.lexsort((dataset.table["split"] != "train", ~np.asarray(boxed)))
    chosen: list[int] = []
    for holds in [*((labels[name] == 1).to_numpy() for name in labels), (labels.max(axis=1) == 0).to_numpy()]:
        chosen += [row for row in order if holds[row] and row not in chosen][:2]
    tiles = [_with_labels(dataset, row, tile) for row in chosen[: 4 * _COLUMNS]]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % min(_COLUMNS, len(tiles)))
    wide = min(_COLUMNS, len(tiles))
    return _written(path, np.vstack([np.hstack(tiles[at : at + wide]) for at in range(0, len(tiles), wide)]))


def _with_labels(dataset: "Dataset", row: int, tile: int) -> np.ndarray:
    """One picture, its boxes, and below them which findings its labels name; a damaged one says so."""
    image = dataset.table["image"].iloc[row]
    names = [name for name in dataset.findings if dataset.table[name].iloc[row] == 1] or ["none"]
    try:
        pixels = cv2.cvtColor(resize(dataset.picture(image), tile), cv2.COLOR_GRAY2BGR)
    except ImageError:
        pixels, names = np.zeros((tile, tile, 3), np.uint8), ["unreadable"]
    for box in dataset.boxes[dataset.boxes["image"] == image].itertuples() if len(dataset.boxes) else []:
        corner = int(box.x * tile), int(box.y * tile)
        opposite = int((box.x + box.width) * tile), int((box.y + box.height) * tile)
        cv2.rectangle(pixels, corner, opposite, (0, 159, 230), 1)  # BGR of the palette's orange
    footer = np.zeros((44, tile, 3), np.uint8)
    for line, text in enumerate((", ".join(names), f"{dataset.table['split'].iloc[row]} {image[-28:]}")):
        cv2.putText(
            footer, text[:40], (4, 16 + 18 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255, 255, 255), 1, cv2.LINE_AA
        )
    return np.vstack([pixels, footer])


def _written(path: str | Path, pixels: np.ndarray) -> Path:
    """Write beside and rename: nothing half-written is taken for whole."""
    path = Path(path)
    try:
        with written_whole(path) as beside:
            beside.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    except OSError as error:
        raise DataError(
            f"{path} could not be written ({error.strerror}). Expected a file in a folder with room. Choose another."
        ) from None
    return path


def _simulated_and_real(folder: Path, real: Sequence[Path], tile: int) -> list[np.ndarray]:
    """Rows of eight of the cohort's own pictures and eight real ones, drawn without looking; none without real ones."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(min(2, len(real) // _COLUMNS)):
        for name, files in (("simulated", sorted((folder / "images").glob("*.png"))), ("real", list(real))):
            drawn = [files[place] for place in rng.choice(len(files), _COLUMNS, replace=False)]
            pictures = [cv2.cvtColor(resize(read_image(file), tile), cv2.COLOR_GRAY2BGR) for file in drawn]
            rows.append(np.hstack([_labelled(picture, "" if i else name) for i, picture in enumerate(pictures)]))
    return rows


def _picture(order: Order, number: int, finding: str | None, severity: float, tile: int) -> np.ndarray:
    rng = np.random.default_rng([order.seed, number])
    patient = draw_patient(rng, rng.uniform(25, 80), "FM"[number % 2])
    visit = draw_visit(rng, "AP" if number % 3 == 1 else "PA")
    present = [Finding(finding, severity, number)] if finding else []
    picture = radiograph(patient, visit, present, number, size=2 * tile)
    pixels = cv2.cvtColor(cv2.resize(picture.pixels, (tile, tile), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR)
    for box in draw_boxes(picture.masks[finding]) if finding else []:
        x, y, width, height = (value // 2 for value in box)
        cv2.rectangle(pixels, (x, y), (x + width, y + height), (0, 159, 230), 1)  # BGR of the palette's orange
    return pixels


def _progress(order: Order, finding: str, tile: int) -> list[np.ndarray]:
    number = 9000 + 10 * FINDINGS.index(finding)
    healthy = _labelled(_picture(order, number, None, 0.0, tile), f"{finding}: without")
    return [healthy, *(_labelled(_picture(order, number, finding, s, tile), f"{s:.0%}") for s in SEVERITIES)]


def _labelled(picture: np.ndarray, text: str) -> np.ndarray:
    scale = picture.shape[0] / 420
    cv2.putText(
        picture, text, (4, picture.shape[0] - 6), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA
    )
    return picture
