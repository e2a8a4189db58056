"""The machinery behind every exercise check: run a learner's function on cases, and say at once what came out."""

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

_BLANK = "received None."


class WrongAnswer(AssertionError):
    """With CXR_STRICT=1 a blank or wrong answer raises this, for automatic grading."""


class Verdict(int):
    """Whether an answer is right: a bool to code, and nothing to Jupyter, since the verdict is printed already.

    A line that ends in `;` would hide it from Jupyter too, but nbval does not understand those.
    """

    def __repr__(self) -> str:
        return repr(bool(self))

    def _ipython_display_(self) -> None:
        pass


@dataclass(frozen=True)
class Case:
    """One call of the learner's function and what it must return.

    Args:
        arguments: positional arguments of the call.
        expected: the right result, from an independent source (a hand computation, scikit-learn, a definition).
        hint: what a learner who fails this case has probably overlooked.
    """

    arguments: tuple[Any, ...]
    expected: Any
    hint: str


def check(name: str, answer: Callable[..., Any], cases: Sequence[Case], *, tolerance: float = 1e-6) -> Verdict:
    """Try `answer` on every case; print one verdict.

    A learner's mistake never stops "Run all": exceptions are caught and reported. With the environment variable
    CXR_STRICT=1 anything but a right answer raises.

    Args:
        name: of the exercise, as the learner knows it.
        answer: the learner's function.
        cases: tried in order; the first that fails is reported.
        tolerance: absolute and relative, for numbers.

    Returns:
        A true verdict when every case passes.

    Raises:
        WrongAnswer: only with CXR_STRICT=1.

    Example:
        >>> twice = [Case((2,), 4, "Multiply, do not square."), Case((3,), 6, "Multiply, do not square.")]
        >>> check("twice", lambda x: 2 * x, twice)
        ✓ twice: right
        True
        >>> check("twice", lambda x: None, twice)
        · twice: not answered yet
        False
        >>> check("twice", lambda x: x**2, twice)
        ✗ twice: given 3, expected 6, received 9. Hint: Multiply, do not square.
        False
    """
    for case in cases:
        verdict = _verdict(answer, case, tolerance)
        if verdict == _BLANK and case is cases[0]:  # later, None is an answer like any other
            return _report(f"· {name}: not answered yet", right=False)
        if verdict:
            return _report(f"✗ {name}: {_asked(case)}, {verdict} Hint: {case.hint}", right=False)
    return _report(f"✓ {name}: right", right=True)


def _report(line: str, *, right: bool) -> Verdict:
    print(line)
    if not right and os.environ.get("CXR_STRICT") == "1":
        raise WrongAnswer(line)
    return Verdict(right)


def _asked(case: Case) -> str:
    return f"given {', '.join(map(show, case.arguments))}, expected {show(case.expected)}"


def _verdict(answer: Callable[..., Any], case: Case, tolerance: float) -> str:
    """Empty when the case passes, else what came out instead of what was expected."""
    try:
        received = answer(*copy.deepcopy(case.arguments))
    except Exception as error:  # a learner's function may fail in any way, and the lesson must go on
        return f"but it raised {type(error).__name__}: {error}."
    return "" if same(received, case.expected, tolerance) else f"received {show(received)}."


def same(received: Any, expected: Any, tolerance: float) -> bool:
    """Whether two results agree: numbers within the tolerance, shapes, labels and truth values exactly.

    A pair may come as a list or an array, and a set in any container of its members.

    Example:
        >>> same([0.1 + 0.2], [0.3], 1e-6), same(True, 1.0, 1e-6), same([1, 2], [[1, 2]], 1e-6)
        (True, False, False)
    """
    try:
        return _same(received, expected, tolerance)
    except (TypeError, ValueError):  # nothing that can be compared, such as rows of unequal length
        return False


def _same(received: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, bool | np.bool_):
        return isinstance(received, bool | np.bool_) and bool(received) == bool(expected)
    if isinstance(expected, set | frozenset):
        return not isinstance(received, str | dict | pd.DataFrame) and set(received) == expected
    if isinstance(expected, dict):
        return (
            isinstance(received, dict)
            and received.keys() == expected.keys()
            and all(same(received[key], value, tolerance) for key, value in expected.items())
        )
    if isinstance(expected, tuple):
        pairs = zip(received, expected, strict=True)  # raises where one is longer
        return isinstance(received, tuple | list | np.ndarray) and all(same(*pair, tolerance) for pair in pairs)
    return _same_numbers(received, expected, tolerance)


def _same_numbers(received: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, pd.Series) and isinstance(received, pd.Series):
        if set(received.index) != set(expected.index):
            return False
        received = received[expected.index]
    received, expected = np.asarray(received), np.asarray(expected)
    if received.shape != expected.shape or not expected.size:  # where nothing is in it, its type says nothing
        return received.shape == expected.shape
    if expected.dtype.kind == "U":
        return bool(np.all(received == expected))
    if received.dtype.kind not in "biuf" or (received.dtype.kind == "b") != (expected.dtype.kind == "b"):
        return False
    return bool(np.allclose(received, expected, rtol=tolerance, atol=tolerance, equal_nan=True))


def show(value: Any) -> str:
    """A short, deterministic text for a verdict: small arrays whole, large ones by shape.

    Example:
        >>> show(np.float64(0.5)), show(np.arange(3)), show(np.zeros((50, 2)))
        ('0.5', '[0, 1, 2]', 'an array of shape (50, 2)')
    """
    if isinstance(value, pd.DataFrame):
        return f"a table of {len(value)} rows with columns {list(value.columns)}"
    if isinstance(value, pd.Series):
        value = value.to_dict()
    if isinstance(value, np.ndarray) and value.size > 24:
        return f"an array of shape {value.shape}"
    if isinstance(value, np.ndarray | np.generic):
        value = np.round(value.astype(float), 6).tolist() if value.dtype.kind == "f" else value.tolist()
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return str(sorted(value, key=str)) if isinstance(value, set | frozenset) else str(value)
