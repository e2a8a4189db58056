"""The four layouts in which image collections come, and how each is recognised."""

from pathlib import Path

from cxr_utils.errors import DataError
from cxr_utils.layouts.contents import Contents
from cxr_utils.layouts.course import course_tables, read_course
from cxr_utils.layouts.files import find_images
from cxr_utils.layouts.folders import class_folders, read_folders
from cxr_utils.layouts.nih import read_nih

__all__ = ["Contents", "read"]

_EXPECTED = (
    "the word phantom; a folder with NIH's Data_Entry*.csv; tables train, valid and test with Image, "
    "PatientId and one 0/1 column a finding; or class folders such as train/NORMAL and train/PNEUMONIA"
)


def read(root: Path) -> Contents:
    """Recognise the layout of a folder by looking, and read it.

    Args:
        root: The folder.

    Returns:
        Its contents.

    Raises:
        DataError: There is no such folder, it has none of the layouts, or its tables are not as expected.
    """
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise DataError(f"{root} {what}. Expected {_EXPECTED}. Check the path; here is {Path.cwd()}.")
    try:
        images = find_images(root)
    except OSError as error:
        raise DataError(
            f"{root} cannot be searched ({error.strerror}: {error.filename}). Expected folders that may be read. "
            f"Change their permissions, or give a smaller folder."
        ) from None
    entries = sorted(root.glob("Data_Entry*.csv*"))
    if entries:
        return read_nih(root, entries[-1], images)
    tables = course_tables(root)
    classes = class_folders(root, images)
    if tables and classes is None:
        return read_course(root, tables, images)
    if classes is not None:
        return read_folders(root, classes)
    raise DataError(
        f"{root} has none of the known layouts: it holds {_inventory(root, images)}. Expected {_EXPECTED}. "
        f"Give the folder that holds the table, or sort the images into class folders."
    )


def _inventory(root: Path, images: dict[str, list[str]]) -> str:
    """Say in a few words what lies in a folder."""
    entries = sorted(entry.name + "/" * entry.is_dir() for entry in root.iterdir() if not entry.name.startswith("."))
    shown = ", ".join(entries[:6]) + (f" and {len(entries) - 6} more" if len(entries) > 6 else "")
    return f"{shown or 'nothing'} ({sum(map(len, images.values()))} images below)"
