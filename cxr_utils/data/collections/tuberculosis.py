"""Shenzhen and Montgomery, two collections of NLM with one layout: the last digit of a name is the label.

`CXR_png/CHNCXR_0001_0.png` (Shenzhen) and `CXR_png/MCUCXR_0001_0.png` (Montgomery), each with its text in
`ClinicalReadings/`, or with `*_metadata.csv` (`study_id`, `sex`, `age`) as on Kaggle. Source: Jaeger et al.,
Quantitative Imaging in Medicine and Surgery 2014; free for research.
"""

import re
from dataclasses import replace

import pandas as pd

from cxr_utils.data.readers.files import Contents, Folder, part_of, read_csv
from cxr_utils.data.readers.folders import read_classes
from cxr_utils.data.readers.match import plain
from cxr_utils.data.readers.tables import guessed
from cxr_utils.data.readers.values import Uncertain, years
from cxr_utils.data.schema import validate_table
from cxr_utils.errors import DataError

_NAME = re.compile(r"(?:^|/)(?P<source>CHN|MCU)CXR_\d+_(?P<label>[01])$")
_SOURCES = {"CHN": "shenzhen", "MCU": "montgomery"}
_METADATA = ("study_id", "sex", "age")
_SEX = re.compile(r"\b(?:f(?:emale)?|m(?:ale)?)(?![a-z])", re.IGNORECASE)
_AGE = re.compile(r"\d+ *[a-z]*", re.IGNORECASE)


def recognise(folder: Folder) -> bool:
    """Tell whether most pictures have the collections' names, and no table but theirs describes them."""
    named = re.compile(_NAME.pattern[:-1] + r"\.(png|jpe?g|dcm)$", re.IGNORECASE)
    return folder.is_named(named) and bool(folder.with_columns(*_METADATA) or not guessed(folder))


def read(folder: Folder, uncertain: Uncertain = "leave-out") -> Contents:
    """Read Shenzhen, Montgomery or both.

    Args:
        folder: What was found.
        uncertain: Not asked: a name tells 0 or 1.

    Returns:
        What was found; `kind` is the source, "tuberculosis" of both, whose images have it in the column collection.
        Sex and age come from the readings, and are unknown where there is none. Other pictures are passed over.

    Raises:
        DataError: Every picture has the same label.
    """
    names = pd.Series(folder.images).map(plain).str.extract(_NAME)
    found = pd.DataFrame({"path": folder.images, "label": names["label"].map({"0": "normal", "1": "Tuberculosis"})})
    levels = found["path"].str.split("/").str[:-1]
    found["split"] = levels.map(lambda folders: next(filter(None, map(part_of, folders)), None))
    known = found["label"].notna()
    if found["label"][known].nunique() == 1:
        raise DataError(
            f"All {known.sum():,} pictures of {folder.root.name} are {found['label'][known].iloc[0]} by their names. "
            "Expected some that end in _0 and some that end in _1. Copy the others there too."
        )
    sources = names["source"][known].unique()
    contents = read_classes(
        folder, found[known].reset_index(drop=True), "tuberculosis" if len(sources) > 1 else _SOURCES[sources[0]]
    )
    table, unread = _with_readings(contents.table, _readings(folder))
    if len(sources) > 1:
        table["collection"] = table["image"].map(plain).str.extract(_NAME)["source"].map(_SOURCES)
    other = [] if known.all() else [f"{(~known).sum():,} pictures have other names and are passed over."]
    return replace(contents, table=validate_table(table, contents.findings), notes=[*contents.notes, *unread, *other])


def _readings(folder: Folder) -> pd.DataFrame:
    """Sex and age as they are written, of each picture by its plain name."""
    texts = {path.stem: path.read_text(errors="replace") for path in folder.root.rglob("ClinicalReadings/*.txt")}
    rows = {
        name: [found and found[0] for found in (_SEX.search(text), _AGE.search(text))] for name, text in texts.items()
    }
    tables = [read_csv(folder.root / name)[list(_METADATA)] for name in folder.with_columns(*_METADATA)]
    listed = [table.set_index(table["study_id"].map(plain))[["sex", "age"]].astype(str) for table in tables]
    return pd.concat([pd.DataFrame.from_dict(rows, orient="index", columns=["sex", "age"], dtype=object), *listed])


def _with_readings(table: pd.DataFrame, readings: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    if not len(readings):
        return table, []
    stems = table["image"].map(plain).str.rpartition("/")[2]
    own = readings[~readings.index.duplicated()].reindex(stems).reset_index(drop=True)
    ages, notes = years(own["age"])
    return table.assign(age=ages, sex=own["sex"].str[:1].str.upper()), notes
