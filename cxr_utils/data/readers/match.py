"""Which file a table means: names and paths are matched by how far they agree from their end."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxr_utils.errors import DataError

_ENDING = re.compile(r"\.(png|jpe?g|dcm|dicom)$", re.IGNORECASE)


def plain(name: str) -> str:
    r"""A path as POSIX writes it, without the ending of an image file; upper and lower case stay.

    Example:
        >>> plain(r"C:\data\images\00000013_005.PNG"), plain("scan.one")
        ('C:/data/images/00000013_005', 'scan.one')
    """
    return _ENDING.sub("", name.strip().replace("\\", "/").removeprefix("./"))


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
    codes, distinct = pd.factorize(np.asarray(names, dtype=object))
    paths = list(paths)
    exact = {path: position for position, path in enumerate(paths)}
    if not any("/" in name for name in distinct):
        lasts = [path.rsplit("/", 1)[-1] for path in paths]
        exact = dict(zip(lasts, range(len(lasts)), strict=True)) if len(set(lasts)) == len(lasts) else exact
    found = [exact.get(name, -1) for name in distinct]
    left = [place for place, position in enumerate(found) if position < 0]
    if left and len(left) > len(found) - len(paths):  # a name and a path are left
        for place, position in zip(left, _by_end([str(distinct[place]) for place in left], paths), strict=True):
            found[place] = position
        _refuse_shared(distinct, found, paths)
    return np.array(found, np.int64)[codes]


def _by_end(names: list[str], paths: list[str]) -> list[int]:
    """By the last part where that tells pictures apart, else by all parts that both have."""
    wanted, stored = ([plain(name) for name in given] for given in (names, paths))
    by_last: dict[str, list[int]] = {}
    for position, path in enumerate(stored):
        by_last.setdefault(path.rsplit("/", 1)[-1], []).append(position)
    lasts = [name.rsplit("/", 1)[-1] for name in wanted]
    telling = len(set(lasts)) == len(set(wanted))
    found = []
    for name, last in zip(wanted, lasts, strict=True):
        candidates = by_last.get(last, [])
        if len(candidates) > 1 or not telling:
            candidates = [place for place in candidates if f"/{stored[place]}".endswith(f"/{name}")] or [
                place for place in candidates if f"/{name}".endswith(f"/{stored[place]}")
            ]
        if len(candidates) > 1:
            raise _ambiguous(name, [paths[place] for place in candidates])
        found.append(candidates[0] if candidates else -1)
    return found


def _ambiguous(name: str, paths: list[str]) -> DataError:
    more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
    return DataError(
        f"{name} fits {' and '.join(paths[:2])}{more}. Expected a name that tells one picture from all others. Write "
        "the path below the folder, as in the second of these names."
    )


def _refuse_shared(names: np.ndarray, found: list[int], paths: list[str]) -> None:
    """Two different names must not mean one picture."""
    owner: dict[int, str] = {}
    for name, position in zip(names, found, strict=True):
        if position >= 0 and position in owner:
            raise DataError(
                f"{owner[position]} and {name} both fit {paths[position]}, the only picture of that name. Expected a "
                "picture for each. Check that all were unpacked, and that the paths are those of this folder."
            )
        owner[position] = name
