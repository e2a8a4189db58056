"""What a graded function returns goes through text; the verdict on it is the one that the lesson would print."""

import json
import operator
import pathlib
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from test_exercises import NAMES, RIGHT, WRONG

from cxr_utils.checks.exercise import EXERCISES, judge
from cxr_utils.checks.results import kind, same, show
from cxr_utils.course.grading.wire import Foreign, decode, encode, raised, words_of


def through(value):
    return decode(json.loads(json.dumps(encode(value))))


def over_the_wire(answer):
    def called(*given):
        try:
            value = answer(*given)
        except Exception as error:
            raise raised(type(error).__name__, words_of(error)) from None
        return through(value)

    return called


@pytest.mark.parametrize("name", NAMES)
def test_every_known_answer_gets_the_verdict_of_the_lesson(name):
    answers = [*RIGHT[name].values(), *(answer for _, answer in WRONG[name])]
    verdicts = [(judge(EXERCISES[name], over_the_wire(answer), False)[0]) for answer in answers]
    assert verdicts == [judge(EXERCISES[name], answer, False)[0] for answer in answers]
    assert verdicts.count("") == len(RIGHT[name])


VALUES = [
    None,
    True,
    3,
    -0.5,
    float("inf"),
    "✓ right",
    [1, [2.0, None]],
    (1, (True,)),
    {"b", "a"},
    frozenset({1}),
    {"x": [1], 2: (3,)},
    np.float32(0.25),
    np.bool_(True),
    np.arange(6).reshape(2, 3),
    np.zeros((0, 3)),
    np.array(["a", "bc"]),
    np.array([1, "a", None], object),
    pd.Series([1.5, 2.5], ["a", "b"]),
    pd.Series(["a", None]),
    pd.Index(["a", "b"]),
    pd.DataFrame({"n": [1, 2], "s": ["x", "y"]}, [9, 4]),
    pd.Series(["a", "b"], dtype="category"),
    np.array(["2026-01-01"], "datetime64[D]"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_as_what_it_was(value):
    came = through(value)
    assert (type(came), show(came)) == (type(value), show(value))
    if not isinstance(value, pd.Series):  # a categorical comes back as what it holds
        assert kind(came) == kind(value)
    if isinstance(value, pd.DataFrame):
        pd.testing.assert_frame_equal(came, value)


def test_what_is_of_no_known_type_shows_as_it_did_and_can_be_gone_through():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return np.array([1.0, 2.0])

    assert same(through(Tensor()), [1.0, 2.0], 1e-6) and type(through(Tensor())).__name__ == "Tensor"
    assert set(through({"a": 1, "b": 2}.keys())) == {"a", "b"} and list(through(range(3))) == [0, 1, 2]
    for value in (Fraction(1, 2), pathlib.PurePosixPath("a"), operator.add):
        assert isinstance(through(value), Foreign) and show(through(value)) == show(value)


def test_what_would_never_end_is_refused():
    nested = []
    nested.append(nested)
    with pytest.raises(ValueError, match="nested too deeply"):
        encode(nested)
    with pytest.raises(ValueError, match="more than 200,000"):
        encode(iter(map(abs, iter(int, 1))))


@pytest.mark.parametrize(
    "word",
    [
        {},
        {"array": ["<f8", [3], "AAAA"]},
        {"array": ["O", [1], "AAAAAAAAAAA="]},
        {"array": ["<f8", [-1, -1], ""]},
        {"no such": 1},
        {"dict": [[[1]], [1]]},
        {"series": 3},
        {"list": 7},
        [1],
    ],
    ids=str,
)
def test_what_nobody_encoded_raises_and_does_nothing(word):
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        decode(word)
