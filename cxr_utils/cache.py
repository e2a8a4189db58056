"""Work that is done once: results kept on disk under a hash of everything they depend on.

Two kinds of result. An *entry* is a folder made as a whole, such as one trained model. *Rows* are one array per
image, such as decoded pixels, that grows as images are asked for, so that a part of a data set finds what the whole
has already made. Both are safe when two processes ask at once and when one of them is killed half-way.
"""

import ast
import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import platformdirs
from filelock import FileLock

APP = "cxr-utils"


def _checkout() -> Path | None:
    """The folder of the repository, where the package is used from one."""
    folder = Path(__file__).resolve().parents[1]
    return folder if (folder / "pyproject.toml").exists() and (folder / "solutions").is_dir() else None


def home() -> Path:
    """Where the course keeps what it makes: data in `data/`, results in `runs/`.

    Returns:
        An absolute path: `CXR_HOME`; without it the checkout; installed as a package, the user's folder for data,
        which need not exist yet.

    Example:
        >>> home().is_absolute()
        True
    """
    folder = os.environ.get("CXR_HOME")
    if folder:
        return Path(folder).resolve()
    return _checkout() or platformdirs.user_data_path(APP, appauthor=False)


def shipped(path: str) -> Path:
    """A file or folder that comes with the course.

    Args:
        path: below the repository, such as "data/weights".

    Returns:
        Its place: in `home()`, where something of that name may stand instead; else in the checkout, or in the
        installed package, which holds a copy.

    Example:
        >>> shipped("data/measured").is_dir()
        True
    """
    own = home() / path
    return own if own.exists() else (_checkout() or Path(__file__).resolve().parent / "shipped") / path


def root() -> Path:
    """Folder of everything cached. Safe to delete at any time.

    Returns:
        An absolute path, which need not exist yet: `CXR_CACHE`; without it `data/cache` in `CXR_HOME` or in the
        checkout; installed as a package, the user's folder for caches.

    Example:
        >>> root().is_absolute()
        True
    """
    folder = os.environ.get("CXR_CACHE")
    if folder:
        return Path(folder).resolve()
    if os.environ.get("CXR_HOME") or _checkout():
        return home() / "data" / "cache"
    return platformdirs.user_cache_path(APP, appauthor=False)


def digest(key: dict) -> str:
    """Hash of what a result depends on.

    Args:
        key: values that JSON can write; their order does not matter.

    Returns:
        24 hexadecimal digits.

    Example:
        >>> digest({"size": 64, "seed": 0}) == digest({"seed": 0, "size": 64})
        True
        >>> digest({"size": 64}) == digest({"size": 128})
        False
    """
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]


def entry(kind: str, key: dict, make: Callable[[Path], None]) -> Path:
    """The folder for this key, made at the first call only.

    Args:
        kind: what it is, such as "models"; becomes a folder below `root()`.
        key: everything the result depends on (see `digest`).
        make: fills the empty folder that it is given.

    Returns:
        The finished folder. While one process makes it, others wait; a process that is killed leaves nothing that
        could be taken for finished, because the folder gets its name only at the end.

    Example:
        >>> import tempfile; os.environ["CXR_CACHE"] = tempfile.mkdtemp()
        >>> folder = entry("letters", {"letter": "a"}, lambda new: print((new / "a.txt").write_text("a")))
        1
        >>> folder == entry("letters", {"letter": "a"}, lambda new: print("never called"))
        True
        >>> del os.environ["CXR_CACHE"]
    """
    folder = root() / kind / digest(key)
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            _make_whole(folder, key, make)
    return folder


def _make_whole(folder: Path, key: dict, make: Callable[[Path], None]) -> None:
    for left_over in folder.parent.glob(f"{folder.name}.*.part"):  # of a process that was killed: we hold the lock
        shutil.rmtree(left_over, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        make(partial)
        (partial / "key.json").write_text(json.dumps(key, indent=1, sort_keys=True))
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def rows(
    kind: str,
    key: dict,
    names: Sequence[str],
    none: np.ndarray,
    compute: Callable[[list[int]], Iterable[np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """One array row per name, each computed once and kept in a memory-mapped file.

    Args:
        kind: what it is, such as "pixels".
        key: what all rows depend on (see `digest`).
        names: what identifies each row, such as file name, size and date.
        none: an array of no rows, shape (0, ...), that shows the shape and type of a row.
        compute: is given the positions in `names` that are not stored yet and yields their rows, in that order, in
            chunks of any length. What it has yielded is kept even if it is interrupted later.

    Returns:
        The memory-mapped array of all stored rows (m, ...), and the row number of each name (n,).

    Example:
        >>> import tempfile; os.environ["CXR_CACHE"] = tempfile.mkdtemp()
        >>> squares = lambda positions: [np.array([[position ** 2] for position in positions])]
        >>> stored, numbers = rows("squares", {}, ["zero", "one", "two"], np.zeros((0, 1), int), squares)
        >>> stored[numbers].tolist()
        [[0], [1], [4]]
        >>> del os.environ["CXR_CACHE"]
    """
    folder = root() / kind / digest(key)
    folder.mkdir(parents=True, exist_ok=True)
    known = _index(folder)
    if any(name not in known for name in names):
        with FileLock(folder / "rows.lock"):
            known = _index(folder)
            _append(folder, known, names, none, compute)
    stored = none
    if known:
        stored = np.memmap(folder / "rows.bin", none.dtype, mode="r", shape=(len(known), *none.shape[1:]))
    return stored, np.array([known[name] for name in names], dtype=np.int64)


def _index(folder: Path) -> dict[str, int]:
    index = folder / "rows.json"
    return {name: row for row, name in enumerate(json.loads(index.read_text()))} if index.exists() else {}


def _append(folder: Path, known: dict[str, int], names: Sequence[str], none: np.ndarray, compute: Callable) -> None:
    missing = {name: position for position, name in enumerate(names) if name not in known}
    waiting = iter(missing)
    with open(folder / "rows.bin", "ab") as data:
        # Rows that a killed process wrote but did not enter in the index are cut off.
        data.truncate(len(known) * none.dtype.itemsize * int(np.prod(none.shape[1:])))
        for chunk in compute(list(missing.values())):
            data.write(np.ascontiguousarray(chunk, none.dtype).tobytes())
            data.flush()
            for _ in range(len(chunk)):
                known[next(waiting)] = len(known)
            write_text(folder / "rows.json", json.dumps(list(known)))


def write_text(path: Path, text: str) -> None:
    """Write a small file beside its place, then rename it, so that no reader meets half of it.

    Args:
        path: where it shall be; its folder exists.
        text: the contents.

    Example:
        >>> import tempfile; path = Path(tempfile.mkdtemp()) / "note.txt"
        >>> write_text(path, "whole"); path.read_text()
        'whole'
    """
    with written_whole(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A place beside a file, to write to; renamed at the end. Where the block fails, nothing of it is left.

    Args:
        path: where the file shall be; its folder exists.

    Example:
        >>> import tempfile; path = Path(tempfile.mkdtemp()) / "note.txt"
        >>> with written_whole(path) as beside:
        ...     beside.write_text("whole")
        5
        >>> [file.name for file in path.parent.iterdir()]
        ['note.txt']
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@functools.cache
def code_version(*modules: str) -> str:
    """Hash of what modules do: comments, docstrings and layout may change without making cached results stale.

    Args:
        modules: names such as "cxr_utils.data.images". They are read, not imported.

    Returns:
        12 hexadecimal digits.

    Example:
        >>> len(code_version("cxr_utils.cache"))
        12
    """
    trees = (ast.parse(_source(name).read_text(encoding="utf-8")) for name in modules)
    return hashlib.sha256("\n".join(ast.dump(_without_docstrings(tree)) for tree in trees).encode()).hexdigest()[:12]


def _source(module: str) -> Path:
    found = importlib.util.find_spec(module)
    assert found and found.origin, f"{module} has no source file"
    return Path(found.origin)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree
