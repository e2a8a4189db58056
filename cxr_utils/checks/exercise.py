"""The machinery behind every exercise: judge a learner's function on cases, say at once what came out, and go on.

The files of the lessons hold the course's own versions. `exercise` makes a check of each, so that `help()` of the
check does not show the answer.
"""

import copy
import dis
import inspect
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from .results import in_form_of, kind, one_line, same, show, told_apart

Answer = Callable[..., Any]

_GOES_ON = "The lesson goes on with the course's version."
_DOC = """Check `{call}`. {what}

Args:
    answer: your function.

Returns:
    The function with which the lesson goes on: yours where it is right, else the course's version.

Raises:
    WrongAnswer: where the answer is not right, and only with CXR_STRICT=1.

Example:
    >>> go_on_with = {name}(lambda *given: None)
    · {name}: not answered yet. {goes_on}
"""
NOT_ANSWERED = "· "  # begins the verdict on a blank answer
_solved: dict[str, bool] = {}  # what this session has tried, and whether it was right at last


class WrongAnswer(AssertionError):
    """With CXR_STRICT=1 a blank or wrong answer raises this, for automatic grading."""


class Case(NamedTuple):
    """One call of the learner's function and what it must return.

    Args:
        arguments: positional arguments of the call.
        expected: the right result, from an independent source (a hand computation, scikit-learn, a definition).
        hint: in a case that is there for one mistake, what to look at.
        also: other results that are as right.
    """

    arguments: tuple[Any, ...]
    expected: Any
    hint: str = ""
    also: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Exercise:
    """What is asked, and what is known of the answers.

    Args:
        own: the course's version, with the name and the parameters that are asked for.
        hint: for a mistake that nobody has foreseen.
        cases: the first that fails is reported.
        mistakes: hint and function of each mistake that is known.
        asked: makes of an answer the function that is called with the arguments of a case.
        tolerance: absolute and relative, for numbers.
    """

    own: Answer
    hint: str
    cases: Sequence[Case]
    mistakes: Sequence[tuple[str, Answer]] = ()
    asked: Callable[[Answer], Answer] | None = None
    tolerance: float = 1e-6


EXERCISES: dict[str, Exercise] = {}


def exercise(hint: str, **known: Any) -> Callable[[Answer], Answer]:
    """Make of the course's version of a function the check of a learner's.

    Args:
        hint: see `Exercise`.
        known: likewise, cases and what else there is.

    Example:
        >>> @exercise("Add it to itself.", cases=[Case((3,), 6)])
        ... def twice(x):
        ...     "Twice a number."
        ...     return 2 * x
        >>> twice = twice(lambda x: x**2)
        ✗ twice: given 3, expected 6, received 9. Hint: Add it to itself. The lesson goes on with the course's version.
        >>> twice(5)
        10
    """

    def checked(own: Answer) -> Answer:
        name = own.__name__
        EXERCISES[name] = Exercise(own, hint, **known)

        def judge(answer: Answer) -> Answer:
            return check(EXERCISES[name], answer)

        call = f"{name}({', '.join(inspect.signature(own).parameters)})"
        judge.__name__, judge.__qualname__, judge.__module__ = name, name, own.__module__
        judge.__doc__ = _DOC.format(name=name, call=call, what=own.__doc__, goes_on=_GOES_ON)
        return judge

    return checked


class StandIn:
    """What a lesson goes on with in place of an answer that it cannot use as it is. The answer is kept."""

    def __init__(self, answer: Answer) -> None:
        self.answer = self.function = answer

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Call the function that stands in."""
        return self.function(*given, **named)


def check(exercise: Exercise, answer: Answer) -> Answer:
    """Try an answer on every case and print one verdict.

    A learner's mistake never stops "Run all": exceptions are caught and reported.

    Args:
        exercise: what is asked.
        answer: the learner's function, or what an earlier check returned for it: the learner's is judged again.

    Returns:
        The function to go on with: the learner's where it is right, else the course's version.

    Raises:
        WrongAnswer: where the answer is not right, and only with CXR_STRICT=1.
    """
    stand_in = answer if isinstance(answer, StandIn) else StandIn(answer)
    answer = stand_in.function = stand_in.answer  # one that calls itself by its name must meet itself
    name, own = exercise.own.__name__, exercise.own
    fault, results = judge(exercise, answer, is_blank(answer))
    _solved[name] = not fault
    print(f"{fault} {_GOES_ON}" if fault else f"✓ {name}: right")
    if fault and os.environ.get("CXR_STRICT") == "1":
        stand_in.function = own  # whoever catches this goes on as the lesson does
        raise WrongAnswer(fault)
    usual = not exercise.asked and [*map(kind, results)] == [*map(kind, _results(exercise, own))]
    if not fault and usual:
        return answer
    stand_in.function = (
        own if fault else lambda *given, **named: in_form_of(own(*given, **named), answer(*given, **named))
    )
    return stand_in


def judge(exercise: Exercise, answer: Answer, blank: bool) -> tuple[str, list[Any]]:
    """Try an answer on every case, and print nothing.

    Args:
        exercise: what is asked.
        answer: a function; it may run in another process.
        blank: whether it computes nothing.

    Returns:
        The verdict on what is not right, empty for a right answer; and what came back in each case.

    Example:
        >>> twice = Exercise(lambda x: 2 * x, "Add it to itself.", [Case((3,), 6)])
        >>> judge(twice, lambda x: x + x, blank=False)
        ('', [6])
    """
    results = _results(exercise, answer)
    empty = blank and results[0] is None
    return f"{NOT_ANSWERED}{exercise.own.__name__}: not answered yet." if empty else _fault(exercise, results), results


def solved() -> None:
    """Print which of the exercises that this session has tried are solved.

    Example:
        >>> solved()  # doctest: +ELLIPSIS
        exercises: ... of ... solved...
    """
    done, left = ([name for name, right in _solved.items() if right == wanted] for wanted in (True, False))
    ends = f" ({', '.join(done)})" if done else "", f"; open: {', '.join(left)}" if left else ""
    print(f"exercises: {len(done)} of {len(_solved)} solved{''.join(ends)}")


def _results(exercise: Exercise, answer: Answer) -> list[Any]:
    """What a function returns in each case, or the exception that it raises."""
    results: list[Any] = []
    asked = exercise.asked(answer) if exercise.asked else answer
    for case in exercise.cases:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the verdict says what came of it
                results.append(asked(*copy.deepcopy(case.arguments)))
        except Exception as error:  # a learner's function may fail in any way, and the lesson must go on
            results.append(error)
    return results


def _fault(exercise: Exercise, results: list[Any]) -> str:
    """The verdict on results that are not right; empty for right ones."""
    for number, (case, received) in enumerate(zip(exercise.cases, results, strict=True)):
        if any(same(received, right, exercise.tolerance) for right in (case.expected, *case.also)):
            continue
        expected, came = told_apart(case.expected, received)
        error = one_line(f"{type(received).__name__}: {received}").rstrip(".")
        came = f"but it raised {error}" if isinstance(received, Exception) else f"received {came}"
        given = f"given {', '.join(map(show, case.arguments))}, expected {expected}"
        return f"✗ {exercise.own.__name__}: {given}, {came}. Hint: {_hint(exercise, results, number)}"
    return ""


def _hint(exercise: Exercise, results: list[Any], failed: int) -> str:
    """The hint of the known mistake that gives what the answer gave so far, else of the case, else the general one."""
    case = exercise.cases[failed]
    found: dict[str, int] = {}  # hint -> in how many cases its mistake gives the same
    # A wrong yes or no comes of many mistakes, so there the two must agree in all cases, and not only so far.
    decisive = len(results) if isinstance(case.expected, bool) else failed + 1
    for hint, mistake in exercise.mistakes:
        alike = [_alike(*pair) for pair in zip(results, _results(exercise, mistake), strict=True)]
        if all(alike[:decisive]):
            found[hint] = max(sum(alike), found.get(hint, 0))
    hint = max(found, key=lambda hint: found[hint], default=case.hint)
    return f"Did you forget return? {hint}".strip() if results[failed] is None else hint or exercise.hint


def _alike(received: Any, mistaken: Any) -> bool:
    if isinstance(mistaken, Exception):
        return type(received) is type(mistaken)
    own, other = (one.to_numpy() if isinstance(one, pd.Series) else one for one in (received, mistaken))
    return same(own, other, 1e-6)


def is_blank(answer: Answer) -> bool:
    """Whether a function computes nothing: all operations of its code are those of an empty function.

    Example:
        >>> is_blank(lambda x: None), is_blank(lambda x: x + 1)
        (True, False)
    """
    if not inspect.isfunction(answer):
        return False
    own, empty = ({one.opname for one in dis.get_instructions(code)} for code in (answer, lambda: None))
    return own <= empty | {"NOP"}
