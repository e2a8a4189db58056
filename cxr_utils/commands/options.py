"""Options that several commands share."""

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cxr_utils.errors import CxrError


class Profile(StrEnum):
    """How large a run is."""

    quick = "quick"
    full = "full"


class UncertainLabel(StrEnum):
    """What a label of -1 is taken for."""

    leave_out = "leave-out"
    positive = "positive"
    negative = "negative"


Uncertain = Annotated[UncertainLabel, typer.Option(help="What a label of -1 is taken for.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def refuse_unwritable(path: Path, option: str) -> None:
    """Say before the work that there is no place for its result.

    Args:
        path: of the file or folder that will be written; the folder that it lies in is made.
        option: that named it.

    Raises:
        CxrError: nothing can be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise CxrError(
            f"{path} cannot be written ({error.strerror}). Expected a place where files may be made. Choose another "
            f"{option}."
        ) from None
