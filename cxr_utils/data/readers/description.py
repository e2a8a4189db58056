"""A description of a table: which column is what, and what its cells mean. Guessed, or written in `dataset.toml`."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd

from cxr_utils.data.readers.files import Folder, part_of, read_csv
from cxr_utils.data.readers.match import match
from cxr_utils.data.readers.values import NEGATIVE, POSITIVE, UNCERTAIN
from cxr_utils.data.schema import FINDINGS, finding_name, is_healthy
from cxr_utils.errors import DataError

#: The file in which a user describes tables of their own.
FILE = "dataset.toml"
# Usual names of columns, without what is no letter.
_USUAL = {
    "image": "image imageindex imageid imagename imagepath imagefile imagefilename img file filename filepath path "
    "name dicom dicomid dicompath xray jpg png",
    "patient": "patient patientid patientnumber patientname subject subjectid pid caseid person personid",
    "split": "split part set fold subset partition phase datasetsplit",
    "age": "age patientage ageyears ageinyears",
    "sex": "sex gender patientsex patientgender",
    "view": "view viewposition position projection viewpoint appa",
    "follow_up": "followup visit",
}
_CELL = "findinglabels findinglabel labels label findings finding diagnosis diagnoses class classes category disease"


@dataclass(frozen=True)
class Description:
    r"""What the columns and cells of one or several tables mean.

    Attributes:
        tables: Path of each table below the folder, and the part that it holds, "" where it does not say.
        image: Column with the name or path of each picture.
        patient: Column with the patient; "" reads patients from file names.
        split: Column with the part.
        age: Column with the age.
        sex: Column with the sex.
        view: Column with the view.
        follow_up: Column with the number of the visit.
        labels: Columns with one finding each; or, with `separators`, a single one that lists findings.
        separators: Characters that part the labels in a cell; "" for columns with one finding each.
        positive: Cells that mean present, in lower case.
        negative: Cells that mean absent.
        uncertain: Cells that mean neither; an empty cell always means unknown.
        healthy: Labels that say that there is no finding, beside the usual words for it.
        keep: Column to the cells of it that are kept; other rows are left out.
        parts: Cell of the split column to train, valid or test, where its word is not one of these.
        names: Name of a label to the name that it is to have here.

    Example:
        >>> from_toml('tables = ["all.csv"]\nimage = "name"\nlabels = ["Mass"]', "dataset.toml").image
        'name'
    """

    tables: Mapping[str, str]
    image: str
    labels: tuple[str, ...]
    patient: str = ""
    split: str = ""
    age: str = ""
    sex: str = ""
    view: str = ""
    follow_up: str = ""
    separators: str = ""
    positive: tuple[str, ...] = POSITIVE
    negative: tuple[str, ...] = NEGATIVE
    uncertain: tuple[str, ...] = UNCERTAIN
    healthy: tuple[str, ...] = ()
    keep: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """All columns that it names."""
        single = (self.image, self.patient, self.split, self.age, self.sex, self.view, self.follow_up)
        return list(dict.fromkeys([*(name for name in single if name), *self.labels, *self.keep]))


def from_toml(text: str, what: str) -> Description:
    """Read a description.

    Args:
        text: TOML, as `to_toml` writes it.
        what: Name of the file, for messages.

    Raises:
        DataError: It is no TOML, a key is missing or unknown, or a value is of another type.
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{what} is no TOML ({error}). Expected what cxr data describe writes. Mend it.") from None
    known = {one.name: one for one in fields(Description)}
    if isinstance(given.get("tables"), list):
        given["tables"] = dict.fromkeys(given["tables"], "")
    unknown, missing = set(given) - set(known), {"tables", "image", "labels"} - set(given)
    if unknown or missing:
        seen = f"has {', '.join(sorted(unknown))}" if unknown else f"lacks {', '.join(sorted(missing))}"
        raise DataError(
            f"{what} {seen}. Expected tables, image and labels, and of {', '.join(list(known)[3:])} what is needed. "
            "Write a first guess with cxr data describe, and edit it."
        )
    for name, value in given.items():
        given[name] = _checked(name, value, known[name].type, what)
    return Description(**given)


def _checked(name: str, value: Any, wanted: Any, what: str) -> Any:
    lists = isinstance(value, list) and all(isinstance(one, str) for one in value)
    if wanted is str and isinstance(value, str):
        return value
    if wanted == tuple[str, ...] and lists:
        return tuple(one.lower() for one in value) if name in ("positive", "negative", "uncertain") else tuple(value)
    if isinstance(value, dict):
        if wanted == Mapping[str, str] and all(isinstance(one, str) for one in value.values()):
            return value
        if wanted == Mapping[str, tuple[str, ...]]:
            return {key: _checked(f"{name}.{key}", one, tuple[str, ...], what) for key, one in value.items()}
    kinds = {str: "a text", tuple[str, ...]: "a list of texts"}
    raise DataError(f"{name} is {value!r} in {what}. Expected {kinds.get(wanted, 'a table of such')}. Correct it.")


def guess(folder: Folder, names: list[str]) -> Description | None:
    """Guess what the columns of tables mean, from their names and from what their cells hold.

    Args:
        folder: Where the tables lie.
        names: The tables; several are parts of one, with the same columns.

    Returns:
        A description, or None where no column names pictures or none holds labels.
    """
    frames = [read_csv(folder.root / name, low_memory=False).rename(columns=str.strip) for name in names]
    table = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    usual = {role: _column_named(table, words.split()) for role, words in _USUAL.items()}
    image = usual.pop("image")
    if not image or pictures_named(table[image], folder) == 0:
        image = _column_of_files(table, folder) or image
    if not image:
        return None
    roles: dict[str, Any] = {role: column for role, column in usual.items() if column and column != image}
    free = [name for name in table if name != image and name not in roles.values()]
    labels = _label_columns(table[free])
    cell, separators = ("", "") if labels else _label_cell(table[free])
    if not labels and not cell:
        return None
    parts = {name: (part_of(stem(name)) or "") if len(names) > 1 else "" for name in names}
    return Description(parts, image, tuple(labels) or (cell,), separators=separators, **roles)


def stem(name: str) -> str:
    """First word of a table's name that tells a part, such as train of train-small.csv; else the whole name."""
    words = re.split(r"[^A-Za-z]+", name.rsplit("/", 1)[-1].split(".")[0])
    return next((word for word in words if part_of(word)), name)


def _column_named(table: pd.DataFrame, words: list[str]) -> str:
    by_word = {re.sub(r"[^a-z]", "", str(name).lower()): name for name in reversed(list(table))}
    return next((by_word[word] for word in words if word in by_word), "")


def _column_of_files(table: pd.DataFrame, folder: Folder) -> str:
    """The column of which most cells are names of pictures."""
    best, most = "", 0
    for name in table.select_dtypes(exclude="number"):
        found = pictures_named(table[name], folder)
        if found > most and table[name].nunique() > 0.5 * min(table[name].count(), 2000):
            best, most = name, found
    return best


def pictures_named(cells: pd.Series, folder: Folder) -> int:
    """How many pictures the first 2,000 different cells name; -1 where one of them fits several."""
    try:
        return int((match(cells.dropna().astype(str).drop_duplicates().head(2000), folder.images) >= 0).sum())
    except DataError:
        return -1


def _label_columns(table: pd.DataFrame) -> list[str]:
    """Columns that name one of the 14 or the healthy, and others that hold labels and nothing else."""
    words = {*POSITIVE, *NEGATIVE, *UNCERTAIN}
    named = [name for name in table if finding_name(str(name)) in FINDINGS or is_healthy(str(name))]
    others = [name for name in table if name not in named and len(table[name].dropna()) and _holds(table[name], words)]
    return [name for name in table if name in {*named, *others}] if named or len(others) > 0 else []


def _holds(cells: pd.Series, words: set[str]) -> bool:
    distinct = cells.dropna().unique()
    return len(distinct) <= len(words) and all(
        str(cell).strip().lower().removesuffix(".0") in words for cell in distinct
    )


def _label_cell(table: pd.DataFrame) -> tuple[str, str]:
    """The column that lists findings in its cells, and what parts them there."""
    usual = _column_named(table, _CELL.split())
    for name in [usual] if usual else table.select_dtypes(exclude="number"):
        texts = [str(text) for text in table[name].dropna().unique()]
        separators = next((one for one in "|;," if any(one in text for text in texts)), "|")
        parts = {part for text in texts for part in text.split(separators)}
        if usual or any(finding_name(part) in FINDINGS or is_healthy(part) for part in parts):
            return name, separators
    return "", ""


def to_toml(description: Description) -> str:
    """Write a description as TOML with a comment a line.

    Example:
        >>> text = to_toml(Description({"all.csv": ""}, "name", ("Mass",)))
        >>> from_toml(text, "it") == Description({"all.csv": ""}, "name", ("Mass",))
        True
    """
    words = {
        "image": "column with the name or path of each picture",
        "patient": 'column with the patient; "" reads patients from file names',
        "split": 'column with the part; "" divides the patients anew',
        "age": 'columns with what else is known; "" where it is not',
        "labels": "columns with one finding each, or one column that lists findings (then: separators)",
        "separators": 'characters between two labels of one cell, such as "|"; "" for a column a finding',
        "healthy": 'labels that mean no finding, beside "No Finding", "normal" and the like',
        "positive": "cells that mean present, absent, uncertain; an empty cell means unknown",
    }
    lines = ["# How the pictures of this folder are described. A first guess: correct what is wrong."]
    for name, value in ((one.name, getattr(description, one.name)) for one in fields(description)):
        if isinstance(value, Mapping):
            continue
        lines += [f"# {words[name]}"] if name in words else []
        lines.append(f"{name} = {_quoted(value)}")
    sections = {
        "tables": "Each table, and the part that it holds: train, valid, test, or nothing",
        "keep": 'Only rows with these cells, such as "Frontal/Lateral" = ["Frontal"]',
        "parts": 'Words of the split column, such as "0" = "train"',
        "names": 'Other names of labels, such as "EP" = "Effusion"',
    }
    for name, about in sections.items():
        lines += ["", f"# {about}", f"[{name}]"]
        lines += [f"{_quoted(key)} = {_quoted(value)}" for key, value in getattr(description, name).items()]
    return "\n".join(lines) + "\n"


def _quoted(value: str | tuple[str, ...]) -> str:
    """A TOML string or list of strings; JSON writes both as TOML does."""
    return json.dumps(value, ensure_ascii=False)
