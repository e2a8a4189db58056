"""The source version goes through nbgrader's own generate, autograde and feedback."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from toy_course import HEADER, PARAMETERS, REPOSITORY, make_course

from cxr_utils.course.derive import STUB
from cxr_utils.course.grading.nbgrader import source_version, write_course
from cxr_utils.course.lessons import find_lessons
from cxr_utils.errors import LessonError

NAME = "01_shares"
LESSON = HEADER + (
    "# %% [markdown]\n# # Shares\n\n"
    + PARAMETERS
    + """
# %%
from cxr_utils import checks


# %%
def frequencies(labels):
    \"\"\"Shares of positive and of negative images.\"\"\"
    ### BEGIN SOLUTION
    return labels.mean(axis=0), 1 - labels.mean(axis=0)
    ### END SOLUTION


# %%
frequencies = checks.frequencies(frequencies)

# %%
import numpy as np

print([float(one[0]) for one in frequencies(np.array([[1], [0], [0], [0]]))])
"""
)
ANSWERS = {
    "ann": ("return labels.mean(axis=0), 1 - labels.mean(axis=0)", 1),
    "bob": ("return labels.sum(axis=0), 3", 0),
    "eve": (STUB, 0),
}


def nbgrader(folder, *arguments):
    command = [sys.executable, "-m", "nbgrader", *arguments]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # nbgrader calls alembic
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("lesson", find_lessons(REPOSITORY), ids=lambda lesson: lesson.name)
def test_every_exercise_has_an_answer_cell_and_a_graded_one(lesson):
    cells = source_version(lesson.source.read_text(encoding="utf-8"), lesson.name).cells
    marks = [cell.metadata.nbgrader for cell in cells if "nbgrader" in cell.metadata]
    answers = [mark.grade_id for mark in marks if mark.solution]
    assert 3 <= len(answers) <= 4
    assert [mark.grade_id for mark in marks] == [name for one in answers for name in (one, f"check-{one}")]
    assert all(mark.locked and mark.points == 1 for mark in marks if mark.grade)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "course").mkdir()
    course = make_course(tmp_path / "course", L01_shares=LESSON)
    with pytest.raises(LessonError, match="cannot be written to"):
        write_course(find_lessons(course), tmp_path / "file")


def test_a_class_goes_through_nbgrader(tmp_path):
    pytest.importorskip("nbgrader", reason="nbgrader is not installed")
    (tmp_path / "course").mkdir()
    folder = tmp_path / "class"
    (written,) = write_course(find_lessons(make_course(tmp_path / "course", L01_shares=LESSON)), folder)
    nbgrader(folder, "generate_assignment", NAME, "--create")
    released = folder / "release" / NAME / written.name
    text = released.read_text(encoding="utf-8")
    assert "labels.mean" not in text and "HIDDEN" not in text and "CXR_STRICT" not in text and STUB in text
    for who, (answer, _) in ANSWERS.items():
        target = folder / "submitted" / who / NAME
        target.mkdir(parents=True)
        shutil.copy(released, target)
        (target / written.name).write_text(text.replace(STUB, answer), encoding="utf-8")
    nbgrader(folder, "autograde", NAME, "--create")
    nbgrader(folder, "generate_feedback", NAME)
    nbgrader(folder, "export")
    with open(folder / "grades.csv", newline="") as file:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert scores == {who: score for who, (_, score) in ANSWERS.items()}
    for who in ANSWERS:
        assert (folder / "feedback" / who / NAME / f"{NAME}.html").exists()
    graded = nbformat.read(folder / "autograded" / "bob" / NAME / written.name, as_version=4)
    raised = [o.ename for cell in graded.cells if cell.cell_type == "code" for o in cell.outputs if "ename" in o]
    assert raised == ["WrongAnswer"] and graded.cells[-1].outputs[0].text == "[0.25, 0.75]\n"
