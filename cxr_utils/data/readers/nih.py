"""NIH ChestX-ray14 as published: `Data_Entry*.csv`, the official split, boxes, images anywhere below.

Also the layout of the phantom cohort. Source: Wang et al., ChestX-ray8, CVPR 2017 (NIH Clinical Center).
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils.data.readers.files import Contents, Files, by_name, read_csv
from cxr_utils.data.schema import BOX_COLUMNS, FINDINGS, binary, finding_name, in_order, require_columns, validate_table
from cxr_utils.data.splits import drop_shared, fill_parts, hold_out, split_by_patient
from cxr_utils.errors import DataError

_NEEDED = {"Image Index": "image", "Finding Labels": "labels", "Patient ID": "patient"}
_WELCOME = {"Patient Age": "age", "Patient Gender": "sex", "View Position": "view", "Follow-up #": "follow_up"}
_LISTS = {"train_val": "train_val", "train": "train", "valid": "valid", "val": "valid", "test": "test"}
_NOTHING = {"No Finding", ""}

#: Side in pixels of the published originals, in which NIH gives its boxes.
BOX_SIDE = 1024
#: A part of a collection keeps the official split when its valid and test parts hold at least these shares of
#: the images at hand. In the whole collection the official test list holds 23 %.
SMALLEST = {"valid": 0.05, "test": 0.18}
#: Shares of a collection too small or too one-sided for that; its few positives need a fair share in valid
#: and test.
SMALL_SHARES = {"train": 0.6, "valid": 0.15, "test": 0.25}


def read_nih(root: Path, entry: Path, images: dict[str, list[str]]) -> Contents:
    """Read a folder in NIH layout.

    The split is the official one, its training part divided into train and valid (one patient in eight, by a
    checksum of the patient number, so it never changes). If only a few images are at hand and the official
    lists leave valid or test too small among them (`SMALLEST`), the patients of those images are divided
    afresh.

    Args:
        root: The folder.
        entry: The `Data_Entry` table in it.
        images: Names of the images in each folder below `root`.

    Returns:
        What was found; the table may hold many more images than there are files.
    """
    raw = read_csv(entry, usecols=lambda name: name in _NEEDED or name in _WELCOME)
    require_columns(raw, list(_NEEDED), entry.name)
    raw = raw.rename(columns=_NEEDED | _WELCOME)
    raw["patient"] = _patients(raw["patient"])
    if "age" in raw:
        raw["age"] = _years(raw["age"])
    labels, findings = _labels(raw.pop("labels"))
    table = pd.concat([raw, labels], axis=1)
    files = by_name(images)
    published, table, notes = _official(root, table, findings)
    table = _with_consensus(root, table, findings)
    table, more = _fit_to_images(table, findings, files)
    return Contents(
        kind="phantom" if (root / "cohort.json").exists() else "nih",
        table=validate_table(table, findings),
        findings=findings,
        files=files,
        boxes=_boxes(root, findings),
        published=published,
        notes=notes + more,
    )


def official_lists(root: Path) -> pd.DataFrame | None:
    """Read `train_val_list.txt`, `test_list.txt` and the like (gzipped or not) of a folder.

    Args:
        root: Folder that holds the lists.

    Returns:
        Columns image and split ("train_val", "train", "valid" or "test"), or None when there is no list.
    """
    found = []
    for name, split in _LISTS.items():
        for path in sorted(root.glob(f"{name}_list.txt*")):
            images = read_csv(path, header=None, names=["image"], dtype=str, skip_blank_lines=True)["image"]
            found.append(pd.DataFrame({"image": images.str.strip(), "split": split}))
    return pd.concat(found, ignore_index=True) if found else None


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
        raw = pd.concat([raw, _labels(raw["Finding Labels"])[0]], axis=1)
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


def _labels(texts: pd.Series) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Turn "Mass|Nodule" into columns; each distinct text is taken apart once (836 for 112,120 images)."""
    codes, distinct = pd.factorize(texts.fillna(""))
    named = [{finding_name(part) for part in text.split("|")} - _NOTHING for text in distinct]
    findings = in_order(set(FINDINGS).union(*named))
    matrix = np.array([[finding in names for finding in findings] for names in named], dtype=np.int8)
    return pd.DataFrame(matrix[codes], columns=list(findings)), findings


def _patients(values: pd.Series) -> pd.Series:
    """Write patients as text without leading zeros, as file names give them; each distinct one once."""
    codes, distinct = pd.factorize(values)
    texts = [str(name).strip() for name in distinct]
    names = np.array([text.lstrip("0") or "0" if text.isdigit() else text for text in texts], dtype=object)
    if (codes < 0).any():
        raise DataError(
            f"Patient ID is empty in row {int(np.argmax(codes < 0))} of the image table. "
            f"Expected a number in every row. Fetch the table again or drop the row."
        )
    return pd.Series(names[codes])


def _years(ages: pd.Series) -> pd.Series:
    """Read ages in years; the first edition of the table writes 058Y, and 014M or 010D for infants."""
    if pd.api.types.is_numeric_dtype(ages):
        return ages.astype(float)
    unit = ages.str[-1].map({"Y": 1.0, "M": 12.0, "D": 365.25})
    return pd.to_numeric(ages.where(unit.isna(), ages.str[:-1]), errors="coerce") / unit.fillna(1.0)


def _official(
    root: Path, table: pd.DataFrame, findings: tuple[str, ...]
) -> tuple[pd.DataFrame | None, pd.DataFrame, list[str]]:
    """Apply the official lists; returns them as published, the table with `split`, and notes."""
    lists = official_lists(root)
    if lists is None:
        return None, *fill_parts(table.assign(split="train"), findings)
    published = lists.merge(table[["image", "patient"]], on="image")[["image", "patient", "split"]]
    split = table["image"].map(lists.drop_duplicates("image", keep="last").set_index("image")["split"])
    split = split.astype(object).where(split.notna(), "train_val")
    held = hold_out(table["patient"], 8) if "valid" not in set(split) else np.zeros(len(table), bool)
    split = split.mask(split == "train_val", np.where(held, "valid", "train"))
    table, notes = drop_shared(table.assign(split=split))
    table, more = fill_parts(table.reset_index(drop=True), findings)
    return published, table, notes + more


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


def _boxes(root: Path, findings: tuple[str, ...]) -> pd.DataFrame:
    """Read BBox_List*.csv; its header splits `Bbox [x,y,w,h]` into four and adds three empty columns."""
    found = sorted(root.glob("BBox_List*.csv*"))
    if not found:
        return pd.DataFrame(columns=list(BOX_COLUMNS))
    raw = read_csv(found[-1])
    if raw.shape[1] < 6:
        raise DataError(
            f"{found[-1].name} has {raw.shape[1]} columns. Expected image, finding, x, y, width and height. "
            f"Fetch the file again."
        )
    boxes = raw.iloc[:, :6].set_axis(list(BOX_COLUMNS), axis=1)
    boxes["finding"] = boxes["finding"].map(finding_name)
    boxes[["x", "y", "width", "height"]] = boxes[["x", "y", "width", "height"]].astype(float) / _box_side(root)
    return boxes[boxes["finding"].isin(findings)].reset_index(drop=True)
