"""RSNA Pneumonia Detection Challenge: DICOM files named by `patientId`, a row a box, one label.

Layout: `stage_2_train_labels.csv` beside `stage_2_train_images/`; `stage_2_test_images/` has no labels. Source: Shih et
al., Radiology: Artificial Intelligence 2019; pictures of NIH ChestX-ray14. Licence: the competition's rules. Ages, sex
and views stand in the headers of 26,684 files and are not read, because that would take long at each opening.
"""

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from cxr_utils.data.readers.boxes import in_fractions, numbers, sides
from cxr_utils.data.readers.description import Description
from cxr_utils.data.readers.files import Contents, Folder, read_csv
from cxr_utils.data.readers.tables import guessed, read_described
from cxr_utils.data.readers.values import Uncertain
from cxr_utils.errors import DataError

_COLUMNS = ("patientId", "x", "y", "width", "height", "Target")
_PLACE = re.compile(r"(^|/)stage_\d_(train|test)_images/")
_FINDING = "Pneumonia"
#: Side in pixels of all published pictures, in which boxes are given.
SIDE = 1024
_RULE = (
    "Pneumonia is the challenge's Target: an opacity suspicious for it. Pictures without it are not all normal: "
    "other illnesses are among them."
)


def recognise(folder: Folder) -> bool:
    """Tell whether there is a table in the challenge's columns, or no table at all and the challenge's folders."""
    return bool(folder.with_columns(*_COLUMNS)) or (folder.is_named(_PLACE) and not guessed(folder))


def read(folder: Folder, uncertain: Uncertain = "leave-out") -> Contents:
    """Read the challenge's training pictures.

    Args:
        folder: What was found.
        uncertain: Not asked: `Target` is 0 or 1.

    Returns:
        What was found; pictures without a row are passed over and counted. What the challenge calls a patient is a
        picture: which of them are of one person is not published with it, and that is said.

    Raises:
        DataError: No or two tables of labels lie there, or a cell is none of those expected.
    """
    tables = folder.with_columns(*_COLUMNS)
    if not tables:
        raise DataError(
            f"{folder.root.name} holds pictures of RSNA's challenge and no table of their labels. Expected "
            f"stage_2_train_labels.csv with {', '.join(_COLUMNS)}. Copy it there; Kaggle hands it out beside them."
        )
    if len(tables) > 1:
        raise DataError(
            f"{' and '.join(tables)} in {folder.root.name} are both labels. Expected one table of labels. Move the "
            "others away."
        )
    how = Description({tables[0]: ""}, "patientId", ("Target",), names={"Target": _FINDING})
    contents = read_described(
        folder, how, "rsna", uncertain, complete=lambda rows: rows.drop_duplicates(["patientId", "Target"])
    )
    raw = read_csv(folder.root / tables[0], dtype={"patientId": str}).rename(columns=str.strip)
    drawn = numbers(raw, _COLUMNS[1:5], tables[0]).assign(image=raw["patientId"], finding=_FINDING)
    drawn = drawn[raw["Target"] == 1].reset_index(drop=True)
    boxes, lost = in_fractions(drawn, _sides(drawn["image"], contents))
    return replace(contents, boxes=boxes, notes=[_RULE, *contents.notes, *lost])


def _sides(images: pd.Series, contents: Contents) -> np.ndarray:
    """Width and height of each box's picture: of DICOM its own; copies of another kind may have been made smaller."""
    codes, distinct = pd.factorize(images)
    own = [contents.files[image] if image in contents.files else "" for image in distinct]
    originals = [place for place, path in enumerate(own) if str(path).lower().endswith((".dcm", ".dicom"))]
    sizes = np.full((len(distinct), 2), float(SIDE))
    sizes[originals] = sides([own[place] for place in originals])
    return sizes[codes]
