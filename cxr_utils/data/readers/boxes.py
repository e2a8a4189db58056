"""Boxes: from pixels to fractions of a picture's sides, which its header tells without decoding it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils.data.schema import BOX_COLUMNS, require_columns
from cxr_utils.errors import DataError

# How far, as a fraction of a side, a box may reach beyond its picture: less than a pixel, by rounding.
_BEYOND = 1e-3


def sides(paths: Sequence[str | Path]) -> np.ndarray:
    """Read width and height of pictures from their headers, several at a time.

    Args:
        paths: PNG, JPEG or DICOM files.

    Returns:
        (paths, 2) float, width and height in pixels; NaN for a file that is missing or damaged.

    Example:
        >>> sides(["no/such.png"])
        array([[nan, nan]])
    """
    with ThreadPoolExecutor(8) as threads:
        return np.array(list(threads.map(_sides, paths)), float).reshape(-1, 2)


def _sides(path: str | Path) -> tuple[float, float]:
    import pydicom
    from PIL import Image

    try:
        if str(path).lower().endswith((".dcm", ".dicom")):
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
            return float(header.Columns), float(header.Rows)
        with Image.open(path) as picture:
            return picture.size
    except Exception:  # a damaged header raises many kinds; reading the picture will say what is wrong with it
        return np.nan, np.nan


def numbers(table: pd.DataFrame, columns: Sequence[str], what: str) -> pd.DataFrame:
    """Read columns of numbers; an empty cell is NaN.

    Args:
        table: With the columns.
        columns: Which of them to read.
        what: What to call the table in a message.

    Raises:
        DataError: A column is missing, or a cell holds something else.

    Example:
        >>> numbers(pd.DataFrame({"x": ["1", None]}), ["x"], "a.csv")["x"].tolist()
        [1.0, nan]
    """
    require_columns(table, columns, what)
    read = table[list(columns)].apply(pd.to_numeric, errors="coerce").astype(float)
    wrong = read.isna() & table[list(columns)].notna()
    if wrong.any(axis=None):
        row, column = np.argwhere(wrong.to_numpy())[0]
        raise DataError(
            f"{columns[column]} is {table[columns[column]].iloc[row]!r} in row {row} of {what}. Expected a number, or "
            "nothing. Correct or drop the row."
        )
    return read


def in_fractions(boxes: pd.DataFrame, sizes: np.ndarray) -> tuple[pd.DataFrame, list[str]]:
    """Turn boxes in pixels into fractions of the picture's sides.

    Args:
        boxes: image, finding, x, y, width and height; x and y from top left, in pixels.
        sizes: (boxes, 2) float: width and height of the picture of each box; NaN where they are not known.

    Returns:
        The boxes whose picture is known and holds them, and a note that counts the others.

    Example:
        >>> boxes = pd.DataFrame([["a", "Mass", 10, 20, 30, 40]], columns=list(BOX_COLUMNS))
        >>> in_fractions(boxes, np.array([[100, 200]]))[0][["x", "y", "width", "height"]].to_numpy().tolist()
        [[0.1, 0.1, 0.3, 0.2]]
    """
    numbers = list(BOX_COLUMNS[2:])
    values = boxes[numbers].to_numpy(float) / np.tile(sizes, 2)
    right = (values[:, :2] > -_BEYOND).all(1) & (values[:, 2:] > 0).all(1)
    right &= (values[:, :2] + values[:, 2:] < 1 + _BEYOND).all(1)
    kept = boxes[list(BOX_COLUMNS)].astype(dict.fromkeys(numbers, float))
    kept[numbers] = values
    if right.all():
        return kept, []
    unknown = int(np.isnan(values).any(1).sum())
    note = (
        f"{(~right).sum():,} of {len(boxes):,} boxes are left out: of {unknown:,} the picture or a number is missing, "
        f"{(~right).sum() - unknown:,} do not lie in their picture."
    )
    return kept[right].reset_index(drop=True), [note]
