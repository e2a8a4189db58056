"""A learner's copy runs from top to bottom with wrong answers too; blank and right ones are what nbval compares."""

import pytest

from cxr_utils.cache import home
from cxr_utils.course.build import execute
from cxr_utils.course.derive import STUB, learner_notebook
from cxr_utils.course.lessons import find_lessons

LESSONS = find_lessons(home())
ANSWER = 'return "a wrong answer"'


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_wrong_answers_are_all_noticed_and_stop_nothing(lesson, tmp_path):
    notebook = learner_notebook(lesson.source.read_text(encoding="utf-8"), lesson.name)
    blanks = 0
    for cell in notebook.cells:
        blanks += cell.source.count(STUB)
        cell.source = cell.source.replace(STUB, ANSWER)
    execute(notebook, tmp_path / "notebooks" / f"{lesson.name}.ipynb")
    printed = "".join(
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream"
    )
    assert 2 <= blanks <= 4
    assert printed.count("✗ ") == blanks and "✓ claim: " in printed
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
