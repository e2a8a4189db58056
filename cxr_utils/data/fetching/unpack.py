"""An archive becomes a folder: whole or not at all, and nothing of it outside."""

import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PureWindowsPath

from cxr_utils.errors import DataError


def unpack(archive: Path, folder: Path) -> None:
    """Unpack beside the folder, in one with a dot before its name, and rename that when all of it is there.

    Args:
        archive: `.zip` or `.tar.gz`.
        folder: what it becomes; must not exist.

    Raises:
        DataError: it is damaged, and now deleted; or a member leads out of the folder, or is a link.

    Example:
        >>> import tempfile; place = Path(tempfile.mkdtemp())
        >>> with zipfile.ZipFile(place / "a.zip", "w") as file:
        ...     file.writestr("images/1.png", b"...")
        >>> unpack(place / "a.zip", place / "a"); [path.name for path in (place / "a").rglob("*.png")]
        ['1.png']
    """
    beside = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)  # of a run that was killed
    beside.mkdir(parents=True)
    try:
        if archive.suffix == ".zip":
            _unzip(archive, beside)
        else:
            with tarfile.open(archive, "r:gz") as tar:
                tar.extractall(beside, filter=_only_files)
        beside.rename(folder)
    except (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError) as error:
        archive.unlink()
        raise DataError(
            f"{archive} cannot be unpacked ({error}). Expected a whole archive, open to all. It is deleted: give the "
            f"same command again, to fetch it anew."
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            _refuse(member.filename, kind in (0, stat.S_IFREG, stat.S_IFDIR))
        file.extractall(folder)


def _only_files(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo:
    _refuse(member.name, member.isfile() or member.isdir())
    return tarfile.data_filter(member, folder)


def _refuse(name: str, plain: bool) -> None:
    path = PureWindowsPath(name)  # which knows both separators
    if not plain or path.drive or path.root or ".." in path.parts:
        raise DataError(
            f"The archive has a member {name!r}, which is no plain file or leads out of its folder. Expected files "
            f"and folders only. Do not use this archive; tell whoever offers it."
        )
