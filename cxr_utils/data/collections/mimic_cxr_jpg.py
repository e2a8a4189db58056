"""MIMIC-CXR-JPG (Beth Israel Deaconess, PhysioNet): pictures below files/, labels, views and parts in three tables.

Also MIMIC-CXR itself, whose DICOM have the same names, beside these tables. Labels were mined from reports. Source:
Johnson et al., 2019. A credentialed licence: no program may fetch it.
"""

import re
from dataclasses import replace

import pandas as pd

from cxr_utils.data.collections.chexpert import HEALTHY, LABELS
from cxr_utils.data.readers.description import Description
from cxr_utils.data.readers.files import Contents, Folder, read_csv
from cxr_utils.data.readers.tables import read_described, undescribed
from cxr_utils.data.readers.values import Uncertain
from cxr_utils.data.schema import require_columns
from cxr_utils.errors import DataError

_KINDS = ("metadata", "split", "chexpert", "negbio")
_PICTURE = re.compile(r"/p1\d/p1\d{7}/s5\d{7}/")
_VIEWS = ("PA", "AP")


def recognise(folder: Folder) -> bool:
    """Tell whether one of the tables is MIMIC-CXR's, or whether its pictures lie there undescribed."""
    return any(_named(folder, kind) for kind in _KINDS) or undescribed(folder, _PICTURE)


def read(folder: Folder, uncertain: Uncertain = "leave-out") -> Contents:
    """Read MIMIC-CXR-JPG: frontal views with the labels of their study, official parts.

    Args:
        folder: What was found.
        uncertain: What -1 is taken for.

    Returns:
        What was found; images are called files/p10/p10000032/s50414267/NAME.jpg as in IMAGE_FILENAMES.

    Raises:
        DataError: One of the tables is missing, differs between editions, or names a study twice.
    """
    kinds = [
        "metadata",
        "split",
        "negbio" if _named(folder, "negbio") and not _named(folder, "chexpert") else "chexpert",
    ]
    lacking = [f"mimic-cxr-2.0.0-{kind}.csv.gz" for kind in kinds if not _named(folder, kind)]
    if lacking:
        raise DataError(
            f"{folder.root} holds MIMIC-CXR-JPG without {' and '.join(lacking)}. Expected metadata, split and labels, "
            "which PhysioNet hands out with the pictures, beside the folder files/. Put them there, and give the "
            "folder that holds both."
        )
    metadata, split, labels = (folder.edition(_named(folder, kind), f"the table {kind}") for kind in kinds)
    people = folder.with_columns("subject_id", "gender", "anchor_age", "anchor_year")[:1]

    def complete(table: pd.DataFrame) -> pd.DataFrame:
        require_columns(table, ["dicom_id", "subject_id", "study_id", "ViewPosition"], metadata)
        table = _joined(table, folder, split, "dicom_id", ["split"])
        table = _joined(table, folder, labels, "study_id", list(LABELS))
        for name in people:
            table = _joined(table, folder, name, "subject_id", ["gender", "anchor_age", "anchor_year"])
            require_columns(table, ["StudyDate"], metadata)
            year = pd.to_numeric(table["StudyDate"], errors="coerce") // 10000
            table["age"] = table["anchor_age"] + year - table["anchor_year"]
        subject, study = table["subject_id"].astype(str), table["study_id"].astype(str)
        table["path"] = "files/p" + subject.str[:2] + "/p" + subject + "/s" + study + "/" + table["dicom_id"] + ".jpg"
        return table

    how = Description(
        {metadata: ""},
        image="path",
        patient="subject_id",
        split="split",
        sex="gender" if people else "",
        age="age" if people else "",
        view="ViewPosition",
        labels=LABELS,
        keep={"ViewPosition": _VIEWS},
        parts={"validate": "valid"},
    )
    contents = read_described(folder, how, "mimic_cxr_jpg", uncertain, complete=complete)
    return replace(contents, notes=[*contents.notes, f"labels are those of {labels}; {HEALTHY}"])


def _named(folder: Folder, kind: str) -> list[str]:
    return [name for name in folder.tables if re.search(rf"mimic-cxr-[\d.]+-{kind}\.csv(\.gz)?$", name)]


def _joined(table: pd.DataFrame, folder: Folder, name: str, key: str, columns: list[str]) -> pd.DataFrame:
    """Add columns of another table, of which each key has one row; unknown where it has none."""
    other = read_csv(folder.root / name)
    require_columns(other, [key, *columns], name)
    other = other[[key, *columns]].drop_duplicates().set_index(key)
    twice = other.index[other.index.duplicated()]
    if len(twice):
        raise DataError(
            f"{name} has two rows for {key} {twice[0]} ({len(twice):,} such). Expected one. Fetch the table again."
        )
    if other.index.dtype != table[key].dtype:
        raise DataError(
            f"{key} is {other.index[0]} in {name} and {table[key].iloc[0]} in the table of images. Expected one "
            "way of writing it. Fetch the tables again."
        )
    return table.join(other, on=key)
