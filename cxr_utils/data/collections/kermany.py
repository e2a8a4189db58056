"""Kermany's paediatric pneumonia: class folders NORMAL and PNEUMONIA in official parts, patients in the file names.

Both generations of names: `person12_bacteria_3.jpeg`, `IM-0115-0001.jpeg` as on Kaggle, and `BACTERIA-7422-0001.jpeg`
as first published. Source: Kermany et al., Cell 2018; CC BY 4.0.
"""

import re
from dataclasses import replace

from cxr_utils.data.readers.files import Contents, Folder
from cxr_utils.data.readers.folders import class_folders, read_folders
from cxr_utils.data.readers.tables import guessed
from cxr_utils.data.readers.values import Uncertain

_NAME = re.compile(
    r"/(person\d+_(bacteria|virus)_\d+|(NORMAL2-)?IM-\d{4}-\d{4}(-\d{4})?|(BACTERIA|VIRUS|NORMAL)-\d+-\d+)\.jpe?g$",
    re.IGNORECASE,
)


def recognise(folder: Folder) -> bool:
    """Tell whether most pictures in class folders have the collection's names, and no table describes them."""
    return folder.is_named(_NAME) and class_folders(folder) is not None and not guessed(folder)


def read(folder: Folder, uncertain: Uncertain = "leave-out") -> Contents:
    """Read the collection as class folders.

    Args:
        folder: What was found.
        uncertain: Not asked: every picture has one class.

    Returns:
        What was found. The archive's own validation part has 16 pictures; that figures of it say little is said.

    Raises:
        DataError: A picture is in both classes.
    """
    contents = read_folders(folder, "kermany")
    shipped = contents.published
    valid = 0 if shipped is None else int((shipped["split"] == "valid").sum())
    if not 0 < valid < len(contents.table) / 25:
        return contents
    note = f"the validation part has {valid} pictures, as it was published: what is chosen on it is chosen by chance."
    return replace(contents, notes=[*contents.notes, note])
