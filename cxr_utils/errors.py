"""Errors that a learner can mend.

Every message says what was received, what was expected and how to mend it. The command line prints it
without a stack trace; in a notebook it is the last line of one.
"""


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
