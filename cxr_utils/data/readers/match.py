"""Which file a table means: names and paths are matched by how far they agree from their end."""

import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxr_utils.errors import DataError

_ENDINGS = {"png", "jpg", "jpeg", "dcm", "dicom"}


def plain(name: str) -> str:
    r"""A path as POSIX writes it, without the ending of an image file; upper and lower case stay.

    Example:
        >>> plain(r"C:\data\images\00000013_005.PNG"), plain("scan.one")
        ('C:/data/images/00000013_005', 'scan.one')
    """
    path = unicodedata.normalize("NFC", name.strip()).replace("\\", "/").removeprefix("./")
    stem, _, ending = path.rpartition(".")
    return stem if ending.lower() in _ENDINGS else path


def match(names: pd.Series | Sequence[str], paths: Sequence[str]) -> np.ndarray:
    """Find the path that each name means.

    A name may be a path itself that begins higher or lower than `paths` do, may be written as on Windows, and may have
    another ending or none. Where two names, or two paths, have one last part, all parts that both have must agree:
    a patient must not be given another patient's `view1.jpg`.

    Args:
        names: from a table.
        paths: below a root, or other names, each once.

    Returns:
        (names,) int: position in `paths`, -1 where none is meant.

    Raises:
        DataError: a name fits several paths, or two names fit one.

    Example:
        >>> match(["a/view1.png", "view2", "scan.png"], ["images/a/view1.jpg", "images/b/view1.jpg", "b/view2.jpg"])
        array([ 0,  2, -1])
    """
    wanted = [name if isinstance(name, str) else "" for name in np.asarray(names, dtype=object).tolist()]
    paths = list(paths)
    bare = not any("/" in name for name in wanted)
    exact = {path.rpartition("/")[2]: position for position, path in enumerate(paths)} if bare else {}
    if len(exact) < len(paths):
        exact = {path: position for position, path in enumerate(paths)}
    found = [exact.get(name, -1) for name in wanted]
    if -1 in found and len({*found}) <= len(paths):  # a name and a path are left
        distinct = list(dict.fromkeys(wanted))
        telling = len({_tail(plain(name), 1) for name in distinct}) == len(distinct)
        left = [name for name in distinct if name not in exact]
        ends = dict(zip(left, _by_end(left, paths, telling=telling), strict=True))
        found = [ends.get(name, position) for name, position in zip(wanted, found, strict=True)]
        _refuse_shared(wanted, found, paths)
    return np.array(found, np.int64)


def _by_end(names: list[str], paths: list[str], *, telling: bool) -> list[int]:
    """By the last part where that tells pictures apart, else by all parts that both have."""
    wanted, stored = ([plain(name) for name in given] for given in (names, paths))
    whole, by_last = _positions(stored), _positions([_tail(path, 1) for path in stored])
    depths = {_depth(path) for path in stored}
    ends = {
        depth: _positions([_tail(path, depth) if _depth(path) >= depth else "" for path in stored])
        for depth in {_depth(name) for name in wanted}
    }
    found = []
    for name in wanted:
        candidates = by_last.get(_tail(name, 1), [])
        if len(candidates) > 1 or not telling:
            candidates = ends[_depth(name)].get(name, []) or [
                place for depth in depths if depth < _depth(name) for place in whole.get(_tail(name, depth), [])
            ]
        if len(candidates) > 1:
            raise _ambiguous(name, [paths[place] for place in candidates])
        found.append(candidates[0] if candidates else -1)
    return found


def _depth(path: str) -> int:
    return path.count("/") + 1


def _tail(path: str, parts: int) -> str:
    """The last parts of a path; all of one that has no more."""
    return path if path.count("/") < parts else path.split("/", path.count("/") + 1 - parts)[-1]


def _positions(keys: list[str]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = {}
    for position, key in enumerate(keys):
        positions.setdefault(key, []).append(position)
    return positions


def _ambiguous(name: str, paths: list[str]) -> DataError:
    more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
    return DataError(
        f"{name} fits {' and '.join(paths[:2])}{more}. Expected a name that tells one picture from all others. Write "
        "the path below the folder, as in the second of these names."
    )


def _refuse_shared(names: list[str], found: list[int], paths: list[str]) -> None:
    """Two different names must not mean one picture."""
    owner: dict[int, str] = {}
    for name, position in zip(names, found, strict=True):
        if position >= 0 and owner.get(position, name) != name:
            raise DataError(
                f"{owner[position]} and {name} both fit {paths[position]}, the only picture of that name. Expected a "
                "picture for each. Check that all were unpacked, and that the paths are those of this folder."
            )
        owner[position] = name
