"""Nothing gives an answer away, and every question that a lesson asks is answered where a learner may open it."""

import functools
import re

import nbformat
import pytest

from cxr_utils.cache import home
from cxr_utils.course.derive import ANSWER, learner_notebook
from cxr_utils.course.lessons import find_lessons

LESSONS = find_lessons(home())
FOLD = re.compile(r"<details><summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
PREDICTION = re.compile(r"\*\*Predict")
SHOWS_ANSWER = re.compile(r"^cxr\.answer\(", re.MULTILINE)


@functools.cache
def cells_of(lesson):
    return learner_notebook(lesson.source.read_text(encoding="utf-8"), lesson.name).cells


def questions_of(lesson):
    """Number and text of each question to check oneself with."""
    (text,) = [cell.source for cell in cells_of(lesson) if "## Check yourself" in cell.source]
    section = text.split("## Check yourself")[1].split("\n## ")[0]
    return re.findall(r"\*\*Question (\d)\.\*\*(.*?)(?=\*\*Question|\Z)", section, re.DOTALL)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_has_five_questions_and_an_answer_to_every_choice(lesson):
    questions = questions_of(lesson)
    assert [number for number, _ in questions] == list("12345")
    places = []
    for number, text in questions:
        folds = FOLD.findall(text)
        if [choice for choice, _ in folds] == ["Answer"]:
            assert re.match(r"\s*[\d.,]+", folds[0][1]), f"question {number} asks for a number"
            continue
        assert [choice[:2] for choice, _ in folds] == ["A.", "B.", "C.", "D."][: len(folds)] and len(folds) >= 3
        told = [answer.split()[0] for _, answer in folds]
        assert sorted(told) == ["No."] * (len(folds) - 1) + ["Right."], f"question {number} has one right choice"
        places.append(told.index("Right."))
    assert len(set(places)) > 1, "the right choice is always in the same place"


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_prediction_is_answered_in_words_and_folded(lesson):
    cells = cells_of(lesson)
    asked = [number for number, cell in enumerate(cells) if PREDICTION.search(cell.source)]
    assert len(asked) >= 2
    for number, until in zip(asked, [*asked[1:], len(cells)], strict=True):
        following = cells[number + 1 : until]
        words = [place for place, cell in enumerate(following) if SHOWS_ANSWER.search(cell.source)]
        question = PREDICTION.split(cells[number].source)[-1][:90]
        assert words, f"nothing answers: {question}"
        folded = [ANSWER in cell.metadata.get("tags", []) for cell in following[: words[0]]]
        assert any(folded) or words[0] == 0, f"what answers it is not folded: {question}"


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_what_answers_is_folded_in_the_learners_copy(lesson):
    """A cell that is tagged as an answer is folded; one that only computes for a later answer is not."""
    folded = [cell for cell in cells_of(lesson) if ANSWER in cell.metadata.get("tags", [])]
    assert folded and all(cell.metadata["jupyter"]["outputs_hidden"] for cell in folded)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_the_line_that_jupyterlab_shows_of_a_folded_output_tells_nothing(lesson):
    """Beside the three dots stands the first line of the first output: no share, no decimal, no verdict in it."""
    for cell in nbformat.read(lesson.learner, as_version=4).cells:
        if ANSWER in cell.metadata.get("tags", []) and cell.outputs:
            output = cell.outputs[0]
            line = (output.get("text") or output["data"]["text/plain"]).split("\n")[0]
            assert not re.search(r"\d%|\d\.\d|✓|\(\d+\) down", line), line
