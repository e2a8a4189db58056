"""Results of exercises: when two say the same, how they are told, how one takes the other's form."""

import re
from typing import Any

import numpy as np
import pandas as pd

_MOST_VALUES, _MOST_CHARACTERS = 24, 200


def same(received: Any, expected: Any, tolerance: float) -> bool:
    """Whether two results say the same: numbers within the tolerance, shapes, labels and truth values exactly.

    A pair may come as a list or an array, a set in any container of its members, labelled numbers as a dict, a Series
    or, in their order, without labels, and truth values as 0 and 1.

    Example:
        >>> same([0.1 + 0.2], [0.3], 1e-6), same(1, True, 1e-6), same([1, 2], [[1, 2]], 1e-6)
        (True, True, False)
    """
    try:
        return _same(received, expected, tolerance)
    except (TypeError, ValueError):  # nothing that can be compared, such as rows of unequal length
        return False


def _same(received: Any, expected: Any, tolerance: float) -> bool:
    if received is None or expected is None:
        return received is expected
    if isinstance(expected, set | frozenset):
        return not isinstance(received, str | dict | pd.DataFrame) and set(received) == expected
    if isinstance(expected, tuple):
        pairs = zip(received, expected, strict=True)  # raises where one is longer
        return isinstance(received, tuple | list | np.ndarray) and all(same(*pair, tolerance) for pair in pairs)
    if isinstance(expected, pd.Series) and isinstance(received, pd.Series | dict):
        received = pd.Series(received)
        if sorted(received.index, key=str) != sorted(expected.index, key=str):
            return False
        received = received[expected.index]
    one, other = _array(received), _array(expected)
    if one.shape != other.shape or not other.size:  # where nothing is in it, its type says nothing
        return one.shape == other.shape
    if other.dtype.kind in "bU":
        return one.dtype.kind in {"b": "biuf", "U": "U"}[other.dtype.kind] and bool((one == other).all())
    numbers = {one.dtype.kind, other.dtype.kind} <= set("iuf")
    return numbers and np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)


def _array(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return np.array(array.tolist()) if array.dtype == object else array  # numbers out of a table of mixed columns


def told_apart(expected: Any, received: Any) -> tuple[str, str]:
    """Texts of two results that do not say the same: short ones, or, where those are equal, as long as it takes.

    Example:
        >>> told_apart(0.25, 0.5), told_apart(0.25, 0.2500001), told_apart({"a"}, ["a"])
        (('0.25', '0.5'), ('0.25', '0.2500001'), ("['a'] (set)", "['a'] (list of str)"))
    """
    texts = show(expected), show(received)
    if texts[0] == texts[1]:
        texts = show(expected, exact=True), show(received, exact=True)
    return texts if texts[0] != texts[1] else (f"{texts[0]} ({kind(expected)})", f"{texts[1]} ({kind(received)})")


def show(value: Any, *, exact: bool = False) -> str:
    """A deterministic text for a verdict: small values whole and to six digits, large ones by shape.

    Example:
        >>> show(np.float64(0.5)), show(np.arange(3)), show(np.zeros((50, 2)))
        ('0.5', '[0, 1, 2]', 'an array of shape (50, 2)')
    """
    if isinstance(value, pd.DataFrame):
        small = value.size <= _MOST_VALUES
        told = show(value.to_dict("list")) if small else f"of {len(value)} rows, columns {list(value.columns)}"
        return f"a table {told}"
    values = value.size if isinstance(value, np.ndarray | pd.Series) else len(value) if isinstance(value, list) else 0
    if values > _MOST_VALUES and not exact:
        return f"a list of {values}" if isinstance(value, list) else f"an array of shape {value.shape}"
    if isinstance(value, pd.Series | np.ndarray | np.generic):
        value = value.to_dict() if isinstance(value, pd.Series) else value.tolist()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{show(key)}: {show(one, exact=exact)}" for key, one in value.items()) + "}"
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple):
        told = ", ".join(show(one, exact=exact) for one in value)
        return f"({told})" if isinstance(value, tuple) else f"[{told}]"
    if isinstance(value, float) and not exact:
        return repr(round(value, 6))
    return one_line(getattr(value, "__name__", repr(value)))


def one_line(text: str) -> str:
    """A text without line breaks, addresses of memory and names of temporary folders, and not endlessly long."""
    text = re.sub(r" at 0x[0-9a-fA-F]+|[^\s'\"]*[/\\]tmp\w{8}[/\\]+", "", " ".join(text.split()))
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} ..."


def kind(value: Any) -> str:
    """What sort of result this is.

    Example:
        >>> kind(np.zeros((2, 1))), kind([True]), kind((0.5, 1))
        ('ndarray of float64, shape (2, 1)', 'list of bool', 'tuple of float, int')
    """
    name = type(value).__name__
    if isinstance(value, np.ndarray | pd.Series):
        return f"{name} of {value.dtype}, shape {value.shape}"
    several = isinstance(value, list | tuple) and len(value) > 0
    return f"{name} of {', '.join(dict.fromkeys(map(kind, value)))}" if several else name


def in_form_of(model: Any, received: Any) -> Any:
    """A right result with the type and the labels of the course's own, so that a lesson can go on with it.

    Example:
        >>> in_form_of(pd.Series({"a": 1, "b": 2}), {"b": 2, "a": 1}).tolist(), in_form_of([True, False], [1, 0])
        ([1, 2], [True, False])
    """
    if isinstance(model, tuple):
        return tuple(in_form_of(*pair) for pair in zip(model, received, strict=True))
    if isinstance(model, pd.Series):
        labelled = isinstance(received, dict | pd.Series) and set(received.keys()) == set(model.index)
        return pd.Series(received)[model.index] if labelled else pd.Series(np.asarray(received), model.index)
    if isinstance(model, np.ndarray):
        return np.asarray(received).astype(model.dtype)
    if isinstance(model, list):
        return [bool(one) if model and isinstance(model[0], bool) else one for one in received]
    return np.asarray(received, dtype=type(model)).item()
