"""The four layouts in which image collections come, and how each is recognised."""

from pathlib import Path

from cxr_utils.cache import repository
from cxr_utils.data.readers.course import course_tables, read_course
from cxr_utils.data.readers.files import Contents, find_images
from cxr_utils.data.readers.folders import class_folders, read_folders
from cxr_utils.data.readers.nih import read_nih
from cxr_utils.errors import DataError
from cxr_utils.phantom import ensure_cohort

__all__ = ["Contents", "find_folder", "read"]

_EXPECTED = (
    "the word phantom; a folder with NIH's Data_Entry*.csv; tables train, valid and test with Image, "
    "PatientId and one 0/1 column a finding; or class folders such as train/NORMAL and train/PNEUMONIA"
)


def find_folder(source: str | Path, *, profile: str = "quick", seed: int = 0) -> Path:
    """Return the folder behind a source, making the phantom when that is asked for.

    Args:
        source: "phantom" or a folder; a relative one is looked for here and then in the repository, because
            a lesson runs in the folder that it lies in.
        profile: Size of the phantom.
        seed: Seed of the phantom.
    """
    if str(source) == "phantom":
        return ensure_cohort(profile, seed)
    path = Path(source).expanduser()
    return path if path.exists() or not (repository() / path).exists() else repository() / path


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
