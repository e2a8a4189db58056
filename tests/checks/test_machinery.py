"""Exercises never stop a notebook, unless grading is strict; claims always do when they are not borne out."""

import numpy as np
import pandas as pd
import pytest

from cxr_utils.checks import given
from cxr_utils.checks.claim import ClaimNotBorneOut, claims, headline, identity
from cxr_utils.checks.exercise import Case, Verdict, WrongAnswer, check, same, show
from cxr_utils.errors import Missing

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
    "received",
    [
        [[1], [1, 2]],
        {1, "a"},
        pd.Series([1.0, 1.0], index=["a", "a"]),
        pd.DataFrame({"a": [1]}),
        object(),
        np.array(9),
        iter([]),
        1j,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("expected", [1.0, [1.0, 2.0], (1.0, 2.0), {"a"}, {"a": 1}, True, "a", pd.Series({"a": 1.0})])
def test_whatever_comes_back_is_a_verdict_and_no_trace(received, expected, capsys):
    assert not check("odd", lambda: received, [Case((), expected, "Look again.")])
    assert capsys.readouterr().out.startswith("✗ odd: given , expected ")


def test_none_is_blank_at_the_first_case_and_wrong_at_a_later_one(capsys):
    assert not check("sign", lambda x: x or None, [Case((3,), 3, "Right."), Case((0,), 0, "Zero has one too.")])
    assert capsys.readouterr().out == "✗ sign: given 0, expected 0, received None. Hint: Zero has one too.\n"


def test_the_first_case_that_fails_is_reported(capsys):
    cases = [Case((2,), 4, "first"), Case((3,), 9, "second"), Case((5,), 25, "third")]
    assert not check("square", lambda x: 5 * x - 6, cases)
    assert capsys.readouterr().out == "✗ square: given 5, expected 25, received 19. Hint: third\n"


def test_what_is_raised_is_told(capsys):
    assert not check("divide", lambda x: 1 / x, [Case((0,), np.inf, "No limit.")])
    assert capsys.readouterr().out == (
        "✗ divide: given 0, expected inf, but it raised ZeroDivisionError: division by zero. Hint: No limit.\n"
    )


def test_a_verdict_counts_as_a_bool_and_shows_nothing_in_a_notebook(capsys):
    right, wrong = Verdict(True), Verdict(False)
    assert right and not wrong and (repr(right), repr(wrong)) == ("True", "False") and right + right == 2
    assert right._ipython_display_() is None and capsys.readouterr().out == ""


@pytest.mark.parametrize("value", ["0", "", "true"])
def test_only_one_asks_for_strict_grading(value, monkeypatch):
    monkeypatch.setenv("CXR_STRICT", value)
    assert not check("square", lambda x: x**3, CASES)


@pytest.mark.parametrize(("factor", "right"), [(1 + 5e-7, True), (1 + 5e-6, False)])
@pytest.mark.parametrize("size", [1.0, 1e6])
def test_the_tolerance_is_relative(factor, right, size):
    assert check("number", lambda: size * factor, [Case((), size, "Closer.")]) == right
    assert check("number", lambda: size * (1 + 1e-3), [Case((), size, "Closer.")], tolerance=1e-2)


def test_the_tolerance_is_absolute_about_zero():
    assert same(5e-7, 0.0, 1e-6) and not same(2e-6, 0.0, 1e-6)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (1.0, True),
        ("1", 1),
        ("a", "ab"),
        (1 + 0j, 1.0),
        ([1, 2], [[1, 2]]),
        (np.array([True, False]), np.array([1, 0])),
        (pd.Series({"a": 1}), pd.Series({"b": 1})),
        ({"a": 1}, {"a": 1, "b": 2}),
        (np.nan, 1.0),
        ("abc", {"abc"}),
        ("ab", {"a", "b"}),
        ({"a": 1}, {"a"}),
        (["a"], {"a", "b"}),
        (None, 0),
        (0, None),
        (False, 0),
        (0, False),
        ((1, 2, 3), (1, 2)),
        ((1, 3), (1, 2)),
        ("ab", ("a", "b")),
        (["a", "b"], ["a", "c"]),
        ([1, 2], ["1", "2"]),
        ({"a": 1, "b": 3}, {"a": 1, "b": 2}),
        (pd.Series({"a": 2, "b": 1}), pd.Series({"a": 1, "b": 2})),
        (np.inf, 1.0),
        (np.zeros((2, 1)), np.zeros((1, 2))),
        (np.zeros((0, 2)), np.zeros((0,))),
    ],
)
def test_lookalikes_are_not_the_same(received, expected):
    assert not same(received, expected, 1e-6)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (np.bool_(True), True),
        (2, 2.0),
        (np.float32(0.1), 0.1),
        (np.nan, np.nan),
        ([1, 2], (1, 2)),
        (np.array([1, 2]), (1, 2)),
        (("b", "a", "b"), {"a", "b"}),
        (pd.Index(["a"]), ["a"]),
        (pd.Index([], dtype=object), []),
        ([True, False], np.array([True, False])),
        (pd.Series({"b": 2, "a": 1}), pd.Series({"a": 1, "b": 2})),
        (np.array([1, 2]), pd.Series({"a": 1, "b": 2})),
    ],
)
def test_the_same_in_another_form_is_right(received, expected):
    assert same(received, expected, 1e-6)


def test_values_are_shown_in_short():
    assert show({3, "b", 1}) == "[1, 3, 'b']"
    assert show(np.arange(24)) == str(list(range(24))) and show(np.zeros(25)) == "an array of shape (25,)"
    assert show(pd.DataFrame({"a": [1, 2]})) == "a table of 2 rows with columns ['a']"
    assert show(pd.Series({"a": 0.5})) == "{'a': 0.5}" and show(np.array([1 / 3])) == "[0.333333]"
    assert show(max) == "max" and show(np.float64(0.25)) == "0.25" and show(np.int64(3)) == "3"


def test_a_claim_applies_where_its_condition_is_given(capsys):
    claims(
        {
            "rare": given(3 > 2, "none is rare") and True,
            "rarer": given(2 > 3, "none is rare") and 1 / 0,  # what it rests on is not even computed
            "overlap": Missing("no boxes") > 0.3,
        }
    )
    assert capsys.readouterr().out.splitlines() == [
        "✓ claim: rare",
        "– claim: rarer (not applicable: none is rare)",
        "– claim: overlap (not applicable: no boxes)",
    ]
    assert given(np.bool_(True), "x") is True and given([], "empty").reason == "empty"


def test_every_claim_is_judged_before_the_first_that_fails_stops_the_lesson(capsys):
    with pytest.raises(ClaimNotBorneOut, match="does not bear out: fire is cold; snow is black"):
        claims({"fire is cold": np.bool_(False), "water is wet": np.bool_(True), "snow is black": False})
    headline("42")
    assert capsys.readouterr().out.splitlines() == [
        "✗ claim: fire is cold",
        "✓ claim: water is wet",
        "✗ claim: snow is black",
        "headline: 42",
    ]


def test_an_identity_holds_or_says_by_how_much_it_does_not(capsys):
    identity("sums agree", 0.1 + 0.2, 0.3, np.float32(0.3))
    identity("unknown stays unknown", [np.nan, 1.0], [np.nan, 1.0])
    assert capsys.readouterr().out == "✓ identity: sums agree\n✓ identity: unknown stays unknown\n"
    for values, gap in ((([1.0, 2.0], [1.0, 2.5]), "0.5"), ((1.0, 1.0, 3.0), "2"), ((True, False), "1")):
        with pytest.raises(ClaimNotBorneOut, match=f"by up to {gap}: sums agree"):
            identity("sums agree", *values)
    with pytest.raises(ClaimNotBorneOut, match="by up to nan"):
        identity("unknown is a number", np.nan, 1.0)
