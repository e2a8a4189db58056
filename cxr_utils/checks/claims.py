"""What a lesson says it has shown, checked against the run that showed it."""

from ..errors import Missing

HELD = "✓ claim: "
NOT_APPLICABLE = "– claim: "
FAILED = "✗ claim: "
HEADLINE = "headline: "


class ClaimNotBorneOut(AssertionError):
    """A lesson claims what this run does not show."""


def claim(statement: str, holds: object) -> None:
    """Print a statement that this run has borne out, or raise.

    The statement holds no measured number, so that the printed line is the same wherever the claim holds;
    nbval compares it. `cxr run` counts these lines.

    Args:
        statement: what the lesson teaches, as one sentence.
        holds: whether the run's figures bear it out. A `Missing` (no boxes, one finding, too few patients: decided
            from the data before any result) makes the claim not applicable: neither held nor failed.

    Raises:
        ClaimNotBorneOut: when the claim applies and `holds` is false.

    Example:
        >>> claim("Seven is more than three", 7 > 3)
        ✓ claim: Seven is more than three
        >>> claim("Boxes are small", Missing("This data set has no boxes.") and 0.1 < 0.2)
        – claim: Boxes are small (not applicable: This data set has no boxes.)
    """
    if isinstance(holds, Missing):
        print(f"{NOT_APPLICABLE}{statement} (not applicable: {holds.reason})")
    elif bool(holds):
        print(f"{HELD}{statement}")
    else:
        print(f"{FAILED}{statement}")
        raise ClaimNotBorneOut(
            f"The run does not bear out: {statement}. Expected the figures above to show it. Look at them: either "
            "something before this cell was changed, or on this data the claim is false, which is worth knowing."
        )


def given(condition: object, otherwise: str) -> "bool | Missing":
    """A condition under which a claim applies, decided from the data before any result.

    Args:
        condition: whether it is met.
        otherwise: the reason why a claim does not apply where it is not.

    Returns:
        True, or a `Missing` with the reason: write `claim(statement, condition and result)`.

    Example:
        >>> claim("Most images are normal", given(False, "the findings are not rare") and 0.9 > 0.5)
        – claim: Most images are normal (not applicable: the findings are not rare)
    """
    return True if condition else Missing(otherwise)


def headline(text: str) -> None:
    """Print the one figure of a lesson that the run's closing table shows.

    Example:
        >>> headline("AUC 0.80 (0.76 to 0.84), 180 test patients")
        headline: AUC 0.80 (0.76 to 0.84), 180 test patients
    """
    print(f"{HEADLINE}{text}")
