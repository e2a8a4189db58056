"""Who leaks where: patients, files and pictures that two parts of a split share."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cxr_utils.data.images import read_image, resize
from cxr_utils.data.readers import recognition
from cxr_utils.data.readers.files import OTHER_SPLITS, read_csv
from cxr_utils.data.readers.values import patient_of, patients_of
from cxr_utils.data.schema import PARTS, require_columns
from cxr_utils.errors import DataError, Missing

if TYPE_CHECKING:
    from cxr_utils.data.dataset import Dataset

#: Two pictures count as the same when their thumbnails correlate at least this much. Real X-rays of different
#: patients stay below 0.96 and follow-ups below 0.98; recompressed or brightened copies stay above 0.99.
SAME_PICTURE = 0.985
_THUMBNAIL = 64
# Other names of the three columns, without spaces and underscores.
_PLAIN = {
    "image": ("imageindex", "file", "filename", "path"),
    "patient": ("patientid",),
    "split": ("part", "set", "fold", "subset"),
}


def check_for_leakage(first: pd.DataFrame, second: pd.DataFrame, column: str = "patient") -> bool:
    """Tell whether two tables share a patient.

    Args:
        first: A table with the column.
        second: Another.
        column: Which column to compare.

    Returns:
        True when at least one value of the column is in both.

    Raises:
        DataError: A table has no such column.

    Example:
        >>> train, test = pd.DataFrame({"patient": ["1", "2"]}), pd.DataFrame({"patient": ["2", "3"]})
        >>> check_for_leakage(train, test)
        True
    """
    for table in (first, second):
        require_columns(table, [column], "a table to compare")
    return bool(first[column].isin(second[column]).any())


def leakage_table(table: pd.DataFrame, split: str = "split") -> pd.DataFrame:
    """Count what every two parts share.

    Args:
        table: Columns `image`, `patient` and the split; an image may have rows in several parts.
        split: Name of the column with the part.

    Returns:
        One row a pair of parts: first, second, shared_patients, shared_files (different images in both), and
        how many rows of each part belong to shared patients (images_first, images_second).

    Raises:
        DataError: A column is missing.

    Example:
        >>> table = pd.DataFrame({"image": ["a", "b", "b"], "patient": ["1", "2", "2"],
        ...                       "split": ["train", "train", "test"]})
        >>> leakage_table(table).iloc[0].to_dict()  # doctest: +NORMALIZE_WHITESPACE
        {'first': 'train', 'second': 'test', 'shared_patients': 1, 'shared_files': 1, 'images_first': 1,
         'images_second': 1}
    """
    require_columns(table, ["image", "patient", split], "the table to check")
    parts = dict(sorted(table.groupby(split), key=lambda part: _rank(part[0])))
    rows = []
    for (first, one), (second, other) in combinations(parts.items(), 2):
        from_one, from_other = one["patient"].isin(other["patient"]), other["patient"].isin(one["patient"])
        patients, files = one["patient"][from_one].nunique(), len(set(one["image"]) & set(other["image"]))
        rows.append((first, second, patients, files, int(from_one.sum()), int(from_other.sum())))
    columns = ["first", "second", "shared_patients", "shared_files", "images_first", "images_second"]
    return pd.DataFrame(rows, columns=columns)


def _rank(part: str) -> tuple[int, str]:
    """Order parts as they are used: train before valid before test, whatever they are called exactly."""
    known = [position for position, name in enumerate(PARTS) if str(part).lower().startswith(name[:3])]
    return (known[0] if known else len(PARTS), str(part))


def read_split_table(path: str | Path) -> pd.DataFrame:
    """Read a split as it was shipped, leaks and repeated rows included.

    Args:
        path: A csv (or csv.gz) with a column for the part and one for the image, or a folder in any layout that
            `open_dataset` knows. Patients come from a patient column, else from the file names.

    Returns:
        Columns image, patient, split; one row for each row that was shipped.

    Raises:
        DataError: There is no such file, a column is missing, or the folder was shipped without a split.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "parts.csv"
        ...     pd.DataFrame({"Split": ["test"], "Image": "person1_virus_2.jpeg"}).to_csv(file)
        ...     read_split_table(file).iloc[0].to_dict()
        {'image': 'person1_virus_2.jpeg', 'patient': 'person1', 'split': 'test'}
    """
    path = recognition.find_folder(path)
    if path.is_dir():
        published = recognition.read(recognition.walk(path)).published
        if published is None:
            raise DataError(
                f"{path.name} was shipped without a split. Expected parts, as lists, tables or folders. "
                f"Divide it with Dataset.split_by_patient."
            )
        return published
    raw = read_csv(path).rename(columns=_plain)
    require_columns(raw, ["image", "split"], path.name)
    paths = raw["image"].astype(str).str.replace("\\", "/")
    names = paths.str.rsplit("/", n=1).str[-1]
    patients = raw["patient"].astype(str) if "patient" in raw else paths.map(patient_of).fillna(patients_of(names)[0])
    shared = patients.groupby(names).nunique().max() > 1  # view1_frontal.jpg of two patients is not one file
    return pd.DataFrame({"image": paths if shared else names, "patient": patients, "split": raw["split"].astype(str)})


def leakage_beside(root: Path) -> pd.DataFrame | Missing:
    """Count what parts share in the splits that other people have published and that lie beside the images.

    Args:
        root: Folder of the images.

    Returns:
        `leakage_table` of each list, under its name, or a `Missing` where there is none.
    """
    beside = [root / name for name in OTHER_SPLITS if (root / name).exists()]
    if not beside:
        return Missing("No other split lies beside these images.")
    reports = {path.name: leakage_table(read_split_table(path)) for path in beside}
    return pd.concat(reports, names=["list", ""])


def _plain(column: str) -> str:
    """Bring the usual names of the three columns to the contract's."""
    plain = column.lower().replace(" ", "").replace("_", "")
    return next((name for name, others in _PLAIN.items() if plain in others), plain)


def near_duplicates(
    dataset: "Dataset", max_distance: int = 20, *, thumbnails: Mapping[str, np.ndarray] | None = None
) -> pd.DataFrame:
    """Find pictures that are the same although their file names differ.

    In two steps, because X-rays of different people look alike: a difference hash (256 bits, ImageHash) of
    every picture picks the candidates; of these, only pairs whose 64 x 64 thumbnails correlate at
    `SAME_PICTURE` stay.

    Args:
        dataset: Images; those without a file are passed over.
        max_distance: Bits in which the hashes of a candidate pair may differ, of 256.
        thumbnails: Of all images with a file, by name, where they have been read already (`thumbnail`).

    Returns:
        One row a pair: first, second (image names), first_patient, second_patient, first_split, second_split,
        distance (bits), correlation (of thumbnails). Most alike first.

    Raises:
        DataError: No image file is at hand.
        ImageError: A file cannot be read.
    """
    dataset = dataset.with_images()
    names = dataset.table["image"]
    small = np.stack([thumbnails[name] for name in names]) if thumbnails else _thumbnails(dataset)
    first, second, distance = _close_pairs(_hashes(small), max_distance)
    correlation = _correlation(small, first, second)
    keep = correlation >= SAME_PICTURE
    table = dataset.table
    found = {
        side + end: table[column].to_numpy()[rows[keep]]
        for column, end in (("image", ""), ("patient", "_patient"), ("split", "_split"))
        for side, rows in (("first", first), ("second", second))
    }
    found |= {"distance": distance[keep], "correlation": correlation[keep]}
    return pd.DataFrame(found).sort_values(["distance", "first", "second"], ignore_index=True)


def thumbnail(dataset: "Dataset", image: str) -> np.ndarray:
    """Read one image small enough to be compared with all others: (64, 64) of uint8.

    Raises:
        ImageError: The file cannot be read.
    """
    return resize(read_image(dataset.path(image)), _THUMBNAIL)


def _thumbnails(dataset: "Dataset") -> np.ndarray:
    """Decode once, in threads (OpenCV lets go of the interpreter): (images, 64, 64) of uint8."""
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(lambda image: thumbnail(dataset, image), dataset.table["image"])))


def _hashes(thumbnails: np.ndarray) -> np.ndarray:
    """Difference hash of each thumbnail: (images, 4) of uint64. 64 bits would take many patients for one."""
    import imagehash
    from PIL import Image

    bits = [imagehash.dhash(Image.fromarray(thumbnail), 16).hash.ravel() for thumbnail in thumbnails]
    return np.packbits(np.array(bits), axis=1).view(np.uint64)


def _close_pairs(hashes: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs whose hashes differ in at most `max_distance` bits; row by row, to stay small in memory."""
    pairs = [np.empty((0, 3), int)]
    for row in range(len(hashes) - 1):
        distance = np.bitwise_count(hashes[row] ^ hashes[row + 1 :]).sum(axis=1, dtype=int)
        near = np.flatnonzero(distance <= max_distance)
        pairs.append(np.column_stack([np.full(len(near), row), near + row + 1, distance[near]]))
    first, second, distance = np.concatenate(pairs).T
    return first, second, distance


def _correlation(thumbnails: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson correlation of pairs of thumbnails; two pictures of one grey each are the same picture."""
    result = np.empty(len(first))
    for position, (one, other) in enumerate(zip(first, second, strict=True)):
        a, b = (thumbnails[row].ravel().astype(np.float64) for row in (one, other))
        a, b = a - a.mean(), b - b.mean()
        scale = np.sqrt((a @ a) * (b @ b))
        result[position] = a @ b / scale if scale > 0 else float(not a.any() and not b.any())
    return result
