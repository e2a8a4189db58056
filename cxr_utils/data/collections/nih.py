"""NIH ChestX-ray14 in all editions: its image table, the official split, boxes, images anywhere below.

Also Kaggle's `sample` of it, and the layout of the phantom cohort. Source: Wang et al., ChestX-ray8, CVPR 2017 (NIH
Clinical Center).
"""

import json
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cxr_utils.data.readers.boxes import in_fractions
from cxr_utils.data.readers.files import Contents, Files, Folder, read_csv
from cxr_utils.data.readers.match import match
from cxr_utils.data.readers.values import (
    Uncertain,
    labels_in_cells,
    names_of_patients,
    with_all_findings,
    years,
)
from cxr_utils.data.schema import BOX_COLUMNS, binary, finding_name, require_columns, validate_table
from cxr_utils.data.splits import drop_shared, fill_parts, hold_out, split_by_patient
from cxr_utils.errors import DataError

_NEEDED = {"Image Index": "image", "Finding Labels": "labels", "Patient ID": "patient"}
_WELCOME = {"Patient Age": "age", "Patient Gender": "sex", "View Position": "view", "Follow-up #": "follow_up"}
_TABLE = re.compile(r"(Data_Entry|sample_labels)[^/]*$")
_LIST = re.compile(
    r"(?:\w*?[ _-])??(train[ _-]?val|train|valid|val|test)(?:[ _-]?list[^/]*\.(?:txt|csv)|\.txt)(?:\.gz)?",
    re.IGNORECASE,
)
_BOXES = re.compile(r"(^|/)bbox_list[^/]*$", re.IGNORECASE)

_ORDER = ["train_val", "train", "valid", "test"]

#: Side in pixels of the published originals, in which NIH gives its boxes.
BOX_SIDE = 1024
#: A part of a collection keeps the official split when its valid and test parts hold at least these shares of
#: the images at hand. In the whole collection the official test list holds 23 %.
SMALLEST = {"valid": 0.05, "test": 0.18}
#: Shares of a collection too small or too one-sided for that; its few positives need a fair share in valid
#: and test.
SMALL_SHARES = {"train": 0.6, "valid": 0.15, "test": 0.25}
#: Tables of a simulated cohort: what was drawn, and what the miner of its reports says.
_BEHIND = ("truth.csv", "Data_Entry_phantom.csv")


def recognise(folder: Folder) -> bool:
    """Tell whether one of the tables is NIH's."""
    return bool(_tables(folder))


def read(folder: Folder, uncertain: Uncertain = "leave-out") -> Contents:
    """Read a folder in NIH layout.

    The split is the official one, its training part divided into train and valid (one patient in eight, by a
    checksum of the patient number, so it never changes). If only a few images are at hand and the official
    lists leave valid or test too small among them (`SMALLEST`), the patients of those images are divided
    afresh.

    Args:
        folder: What was found.
        uncertain: Not asked: NIH's labels are present or absent.

    Returns:
        What was found; the table may hold many more images than there are files.

    Raises:
        DataError: Several editions of the table lie there, a column is missing, or a list fits no row.
    """
    raw = read_table(folder)
    root = folder.root
    notes: list[str] = []
    if "age" in raw:
        raw["age"], notes = years(raw["age"])
    labels, findings = with_all_findings(labels_in_cells(raw.pop("labels"), "|,;")[0])
    table = pd.concat([raw, labels], axis=1)
    if table["image"].duplicated().any():
        table = table.drop_duplicates(ignore_index=True)
    files, doubled = folder.files(table["image"])
    published, table, official = _official(root, table, findings)
    table = _with_consensus(root, table, findings)
    table, fitted = _fit_to_images(table, findings, files)
    boxes, outside = _boxes(folder, findings, table["image"])
    return Contents(
        kind="phantom" if (root / "cohort.json").exists() else "nih",
        table=validate_table(table, findings),
        findings=findings,
        files=files,
        boxes=boxes,
        published=published,
        notes=[*notes, *doubled, *official, *fitted, *outside],
    )


def read_table(folder: Folder) -> pd.DataFrame:
    """Read the image table: image, labels (as text), patient, and of age, sex, view and follow_up what there is.

    Raises:
        DataError: Several editions lie there, or a column is missing.
    """
    path = folder.root / folder.edition(_tables(folder), "the image table")
    raw = read_csv(path, usecols=lambda name: name.strip() in _NEEDED or name.strip() in _WELCOME)
    raw = raw.rename(columns=str.strip)
    require_columns(raw, list(_NEEDED), path.name)
    raw = raw.rename(columns=_NEEDED | _WELCOME)
    raw["patient"] = names_of_patients(raw["patient"], "Patient ID")
    return raw


def _tables(folder: Folder) -> list[str]:
    named = [name for name in folder.tables if _TABLE.search(name)]
    return named or [name for name in folder.with_columns(*_NEEDED) if name.count("/") <= 1]


def official_lists(root: Path) -> pd.DataFrame | None:
    """Read `train_val_list.txt`, `test_list.txt` and the like (gzipped or not, whatever stands around "list").

    Args:
        root: Folder that holds the lists, or a folder in it does.

    Returns:
        Columns image and split ("train_val", "train", "valid" or "test"), or None when there is no list.

    Raises:
        DataError: Two lists of one part differ.
    """
    found: dict[str, pd.DataFrame] = {}
    entries = list(os.scandir(root))  # a Path for each of 112,120 pictures would take long
    inner = [one for one in entries if one.is_dir() and not one.name.startswith("images")]
    entries += [entry for folder in inner for entry in os.scandir(folder)]
    listed = [Path(entry) for entry in entries if entry.name.lower().endswith((".txt", ".csv", ".gz"))]
    for path in sorted(listed):
        if not (named := _LIST.fullmatch(path.name)):
            continue
        word = re.sub(r"[ _-]", "", named[1].lower())
        split = {"val": "valid", "trainval": "train_val"}.get(word, word)
        images = read_csv(path, header=None, names=["image"], dtype=str, skip_blank_lines=True)["image"].str.strip()
        if split in found and set(found[split]["image"]) != set(images):
            raise DataError(f"{path.name} and another list of {split} differ. Expected one. Move the other one away.")
        found[split] = pd.DataFrame({"image": images, "split": split})
    return pd.concat([found[split] for split in sorted(found, key=_ORDER.index)], ignore_index=True) if found else None


def read_labels(path: Path, findings: tuple[str, ...]) -> pd.DataFrame:
    """Read labels that stand in a table of their own, such as what radiologists agreed on.

    Args:
        path: A csv with `Image Index` (or `image`) and either `Finding Labels` or one 0/1 column a finding.
        findings: Which columns to read.

    Returns:
        Columns image and findings (int8).
    """
    raw = read_csv(path).rename(columns={"Image Index": "image"})
    if "Finding Labels" in raw:
        raw = pd.concat([raw, with_all_findings(labels_in_cells(raw["Finding Labels"])[0])[0]], axis=1)
    require_columns(raw, ["image", *findings], path.name)
    return pd.DataFrame({"image": raw["image"]} | {name: binary(raw[name], name) for name in findings})


def _with_consensus(root: Path, table: pd.DataFrame, findings: tuple[str, ...]) -> pd.DataFrame:
    """Replace text-mined labels of the test part by those that readers of the pictures agreed on, where given."""
    path = root / "consensus_test.csv"
    if not path.exists():
        return table
    agreed = read_labels(path, findings).drop_duplicates("image").set_index("image")
    table = table.reset_index(drop=True)
    known = (table["split"] == "test") & table["image"].isin(agreed.index)
    table.loc[known, list(findings)] = agreed.loc[table.loc[known, "image"]].to_numpy()
    return table


def _official(
    root: Path, table: pd.DataFrame, findings: tuple[str, ...]
) -> tuple[pd.DataFrame | None, pd.DataFrame, list[str]]:
    """Apply the official lists; returns them as published, the table with `split`, and notes."""
    lists = official_lists(root)
    if lists is None:
        return None, *fill_parts(table.assign(split="train"), findings)
    lists = _as_in_table(lists, table["image"])
    published = lists.merge(table[["image", "patient"]], on="image")[["image", "patient", "split"]]
    split = table["image"].map(lists.drop_duplicates("image", keep="last").set_index("image")["split"])
    split = split.astype(object).where(split.notna(), "train_val")
    held = hold_out(table["patient"], 8) if "valid" not in set(split) else np.zeros(len(table), bool)
    split = split.mask(split == "train_val", np.where(held, "valid", "train"))
    table, notes = drop_shared(table.assign(split=split))
    table, more = fill_parts(table.reset_index(drop=True), findings)
    return published, table, notes + more


def _as_in_table(lists: pd.DataFrame, images: pd.Series) -> pd.DataFrame:
    """Lists whose names are those of the table; those that it does not hold stay as they are."""
    if set(images.tolist()).isdisjoint(lists["image"].tolist()):
        found = match(lists["image"], images)
        if (found < 0).all():
            raise DataError(
                f"None of the {len(lists):,} names of the official lists, such as {lists['image'].iloc[0]}, is in the "
                f"image table, which has {images.iloc[0]}. Expected lists of this collection. Move them away."
            )
        return lists.assign(image=lists["image"].where(found < 0, images.to_numpy()[found]))
    return lists


def _fit_to_images(table: pd.DataFrame, findings: tuple[str, ...], files: Files) -> tuple[pd.DataFrame, list[str]]:
    """Divide the patients of the images at hand afresh, where the official lists leave a part too small."""
    here = table[files.holding(table["image"])]
    share = here["split"].value_counts(normalize=True)
    fits = all(share.get(part, 0) >= least for part, least in SMALLEST.items())
    if fits or len(here) == len(table) or here["patient"].nunique() < len(SMALL_SHARES):
        return table, []
    parts = pd.Series(split_by_patient(here, findings, SMALL_SHARES).to_numpy(), here["patient"].to_numpy())
    # Images that are not at hand follow their patient, so that the whole table stays disjoint too.
    moved = table["patient"].map(parts[~parts.index.duplicated()])
    tested = int((here["split"] == "test").sum())
    note = (
        f"only {len(here):,} of {len(table):,} images are here, {tested} of them on the official test list. "
        f"Their patients were divided afresh: 60 % train, 15 % valid, 25 % test."
    )
    return table.assign(split=moved.where(moved.notna(), table["split"])), [note]


def _box_side(root: Path) -> int:
    """Side of the pictures in whose pixels boxes are given: NIH's originals, or what the simulator wrote."""
    cohort = root / "cohort.json"
    return json.loads(cohort.read_text())["size"] if cohort.exists() else BOX_SIDE


def _boxes(folder: Folder, findings: tuple[str, ...], images: pd.Series) -> tuple[pd.DataFrame, list[str]]:
    """Read BBox_List*.csv; its header splits `Bbox [x,y,w,h]` into four and adds three empty columns."""
    found = [name for name in folder.tables if _BOXES.search(name)]
    if not found:
        return pd.DataFrame(columns=list(BOX_COLUMNS)), []
    path = folder.root / folder.edition(found, "the boxes")
    raw = read_csv(path)
    first = [name for name in ("Image Index", "Finding Label") if name in raw]
    raw = raw[[*first, *(name for name in raw if name not in first)]]
    numbers = raw.iloc[:, 2:6]
    if raw.shape[1] == 3:  # a list in one cell
        numbers = (
            raw.iloc[:, 2].astype(str).str.extract(r"\[?\s*" + r"\s*[,;]\s*".join([r"([-\d.eE+]+)"] * 4) + r"\s*\]?")
        )
    if numbers.shape[1] != 4 or not len(raw):
        raise DataError(
            f"{path.name} has {raw.shape[1]} columns. Expected image, finding, x, y, width and height. "
            f"Fetch the file again."
        )
    values = numbers.apply(pd.to_numeric, errors="coerce")
    if values.isna().any(axis=None):
        row = int(values.isna().any(axis=1).argmax())
        raise DataError(
            f"{path.name} has {raw.iloc[row, 2:].tolist()} in row {row}. Expected x, y, width and height in "
            "pixels. Correct or drop the row."
        )
    boxes = raw.iloc[:, :2].set_axis(list(BOX_COLUMNS[:2]), axis=1)
    boxes["finding"] = boxes["finding"].map(finding_name)
    boxes[list(BOX_COLUMNS[2:])] = values.to_numpy(float)
    if re.search("x_?2|max|right", str(numbers.columns[2]), re.IGNORECASE):  # corners, not sides
        boxes["width"], boxes["height"] = boxes["width"] - boxes["x"], boxes["height"] - boxes["y"]
    if not boxes["image"].isin(images).any():
        place = match(boxes["image"], images)
        boxes["image"] = boxes["image"].where(place < 0, images.to_numpy()[place])
    boxes = boxes[boxes["finding"].isin(findings)].reset_index(drop=True)
    return in_fractions(boxes, np.full((len(boxes), 2), float(_box_side(folder.root))))


class Behind(NamedTuple):
    """What the simulator knows behind each label, as tables with index image and findings for columns.

    Attributes:
        truth: what was drawn (int8, 0 or 1).
        mined: what the text miner made of the reports (int8, 0 or 1).
        severity: how marked the finding is among those alike, from 0 (slight) to 1; 0 where it is absent.
    """

    truth: pd.DataFrame
    mined: pd.DataFrame
    severity: pd.DataFrame


def behind_labels(root: Path, images: pd.Series, findings: tuple[str, ...]) -> Behind:
    """Read the simulator's truth and severities, and the labels that its miner gave to all images.

    Args:
        root: folder of a simulated cohort.
        images: whose rows are wanted, in this order.
        findings: of the fourteen.

    Raises:
        DataError: a table lacks a finding.
    """
    truth, mined = (read_labels(root / name, findings).set_index("image").loc[images] for name in _BEHIND)
    severity = read_csv(root / _BEHIND[0]).set_index("Image Index").loc[images]
    severity = severity[[f"severity_{name}" for name in findings]].set_axis(list(findings), axis=1)
    return Behind(truth, mined, severity.rename_axis("image"))
