"""Course tables: one csv a part, with Image, PatientId and a 0/1 column for each finding."""

import os
import re
from pathlib import Path

import pandas as pd

from cxr_utils.data.readers.files import Contents, by_name, read_csv
from cxr_utils.data.schema import FINDINGS, PARTS, binary, finding_name, in_order, require_columns, validate_table
from cxr_utils.data.splits import drop_shared, fill_parts
from cxr_utils.errors import DataError

_PART = re.compile("train|val|test")


def course_tables(root: Path) -> list[Path]:
    """List the tables of a folder whose file name says train, valid or test, in that order."""
    tables = [path for path in root.glob("*.csv*") if _PART.search(path.name.lower())]
    return sorted(tables, key=lambda path: (PARTS.index(_part_of(path)), path.name))


def read_course(root: Path, tables: list[Path], images: dict[str, list[str]]) -> Contents:
    """Read a folder of course tables.

    Parts that share patients are made disjoint (`splits.drop_shared`); `published` keeps every row.

    Args:
        root: The folder, named in messages.
        tables: Its tables, one a part.
        images: Names of the images in each folder below `root`.

    Returns:
        What was found; findings in the course's order, whatever the order of columns in the files.
    """
    parts = [_part_of(path) for path in tables]
    for part in set(parts):
        if parts.count(part) > 1:
            names = ", ".join(path.name for path, other in zip(tables, parts, strict=True) if other == part)
            raise DataError(f"{names} in {root.name} all say {part}. Expected one table a part. Move the others away.")
    frames = [_read_part(path, part) for path, part in zip(tables, parts, strict=True)]
    findings = in_order(set.union(*(set(_findings(frame)) for frame in frames)))
    for frame, path in zip(frames, tables, strict=True):
        require_columns(frame, findings, path.name)
    whole = pd.concat(frames, ignore_index=True)
    table, notes = drop_shared(whole.drop_duplicates(ignore_index=True))
    table, more = fill_parts(table.reset_index(drop=True), findings)
    return Contents(
        kind="course",
        table=validate_table(table, findings),
        findings=findings,
        files=by_name(images),
        published=whole[["image", "patient", "split"]],
        notes=notes + more,
    )


def _part_of(path: Path) -> str:
    return {"train": "train", "val": "valid", "test": "test"}[_PART.findall(path.name.lower())[0]]


def _read_part(path: Path, part: str) -> pd.DataFrame:
    raw = read_csv(path)
    require_columns(raw, ["Image", "PatientId"], path.name)
    raw = raw.rename(columns=finding_name).rename(columns={"Image": "image", "PatientId": "patient"})
    for finding in set(FINDINGS) & set(raw.columns):
        raw[finding] = binary(raw[finding], f"{finding} of {path.name}")
    images = raw["image"].astype(str).map(os.path.basename)
    return raw.assign(image=images, patient=raw["patient"].astype(str), split=part)


def _findings(frame: pd.DataFrame) -> list[str]:
    """Name the label columns: every one of the 14, and any other that holds nothing but 0 and 1."""
    others = frame.drop(columns=["image", "patient", "split"])
    return [name for name in others if name in FINDINGS or others[name].isin([0, 1]).all()]
