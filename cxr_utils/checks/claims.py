"""What a lesson says it has shown, checked against the run that showed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..datasets import Dataset

HELD = "✓ claim: "
NOT_APPLICABLE = "– claim: "
FAILED = "✗ claim: "
HEADLINE = "headline: "


class ClaimNotBorneOut(AssertionError):
    """A lesson claims what this run does not show."""


def claim(statement: str, holds: bool, *, unless: str | None = None) -> None:
    """Print a statement that this run has borne out, or raise.

    The statement holds no measured number, so that the printed line is the same wherever the claim holds;
    nbval compares it. `cxr run` counts these lines.

    Args:
        statement: what the lesson teaches, as one sentence.
        holds: whether the run's figures bear it out.
        unless: a reason for which this data set cannot answer (no boxes, one finding, too few patients), decided
            from the data before any result; the claim then counts as not applicable, not as held.

    Raises:
        ClaimNotBorneOut: when the claim applies and `holds` is false.

    Example:
        >>> claim("Seven is more than three", 7 > 3)
        ✓ claim: Seven is more than three
        >>> claim("Boxes are small", False, unless="this data set has no boxes")
        – claim: Boxes are small (not applicable: this data set has no boxes)
    """
    if unless:
        print(f"{NOT_APPLICABLE}{statement} (not applicable: {unless})")
    elif bool(holds):
        print(f"{HELD}{statement}")
    else:
        print(f"{FAILED}{statement}")
        raise ClaimNotBorneOut(
            f"The run does not bear out: {statement}. Expected the figures above to show it. Look at them: either "
            "something before this cell was changed, or on this data the claim is false, which is worth knowing."
        )


def headline(text: str) -> None:
    """Print the one figure of a lesson that the run's closing table shows.

    Example:
        >>> headline("AUC 0.80 (0.76 to 0.84), 180 test patients")
        headline: AUC 0.80 (0.76 to 0.84), 180 test patients
    """
    print(f"{HEADLINE}{text}")


def too_few(part: Dataset, *, patients: int) -> str | None:
    """Why a part cannot answer a statistical question, decided from its size alone; None when it can.

    Args:
        part: the part on which the claim is measured, usually `dataset.part("test")`.
        patients: how many different patients the claim needs.

    Example:
        >>> class Part:
        ...     patients = ["1", "1", "2"]
        >>> too_few(Part(), patients=100)
        'needs 100 patients, has 2'
        >>> too_few(Part(), patients=2)
    """
    found = len(set(part.patients))
    return None if found >= patients else f"needs {patients} patients, has {found}"
