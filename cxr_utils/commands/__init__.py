"""Commands of `cxr` that have a module of their own, and what all commands share."""

from enum import StrEnum


class Profile(StrEnum):
    """How much work is done."""

    quick = "quick"
    full = "full"
