"""Class folders: `train/NORMAL/a.png`, or `NORMAL/a.png` without parts. The folder is the label."""

import os
import re
from pathlib import Path

import pandas as pd

from cxr_utils.data.readers.files import Contents, Files, patients_of
from cxr_utils.data.schema import FINDINGS, finding_name, in_order, validate_table
from cxr_utils.data.splits import drop_shared, fill_parts
from cxr_utils.errors import DataError

_PARTS = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid"}
_PARTS |= {"test": "test", "testing": "test"}
_HEALTHY = {"normal", "no finding", "no_finding", "nofinding", "healthy", "negative"}
# Folders of these names hold pictures of every class, as `images/` of NIH does.
_NO_CLASS = re.compile(r"(images?|imgs?|pictures|originals?|masks?|labels?|annotations?|png|jpe?g|dicom|data)[_-]?\d*")


def class_folders(root: Path, images: dict[str, list[str]]) -> pd.DataFrame | None:
    """List images with part and class when every one lies in a class folder; None for any other layout.

    Args:
        root: The folder that was given.
        images: Names of the images in each folder below it.

    Returns:
        Columns path, split (None where the folders name no part) and label (the class folder's name).
    """
    rows = []
    for folder, names in images.items():
        levels = Path(folder).relative_to(root).parts
        split = _PARTS.get(levels[0].lower()) if levels else None
        label = (levels[1:] if split else levels)[:1]
        if not label or _NO_CLASS.fullmatch(label[0].lower()):
            return None
        rows += [(os.path.join(folder, name), split, label[0]) for name in names]
    table = pd.DataFrame(rows, columns=["path", "split", "label"])
    return table if table["label"].nunique() > 1 else None


def read_folders(root: Path, found: pd.DataFrame) -> Contents:
    """Read class folders; patients come from the file names, the split from the folders.

    Of two classes, one of them normal, the other is the one finding. A picture that lies in several class
    folders of one part has all their findings.

    Args:
        root: The folder, from which names that occur twice are told apart.
        found: What `class_folders` listed.

    Returns:
        What was found.
    """
    found = found.assign(image=_image_names(root, found["path"]), finding=found["label"].map(_finding))
    found["patient"], notes = patients_of(found["image"])
    findings = in_order(found["finding"].dropna())
    labels = pd.get_dummies(found["finding"], dtype="int8").reindex(columns=list(findings), fill_value=0)
    named = found["split"].notna().any()
    rows = pd.concat([found[["image", "patient"]], found["split"].fillna("train"), labels], axis=1)
    _check_contradictions(found)
    whole = rows.groupby(["image", "patient", "split"], sort=False, as_index=False).max()
    table, more = drop_shared(whole)
    table, still_more = fill_parts(table.reset_index(drop=True), findings)
    return Contents(
        kind="folders",
        table=validate_table(table, findings),
        findings=findings,
        files=Files(dict(zip(found["image"], found["path"], strict=True))),
        published=whole[["image", "patient", "split"]] if named else None,
        notes=notes + more + still_more,
    )


def _finding(label: str) -> str | None:
    """Turn a class folder's name into a finding: `1_abnormal` into Abnormal, `NORMAL` into None."""
    name = finding_name(re.sub(r"^\d+[_-]", "", label))
    if name.lower() in _HEALTHY:
        return None
    return name if name in FINDINGS or not (name.islower() or name.isupper()) else name.capitalize()


def _image_names(root: Path, paths: pd.Series) -> pd.Series:
    """Name images by file name; where different pictures have one name, by their path below the root.

    The same name with the same number of bytes is taken for the same picture, shipped twice.
    """
    names = paths.map(os.path.basename)
    twice = names.duplicated(keep=False)
    if not twice.any():
        return names
    sizes = paths[twice].map(os.path.getsize).groupby(names[twice]).transform("nunique")
    different = paths[twice][sizes > 1]
    return names.where(
        ~names.index.isin(different.index), paths.map(lambda path: Path(path).relative_to(root).as_posix())
    )


def _check_contradictions(found: pd.DataFrame) -> None:
    both = found.groupby(["image", "split"], dropna=False)["finding"].agg(["size", "count"])
    wrong = both[(both["count"] > 0) & (both["count"] < both["size"])]
    if len(wrong):
        raise DataError(
            f"{wrong.index[0][0]} lies in a normal folder and in another ({len(wrong)} such images). "
            f"Expected each picture to be normal or not. Remove the wrong copy."
        )
