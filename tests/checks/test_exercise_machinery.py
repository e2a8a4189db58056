"""Exercises never stop a notebook, unless grading is strict; claims always do when they are not borne out."""

import numpy as np
import pandas as pd
import pytest

from cxr_utils.checks.claims import ClaimNotBorneOut, claim, headline
from cxr_utils.checks.exercise import Case, WrongAnswer, check, same

CASES = [Case((3,), 9, "Square it."), Case((-2,), 4, "Signs vanish.")]


@pytest.mark.parametrize(
    ("answer", "mark"), [(lambda x: x * x, "✓"), (lambda x: None, "·"), (lambda x: x**3, "✗"), (lambda: 1, "✗")]
)
def test_verdict_is_one_line_and_nothing_is_raised(answer, mark, capsys, monkeypatch):
    monkeypatch.delenv("CXR_STRICT", raising=False)
    assert check("square", answer, CASES) == (mark == "✓")
    printed = capsys.readouterr().out
    assert printed.startswith(mark) and printed.count("\n") == 1


@pytest.mark.parametrize("answer", [lambda x: None, lambda x: x**3, lambda x: 1 / 0])
def test_strict_grading_raises_on_anything_but_right(answer, monkeypatch):
    monkeypatch.setenv("CXR_STRICT", "1")
    with pytest.raises(WrongAnswer, match="square"):
        check("square", answer, CASES)


def test_answer_cannot_change_the_cases():
    def vandal(values):
        values[:] = 0
        return 6.0

    cases = [Case((np.array([1.0, 2, 3]),), 6.0, "Add them.")] * 2
    assert check("total", vandal, cases)
    assert cases[0].arguments[0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (1.0, True),
        ("1", 1),
        ([1, 2], [[1, 2]]),
        (np.array([True, False]), np.array([1, 0])),
        (pd.Series({"a": 1}), pd.Series({"b": 1})),
        ({"a": 1}, {"a": 1, "b": 2}),
        (np.nan, 1.0),
        ("abc", {"abc"}),
        (None, 0),
    ],
)
def test_lookalikes_are_not_the_same(received, expected):
    assert not same(received, expected, 1e-6)


def test_order_of_labelled_results_does_not_matter():
    assert same(pd.Series({"b": 2, "a": 1}), pd.Series({"a": 1, "b": 2}), 1e-6)


def test_claim_prints_what_holds_and_raises_what_does_not(capsys):
    claim("water is wet", True)
    claim("boxes are drawn", False, unless="no boxes")
    headline("42")
    assert capsys.readouterr().out == (
        "✓ claim: water is wet\n– claim: boxes are drawn (not applicable: no boxes)\nheadline: 42\n"
    )
    with pytest.raises(ClaimNotBorneOut, match="fire is cold"):
        claim("fire is cold", np.bool_(False))
    assert "✗ claim: fire is cold" in capsys.readouterr().out
