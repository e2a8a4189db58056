"""Contact sheets: normals, each finding at three severities beside the same patient without it, and real ones."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from cxr_utils.data.images import read_image, resize
from cxr_utils.data.schema import FINDINGS
from cxr_utils.errors import DataError
from cxr_utils.phantom.cohort import DESCRIPTION, description
from cxr_utils.phantom.findings import draw_boxes
from cxr_utils.phantom.patient import draw_patient, draw_visit
from cxr_utils.phantom.records import Order
from cxr_utils.phantom.render import Finding, radiograph

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
    path = Path(path)
    unfinished = path.with_name(f".{path.stem}.tmp.png")
    if not cv2.imwrite(str(unfinished), np.vstack(rows)):
        raise DataError(f"{path} could not be written. Expected a folder with room. Choose another.")
    unfinished.replace(path)
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
