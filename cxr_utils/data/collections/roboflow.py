"""Exports of Roboflow: class folders, or a `_classes.csv` in the folder of each part.

`a_png.rf.HASH.jpg` is a copy of `a.png`, and there may be several, each changed in another way. Any collection may come
this way, at the size that somebody chose; its licence is that of the collection, see `README.dataset.txt`.
"""

import re
from dataclasses import replace

from cxr_utils.data.readers.description import Description
from cxr_utils.data.readers.files import Contents, Folder, part_of
from cxr_utils.data.readers.folders import class_folders, read_folders
from cxr_utils.data.readers.tables import guessed, read_described
from cxr_utils.data.readers.values import Uncertain, original_name
from cxr_utils.errors import DataError

_COPY = re.compile(r"\.rf\.[0-9A-Za-z]+\.(png|jpe?g)$", re.IGNORECASE)
_TABLE = "_classes.csv"
#: Column of `_classes.csv` for pictures that nobody has labelled.
_UNLABELLED = "Unlabeled"


def recognise(folder: Folder) -> bool:
    """Tell whether there is a `_classes.csv`, or whether most pictures are copies and no table describes them."""
    return bool(_tables(folder)) or (folder.is_named(_COPY) and not guessed(folder))


def read(folder: Folder, uncertain: Uncertain = "leave-out") -> Contents:
    """Read an export of either form.

    Args:
        folder: What was found.
        uncertain: What a -1 in `_classes.csv` is taken for.

    Returns:
        What was found; all copies of one original have its patient, and an original in two parts counts as shared.

    Raises:
        DataError: It was exported for another task, or a table lacks its first column.
    """
    if tables := _tables(folder):
        contents = _read_tables(folder, tables, uncertain)
    elif class_folders(folder) is not None:
        contents = read_folders(folder, "roboflow")
    else:
        raise DataError(
            f"{folder.root.name} is an export of Roboflow without classes of whole pictures. Expected class folders, "
            f"or {_TABLE} in each part. Export it again as Folder Structure or as Multi-Label Classification."
        )
    originals = contents.table["image"].map(original_name).str.rpartition("/")[2].nunique()
    if originals == len(contents.table):
        return contents
    note = f"its {len(contents.table):,} pictures are copies of {originals:,} originals."
    return replace(contents, notes=[*contents.notes, note])


def _tables(folder: Folder) -> list[str]:
    return [name for name in folder.tables if name.rpartition("/")[2] == _TABLE]


def _read_tables(folder: Folder, tables: list[str], uncertain: Uncertain) -> Contents:
    parts = {name: next(filter(None, map(part_of, name.split("/")[:-1])), "") for name in tables}
    columns = list(dict.fromkeys(column for name in tables for column in folder.headers[name]))
    labels = tuple(column for column in columns if column not in ("filename", _UNLABELLED))
    keep = {_UNLABELLED: ("0", "0.0")} if _UNLABELLED in columns else {}
    how = Description(parts, "filename", labels, keep=keep)
    return read_described(folder, how, "roboflow", uncertain)
