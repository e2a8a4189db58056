"""A collection comes into a folder: the disk is asked first, then each file fetched, checked and unpacked."""

import json
import os
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from cxr_utils.cache import write_text
from cxr_utils.data.fetching.collections import Collection, File
from cxr_utils.data.fetching.download import download
from cxr_utils.data.fetching.unpack import unpack
from cxr_utils.errors import DataError, tell

#: Where the checksums are kept of files whose owners publish none.
RECORD = "checksums.json"


def fetch(collection: Collection, folder: Path, base: str = "") -> Path:
    """Fetch what is not there yet. Stopped at any moment, the next call goes on.

    Args:
        collection: as `collection` gives it.
        folder: where it shall be; is made.
        base: another server that has the files under their names.

    Returns:
        The folder; another one where Kaggle or Colab has it already.

    Raises:
        DataError: the disk is too small, the folder holds something else, or a file cannot be had.
    """
    missing = [file for file in (*collection.files, *collection.parts) if not _unpacked(file, folder).exists()]
    from_kaggle = bool(collection.kaggle) and collection.kaggle not in _record(folder)
    if not missing and not from_kaggle:
        return folder
    try:
        _ask_the_disk(folder, [collection.size] if from_kaggle else [file.size for file in missing])
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0):
            if from_kaggle:
                return _from_kaggle(collection.kaggle, folder)
            for file in missing:
                _one(file, folder, base)
    except Timeout as error:
        raise DataError(
            f"{folder} is being filled by another process. Expected one at a time. Wait for it, or stop it."
        ) from error
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error}). Expected a folder that can grow. Make room, or choose another with "
            f"--to, and give the same command again."
        ) from error
    return folder


def _unpacked(file: File, folder: Path) -> Path:
    """What a file is here in the end: an archive a folder, a table itself."""
    return folder / file.name.removesuffix(".tar.gz").removesuffix(".zip")


def _record(folder: Path) -> dict[str, str]:
    record = folder / RECORD
    try:
        return dict(json.loads(record.read_text(encoding="utf-8"))) if record.exists() else {}
    except ValueError as error:
        raise DataError(f"{record} is no record ({error}). Expected JSON. Delete it, and fetch again.") from error


def _note(folder: Path, name: str, checksum: str) -> None:
    write_text(folder / RECORD, json.dumps(_record(folder) | {name: checksum}, indent=1))


def _ask_the_disk(folder: Path, sizes: list[int]) -> None:
    """Pictures are compressed already: an archive unpacks to its own size, and is deleted before the next comes."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    here = sum(path.stat().st_size for path in folder.glob("*.part"))
    needed, free = int(1.05 * sum(sizes)) + max(sizes) - here, shutil.disk_usage(there).free
    if free < needed:
        raise DataError(
            f"{there} has {free / 1e9:.1f} GB free. Expected {needed / 1e9:.1f} GB, with room to unpack. Make room, "
            f"choose another disk with --to, or fewer parts with --part."
        )


def _one(file: File, folder: Path, base: str) -> None:
    """Fetch one file, check it, and unpack it where it is an archive."""
    import pooch

    print(f"fetching {file.name}, {file.size / 1e6:,.1f} MB")
    folder.mkdir(exist_ok=True)
    path, whole = folder / file.name, _unpacked(file, folder)
    known = f"md5:{file.md5}" if file.md5 else _record(folder).get(file.name, "")
    download(f"{base}/{file.name}" if base else file.url, path, known)
    if not known:
        known = f"sha256:{pooch.file_hash(path)}"
        tell(f"{file.name}: its owner publishes no checksum; {known[:19]}... is kept in {folder / RECORD}")
    if whole != path:
        unpack(path, whole)
        path.unlink()
    if not file.md5:
        _note(folder, file.name, known)


def _from_kaggle(handle: str, folder: Path) -> Path:
    """Kaggle's library fetches, goes on, checks and unpacks, in a folder beside; what it gives is renamed."""
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} holds something else. Expected a new or an empty folder. Choose another with --to.")
    beside = folder.absolute().with_name(f".{folder.name}.kaggle")
    found = _kaggle(handle, beside)
    if not found.is_relative_to(beside):  # a notebook of Kaggle or Colab has it already, read-only
        return found
    _note(found, handle, f"checked by kagglehub, version {found.name}")
    if folder.exists():
        folder.rmdir()
    found.rename(folder)
    shutil.rmtree(beside)
    return folder


def _kaggle(handle: str, cache: Path) -> Path:
    try:
        import kagglehub
    except ImportError as error:
        raise DataError(f"{handle} is on Kaggle. Expected the package kagglehub. Do: pip install kagglehub") from error
    before = os.environ.get("KAGGLEHUB_CACHE")
    os.environ["KAGGLEHUB_CACHE"] = str(cache)  # its option output_dir cannot go on with what was cut
    try:
        return Path(kagglehub.dataset_download(handle))
    except Exception as error:  # its errors have no common ancestor
        raise DataError(
            f"Kaggle did not give {handle} ({' '.join(str(error).split())}). Expected an open data set. Give the same "
            f"command again to go on; where Kaggle asks who you are, make a token at https://www.kaggle.com/settings "
            f"and set KAGGLE_API_TOKEN."
        ) from error
    finally:
        os.environ.pop("KAGGLEHUB_CACHE")
        if before is not None:
            os.environ["KAGGLEHUB_CACHE"] = before
