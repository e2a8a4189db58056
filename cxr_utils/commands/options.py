"""Options that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer


class Profile(StrEnum):
    """How large a run is."""

    quick = "quick"
    full = "full"


AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
