"""From a folder to what it holds: which collection it is, and the readers of tables and class folders.

The order in which a folder is understood:

1. a `dataset.toml` in it says what its tables mean;
2. a known collection (`data.collections`) is recognised by tables that only it has, or where no table describes the
   pictures by their names; two at once are refused;
3. tables: those that say train, valid or test in their names, else the only one that has pictures and labels;
4. class folders.

A table always counts before the names of folders.
"""

from pathlib import Path
from types import ModuleType

from cxr_utils.cache import home
from cxr_utils.data.collections import (
    chexpert,
    covid_radiography,
    kermany,
    mimic_cxr_jpg,
    nih,
    padchest,
    roboflow,
    rsna,
    tuberculosis,
    vindr,
)
from cxr_utils.data.readers.description import FILE
from cxr_utils.data.readers.files import Contents, Folder, look
from cxr_utils.data.readers.folders import class_folders, read_folders
from cxr_utils.data.readers.tables import described, guessed, read_described
from cxr_utils.data.readers.values import Uncertain
from cxr_utils.errors import DataError
from cxr_utils.phantom import COHORTS, ensure_cohort

#: Known collections; the name of the file is that of the reader.
COLLECTIONS: tuple[ModuleType, ...] = (
    chexpert, covid_radiography, kermany, mimic_cxr_jpg, nih, padchest, roboflow, rsna, tuberculosis, vindr,
)  # fmt: skip
#: Seed of the patients on whom the shipped weights have learned, as the record beside the weights says.
SCHOOL_SEED = 1000
_EXPECTED = (
    f"the word phantom; a known collection ({', '.join(one.__name__.rpartition('.')[2] for one in COLLECTIONS)}); "
    f"tables train, valid and test, or one table, with names of pictures and labels; a {FILE} that says what a table "
    "means; or class folders such as train/NORMAL and train/PNEUMONIA"
)


def find_folder(source: str | Path, *, profile: str = "quick", seed: int = 0) -> Path:
    """Return the folder behind a source, making the phantom when that is asked for.

    Args:
        source: a simulated cohort (see `phantom.COHORTS`) or a folder; a relative one is looked for here and then in
            the repository, because a lesson runs in the folder that it lies in.
        profile: Size of the phantom.
        seed: Seed of the phantom.

    Raises:
        DataError: The seed is that of the patients on whom the shipped weights have learned.
    """
    if str(source) in COHORTS:
        if seed == SCHOOL_SEED:
            raise DataError(
                f"seed={seed} draws the patients on whom the shipped weights have learned. "
                "Expected any other whole number. Choose one."
            )
        return ensure_cohort(profile, seed, str(source))
    path = Path(source).expanduser()
    return path if path.exists() or not (home() / path).exists() else home() / path


def walk(root: Path) -> Folder:
    """Walk over a folder, or say why that cannot be done.

    Raises:
        DataError: There is no such folder, or it may not be read.
    """
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise DataError(f"{root} {what}. Expected {_EXPECTED}. Check the path; here is {Path.cwd()}.")
    try:
        return look(root)
    except OSError as error:
        raise DataError(
            f"{root} cannot be searched ({error.strerror}: {error.filename}). Expected folders that may be read. "
            f"Change their permissions, or give a smaller folder."
        ) from None


def read(folder: Folder, uncertain: Uncertain = "leave-out") -> Contents:
    """Recognise the layout of a folder by looking, and read it.

    Args:
        folder: What `walk` found.
        uncertain: What an uncertain label (-1) is taken for: unknown ("leave-out"), "positive" or "negative".

    Returns:
        Its contents.

    Raises:
        DataError: It has none of the layouts or two of them, or its tables are not as expected.
    """
    if how := described(folder):
        return read_described(folder, how, FILE, uncertain)
    fitting = [module for module in COLLECTIONS if module.recognise(folder)]
    if len(fitting) > 1:
        names = " and of ".join(module.__name__.rpartition(".")[2] for module in fitting)
        raise DataError(
            f"{folder.root} has tables or names of {names}. Expected one collection a folder. Give the folder of one; "
            "to pool them, open_dataset takes a list."
        )
    if fitting:
        return fitting[0].read(folder, uncertain)
    if how := guessed(folder):
        return read_described(folder, how, "course" if any(how.tables.values()) else "table", uncertain)
    if class_folders(folder) is not None:
        return read_folders(folder)
    raise DataError(
        f"{folder.root} has none of the known layouts: it holds {_inventory(folder)}. Expected {_EXPECTED}. "
        f"Give the folder that holds the table, describe a table with cxr data describe, or sort the images into class "
        "folders."
    )


def _inventory(folder: Folder) -> str:
    """Say in a few words what lies in a folder."""
    entries = sorted(entry.name + "/" * entry.is_dir() for entry in folder.root.iterdir() if entry.name[0] != ".")
    shown = ", ".join(entries[:6]) + (f" and {len(entries) - 6} more" if len(entries) > 6 else "")
    headers = [f"{name} has {', '.join(columns[:8]) or 'no columns'}" for name, columns in folder.headers.items()][:3]
    passed = [f"{number:,} {kind}" for kind, number in folder.passed_over.items()]
    return f"{'; '.join([shown or 'nothing', *headers])} ({', '.join([f'{len(folder.images)} images', *passed])} below)"
