"""Errors that a learner can mend, and the stand-in for what a data set does not have.

Every message says what was received, what was expected and how to mend it. The command line prints it
without a stack trace; in a notebook it is the last line of one. What a data set cannot serve is no error: `Missing`.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, Never


class CxrError(ValueError):
    """A problem with what was asked or given, not with the program."""


class DataError(CxrError):
    """A table, a folder or a split is not what was expected."""


class ImageError(CxrError):
    """One image file is missing, truncated or of an unknown kind."""


class RecipeError(CxrError):
    """A model or a training run was asked for something it cannot do."""


class LessonError(CxrError):
    """A lesson's source or notebook cannot be built or run as it stands."""


def tell(message: str) -> None:
    """Print one line that a learner should read although the work goes on.

    A line on standard output and not a Python warning, because a warning carries the path and line number of
    the code that gave it: nbval would then compare the place where this repository happens to lie.

    Args:
        message: What was found, what was expected, what was done about it.

    Example:
        >>> tell("3 rows dropped")
        note: 3 rows dropped
    """
    print(f"note: {message}")


class Missing:
    """Stands in for what a data set cannot serve, and says why.

    Whatever is done with it gives it again, so that a lesson need not ask ahead: a figure of it shows the reason, and
    a claim that rests on it does not apply. It counts as false: `known and figure` gives the reason where there is one.

    Args:
        reason: a sentence.

    Example:
        >>> boxes = Missing("This data set has no boxes.")
        >>> boxes.groupby("finding").size() > 3
        This data set has no boxes.
        >>> bool(boxes), list(boxes)
        (False, [])
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __repr__(self) -> str:
        return self.reason

    def __bool__(self) -> bool:
        return False

    def __iter__(self) -> Iterator[Never]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __getattr__(self, name: str) -> "Missing":
        if name.startswith("_"):  # what notebooks, pickle and numpy look for
            raise AttributeError(name)
        return self

    def _again(self, *_: object, **__: object) -> "Missing":
        return self

    __call__ = __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _again
    __rtruediv__ = __gt__ = __ge__ = __lt__ = __le__ = _again


def passes_missing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give back the first argument that is `Missing`, where one is, instead of calling a function.

    Example:
        >>> passes_missing(max)(3, Missing("No boxes."))
        No boxes.
    """

    @functools.wraps(function)
    def passing(*arguments: Any, **options: Any) -> Any:
        missing = first_missing(arguments, options)
        return function(*arguments, **options) if missing is None else missing

    return passing


def first_missing(*values: object) -> Missing | None:
    """The first `Missing` among some values, or among what their dictionaries and lists hold; None without one.

    Example:
        >>> first_missing(3, {"Grad-CAM": Missing("No boxes.")})
        No boxes.
    """
    for value in values:
        if isinstance(value, Missing):
            return value
        held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        found = first_missing(*held)
        if found is not None:
            return found
    return None
