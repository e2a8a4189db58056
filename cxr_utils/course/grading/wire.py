"""What a learner's function returned, as text that can be read without running anything of the learner's.

Pickle would run what the sender likes. Here only plain values, arrays, tables and their containers come through, each
as the type that it has, so that a verdict reads as in the lesson.
"""

import base64
import builtins
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from cxr_utils.checks.results import one_line

_MOST_ITEMS, _DEEPEST = 200_000, 20
_PLAIN = (bool, int, float, str)
_CONTAINERS: dict[str, type] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_LAZY: tuple[type, ...] = (
    range,
    map,
    filter,
    zip,
    reversed,
    enumerate,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
)


class Foreign:
    """Stands in for a value of a type that is not known here: a tensor, an iterator, an object.

    Args:
        text: how it shows.
        items: what it holds, where it can be gone through.
    """

    def __init__(self, text: str, items: list[Any]) -> None:
        self._text, self._items = text, items

    def __repr__(self) -> str:
        return self._text

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)


class _Tensor(Foreign):
    """One that numpy takes for an array of numbers."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self._items, dtype)


def encode(value: Any, depth: int = 0) -> Any:
    """A value in the words of JSON.

    Args:
        value: whatever a function returned.
        depth: of the container that it lies in.

    Raises:
        ValueError: it is nested too deeply or holds too much.

    Example:
        >>> decode(encode({"a": (1, np.float64(0.5)), "b": [None, np.arange(3)]}))
        {'a': (1, np.float64(0.5)), 'b': [None, array([0, 1, 2])]}
    """
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply to be looked at")
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, np.generic):
        return {"scalar": encode(np.asarray(value), depth)}
    if isinstance(value, np.ndarray):
        return _encode_array(value, depth)
    if isinstance(value, pd.Series):
        return {"series": _all([value.to_numpy(), value.index.to_numpy()], depth)}
    if isinstance(value, pd.Index):
        return {"index": encode(value.to_numpy(), depth)}
    if isinstance(value, pd.DataFrame):
        columns = [value.iloc[:, place] for place in range(value.shape[1])]  # two may have one name
        return {"table": _all([value.columns.to_numpy(), value.index.to_numpy(), *columns], depth)}
    if isinstance(value, dict):
        return {"dict": [_all(value.keys(), depth), _all(value.values(), depth)]}
    for name, container in _CONTAINERS.items():
        if isinstance(value, container):
            return {name: _all(list(value), depth)}  # type: ignore[call-overload]
    for plain in _PLAIN:
        if isinstance(value, plain):  # one of its own kinds, such as an Enum
            return plain(value)
    return _encode_foreign(value, depth)


def _all(values: Iterable[Any], depth: int) -> list[Any]:
    encoded: list[Any] = []
    for value in values:
        if len(encoded) >= _MOST_ITEMS:
            raise ValueError(f"it holds more than {_MOST_ITEMS:,} values")
        encoded.append(encode(value, depth + 1))
    return encoded


def _encode_array(array: np.ndarray, depth: int) -> dict:
    array = np.asarray(array)  # a masked array or a matrix, as what it holds
    if array.dtype.kind in "OV":
        return {"objects": [list(array.shape), _all(array.ravel().tolist(), depth)]}
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"array": [array.dtype.str, list(array.shape), data]}


def _encode_foreign(value: Any, depth: int) -> dict:
    name, text = type(value).__name__, one_line(getattr(value, "__name__", None) or repr(value))
    if isinstance(value, _LAZY) or type(value).__name__ == "generator":
        return {"foreign": [name, text, _all(value, depth)]}
    array = np.asarray(value) if hasattr(value, "__array__") else np.empty(0, object)
    return {"foreign": [name, text, []]} if array.dtype.kind in "OV" else {"tensor": [name, text, encode(array, depth)]}


def decode(word: Any) -> Any:
    """The value behind what `encode` has made, as far as it is of a known type; else a `Foreign`.

    Args:
        word: as read from JSON; it may come from somebody who means harm.

    Raises:
        ValueError, TypeError, KeyError: it was not made by `encode`.
    """
    if word is None or isinstance(word, _PLAIN):
        return word
    ((kind, held),) = word.items()
    if kind in _CONTAINERS:
        return _CONTAINERS[kind](map(decode, held))
    return _DECODERS[kind](held)


def _decode_array(held: list) -> np.ndarray:
    kind, shape, data = held
    return np.frombuffer(base64.b64decode(data), np.dtype(kind)).reshape(shape).copy()


def _decode_objects(held: list) -> np.ndarray:
    shape, values = held
    flat = np.empty(len(values), object)
    flat[:] = [decode(value) for value in values]
    return flat.reshape(shape)


def _decode_table(held: list) -> pd.DataFrame:
    columns, index, *series = map(decode, held)
    table = pd.DataFrame({place: one.to_numpy() for place, one in enumerate(series)}, index)
    table.columns = pd.Index(columns)
    return table


def _decode_foreign(held: list, base: type[Foreign] = Foreign) -> Foreign:
    name, text, items = held
    return type(str(name), (base,), {})(str(text), decode(items) if base is _Tensor else [*map(decode, items)])


_DECODERS: dict[str, Any] = {
    "scalar": lambda held: _decode_array(held["array"])[()],
    "array": _decode_array,
    "objects": _decode_objects,
    "series": lambda held: pd.Series(decode(held[0]), decode(held[1])),
    "index": lambda held: pd.Index(decode(held)),
    "table": _decode_table,
    "dict": lambda held: dict(zip(map(decode, held[0]), map(decode, held[1]), strict=True)),
    "foreign": _decode_foreign,
    "tensor": lambda held: _decode_foreign(held, _Tensor),
}


def words_of(error: BaseException) -> str:
    """What an exception says. A KeyError shows its key quoted, and would be quoted once more when it is made again."""
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error)[:2000]


def raised(name: str, text: str) -> Exception:
    """An exception as a learner's function raised it: Python's own where it is one, else one of that name.

    Example:
        >>> raised("ZeroDivisionError", "division by zero"), raised("InvalidArgumentError", "shapes")
        (ZeroDivisionError('division by zero'), InvalidArgumentError('shapes'))
    """
    own: Any = getattr(builtins, name, None)
    known = (
        isinstance(own, type) and issubclass(own, Exception) and not issubclass(own, UnicodeError | BaseExceptionGroup)
    )
    try:
        return own(text) if known else type(name, (Exception,), {})(text)
    except (TypeError, ValueError):
        return Exception(f"{name}: {text}")
