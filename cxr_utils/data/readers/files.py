"""What is the same for every layout: finding image files, reading tables, and what a reader hands back."""

import os
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_utils.data.schema import BOX_COLUMNS
from cxr_utils.errors import DataError

#: File name endings that count as images when a folder is searched.
SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")

# NIH 00000013_005.png; Kermany person12_bacteria_3.jpeg, IM-0115-0001.jpeg and NORMAL2-IM-0115-0001.jpeg.
_PATIENT = re.compile(r"(?:0*(?P<nih>\d+)(?<=\d{8})_\d{3}$)|(?P<person>person\d+)_|(?P<im>(?:NORMAL2-)?IM-\d+)-\d")


class Files(Mapping):
    """Image name to Path, for a whole collection.

    Holds text and makes a Path only when one is asked for: 112,120 Path objects would cost more time than
    reading the table does.

    Example:
        >>> Files({"a.png": "/data/a.png"})["a.png"].name
        'a.png'
    """

    def __init__(self, paths: dict[str, str]):
        self._paths = paths

    def __getitem__(self, image: str) -> Path:
        return Path(self._paths[image])

    def holding(self, images: pd.Series) -> np.ndarray:
        """Mask (images,) of bool, true for the images that have a file."""
        return np.fromiter(map(self._paths.__contains__, images.tolist()), bool, len(images))

    def status(self, image: str) -> os.stat_result:
        """Size and times of a file, without making a Path of its name."""
        return os.stat(self._paths[image])

    def __contains__(self, image: object) -> bool:
        return image in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


@dataclass(frozen=True, eq=False)
class Contents:
    """A folder as read: the same pieces whatever its layout.

    Attributes:
        kind: "phantom", "nih", "course" or "folders".
        table: Contract table (see `schema.validate_table`), parts disjoint by patient.
        findings: Label columns in order.
        files: Image name to path; may lack images of the table.
        boxes: Boxes in fractions of the image sides.
        published: image, patient, split exactly as shipped, or None where no split was shipped.
        notes: Lines that a learner should read.
    """

    kind: str
    table: pd.DataFrame
    findings: tuple[str, ...]
    files: Files
    boxes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(BOX_COLUMNS)))
    published: pd.DataFrame | None = None
    notes: list[str] = field(default_factory=list)


def find_images(root: Path) -> dict[str, list[str]]:
    """List every image file below `root` by one walk that opens no file.

    Args:
        root: Folder to search; hidden folders and those that archives of macOS leave behind are passed over.

    Returns:
        Names of the images in each folder that holds any; folders and names sorted.
    """
    found: dict[str, list[str]] = {}
    seen: set[str] = set()
    waiting = [str(root)]
    while waiting:
        folder = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith((".", "__MACOSX")):
                    continue
                if entry.name.lower().endswith(SUFFIXES):
                    found.setdefault(folder, []).append(entry.name)
                elif entry.is_dir() and not _visited(entry, seen):
                    waiting.append(entry.path)
    return {folder: sorted(found[folder]) for folder in sorted(found)}


def _visited(entry: os.DirEntry[str], seen: set[str]) -> bool:
    """Tell whether a linked folder was walked before: a link to a parent would go round for ever."""
    if not entry.is_symlink():
        return False
    target = os.path.realpath(entry.path)
    inside = os.path.realpath(os.path.dirname(entry.path)) + os.sep
    loops = target in seen or inside.startswith(target + os.sep)
    seen.add(target)
    return loops


def by_name(folders: dict[str, list[str]]) -> Files:
    """Index files by name; of several copies of one name, take that in the folder which holds most images.

    Collections are often shipped at two sizes with the same names. Staying in the fullest folder keeps the
    pictures of one kind, and does not depend on the order in which a disk lists them.

    Example:
        >>> files = by_name({"many": ["a.png", "b.png"], "few": ["a.png"]})
        >>> files["a.png"].parent.name
        'many'
    """
    paths = {}
    for folder, names in sorted(folders.items(), key=lambda item: (len(item[1]), item[0])):
        paths.update({name: f"{folder}{os.sep}{name}" for name in names})
    return Files(paths)


def patient_of(image: str) -> str | None:
    """Read the patient from a file name of the NIH or the Kermany collection; None for any other name.

    Example:
        >>> patient_of("00000013_005.png"), patient_of("person12_virus_3.jpeg"), patient_of("scan.png")
        ('13', 'person12', None)
    """
    match = _PATIENT.match(os.path.splitext(image)[0])
    return match[match.lastgroup] if match and match.lastgroup else None


def patients_of(images: pd.Series) -> tuple[pd.Series, list[str]]:
    """Read patients from file names; an image whose name tells none stands for a patient of its own.

    Args:
        images: File names.

    Returns:
        Patients, with the index of `images`, and a note to tell (empty when every name told its patient).
    """
    patients = images.map(patient_of)
    unknown = patients.isna()
    if not unknown.any():
        return patients, []
    stems = images[unknown].map(lambda name: os.path.splitext(name)[0])
    note = (
        f"{unknown.sum()} of {len(images)} file names tell no patient (such as {images[unknown].iloc[0]}). "
        f"Each counts as a patient of its own, so two X-rays of one person cannot be noticed."
    )
    return patients.where(~unknown, stems), [note]


def read_csv(path: Path, **options: object) -> pd.DataFrame:
    """Read a comma-separated table, gzipped or not, or raise a DataError that names the file."""
    try:
        return pd.read_csv(path, **options)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Expected a table (csv or csv.gz). Check the path.") from None
    except (OSError, EOFError, ValueError, zlib.error, struct.error) as error:
        raise DataError(
            f"{path.name} cannot be read ({str(error).strip()}). Expected a table (csv or csv.gz) with a "
            f"header line. Fetch the file again, or save it anew from your spreadsheet."
        ) from None
