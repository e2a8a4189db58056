"""What a lesson says it has shown, checked against the run that showed it."""

from collections.abc import Mapping

import numpy as np

from ..errors import Missing

HELD = "✓ claim: "
NOT_APPLICABLE = "– claim: "
FAILED = "✗ claim: "
HEADLINE = "headline: "


class ClaimNotBorneOut(AssertionError):
    """A lesson claims what this run does not show."""


def claims(statements: Mapping[str, object]) -> None:
    """Judge and print every statement; raise afterwards when the run does not bear one out.

    A claim is a result that could have come out otherwise. A statement holds no measured number, so that the printed
    line is the same wherever the claim holds; nbval compares it. `cxr run` counts these lines.

    Args:
        statements: each a sentence that the lesson teaches, and whether the run's figures bear it out. A `Missing` (no
            boxes, one finding, too few patients: decided from the data before any result) makes the claim not
            applicable: neither held nor failed.

    Raises:
        ClaimNotBorneOut: when a claim applies and does not hold; the message names all of these.

    Example:
        >>> claims({"Seven is more than three": 7 > 3, "Boxes are small": Missing("No boxes.") and 0.1 < 0.2})
        ✓ claim: Seven is more than three
        – claim: Boxes are small (not applicable: No boxes.)
    """
    failed = []
    for statement, holds in statements.items():
        if isinstance(holds, Missing):
            print(f"{NOT_APPLICABLE}{statement} (not applicable: {holds.reason})")
        elif bool(holds):
            print(f"{HELD}{statement}")
        else:
            print(f"{FAILED}{statement}")
            failed.append(statement)
    if failed:
        raise ClaimNotBorneOut(
            f"The run does not bear out: {'; '.join(failed)}. Expected the figures above to show it. Look at them: "
            "either something before this cell was changed, or on this data the claim is false, which is worth knowing."
        )


def identity(statement: str, *values: object) -> None:
    """Print that several ways of computing something agree, or raise: what holds by arithmetic, whatever the data.

    Args:
        statement: what agrees with what.
        values: two numbers or arrays or more, compared with the first (relative 1e-3, absolute 1e-3: float32 on any
            backend); NaN agrees with NaN.

    Raises:
        ClaimNotBorneOut: when they differ; the message says by how much.

    Example:
        >>> identity("The area by trapezia is the area by pairs", 0.75, 3 / 4)
        ✓ identity: The area by trapezia is the area by pairs
    """
    first, *others = (np.asarray(value, dtype=float) for value in values)
    for other in others:
        if not np.allclose(first, other, rtol=1e-3, atol=1e-3, equal_nan=True):
            gap = np.abs(first - other).max()
            raise ClaimNotBorneOut(
                f"These differ by up to {gap:.3g}: {statement}. Expected the same numbers, whatever the data. "
                "A cell above was changed, or the package has a fault: please report it."
            )
    print(f"✓ identity: {statement}")


def given(condition: object, otherwise: str) -> "bool | Missing":
    """A condition under which a claim applies, decided from the data before any result.

    Args:
        condition: whether it is met.
        otherwise: the reason why a claim does not apply where it is not.

    Returns:
        True, or a `Missing` with the reason: write `{statement: condition and result}`.

    Example:
        >>> claims({"Most images are normal": given(False, "the findings are not rare") and 0.9 > 0.5})
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
