"""What is the same for every collection: one walk over its folder, reading tables, and what a reader hands back."""

import gzip
import hashlib
import os
import re
import struct
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr_utils.data.readers.match import match, plain
from cxr_utils.data.schema import BOX_COLUMNS
from cxr_utils.errors import DataError

#: File name endings that count as images when a folder is searched.
SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")
#: Endings of tables; a spreadsheet (.xlsx) is to be saved as one of these.
TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
#: Splits of the simulated set, of a well-known online course and of children's X-rays, by the names they go by. They
#: lie beside the pictures to be compared (`leakage.leakage_beside`), and do not describe them.
OTHER_SPLITS = ("leaky_split.csv", "course", "public_resplit.csv.gz")
_UNREAD = (".tif", ".tiff", ".bmp", ".gif", ".webp", ".nii", ".nii.gz", ".zip", ".tar", ".tar.gz", ".tgz", ".7z")
#: Names of folders of masks, and what ends the name of a mask beside its picture.
MASK_FOLDER = re.compile(r"(.*[ _-])?(lung|left|right|manual)?masks?([ _-](png|images?|\d+))?", re.IGNORECASE)
MASK_FILE = re.compile(r"[ _-](mask|seg|segmentation)s?$|^(mask|seg|segmentation)[ _-]", re.IGNORECASE)
# A folder of this name holds masks; or where there are folders of masks in it, pictures beside them.
_SEGMENTATION = re.compile(r"(.*[ _-])?(segmentations?|ground[ _-]?truths?|gt)", re.IGNORECASE)
# What most pictures of large collections are called: nothing else has to be asked of such a name.
_NUMBERED = re.compile(r"[0-9]+_[0-9]+\.(png|jpe?g)")
_THUMBNAIL = re.compile(r"\.?(thumb(nail)?s?|previews?)|.*[ _-]thumb(nail)?", re.IGNORECASE)


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

    def only(self, images: pd.Series) -> "Files":
        """The files of some images; those that have none are left out."""
        wanted = images.astype(object).tolist()
        return Files({image: self._paths[image] for image in wanted if image in self._paths})

    def holding(self, images: pd.Series) -> np.ndarray:
        """Mask (images,) of bool, true for the images that have a file."""
        return np.fromiter(map(self._paths.__contains__, images.tolist()), bool, len(images))

    def stamp(self, image: str) -> str:
        """Size and date of a file, for keys of a cache; of a dead link, about which who reads it is told, neither."""
        try:
            status = os.stat(self._paths[image])
        except OSError:
            return "unreadable"
        return f"{status.st_size}:{status.st_mtime_ns}"

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
        kind: Name of the reader, "phantom" for a simulated cohort.
        table: Contract table (see `schema.validate_table`), parts disjoint by patient.
        findings: Label columns in order.
        files: Image name to path; may lack images of the table.
        boxes: Boxes in fractions of the image sides.
        published: image, patient, split exactly as shipped, or None where no split was shipped.
        masks: Image name to the path of a mask that was shipped with it.
        notes: Lines that a learner should read.
    """

    kind: str
    table: pd.DataFrame
    findings: tuple[str, ...]
    files: Files
    boxes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(BOX_COLUMNS)))
    published: pd.DataFrame | None = None
    masks: Files = field(default_factory=lambda: Files({}))
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Folder:
    """What one walk over a folder found; no file was opened.

    Attributes:
        root: The folder; where it held nothing but another folder, that one.
        images: Paths below `root` of all pictures, as POSIX writes them, sorted.
        masks: Paths of pictures that are masks by the name of their folder or by their own.
        tables: Paths of tables in `root` and in the folders in it, those in `root` first.
        passed_over: What was left out, by kind, and how many of it.
    """

    root: Path
    images: list[str]
    masks: list[str]
    tables: list[str]
    passed_over: dict[str, int]

    @cached_property
    def headers(self) -> dict[str, tuple[str, ...]]:
        """Column names of each table; none of one that cannot be read."""
        return {name: _header(self.root / name) for name in self.tables}

    def with_columns(self, *columns: str) -> list[str]:
        """List the tables that have all of these columns."""
        return [name for name, header in self.headers.items() if set(columns) <= set(header)]

    def edition(self, names: list[str], what: str) -> str:
        """Choose one of several tables that say the same, byte for byte once unpacked.

        Raises:
            DataError: They differ; `what` says what they are.
        """
        if len(names) > 1 and len({digest(self.root / name) for name in names}) > 1:
            raise DataError(
                f"{self.root.name} holds {' and '.join(names)}, which differ. Expected one edition of {what}. Move the "
                "others away."
            )
        return names[0]

    def path(self, image: str) -> str:
        """Whole path of a picture."""
        return f"{self.root}{os.sep}{image}"

    def files(self, names: pd.Series) -> tuple[Files, list[str]]:
        """Find the files that a table's names mean, see `match.match`.

        Args:
            names: of images, in the table's own words.

        Returns:
            Name to file, for those that have one, and notes.

        Raises:
            DataError: A name fits several files.
        """
        if not self.images:
            return Files({}), []
        paths: list[str] = self.images
        notes: list[str] = []
        wanted = names.astype(object).tolist()
        if not any("/" in name for name in wanted):
            paths, notes = _once_each(paths, bare=not wanted or plain(wanted[0]) == wanted[0])
        places = match(wanted, paths).tolist()
        named = set(places)
        rest = Counter(path.rpartition("/")[0] for place, path in enumerate(paths) if place not in named)
        if rest:
            where = ", ".join(f"{count:,} in {name or 'the folder itself'}" for name, count in rest.most_common(3))
            notes.append(
                f"{rest.total():,} pictures are in no row of the table that is used, and are passed over: {where}."
            )
        meant, start = zip(wanted, places, strict=True), self.path("")
        return Files({name: start + paths[place] for name, place in meant if place >= 0}), notes

    def is_named(self, pattern: re.Pattern[str]) -> bool:
        """Tell whether most paths of pictures fit a pattern, by about a hundred of them."""
        some = self.images[:: max(1, len(self.images) // 100)]
        return sum(bool(pattern.search(path)) for path in some) > len(some) / 2


def look(root: Path) -> Folder:
    """Walk over a folder once, opening no file.

    Args:
        root: Where to begin. Hidden files, what archives of macOS leave behind, thumbnails, locks of office programs
            and files of kinds that the course does not read are passed over and counted.

    Returns:
        What it holds.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for name in ("a.png", "b_mask.png", "._c.png", "d.tif"):
        ...     (root / name).touch()
        >>> found = look(root)
        >>> found.images, found.masks, found.passed_over
        (['a.png'], ['b_mask.png'], {'.tif files': 1, 'hidden files': 1})
    """
    while (only := _only_folder(root)) and part_of(only.name) is None:
        root = only
    found: defaultdict[str, list[str]] = defaultdict(list)
    passed: Counter[str] = Counter()
    waiting, seen = [(str(root), "", "images")], set[str]()
    while waiting:
        folder, below, holds = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if _NUMBERED.fullmatch(entry.name) and not entry.is_dir():
                    found[holds].append(below + entry.name)
                elif kind := _passed_over(entry.name):
                    passed[kind] += 1
                elif entry.is_dir():
                    if not _visited(entry, seen):
                        inside = f"{below}{entry.name}/"
                        waiting.append((entry.path, inside, _holds(entry.name, inside, holds)))
                elif kind := _kind(entry.name):
                    masked = kind == "images" and MASK_FILE.search(entry.name.rpartition(".")[0])
                    found["masks" if masked else holds if kind == "images" else kind].append(below + entry.name)
                elif entry.name.lower().endswith(_UNREAD):
                    passed[f"{os.path.splitext(entry.name)[1].lower()} files"] += 1
    for place in [kind for kind in found if kind.endswith("/")]:
        beside = any(mask.startswith(place) for mask in found["masks"])
        found["images" if beside else "masks"] += found.pop(place)
    tables = sorted(found["tables"], key=lambda name: (name.count("/"), name))
    return Folder(root, sorted(found["images"]), sorted(found["masks"]), tables, dict(sorted(passed.items())))


def _holds(name: str, path: str, outside: str) -> str:
    """What pictures in a folder are: "images", "masks", or the path of a segmentation's folder, which may hold both."""
    if outside == "masks" or MASK_FOLDER.fullmatch(name):
        return "masks"
    return path if outside == "images" and _SEGMENTATION.fullmatch(name) else outside


def _only_folder(root: Path) -> Path | None:
    """The folder that is all there is to see, as archives leave it."""
    shown = [entry for entry in root.iterdir() if not _passed_over(entry.name)]
    return shown[0] if len(shown) == 1 and shown[0].is_dir() else None


def _passed_over(name: str) -> str | None:
    """Say in words what kind of file or folder this is, where nobody means it."""
    lower = name.lower()
    if name.startswith((".", "~$", "__MACOSX", "@eaDir", "$RECYCLE")) or lower in ("thumbs.db", "desktop.ini"):
        locked = name.startswith(("~$", ".~lock"))
        return "__MACOSX folders" if name[0] == "_" else "locks of office programs" if locked else "hidden files"
    may_be = "thumb" in lower or "preview" in lower
    return "thumbnails" if may_be and _THUMBNAIL.fullmatch(name.partition(".")[0]) else None


def _kind(name: str) -> str | None:
    lower = name.lower()
    return "images" if lower.endswith(SUFFIXES) else "tables" if lower.endswith(TABLES) else None


def _visited(entry: os.DirEntry[str], seen: set[str]) -> bool:
    """Tell whether a linked folder was walked before: a link to a parent would go round for ever."""
    if not entry.is_symlink():
        return False
    target = os.path.realpath(entry.path)
    inside = os.path.realpath(os.path.dirname(entry.path)) + os.sep
    loops = target in seen or inside.startswith(target + os.sep)
    seen.add(target)
    return loops


def _once_each(paths: list[str], bare: bool) -> tuple[list[str], list[str]]:
    """Of several files of one name keep that in the folder which holds most; names without a folder mean one of them.

    Where a table's names are bare, without an ending, a.dcm and a.png have one name.

    Collections are often shipped at two sizes with the same names. Staying in the fullest folder keeps the
    pictures of one kind, and does not depend on the order in which a disk lists them.
    """
    names = [path.rsplit("/", 1)[-1] for path in paths]
    names = [name.rpartition(".")[0] for name in names] if bare else names
    if len(set(names)) == len(names):
        return paths, []
    folders = Counter(os.path.dirname(path) for path in paths)
    ranked = sorted(zip(names, paths, strict=True), key=lambda pair: (folders[os.path.dirname(pair[1])], pair[1]))
    kept = dict(ranked)
    return sorted(kept.values()), [
        f"{len(paths) - len(kept):,} pictures have the name of another one. Of each name the one in the folder with "
        "most pictures is used."
    ]


_PART = re.compile(
    r"(train|val|dev|test)(?:ing|id|idate|idation|elop(?:ment)?)?(?:set|data|images|imgs|pictures|split|part)?"
)
_PARTS = {"train": "train", "val": "valid", "dev": "valid", "test": "test"}


def part_of(name: str) -> str | None:
    """Tell which part a folder's name, or a word in a table, means; None for any other word.

    Example:
        >>> [part_of(name) for name in ("Training_Set", "val", "dev", "testimonial", "1_test")]
        ['train', 'valid', 'valid', None, 'test']
    """
    plain = re.sub(r"[^a-z]", "", name.lower())
    found = _PART.fullmatch(plain)
    return _PARTS[found[1]] if found else None


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read a table whose separator is a comma, a semicolon or a tab, gzipped or not.

    Args:
        path: UTF-8, UTF-16 with its mark, or else Western European text.
        **options: of `pandas.read_csv`.

    Raises:
        DataError: The file is missing, damaged or no table; the message names it.
    """
    try:
        how = _format(path) if "header" not in options else {}
        return pd.read_csv(path, **how | options)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Expected a table (csv or csv.gz). Check the path.") from None
    except (OSError, EOFError, ValueError, zlib.error, struct.error) as error:
        raise DataError(
            f"{path.name} cannot be read ({str(error).strip()}). Expected a table (csv or csv.gz) with a "
            f"header line. Fetch the file again, or save it anew from your spreadsheet."
        ) from None


def _format(path: Path) -> dict[str, str]:
    """Separator and encoding, from the beginning of a table."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        start = file.read(1 << 16)
    encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = start.decode(encoding)
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:  # not just a letter that the reading has cut
            encoding = "cp1252"
        text = start.decode(encoding, errors="replace")
    line = text.partition("\n")[0]
    return {"sep": max(",;\t", key=line.count), "encoding": encoding}


def digest(path: str | Path) -> str:
    """Hash of a file's bytes, unpacked where it is gzipped: equal for copies, whatever their names."""
    with (gzip.open if str(path).endswith(".gz") else open)(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _header(path: Path) -> tuple[str, ...]:
    try:
        return tuple(str(name).strip() for name in read_csv(path, nrows=0))
    except DataError:
        return ()
