"""CheXpert (Stanford): `train.csv`, `valid.csv` and, where there, a labelled test table, whose `Path` names pictures.

Full size, -small, the batches of the full archive, or the pictures of CheXpert Plus beside these tables. Labels were
mined from reports; those of valid and test are radiologists'. Source: Irvin et al., AAAI 2019. Research use only.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from cxr_utils.data.readers.description import Description, stem
from cxr_utils.data.readers.files import Contents, Folder, part_of
from cxr_utils.data.readers.tables import read_described, undescribed
from cxr_utils.data.readers.values import Uncertain
from cxr_utils.errors import DataError

#: Labels of CheXpert and of MIMIC-CXR-JPG, which was labelled by the same program.
LABELS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
#: What the healthy label means, as a note.
HEALTHY = (
    'where "No Finding" is 1, empty cells count as absent, except for Support Devices; any other empty cell is unknown.'
)
_NEEDED = "train.csv and valid.csv with Path and labels (they come with the archive from Stanford's AIMI Center)"
_PLUS = ("path_to_image", "deid_patient_id")
_PICTURE = re.compile(r"patient\d{5}/study\d+/view\d+_(frontal|lateral)\.")


def recognise(folder: Folder) -> bool:
    """Tell whether one of the tables is CheXpert's, or whether its pictures lie there."""
    return bool(_labelled(folder) or folder.with_columns(*_PLUS) or undescribed(folder, _PICTURE))


def read(folder: Folder, uncertain: Uncertain = "leave-out") -> Contents:
    """Read CheXpert: frontal views, each patient's from `Path`, parts as the tables are called.

    Args:
        folder: What was found.
        uncertain: What -1 is taken for.

    Returns:
        What was found; the table may hold many more images than there are files.

    Raises:
        DataError: There is no table with labels, or two of them say the same part and differ.
    """
    tables, notes = _tables(folder)
    known = {column for name in tables for column in folder.headers[name]}
    how = Description(
        tables,
        image="Path",
        patient="patient",
        split="" if any(tables.values()) else "part",
        labels=tuple(name for name in LABELS if name in known),
        keep={"Frontal/Lateral": ("Frontal",)},
        sex="Sex" if "Sex" in known else "",
        age="Age" if "Age" in known else "",
        view="AP/PA" if "AP/PA" in known else "",
    )

    def complete(table: pd.DataFrame) -> pd.DataFrame:
        table = table.reindex(columns=[*table.columns, *(name for name in how.columns if name not in table)])
        paths = table["Path"].fillna("").astype(str).str.replace("\\", "/", regex=False)
        table["patient"] = paths.str.extract(r"(patient\d+)/study", expand=False)
        table["Path"] = _as_unpacked(paths, folder)
        if how.split:
            table["part"] = paths.str.extract(r"(?:^|/)(\w+)/patient\d+/study", expand=False)
        if table["Frontal/Lateral"].isna().all():
            lateral = paths.str.contains("lateral", regex=False)
            table["Frontal/Lateral"] = lateral.map({True: "Lateral", False: "Frontal"})
        return table

    contents = read_described(folder, how, "chexpert", uncertain, complete=complete)
    return replace(contents, notes=[*notes, *contents.notes, HEALTHY])


def _labelled(folder: Folder) -> list[str]:
    return [name for name in folder.with_columns("Path") if len(set(folder.headers[name]) & set(LABELS)) > 1]


def _tables(folder: Folder) -> tuple[dict[str, str], list[str]]:
    """Tables to read with their parts, and notes on the others."""
    by_part: dict[str, list[str]] = defaultdict(list)
    for name in _labelled(folder):
        by_part[part_of(stem(name)) or ""].append(name)
    if len(by_part) > 1:
        by_part.pop("", None)
    if not by_part:
        has = " and ".join(folder.with_columns(*_PLUS)) or "pictures"
        raise DataError(
            f"{folder.root} holds {has} of CheXpert without labels. Expected {_NEEDED}. Put them beside the pictures."
        )
    tables = {}
    for part, names in by_part.items():
        plain = [name for name in names if re.search(r"(^|/)(train|valid|val|test)\.csv(\.gz)?$", name)]
        tables[folder.edition(plain or names, f"the table {part}".strip())] = part
    other = [name for name in folder.tables if name not in tables]
    notes = [f"{', '.join(other)} {'is' if len(other) == 1 else 'are'} not read."] if other else []
    return tables, notes


def _as_unpacked(paths: pd.Series, folder: Folder) -> pd.Series:
    """The paths as they are; from the patient on, where pictures lie in other folders than the tables say.

    The batches of the full archive, and the PNG files of CheXpert Plus, are such.
    """
    stored = _archives(image for image in folder.images if _PICTURE.search(image))
    named = _archives(paths.str.extract(r"^(.*?patient)", expand=False).dropna().unique()) - {""}
    fits = all(one and any(one.endswith(other) or other.endswith(one) for other in named) for one in stored)
    return paths if fits else paths.str.extract(r"(patient\d.*)", expand=False).fillna(paths)


def _archives(paths: Iterable[str]) -> set[str]:
    """What stands before train/patient00001 and the like; "" where the folder of the patient is no part."""
    starts = {f"/{path.partition('patient')[0]}" for path in paths}
    return {found[1] if (found := re.fullmatch(r"(.*/)(train|valid|test)/", start)) else "" for start in starts}
