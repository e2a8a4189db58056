"""VinDr-CXR: DICOM, each training picture read by three of 17 radiologists, with boxes.

Two layouts: Kaggle's (`train.csv`, one row a reader and box; no labels for `test/`; also the PNG editions of it, which
tell the sides of the originals in `train_meta.csv` or in columns `width` and `height`), and PhysioNet's
(`annotations_*.csv` with boxes, `image_labels_*.csv` with a row a reader, for train and test). Source: Nguyen et al.,
Scientific Data 2022; PhysioNet's credentialed licence, Kaggle's competition rules.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from cxr_utils.data.readers.boxes import in_fractions, numbers, sides
from cxr_utils.data.readers.description import Description, stem
from cxr_utils.data.readers.files import Contents, Folder, part_of, read_csv
from cxr_utils.data.readers.folders import class_folders
from cxr_utils.data.readers.tables import guessed, read_rows
from cxr_utils.data.readers.values import Uncertain
from cxr_utils.data.schema import BOX_COLUMNS, finding_name, in_order, is_healthy
from cxr_utils.errors import DataError

# A row a box; a row a picture and reader, with a column a finding; the sides of the originals of a PNG edition.
_EDGES = ("x_min", "y_min", "x_max", "y_max")
_BOXES = ("image_id", "class_name", *_EDGES)
_LABELS = ("image_id", "No finding", "Aortic enlargement")
_SIDES = ("image_id", "dim0", "dim1")
_NAME = re.compile(r"(^|/)[0-9a-f]{32}\.dicom$")
# What readers of Kaggle's edition were asked for, whether or not a part of the collection has it.
_ASKED = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Consolidation", "ILD", "Infiltration",
    "Lung Opacity", "Nodule/Mass", "Other lesion", "Pleural effusion", "Pleural thickening", "Pneumothorax",
    "Pulmonary fibrosis",
)  # fmt: skip
_RULE = (
    "a finding counts as present where more than half of the readers of a picture name it; "
    "boxes are those of all readers who name a finding that counts."
)


def recognise(folder: Folder) -> bool:
    """Tell whether there is a table of boxes or of readers in VinDr's columns, or no table at all and VinDr's names."""
    told = folder.with_columns(*_BOXES) or folder.with_columns(*_LABELS)
    return bool(told) or (folder.is_named(_NAME) and class_folders(folder) is None and not guessed(folder))


def read(folder: Folder, uncertain: Uncertain = "leave-out") -> Contents:
    """Read VinDr-CXR by the majority of each picture's readers.

    Args:
        folder: What was found.
        uncertain: Not asked: a reader names a finding or does not.

    Returns:
        What was found; pictures without labels are passed over and counted.

    Raises:
        DataError: There is no table of labels, two tables tell one part, or a cell is no number where one should be.
    """
    framed = {part: _boxed(folder, name) for part, name in _by_part(folder, _BOXES).items()}
    shares = {part: _share_by_boxes(frame) for part, frame in framed.items()}
    shares |= {part: _share_by_labels(folder, name) for part, name in _by_part(folder, _LABELS).items()}
    if not shares:
        raise DataError(
            f"{folder.root.name} holds pictures of VinDr-CXR and no table of their labels. Expected train.csv of "
            "Kaggle, or PhysioNet's folder annotations. Copy it there; it comes with the pictures."
        )
    single = len(shares) == 1
    rows = [
        share.gt(0.5).astype(float).where(share.notna()).assign(**{"part of the table": "" if single else part})
        for part, share in shares.items()
    ]
    whole = pd.concat(rows).reset_index(names="image")
    findings = in_order(name for name in whole if name not in ("image", "part of the table"))
    contents = read_rows(folder, whole, Description({"VinDr's tables": ""}, "image", findings), "vindr", uncertain)
    boxes, lost = _boxes(folder, list(framed.values()), contents)
    return replace(contents, boxes=boxes, notes=[_RULE, *contents.notes, *lost])


def _by_part(folder: Folder, columns: Sequence[str]) -> dict[str, str]:
    """The table with these columns for each part that tables' names tell, train where they tell none."""
    found: dict[str, str] = {}
    for name in folder.with_columns(*columns):
        part = part_of(stem(name)) or "train"
        if part in found:
            raise DataError(f"{found[part]} and {name} both tell {part}. Expected one table a part. Move one away.")
        found[part] = name
    return found


def _table(folder: Folder, name: str) -> pd.DataFrame:
    return read_csv(folder.root / name, dtype={"image_id": str}).rename(columns=str.strip)


def _finding(name: str) -> str:
    """The course's name; PhysioNet's tables of train and test differ in one."""
    return {"Other diseases": "Other disease"}.get(name, finding_name(name))


def _boxed(folder: Folder, name: str) -> pd.DataFrame:
    """Read a table of boxes: image, reader, finding, x, y, width, height, and what it says of the picture's sides.

    The test part was read by five radiologists together, who count as one.
    """
    raw = _table(folder, name)
    names = raw["class_name"].fillna("").astype(str)
    edges = numbers(raw, _EDGES, name)
    boxes = pd.DataFrame({"image": raw["image_id"], "reader": raw["rad_id"] if "rad_id" in raw else "all"})
    boxes["finding"] = names.map({text: "" if is_healthy(text) else _finding(text) for text in names.unique()})
    boxes[["x", "y"]] = edges[["x_min", "y_min"]]
    boxes["width"], boxes["height"] = edges["x_max"] - edges["x_min"], edges["y_max"] - edges["y_min"]
    sides_told = [side for side in ("width", "height") if side in raw]
    return boxes.join(numbers(raw, sides_told, name).add_prefix("whole "))


def _share_by_boxes(boxes: pd.DataFrame) -> pd.DataFrame:
    """Share of a picture's readers who name a finding: (pictures, findings), the pictures as index."""
    readers = boxes.groupby("image")["reader"].nunique()
    named = boxes[boxes["finding"] != ""].drop_duplicates(["image", "reader", "finding"])
    counts = pd.crosstab(named["image"], named["finding"])
    findings = in_order({*counts, *map(finding_name, _ASKED)})
    return counts.reindex(index=readers.index, columns=list(findings), fill_value=0).div(readers, axis=0)


def _share_by_labels(folder: Folder, name: str) -> pd.DataFrame:
    raw = _table(folder, name)
    asked = [column for column in raw if column not in ("image_id", "rad_id") and not is_healthy(column)]
    return numbers(raw, asked, name).rename(columns=_finding).groupby(raw["image_id"]).mean()


def _boxes(folder: Folder, framed: list[pd.DataFrame], contents: Contents) -> tuple[pd.DataFrame, list[str]]:
    """Boxes around what counts as present."""
    if not framed:
        return contents.boxes, []
    present = contents.table.melt("image", list(contents.findings), "finding").query("value == 1")
    drawn = pd.concat(framed).dropna(subset=list(BOX_COLUMNS)).merge(present[["image", "finding"]])
    drawn = drawn.reindex(columns=[*BOX_COLUMNS, "whole width", "whole height"])
    sizes = _sides(folder, drawn, contents)
    boxes, notes = in_fractions(drawn, sizes)
    known = ~np.isnan(sizes).any(1)
    if known.sum() - len(boxes) > 0.05 * known.sum():
        return contents.boxes, [
            f"{known.sum() - len(boxes):,} of {known.sum():,} boxes do not lie in their pictures, so these were made "
            "smaller; all boxes are left out. They need train_meta.csv, or columns width and height, with the sides of "
            "the originals."
        ]
    return boxes, notes


def _sides(folder: Folder, drawn: pd.DataFrame, contents: Contents) -> np.ndarray:
    """Width and height of each box's picture: what a table says of the original, else what the file's header does."""
    said = np.array(drawn[["whole width", "whole height"]], float)
    if tables := folder.with_columns(*_SIDES):
        told = pd.concat([_table(folder, name) for name in tables]).drop_duplicates("image_id").set_index("image_id")
        said = np.array(numbers(told, ("dim1", "dim0"), " and ".join(tables)).reindex(drawn["image"]))
    left = np.isnan(said).any(1) & contents.files.holding(drawn["image"])
    codes, images = pd.factorize(drawn["image"][left])
    said[left] = sides([contents.files[image] for image in images])[codes]
    return said
