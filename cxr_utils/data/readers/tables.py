"""Tables of any kind: a description says what their columns mean, and they become the contract."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils.data.readers import description as descriptions
from cxr_utils.data.readers.description import FILE, Description
from cxr_utils.data.readers.files import OTHER_SPLITS, Contents, Folder, part_of, read_csv
from cxr_utils.data.readers.values import (
    Uncertain,
    labels_in_cells,
    labels_in_columns,
    names_of_patients,
    other_names,
    parts_of,
    patients_of,
    sexes,
    years,
)
from cxr_utils.data.schema import PARTS, is_healthy, require_columns, validate_table
from cxr_utils.data.splits import drop_shared, fill_parts
from cxr_utils.errors import DataError

_WELCOME = ("age", "sex", "view", "follow_up")


def read_described(
    folder: Folder,
    how: Description,
    kind: str,
    uncertain: Uncertain = "leave-out",
    *,
    complete: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
) -> Contents:
    """Read tables by a description.

    Args:
        folder: Where tables and pictures lie.
        how: What the columns mean.
        kind: Name of the reader.
        uncertain: What an uncertain label is taken for.
        complete: Adds to the rows of each table what no column says, such as the patient that a path names.

    Returns:
        What was found; see `read_rows`.

    Raises:
        DataError: A table or column is missing, a cell is none of those expected, or rows contradict each other.
    """
    return read_rows(folder, _joined(folder, how, complete), how, kind, uncertain)


def read_rows(
    folder: Folder, rows: pd.DataFrame, how: Description, kind: str, uncertain: Uncertain = "leave-out"
) -> Contents:
    """Turn rows that a description fits into the contract. Every reader of tables ends here.

    Args:
        folder: Where the pictures lie.
        rows: What the tables hold, and in the column "part of the table" the part of each row, or "".
        how: What the columns mean.
        kind: Name of the reader.
        uncertain: What an uncertain label is taken for.

    Returns:
        What was found. Parts that share patients are made disjoint; `published` keeps every row.

    Raises:
        DataError: A cell is none of those expected, or rows contradict each other.
    """
    files, doubled = folder.files(rows[how.image])
    raw, notes = _kept(rows, how)
    what = ", ".join(how.tables)
    labels, findings, more = _labels(raw, how, what, uncertain)
    columns, still_more = _columns(raw, how, folder)
    whole = pd.concat([columns, labels], axis=1)
    published = whole[["image", "patient", "split"]].reset_index(drop=True) if (columns["split"] != "").any() else None
    whole["split"] = whole["split"].replace("", "train")
    if whole["image"].duplicated().any():  # looking for whole rows that repeat takes long
        whole = whole.drop_duplicates(ignore_index=True)
    table, shared = drop_shared(whole)
    table, filled = fill_parts(table.reset_index(drop=True), findings)
    return Contents(
        kind=kind,
        table=validate_table(table, findings),
        findings=findings,
        files=files.only(whole["image"]),
        published=published,
        notes=[*notes, *more, *still_more, *doubled, *shared, *filled],
    )


def _joined(folder: Folder, how: Description, complete: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    """All tables below each other, names of images normalised, with the part that each says in a column of its own."""
    frames = []
    for name, part in how.tables.items():
        if ".." in name.split("/") or name.startswith("/"):
            raise DataError(f"{FILE} names the table {name}. Expected one below {folder.root.name}. Move it there.")
        # As text: a picture called 00013 must not become 13.
        raw = read_csv(folder.root / name, low_memory=False, dtype={how.image: str})
        raw = complete(raw.rename(columns=lambda column: str(column).strip()))
        require_columns(raw, how.columns, name)
        images = _names(raw[how.image], how.image, name)
        frames.append(raw.assign(**{how.image: images, "part of the table": part}))
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def _names(cells: pd.Series, column: str, what: str) -> pd.Series:
    names = cells.astype(object).where(cells.notna(), "").astype(str).str.strip().str.replace("\\", "/", regex=False)
    if (names == "").any():
        raise DataError(
            f"{column} is empty in row {int((names == '').argmax())} of {what} ({(names == '').sum():,} such rows). "
            "Expected the name of a picture in every row. Fill it in or drop the rows."
        )
    return names


def _kept(raw: pd.DataFrame, how: Description) -> tuple[pd.DataFrame, list[str]]:
    notes = []
    for column, cells in how.keep.items():
        keep = raw[column].astype(str).isin(cells)
        if not keep.all():
            notes.append(
                f"{(~keep).sum():,} of {len(raw):,} rows are left out, whose {column} is not {' or '.join(cells)}."
            )
        raw = raw[keep]
    return raw.reset_index(drop=True), notes


def _labels(
    raw: pd.DataFrame, how: Description, what: str, uncertain: Uncertain
) -> tuple[pd.DataFrame, tuple[str, ...], list[str]]:
    names = dict(how.names) | dict.fromkeys(how.healthy, "No Finding")
    if not how.separators:
        words = {"positive": how.positive, "negative": how.negative, "uncertain": how.uncertain}
        return labels_in_columns(raw, how.labels, what, uncertain=uncertain, words=words, names=names)
    codes, distinct = pd.factorize(raw[how.labels[0]].astype(str).where(raw[how.labels[0]].notna(), ""))
    parts = [[names.get(part, part) for part in parts_of(text, how.separators)] for text in distinct]
    named_so = other_names(sorted({part for some in parts for part in some if not is_healthy(part)}))
    texts = pd.Series(np.array([how.separators[0].join(some) for some in parts], object)[codes])
    return *labels_in_cells(texts, how.separators), named_so


def _columns(raw: pd.DataFrame, how: Description, folder: Folder) -> tuple[pd.DataFrame, list[str]]:
    """Image, patient, split and what else is known."""
    images = raw[how.image]
    patients, notes = (names_of_patients(raw[how.patient], how.patient), []) if how.patient else patients_of(images)
    columns = {"image": images, "patient": patients, "split": _parts(raw, how)}
    for role in _WELCOME:
        if column := getattr(how, role):
            columns[role] = raw[column]
    if "age" in columns:
        columns["age"], more = years(columns["age"])
        notes += more
    if "sex" in columns:
        columns["sex"] = sexes(columns["sex"])
    return pd.DataFrame(columns), notes


def _parts(raw: pd.DataFrame, how: Description) -> pd.Series:
    if not how.split:
        return raw["part of the table"]
    codes, distinct = pd.factorize(raw[how.split].astype(object).fillna("").astype(str))
    parts = [how.parts.get(word) or part_of(word) for word in distinct]
    if None in parts or not set(parts) <= set(PARTS):
        wrong = distinct[[part not in PARTS for part in parts].index(True)]
        raise DataError(
            f"Column {how.split} holds {wrong!r}. Expected train, valid or test, or words of these. "
            f"Say what it means in the section [parts] of {FILE} (cxr data describe)."
        )
    return pd.Series(np.array(parts, object)[codes], raw.index)


def described(folder: Folder) -> Description | None:
    """The description that lies beside the tables; None where there is none."""
    path = folder.root / FILE
    try:
        return descriptions.from_toml(path.read_text(encoding="utf-8-sig"), FILE) if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}). Expected a text in UTF-8. Save it anew as such.") from None


def blank(folder: Folder) -> Description:
    """A description to be filled in, of tables of which nothing could be guessed.

    Raises:
        DataError: There is no table.
    """
    if not folder.tables:
        raise DataError(
            f"{folder.root} holds no table. Expected a csv or tsv with names of pictures and labels. Save a "
            "spreadsheet as csv, or give the folder that holds the table."
        )
    first = folder.tables[0]
    columns = folder.headers[first]
    return Description({first: ""}, columns[0] if columns else "", columns[1:])


def guessed(folder: Folder) -> Description | None:
    """Guess from the tables of a folder: those that say train, valid or test in their names, else the only one.

    Raises:
        DataError: Two tables say the same part, or several tables could each be the one.
    """
    here = [name for name in folder.tables if name.count("/") <= 1 and name not in OTHER_SPLITS]
    parts = {name: part_of(descriptions.stem(name)) for name in here}
    if not any(parts.values()):
        parts = _by_folder(here)
    several = {name: part for name, part in parts.items() if part}
    for part in PARTS:
        same = [name for name in several if several[name] == part]
        if len(same) > 1:
            raise DataError(
                f"{', '.join(same)} in {folder.root.name} all say {part}. Expected one table a part. Move the others "
                "away."
            )
    if several:
        ordered = sorted(several, key=lambda name: PARTS.index(several[name]))
        found = descriptions.guess(folder, ordered)
        return found and replace(found, tables={name: several[name] for name in ordered})
    found_each = {name: how for name in here if (how := descriptions.guess(folder, [name]))}
    if len(found_each) > 1:  # a list of classes may look like one of pictures
        fit = {name: how for name, how in found_each.items() if _names_pictures(folder, name, how)}
        found_each = fit or found_each
    if len(found_each) > 1:
        raise DataError(
            f"{' and '.join(found_each)} in {folder.root.name} could each describe the pictures. Expected one table. "
            f"Move the others away, or name the one in a {FILE} (cxr data describe)."
        )
    return next(iter(found_each.values()), None)


def _names_pictures(folder: Folder, name: str, how: Description) -> bool:
    table = read_csv(folder.root / name).rename(columns=str.strip)
    return descriptions.pictures_named(table[how.image], folder) != 0


def _by_folder(tables: list[str]) -> dict[str, str | None]:
    """The part that the folder of each table tells, where all do; _annotations.csv is a list of boxes of Roboflow's."""
    parts = {name: part_of(name.rpartition("/")[0]) for name in tables if "/_" not in name}
    return parts if len(parts) == len(tables) and all(parts.values()) else {}


def undescribed(folder: Folder, pattern: re.Pattern[str]) -> bool:
    """Tell whether the whole path of the first picture holds a pattern, and no table describes the pictures."""
    first = folder.images[:1]
    return any(pattern.search(Path(folder.path(image)).as_posix()) for image in first) and not guessed(folder)
