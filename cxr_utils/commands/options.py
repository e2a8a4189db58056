"""Options that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer


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
