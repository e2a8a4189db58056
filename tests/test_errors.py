"""What a data set lacks passes through every later step; every error is one that a learner can catch."""

import operator
import pickle

import numpy as np
import pandas as pd
import pytest

from cxr_utils import errors
from cxr_utils.errors import Missing, first_missing, passes_missing, tell

LACKS = Missing("This data set has no boxes.")


def test_it_counts_as_false_and_as_empty_and_shows_its_reason():
    assert not LACKS and len(LACKS) == 0 and list(LACKS) == []
    assert repr(LACKS) == str(LACKS) == LACKS.reason == "This data set has no boxes."


@pytest.mark.parametrize(
    "operation",
    [operator.add, operator.sub, operator.mul, operator.truediv, operator.gt, operator.ge, operator.lt, operator.le],
)
def test_whatever_is_reckoned_with_it_gives_it_again(operation):
    assert operation(LACKS, 3) is LACKS and operation(3, LACKS) is LACKS


def test_whatever_is_asked_of_it_gives_it_again():
    assert LACKS["finding"] is LACKS and LACKS[0] is LACKS and LACKS.size is LACKS
    assert LACKS.groupby("finding", sort=False).mean()["x"] is LACKS


def test_what_notebooks_and_pickle_look_for_is_not_there():
    for name in ("_repr_html_", "__array__", "_ipython_display_"):
        assert not hasattr(LACKS, name)
    again = pickle.loads(pickle.dumps(LACKS))
    assert isinstance(again, Missing) and again.reason == LACKS.reason


def test_the_first_missing_is_found_however_deep():
    other = Missing("other")
    assert first_missing(1, LACKS, other) is LACKS and first_missing(other, LACKS) is other
    assert first_missing({"a": 1, "b": LACKS}) is LACKS
    assert first_missing([1, (2, {"a": [LACKS]})], other) is LACKS
    assert first_missing(other, [LACKS]) is other


@pytest.mark.parametrize("value", [None, 0, "", "Missing", np.zeros(3), pd.DataFrame({"a": [1]}), {}, [], {"a": [0]}])
def test_nothing_else_is_missing(value):
    assert first_missing(value) is None
    assert first_missing(value, [LACKS]) is LACKS
    assert first_missing() is None


def test_a_function_is_not_called_with_something_missing():
    calls = []

    @passes_missing
    def figure(*arguments, **options):
        """Draw."""
        calls.append((arguments, options))
        return "drawn"

    assert figure(LACKS) is LACKS and figure(1, boxes=LACKS) is LACKS and figure({"a": LACKS}) is LACKS
    assert calls == []
    assert figure(1, [2], title="t") == "drawn" and calls == [((1, [2]), {"title": "t"})]
    assert figure.__name__ == "figure" and figure.__doc__ == "Draw."


@pytest.mark.parametrize("kind", ["DataError", "ImageError", "RecipeError", "LessonError"])
def test_every_error_is_one_of_the_package_and_a_value_error(kind):
    assert issubclass(getattr(errors, kind), errors.CxrError) and issubclass(errors.CxrError, ValueError)


def test_a_note_is_one_line_on_standard_output(capsys):
    tell("3 rows dropped")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("note: 3 rows dropped\n", "")
