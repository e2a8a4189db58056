"""Exercises never stop a notebook, unless grading is strict; claims always do when they are not borne out."""

import functools
import io
import itertools

import numpy as np
import pandas as pd
import pytest

from cxr_utils.checks import exercise as machinery
from cxr_utils.checks import given, solved
from cxr_utils.checks.claim import ClaimNotBorneOut, claims, headline, identity
from cxr_utils.checks.exercise import Case, Exercise, WrongAnswer, check
from cxr_utils.checks.results import in_form_of, kind, same, show, told_apart
from cxr_utils.errors import Missing

GOES_ON = " The lesson goes on with the course's version.\n"


def square(x):
    return x * x


def asked(*cases, mistakes=(), own=square, **more):
    return Exercise(own, "Look again.", cases, mistakes, **more)


SQUARE = asked(Case((3,), 9), Case((-2,), 4, "Signs vanish."), mistakes=[("Once is not twice.", lambda x: x)])


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("CXR_STRICT", raising=False)
    monkeypatch.setattr(machinery, "_solved", {})


THREE, TWO, RETURN = "given 3, expected 9", "given -2, expected 4", "Hint: Did you forget return?"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (square, "✓ square: right"),
        (lambda x: None, "· square: not answered yet."),
        (lambda x: x**3, f"✗ square: {THREE}, received 27. Hint: Look again."),
        (lambda x: 3 * x, f"✗ square: {TWO}, received -6. Hint: Signs vanish."),
        (lambda x: x, f"✗ square: {THREE}, received 3. Hint: Once is not twice."),
        (lambda x: max(x, -x), f"✗ square: {THREE}, received 3. Hint: Once is not twice."),
        (lambda x: x if x < 0 else 9, f"✗ square: {TWO}, received -2. Hint: Signs vanish."),
        (lambda x: [].append(x * x), f"✗ square: {THREE}, received None. {RETURN}"),
        (lambda x: 9 if x > 0 else None, f"✗ square: {TWO}, received None. {RETURN} Signs vanish."),
        (functools.partial(print, end="", file=io.StringIO()), f"✗ square: {THREE}, received None. {RETURN}"),
        (
            lambda x: 1 / (x - 3),
            f"✗ square: {THREE}, but it raised ZeroDivisionError: division by zero. Hint: Look again.",
        ),
        (7, f"✗ square: {THREE}, but it raised TypeError: 'int' object is not callable. Hint: Look again."),
    ],
)
def test_the_verdict_is_one_line_and_what_comes_back_can_be_used(answer, told, capsys):
    right = told.startswith("✓")
    go_on = check(SQUARE, answer)
    assert go_on(5) == 25 == go_on(x=5) and (go_on is answer) == right
    check(SQUARE, go_on)
    assert capsys.readouterr().out == (told + ("\n" if right else GOES_ON)) * 2


def test_a_new_answer_after_a_wrong_one_is_judged_itself(capsys):
    wrong = check(SQUARE, lambda x: x + 1)
    assert check(SQUARE, square) is square and check(SQUARE, wrong) is wrong
    assert [line[0] for line in capsys.readouterr().out.splitlines()] == ["✗", "✓", "✗"]


def test_after_a_strict_refusal_the_course_s_version_goes_on(monkeypatch):
    go_on = check(SQUARE, lambda x: x + 1)
    monkeypatch.setenv("CXR_STRICT", "1")
    with pytest.raises(WrongAnswer):
        check(SQUARE, go_on)
    assert go_on(5) == 25


def test_one_that_calls_itself_by_name_does_not_meet_the_course_s_version(capsys):
    triangle = asked(Case((1,), 1), Case((4,), 10), own=lambda n: n * (n + 1) // 2)
    names = {}
    names["answer"] = lambda n: 2 if n == 1 else n + names["answer"](n - 1)
    for _ in range(3):
        names["answer"] = check(triangle, names["answer"])
        assert names["answer"](4) == 10
    assert capsys.readouterr().out.count("✗ <lambda>: given 1, expected 1, received 2.") == 3


@pytest.mark.parametrize("answer", [lambda x: None, lambda x: x**3, lambda x: 1 / 0])
def test_strict_grading_raises_on_anything_but_right(answer, monkeypatch):
    monkeypatch.setenv("CXR_STRICT", "1")
    with pytest.raises(WrongAnswer, match="square"):
        check(SQUARE, answer)
    assert check(SQUARE, square) is square


@pytest.mark.parametrize("value", ["0", "", "true"])
def test_only_one_asks_for_strict_grading(value, monkeypatch):
    monkeypatch.setenv("CXR_STRICT", value)
    assert check(SQUARE, lambda x: x**3)(2) == 4


def test_what_a_session_has_solved_is_one_line(capsys):
    exercises = [asked(Case((), number), own=own) for number, own in enumerate((max, min, abs))]
    solved()
    for exercise in exercises:
        check(exercise, lambda: 1)
    solved()
    check(exercises[0], lambda: 0)
    check(exercises[2], lambda: 2)
    solved()
    check(exercises[0], lambda: None)
    solved()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("exercises")]
    assert lines == [
        "exercises: 0 of 0 solved",
        "exercises: 1 of 3 solved (min); open: max, abs",
        "exercises: 3 of 3 solved (max, min, abs)",
        "exercises: 2 of 3 solved (min, abs); open: max",
    ]


def test_answer_cannot_change_the_cases(capsys):
    def vandal(values):
        total = values.sum()
        values[:] = 0
        return total

    cases = [Case((np.array([1.0, 2, 3]),), 6.0)] * 2
    check(asked(*cases, own=np.sum), vandal)
    assert capsys.readouterr().out == "✓ sum: right\n"
    assert cases[0].arguments[0].tolist() == [1, 2, 3]


def answering(*answers):
    """A function that is asked in cases 0, 1, 2, ..."""
    return lambda number: answers[number]


def test_a_wrong_yes_or_no_has_the_hint_of_a_mistake_that_says_the_same(capsys):
    truth = (True, False, True, False, True)
    cases, mistakes = [Case((i,), one) for i, one in enumerate(truth)], [("No, no.", answering(*5 * [False]))]
    for answers, hint in (
        ((False, False, False, False, False), "No, no."),
        ((False, False, False, False, True), "Look again."),
        ((False, True, True, True, True), "Look again."),
        ((True, True, False, False, False), "Look again."),  # right where the mistake is wrong
    ):
        check(asked(*cases, mistakes=mistakes), answering(*answers))
        assert f"Hint: {hint} " in capsys.readouterr().out


def test_of_two_mistakes_that_give_the_same_the_one_that_gives_more_of_it_is_told(capsys):
    cases = [Case((0,), 1.0), Case((1,), 2.0), Case((2,), 3.0)]
    mistakes = [
        ("a", answering(0, 5, 5)),
        ("b", answering(0, 7, 9)),
        ("c", answering(1, 7, 9)),
        ("d", lambda number: 1 / 0),
    ]
    for answers, hint in (((0, 5, 1), "a"), ((0, 7, 1), "b"), ((0, 7, 9), "b"), ((1, 7, 1), "c"), ((0, 0, 0), "a")):
        check(asked(*cases, mistakes=mistakes), answering(*answers))
        assert f"Hint: {hint} " in capsys.readouterr().out
    check(asked(*cases, mistakes=mistakes), lambda number: number / 0)
    assert "Hint: d " in capsys.readouterr().out


ODD = [
    [[1], [1, 2]],
    {1, "a"},
    pd.Series([1.0, 1.0], index=["a", "a"]),
    pd.DataFrame({"a": [1]}),
    object(),
    np.array(9),
    iter([]),
    1j,
    ValueError("a\nb"),
    [object()],
    np.zeros((2, 1)),
    {"a": 2},
    "a" * 1000,
    list(range(100)),
]


@pytest.mark.parametrize("received", ODD, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("expected", [1.0, [1.0, 2.0], (1.0, 2.0), {"a"}, True, "a", pd.Series({"a": 1.0}), []])
def test_whatever_comes_back_is_a_verdict_and_no_trace(received, expected, capsys):
    check(asked(Case((), expected), own=lambda: expected), lambda: received)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("✗ <lambda>: given , expected ") and len(line) < 500 and "0x" not in line


def test_what_is_raised_is_told_in_one_short_line(capsys):
    def fails(x):
        raise ValueError(f"first\n  second {object()} {'x' * 1000}")

    check(SQUARE, fails)
    told = capsys.readouterr().out
    assert "but it raised ValueError: first second <object object> xxx" in told and len(told) < 400


@pytest.mark.parametrize(("factor", "right"), [(1 + 5e-7, True), (1 + 5e-6, False)])
@pytest.mark.parametrize("size", [1.0, 1e6])
def test_the_tolerance_is_relative(factor, right, size, capsys):
    check(asked(Case((), size)), lambda: size * factor)
    check(asked(Case((), size), tolerance=1e-2), lambda: size * (1 + 1e-3))
    assert [line[0] for line in capsys.readouterr().out.splitlines()] == ["✓" if right else "✗", "✓"]


def test_the_tolerance_is_absolute_about_zero():
    assert same(5e-7, 0.0, 1e-6) and not same(2e-6, 0.0, 1e-6)


LOOKALIKES = [
    (2, True),
    (0.5, True),
    (1, False),
    ("1", 1),
    ("True", True),
    ("a", "ab"),
    (1 + 0j, 1.0),
    ([1, 2], [[1, 2]]),
    (np.array([True, False]), np.array([1, 0])),
    ([2, 0], [True, False]),
    (pd.Series({"a": 1}), pd.Series({"b": 1})),
    (pd.Series([1, 2]), pd.Series({"a": 1, "b": 2})),
    (pd.Series([1, 1], ["a", "a"]), pd.Series({"a": 1})),
    ({"a": 1}, pd.Series({"a": 1, "b": 2})),
    ({"a": 1, "b": 3}, pd.Series({"a": 1, "b": 2})),
    ({"1": 1}, pd.Series({1: 1})),
    (np.nan, 1.0),
    ("abc", {"abc"}),
    ("ab", {"a", "b"}),
    ({"a": 1}, {"a"}),
    (["a"], {"a", "b"}),
    ({"a"}, ["a"]),
    (None, 0),
    (0, None),
    (False, 0),
    ((1, 2, 3), (1, 2)),
    ((1, 3), (1, 2)),
    ("ab", ("a", "b")),
    (["a", "b"], ["a", "c"]),
    ([1, 2], ["1", "2"]),
    (pd.Series({"a": 2, "b": 1}), pd.Series({"a": 1, "b": 2})),
    (np.inf, 1.0),
    (np.zeros((2, 1)), np.zeros((1, 2))),
    (np.zeros((0, 2)), np.zeros((0,))),
    (0.2500014, 0.25),
    (2e-6, 0.0),
    ([0.1, 1 / 3 + 1.4e-6], [0.1, 1 / 3]),
    ((0.5, 1e-4), (0.5, 1.02e-4)),
    (np.zeros(30) + 2e-6, np.zeros(30)),
    (np.array([1, 2], complex), [1, 2]),
    (np.array(["1"], "S"), ["1"]),
]


@pytest.mark.parametrize(("received", "expected"), LOOKALIKES, ids=map(str, itertools.count()))
def test_lookalikes_are_not_the_same_and_do_not_read_the_same(received, expected):
    assert not same(received, expected, 1e-6)
    assert len(set(told_apart(expected, received))) == 2


SAME = [
    (np.bool_(True), True),
    (1, True),
    (0.0, False),
    ([1, 0], np.array([True, False])),
    (2, 2.0),
    (np.float32(0.1), 0.1),
    (np.nan, np.nan),
    ([1, 2], (1, 2)),
    (np.array([1, 2]), (1, 2)),
    (("b", "a", "b"), {"a", "b"}),
    (pd.Series(["b", "a"]), {"a", "b"}),
    (pd.Index(["a"]), ["a"]),
    (pd.Index([], dtype=object), []),
    ([True, False], np.array([True, False])),
    (pd.Series({"b": 2, "a": 1}), pd.Series({"a": 1, "b": 2})),
    ({"b": 2, "a": 1}, pd.Series({"a": 1, "b": 2})),
    (np.array([1, 2]), pd.Series({"a": 1, "b": 2})),
    ([1, 2], pd.Series({"a": 1, "b": 2})),
    (np.array([0.5, 1], object), [0.5, 1.0]),
    (pd.DataFrame({"a": [1, 2]}), [[1], [2]]),
]


@pytest.mark.parametrize(("received", "expected"), SAME, ids=map(str, itertools.count()))
def test_the_same_in_another_form_is_right(received, expected):
    assert same(received, expected, 1e-6)


def test_a_right_result_takes_the_form_of_the_course_s(capsys):
    own = pd.Series({"a": 0.5, "b": 0.25})
    for received in ({"b": 0.25, "a": 0.5}, [0.5, 0.25], np.array([0.5, 0.25])):
        pd.testing.assert_series_equal(in_form_of(own, received), own)
        (go_on,) = {check(asked(Case((), own), own=lambda: own), lambda received=received: received)}
        pd.testing.assert_series_equal(go_on(), own)
    assert in_form_of((np.zeros(2), True), [[0, 0], 1])[1] == True  # noqa: E712, numpy's own True
    assert in_form_of(np.array([True, False]), [1, 0]).dtype == bool
    assert in_form_of(["a"], np.array(["a"])) == ["a"] and in_form_of([], set()) == [] and in_form_of(1.5, 1.5) == 1.5
    assert capsys.readouterr().out == "✓ <lambda>: right\n" * 3


def test_values_are_shown_in_short():
    assert show({3, "b", 1}) == "[1, 3, 'b']" and show((np.float64(0.5), [np.int64(1)])) == "(0.5, [1])"
    assert show(np.arange(24)) == str(list(range(24))) and show(np.zeros(25)) == "an array of shape (25,)"
    assert show(list(range(25))) == "a list of 25" and show(list(range(25)), exact=True) == str(list(range(25)))
    assert show(pd.DataFrame({"a": [1, 2]})) == "a table {'a': [1, 2]}"
    assert show(pd.DataFrame({"a": range(25)})) == "a table of 25 rows, columns ['a']"
    assert show(pd.Series({"a": 0.5})) == "{'a': 0.5}" and show(np.array([1 / 3])) == "[0.333333]"
    assert show(max) == "max" and show(np.float64(0.25)) == "0.25" and show(np.int64(3)) == "3" and show("a") == "'a'"
    assert kind([]) == "list" and kind(pd.Series({"a": True})) == "Series of bool, shape (1,)"


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
